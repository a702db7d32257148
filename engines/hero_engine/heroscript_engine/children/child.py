"""The forked process of one job: receives the job from the engine, runs it, sends the result, and ends.

All messages go through one socket, so they arrive in order; printed text goes through a pipe. The process never returns
to the template's code: every path ends in `os._exit`.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import os
import pickle
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

from hero_engine.engine import Done, Failed, Outcome
from hero_engine.errors import AccessRefused
from hero_engine.heroscript_engine.children import wire
from hero_engine.heroscript_engine.run.actions import VocabularyError
from hero_engine.heroscript_engine.run.context import Context, ScriptSession
from hero_engine.heroscript_engine.run.run_script import run_script
from hero_engine.heroscript_engine.run.settings import EngineSettings
from hero_engine.host.environment import program_environ
from hero_engine.languages.heroscript import Playbook
from hero_engine.languages.heroscript.playbook.action import Action
from hero_process.proc import children_of
from hero_process.tree import adopt_orphans, die_with

#: The interpreter specialises code that has run a few times. If the template has run it, all children share the result.
#: Source: https://peps.python.org/pep-0659/
_WARM_UP_RUNS = 20
_DRAIN_BYTES = 65536


class EngineChannel(logging.Handler):
    """Sends messages, log records and store requests to the engine. Safe to use from any thread of the child."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self.socket = sock
        self._sending = threading.Lock()
        self._asking = threading.Lock()

    def send(self, *message: object) -> None:
        try:
            data = wire.pack(message)
        except TypeError:  # text with surrogates
            data = wire.pack([_clean(part) if isinstance(part, str) else part for part in message])
        # The engine has ended, or is about to kill this process. Either way, the end is near.
        with self._sending, contextlib.suppress(OSError):
            self.socket.sendall(data)

    def at(self, action: str, line: int) -> None:
        self.send("at", action, line)

    def say(self, level: str, text: str) -> None:
        self.send("log", level, text)

    def progress(self, done: float, total: float, text: str) -> None:
        self.send("progress", float(done), float(total), str(text))

    def ask(self, method: str, params: dict[str, object]) -> Any:
        """Send a request to the store and wait for its answer. Threads take turns.

        Args:
            method: `job.*` or `store.*`.
            params: JSON values.

        Returns:
            A JSON value.

        Raises:
            AccessRefused: The request is not allowed, or cannot be carried out.
        """
        try:
            request = wire.pack(["ask", method, params])
        except TypeError as e:
            raise AccessRefused(f"{method} cannot be asked: {e}") from e
        with self._asking:
            with self._sending:
                self.socket.sendall(request)
            answer = _receive(self.socket)
        if answer is None:
            raise AccessRefused("the actor is gone")
        allowed, value = wire.unpack(answer)
        if not allowed:
            raise AccessRefused(value)
        return value

    def emit(self, record: logging.LogRecord) -> None:
        self.send("log", record.levelname.lower(), self.format(record))


def serve(sock: socket.socket, settings: EngineSettings, template_pid: int, channel: EngineChannel) -> None:
    """Run jobs until there are no more, or one leaves something behind. Does not return.

    Args:
        sock: Socket to the engine.
        settings: The engine's.
        template_pid: The parent. The kernel kills this process if the parent dies.
        channel: The one that `prepare` has made.
    """
    code = 70
    try:
        # A session and group of its own, so that it can be killed together with everything that it starts.
        os.setsid()
        adopt_orphans()
        die_with(template_pid)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        channel.socket = sock
        gc.enable()
        for left in reversed(range(settings.jobs_per_child)):
            request = _receive(sock)
            if request is None or not _serve_one(request, settings, channel, last=left == 0):
                break
        code = 0
    except BaseException:  # noqa: BLE001  printed to the job's log; the exit code goes to its error
        traceback.print_exc()
    finally:
        os._exit(code)


