"""The engine for HeroScript, as the actor sees it. Loads neither parser nor pydantic: its processes do.

A run is a conversation with one child: the job goes there, words and result come back, and if the time is up, or
somebody cancels, the child is killed with its whole tree, and only then the run is over.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any, cast

from hero_engine.engine import (
    Asker,
    Done,
    Failed,
    Limits,
    Outcome,
    RunHandle,
    RunLog,
    Script,
    Stopped,
    StoreAccess,
    TimedOut,
)
from hero_engine.errors import EngineUnavailable
from hero_engine.heroscript_engine.children import wire
from hero_engine.heroscript_engine.children.pool import Child, Pool
from hero_engine.heroscript_engine.children.store_requests import Asking
from hero_engine.heroscript_engine.run.settings import Settings

VERSION = "1"

_READ_BYTES = 256 * 1024
#: A line that is longer is cut into several.
_MAX_LINE_BYTES = 64 * 1024
#: So long, in seconds, the end of a killed child is waited for. Only a process that the kernel holds takes longer.
_KILL_WAIT_S = 5.0


class HeroScriptRun:
    """One run: links a cancellation to the child that is to be killed."""

    __slots__ = ("_child", "_lock", "cancelled")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Kill the child, or have none begin."""
        with self._lock:
            self.cancelled = True
            if self._child is not None:
                self._child.kill()

    def attach(self, child: Child | None) -> bool:
        """Set, or take away, whom to kill. Says no when the run is cancelled already."""
        with self._lock:
            self._child = child
            return not self.cancelled


class HeroScriptEngine:
    """Runs HeroScript in child processes, one a job.

    Args:
        settings: What the operator has set.

    Raises:
        EngineUnavailable: A package with handlers does not load.
    """

    name = "heroscript"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._access: StoreAccess | None = None
        self._pool = Pool(settings)
        self.close = weakref.finalize(self, self._pool.close)

    @property
    def version(self) -> str:
        """Version of the engine, and of the Python that runs the handlers."""
        return f"{VERSION}+python{sys.version.split()[0]}"

    def give_access(self, access: StoreAccess) -> None:
        """Take the way to the store, for scripts that may use it."""
        self._access = access

    def check(self, script: Script) -> Failed | None:
        """Parse the script; names of actions are looked up when it is run."""
        from hero_engine.heroscript_engine.run.reading import failed, read_playbook
        from hero_engine.languages.heroscript import HeroScriptError

        try:
            read_playbook(script.source)
        except HeroScriptError as e:
            return failed(e)
        return None

    def new_run(self) -> RunHandle:
        """Make a handle that `run` takes once."""
        return HeroScriptRun()

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Run a script in a child; the interpreter lock is free while it runs."""
        handle = cast("HeroScriptRun", run)
        deadline_mono = time.monotonic() + limits.timeout_s
        request = wire.frame(
            pickle.dumps((script.source, dict(constants), limits.timeout_s, limits.memory_bytes), protocol=5)
        )
        # A child can die, or be killed for want of memory, while it waits for a job: that is not the job's fault.
        for last in (False, True):
            if handle.cancelled:
                return Stopped()
            try:
                child = self._pool.take(fresh=last)
            except EngineUnavailable as e:
                return Failed("engine_failed", str(e))
            if not handle.attach(child):
                handle.attach(None)
                self._pool.give_back(child, reusable=True)
                return Stopped()
            asking = Asking(self._access, self._settings, _asker(constants, deadline_mono))
            conversation = _Conversation(child, log, asking)
            try:
                outcome = conversation.hold(request, deadline_mono, limits.timeout_s, handle)
            finally:
                asking.close()
                handle.attach(None)
                self._pool.give_back(child, reusable=conversation.clean)
            if conversation.began or last or not isinstance(outcome, Failed):
                break
        return outcome


def create_engine() -> HeroScriptEngine:
    """Make the engine; the registry's factory for `heroscript`."""
    return HeroScriptEngine(Settings.from_environ())


