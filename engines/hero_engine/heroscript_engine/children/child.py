"""The forked process of one job: gets it from the engine, runs it, says what came of it, ends.

Everything is said on one socket, in the order of saying; what is printed goes to a pipe of its own. The process never
returns to the template's code: it ends here, whatever happens.
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
from hero_engine.heroscript_engine.run.context import Context, Session
from hero_engine.heroscript_engine.run.script import run_script
from hero_engine.heroscript_engine.run.settings import Settings
from hero_engine.languages.heroscript import Playbook
from hero_engine.languages.heroscript.playbook.action import Action
from hero_process.proc import children_of
from hero_process.tree import adopt_orphans, die_with

#: The interpreter rewrites code that has run a few times: in the template, all children share the result.
#: Source: https://peps.python.org/pep-0659/
_WARM_UP_RUNS = 20
_DRAIN_BYTES = 65536


class Voice(logging.Handler):
    """Says things to the engine, and asks; for the log's records too. From any thread of the child."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self.socket = sock
        self._sending = threading.Lock()
        self._asking = threading.Lock()

    def tell(self, *message: object) -> None:
        try:
            data = wire.pack(message)
        except TypeError:  # text that is not Unicode
            data = wire.pack([_clean(part) if isinstance(part, str) else part for part in message])
        # The engine is gone, or has given up on us: in both cases the end is on its way.
        with self._sending, contextlib.suppress(OSError):
            self.socket.sendall(data)

    def at(self, action: str, line: int) -> None:
        self.tell("at", action, line)

    def say(self, level: str, text: str) -> None:
        self.tell("log", level, text)

    def progress(self, done: float, total: float, text: str) -> None:
        self.tell("progress", float(done), float(total), str(text))

    def ask(self, method: str, params: dict[str, object]) -> Any:
        """Ask, and wait for the answer; one question at a time.

        Raises:
            AccessRefused: The answer is no.
        """
        try:
            question = wire.pack(["ask", method, params])
        except TypeError as e:
            raise AccessRefused(f"{method} cannot be asked: {e}") from e
        with self._asking:
            with self._sending:
                self.socket.sendall(question)
            answer = _receive(self.socket)
        if answer is None:
            raise AccessRefused("the actor is gone")
        allowed, value = wire.unpack(answer)
        if not allowed:
            raise AccessRefused(value)
        return value

    def emit(self, record: logging.LogRecord) -> None:
        self.tell("log", record.levelname.lower(), self.format(record))


def serve(sock: socket.socket, settings: Settings, template_pid: int, voice: Voice) -> None:
    """Run jobs until there is no more, or one leaves something behind. Never returns.

    Args:
        sock: To the engine.
        settings: The engine's.
        template_pid: Our parent, without which nobody would watch over us.
        voice: What `prepare` has made.
    """
    code = 70
    try:
        # Its own session and group, so that it and what it starts can be killed as one.
        os.setsid()
        adopt_orphans()
        die_with(template_pid)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        voice.socket = sock
        gc.enable()
        for left in reversed(range(settings.jobs_per_child)):
            request = _receive(sock)
            if request is None or not _serve_one(request, settings, voice, last=left == 0):
                break
        code = 0
    except BaseException:  # noqa: BLE001  printed to the job's log; the exit code goes to its error
        traceback.print_exc()
    finally:
        os._exit(code)


def _serve_one(request: bytes, settings: Settings, voice: Voice, *, last: bool) -> bool:
    """Run one job. Says whether the process is as it was before, and not to be replaced anyway."""
    source, constants, timeout_s, memory_bytes = pickle.loads(request)
    voice.tell("began")
    outcome: Outcome
    try:
        _limit(settings, memory_bytes)
        env = constants.get("ENV")
        os.environ.clear()
        if isinstance(env, Mapping):
            os.environ.update({str(name): str(text) for name, text in env.items()})
        deadline_mono = time.monotonic() + timeout_s
        outcome = _run(source, constants, settings, deadline_mono, voice)
    except SystemExit as e:
        outcome = Failed("exited", f"the script ended its process by sys.exit({e.code!r})")
    except MemoryError:
        outcome = Failed("out_of_memory", "the script needs more memory than its process may have")
    except BaseException as e:  # noqa: BLE001  KeyboardInterrupt, a defect of ours, a limit that cannot be set
        outcome = Failed("child_failed", f"{type(e).__name__}: {e}")
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    if isinstance(outcome, Done):
        clean = not last and threading.active_count() == 1 and not children_of(os.getpid())
        voice.tell("done", outcome.output, outcome.output_json, clean)
        return clean
    assert isinstance(outcome, Failed)
    voice.tell("failed", outcome.kind, outcome.message, outcome.line, outcome.column, outcome.permanent)
    return False


def prepare(settings: Settings) -> Voice:
    """Do in the template what every child would do else, each in pages of its own: load, specialise, set up.

    Args:
        settings: The engine's.

    Returns:
        What a child speaks with, without its socket. The root logger has it from now on.

    Raises:
        VocabularyError: Not even the shortest script runs.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        voice = Voice(theirs)
        for _ in range(_WARM_UP_RUNS):
            outcome = _run("!!play.output result:all", {"CALLER_ID": ""}, settings, time.monotonic(), voice)
            if not isinstance(outcome, Done):
                raise VocabularyError(f"the shortest script fails: {outcome}")
            ours.recv(_DRAIN_BYTES)
    log = logging.getLogger()
    log.handlers[:] = [voice]
    log.setLevel(logging.INFO)
    log.isEnabledFor(logging.INFO)
    # A job's environment is its own, and to take ours away is the same for all.
    os.environ.clear()
    return voice


def _run(
    source: str, constants: Mapping[str, object], settings: Settings, deadline_mono: float, voice: Voice
) -> Outcome:
    def make_context(playbook: Playbook) -> Context:
        return Context(
            action=Action("", ""),
            playbook=playbook,
            constants=constants,
            session=Session(),
            results={},
            settings=settings,
            deadline_mono=deadline_mono,
            log=logging.getLogger("hero.script"),
            send_progress=voice.progress,
            last_result=settings.last_result,
            ask_actor=voice.ask,
        )

    return run_script(source, settings, make_context, voice)


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


def _limit(settings: Settings, memory_bytes: int | None) -> None:
    _lower(resource.RLIMIT_CORE, 0)
    if memory := memory_bytes or settings.memory_bytes:
        _lower(resource.RLIMIT_AS, memory)
    if settings.cpu_s:
        # The soft limit alone: at the hard one the signal is SIGKILL, which tells nobody why. Of the time from now on.
        used_s = math.ceil(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used_s + settings.cpu_s, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    if settings.files:
        _lower(resource.RLIMIT_NOFILE, settings.files)
    if settings.processes:
        _lower(resource.RLIMIT_NPROC, settings.processes)


def _lower(which: int, limit: int) -> None:
    """Lower a limit; hard, so that a script cannot raise it again. One that is lower already stays."""
    _, hard = resource.getrlimit(which)
    lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(which, (lowest, lowest))


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