def _serve_one(request: bytes, settings: EngineSettings, channel: EngineChannel, *, last: bool) -> bool:
    """Run one job. Returns whether this process can run another: it is not the last, and left nothing behind."""
    source, constants, timeout_s, memory_bytes = pickle.loads(request)
    channel.send("began")
    outcome: Outcome
    try:
        _limit(settings, memory_bytes)
        env = constants.get("ENV")
        os.environ.clear()
        if isinstance(env, Mapping):
            # Handlers of packages may start programs, which inherit this.
            os.environ.update(program_environ(env, base={}, allowed=settings.job_env))
        deadline_mono = time.monotonic() + timeout_s
        outcome = _run(source, constants, settings, deadline_mono, channel)
    except SystemExit as e:
        outcome = Failed("exited", f"the script ended its process by sys.exit({e.code!r})")
    except MemoryError:
        outcome = Failed("out_of_memory", "the script needs more memory than its process may have")
    except BaseException as e:  # noqa: BLE001  KeyboardInterrupt, our own defect, a limit that cannot be set
        outcome = Failed("child_failed", f"{type(e).__name__}: {e}")
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    if isinstance(outcome, Done):
        clean = not last and threading.active_count() == 1 and not children_of(os.getpid())
        channel.send("done", outcome.output, outcome.output_json, clean)
        return clean
    assert isinstance(outcome, Failed)
    channel.send("failed", outcome.kind, outcome.message, outcome.line, outcome.column, outcome.permanent)
    return False


def prepare(settings: EngineSettings) -> EngineChannel:
    """Do once, in the template, what every child would otherwise do in memory of its own: load, specialise, set up.

    Args:
        settings: The engine's.

    Returns:
        The channel, still without a child's socket. From now on the root logger uses it.

    Raises:
        VocabularyError: Even the shortest script fails.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = EngineChannel(theirs)
        for _ in range(_WARM_UP_RUNS):
            outcome = _run("!!play.output result:all", {"CALLER_ID": ""}, settings, time.monotonic(), channel)
            if not isinstance(outcome, Done):
                raise VocabularyError(f"the shortest script fails: {outcome}")
            ours.recv(_DRAIN_BYTES)
    log = logging.getLogger()
    log.handlers[:] = [channel]
    log.setLevel(logging.INFO)
    log.isEnabledFor(logging.INFO)
    # A child gets its job's environment only, so the template's can be removed once for all.
    os.environ.clear()
    return channel


def _run(
    source: str, constants: Mapping[str, object], settings: EngineSettings, deadline_mono: float, channel: EngineChannel
) -> Outcome:
    def make_context(playbook: Playbook) -> Context:
        return Context(
            action=Action("", ""),
            playbook=playbook,
            constants=constants,
            session=ScriptSession(),
            results={},
            settings=settings,
            deadline_mono=deadline_mono,
            log=logging.getLogger("hero.script"),
            send_progress=channel.progress,
            last_result=settings.last_result,
            ask_actor=channel.ask,
        )

    return run_script(source, settings, make_context, channel)


def _receive(sock: socket.socket) -> bytes | None:
    head = _receive_exactly(sock, wire.LENGTH_BYTES)
    return None if head is None else _receive_exactly(sock, int.from_bytes(head))


def _receive_exactly(sock: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = sock.recv_into(view)
        if count == 0:
            return None
        view = view[count:]
    return bytes(data)


def _limit(settings: EngineSettings, memory_bytes: int | None) -> None:
    _lower(resource.RLIMIT_CORE, 0)
    if memory := memory_bytes or settings.memory_bytes:
        _lower(resource.RLIMIT_AS, memory)
    if settings.cpu_s:
        # Only the soft limit: at the hard one the signal is SIGKILL, which does not show the reason. What this process
        # has used so far does not count.
        used_s = math.ceil(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used_s + settings.cpu_s, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    if settings.files:
        _lower(resource.RLIMIT_NOFILE, settings.files)
    if settings.processes:
        _lower(resource.RLIMIT_NPROC, settings.processes)


def _lower(which: int, limit: int) -> None:
    """Lower a hard limit, so that a script cannot raise it again. A limit that is already lower stays."""
    _, hard = resource.getrlimit(which)
    lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(which, (lowest, lowest))


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