class _Conversation:
    """With one child about one job."""

    def __init__(self, child: Child, log: RunLog | None, asking: Asking) -> None:
        self._child = child
        self._asking = asking
        self._log = log
        self._reader = wire.Reader()
        self._printed = bytearray()
        self._action = ""
        self._line = 0
        self._outcome: Outcome | None = None
        self.began = False
        self.clean = False

    def hold(self, request: bytes, deadline_mono: float, timeout_s: float, handle: HeroScriptRun) -> Outcome:
        """Hand over the job and listen until it has ended.

        Args:
            request: The job.
            deadline_mono: When the child is killed.
            timeout_s: The same as the job has it.
            handle: Tells whether it was cancelled.

        Returns:
            How it ended.
        """
        child = self._child
        job_fd, life_fd = child.job.fileno(), child.life.fileno()
        unsent = self._send(memoryview(request))
        poll = select.poll()
        poll.register(child.output, select.POLLIN)
        poll.register(life_fd, select.POLLIN)
        listening = True
        while self._outcome is None:
            wait_s = deadline_mono - time.monotonic()
            if wait_s <= 0:
                self._kill()
                if self._action:
                    self._say("warning", f"the time was up in {self._where()}")
                return TimedOut(timeout_s)
            if listening:
                poll.register(job_fd, select.POLLIN | select.POLLOUT if unsent else select.POLLIN)
            answer_fd = self._asking.fd
            if answer_fd is not None:
                # No more of an answer is taken than the child takes.
                poll.register(answer_fd, 0 if unsent else select.POLLIN)
            # Not rounded down: a poll that ends a fraction too early would be made again and again.
            events = dict(poll.poll(wait_s * 1000 + 1))
            if child.output in events and not self._read_output():
                poll.unregister(child.output)
            if job_fd in events:
                if unsent and events[job_fd] & select.POLLOUT:
                    unsent = self._send(unsent)
                if events[job_fd] & ~select.POLLOUT and not self._read_messages():
                    # It has closed the socket; that it has ended comes on the other.
                    poll.unregister(job_fd)
                    listening = False
            if answer_fd in events and not unsent:
                unsent = self._send(memoryview(self._asking.read()))
            if life_fd in events and self._outcome is None:
                return self._bury(handle)
        self._finish_output()
        return self._outcome

    def _bury(self, handle: HeroScriptRun) -> Outcome:
        """The child has ended. Take its last words, or say why there are none."""
        status = self._child.life.recv(4)
        while self._read_messages():
            pass
        self._finish_output()
        if self._outcome is not None:
            return self._outcome
        if handle.cancelled:
            return Stopped()
        where = f" in {self._where()}" if self._action else ""
        if len(status) < 4:
            return Failed("crashed", f"the engine's template process ended{where}")
        code = int.from_bytes(status, signed=True)
        return Failed("crashed", f"the script's process {_ending(code)}{where}", self._line or None)

    def _send(self, data: memoryview) -> memoryview:
        try:
            while data:
                data = data[self._child.job.send(data) :]
        except BlockingIOError:
            pass
        except OSError:
            return data[:0]  # it has ended, as the other socket says
        return data

    def _kill(self) -> None:
        self._child.kill()
        poll = select.poll()
        poll.register(self._child.life, select.POLLIN)
        poll.poll(_KILL_WAIT_S * 1000)
        self._finish_output()

    def _read_messages(self) -> bool:
        """Read what is there. Says no at the end, and when there is nothing now."""
        try:
            data = self._child.job.recv(_READ_BYTES)
        except OSError:
            return False
        try:
            for message in self._reader.feed(data):
                self._take(message)
        except wire.MessageTooLong as e:
            self._outcome = Failed("result_too_large", f"the script's process sends {e}")
        except (ValueError, TypeError, IndexError) as e:
            self._outcome = Failed("crashed", f"the script's process sends what is no message: {e}")
        return bool(data) and self._outcome is None

    def _take(self, message: list[Any]) -> None:
        kind = message[0]
        if kind == "at":
            self._action, self._line = message[1:3]
        elif kind == "log":
            # What was printed before it is to stand before it.
            self._read_output()
            self._say(message[1], message[2])
        elif kind == "progress":
            if self._log is not None:
                self._log.progress(*message[1:4])
        elif kind == "done":
            self.clean = message[3]
            self._outcome = Done(message[1], message[2])
        elif kind == "failed":
            self._outcome = Failed(*message[1:6])
        elif kind == "ask":
            if not self._asking.ask(message[1], message[2]):
                self._outcome = Failed("crashed", "the script's process asks again before it has an answer")
        elif kind == "began":
            self.began = True

    def _read_output(self) -> bool:
        """Read what was printed, up to a bound. Says no at the end."""
        try:
            data = os.read(self._child.output, _READ_BYTES)
        except BlockingIOError:
            return True
        if self._log is None:
            return bool(data)
        self._printed += data
        end = self._printed.rfind(b"\n")
        if end < 0 and len(self._printed) > _MAX_LINE_BYTES:
            end = len(self._printed)
        if end >= 0:
            self._say("info", self._printed[:end].decode(errors="backslashreplace"))
            del self._printed[: end + 1]
        return bool(data)

    def _finish_output(self) -> None:
        # All of it is in the pipe by now, which holds 64 KiB as a rule, 1 MiB at most.
        poll = select.poll()
        poll.register(self._child.output, select.POLLIN)
        for _ in range(16):
            if not poll.poll(0) or not self._read_output():
                break
        if self._printed:
            self._say("info", self._printed.decode(errors="backslashreplace"))
            self._printed.clear()

    def _say(self, level: str, text: str) -> None:
        if self._log is not None:
            self._log.line(level, text)

    def _where(self) -> str:
        return f"{self._action} (line {self._line})"


def _asker(constants: Mapping[str, object], deadline_mono: float) -> Asker:
    names = {name.lower(): str(constants.get(name, "")) for name in ("JOB_ID", "CALLER_ID", "CONTEXT_ID")}
    return Asker(**names, deadline_mono=deadline_mono)


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    reason = {"SIGKILL": ": killed, by the kernel if memory ran out", "SIGXCPU": ": its processor time was used up"}
    return f"was ended by signal {name}{reason.get(name, '')}"
