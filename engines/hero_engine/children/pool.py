"""The engine's side of its processes: starts the template, and keeps children ready for jobs.

Any lane's thread may call it. It starts a template again that has ended.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from hero_engine.children import wire
from hero_engine.children.place import make_place
from hero_engine.children.settings import ChildSettings
from hero_engine.errors import EngineUnavailable
from hero_process.proc import arguments_of

log = logging.getLogger(__name__)

#: How long loading an engine may take, in seconds. One that takes longer is broken.
_START_LIMIT_S = 60.0
_END_LIMIT_S = 5.0
_REMEDY = "See what it wrote to the actor's standard error."


class JobChild:
    """The engine's side of one child process. Used by one thread at a time, except for `kill`.

    Attributes:
        job: Socket to the child.
        output: Descriptor of what the child and its own children print.
        place: Descriptor of the memory where the child notes what its script does (`place`).
        life: Socket to the template: shutting it down kills the child, and the exit status is read from it.
        template: The process of the template.
    """

    __slots__ = ("job", "life", "output", "place", "template")

    def __init__(
        self, job: socket.socket, output: int, place: int, life: socket.socket, template: subprocess.Popen[bytes] | None
    ) -> None:
        self.job = job
        self.output = output
        self.place = place
        self.life = life
        self.template = template
        job.setblocking(False)
        os.set_blocking(output, False)

    def kill(self) -> None:
        """Kill the child and all of its descendants. Safe to call from any thread before `close`."""
        with contextlib.suppress(OSError):
            self.life.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Release the descriptors. A child that is still alive is killed."""
        self.job.close()
        os.close(self.output)
        os.close(self.place)
        self.life.close()


class ChildPool:
    """Keeps as many children ready as there were jobs simultaneously.

    Args:
        engine: Name of the engine, for errors.
        factory: `module:function`; makes the `ChildProgram` in the template.
        settings: Given to the factory, and the limits of the children.
        environ: The environment of the template.

    Raises:
        EngineUnavailable: The template does not start, or its program does not load.

    Attributes:
        version: Version of the engine in the children.
        loaded: What the template has loaded.
    """

    def __init__(self, engine: str, factory: str, settings: ChildSettings, environ: Mapping[str, str]) -> None:
        self._engine = engine
        self._factory = factory
        self._settings = settings
        self._environ = environ
        self._lock = threading.Lock()
        self._ready: deque[JobChild] = deque()
        self._taken = 0
        self._wanted = 1
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.version = ""
        self.loaded: list[str] = []
        with self._lock:
            self._start()
            self._ready += (self._order(), self._order())

    def take(self, *, fresh: bool = False) -> JobChild:
        """Take a child that waits for a job. It may have died meanwhile: then it does not begin the job.

        Args:
            fresh: Fork it now, instead of taking one that is ready.

        Raises:
            EngineUnavailable: The template has ended and does not start again.
        """
        with self._lock:
            self._wanted = max(self._wanted, self._taken + 1)
            child = self._order() if fresh or not self._ready else self._ready.popleft()
            self._taken += 1
            return child

    def give_back(self, child: JobChild, *, reusable: bool) -> None:
        """Return a child whose job has ended.

        Args:
            child: The child.
            reusable: It can run another job; otherwise it is killed.
        """
        with self._lock:
            self._taken -= 1
            if reusable:
                # The next job gets it: what it has in its caches serves that one too.
                self._ready.appendleft(child)
            # New children are forked now, not when a job starts, because a fork takes processor time that the job
            # could use. One more than the number of simultaneous jobs, so that the next job need not wait for a fork.
            try:
                while len(self._ready) + self._taken <= self._wanted:
                    self._ready.append(self._order())
            except EngineUnavailable as e:
                # This job has its result. The next one tries again and reports the error.
                log.error("engine.no_child", extra={"engine": self._engine, "error": str(e)})
            finally:
                # After the order: meanwhile the child has mostly exited by itself and need not be killed.
                if not reusable:
                    child.close()

    def bury_template(self, child: JobChild) -> None:
        """Have the next order start the template again, if that of a child has ended.

        Its control socket may still take orders: a process that was killed closes its descriptors one after the other.
        Before it closes any, it gives up its memory, and with it the arguments that it shows.

        Args:
            child: A child whose socket to the template is closed.
        """
        with self._lock:
            template = child.template
            if template is not None and template is self._process and not any(arguments_of(template.pid)):
                self._end()

    def close(self) -> None:
        """Kill all children and the template, and wait for the template."""
        with self._lock:
            self._end()

    def _order(self) -> JobChild:
        """Have the template fork a child; start the template again if it has ended."""
        for _ in range(2):
            with contextlib.ExitStack() as theirs:
                child, fds = self._make_sockets(theirs)
                try:
                    assert self._control is not None
                    socket.send_fds(self._control, [b"c"], fds)
                    return child
                except OSError as e:
                    child.close()
                    log.warning("engine.template_restarts", extra={"engine": self._engine, "error": str(e)})
            self._end()
            self._start()
        raise EngineUnavailable(self._engine, "its template process ends again and again", "See the actor's log.")

    def _make_sockets(self, theirs: contextlib.ExitStack) -> tuple[JobChild, list[int]]:
        """Make our end of a child, and the descriptors for the template, which `theirs` closes."""
        with contextlib.ExitStack() as ours:
            try:
                job, job_theirs = socket.socketpair()
                ours.callback(job.close)
                theirs.callback(job_theirs.close)
                life, life_theirs = socket.socketpair()
                ours.callback(life.close)
                theirs.callback(life_theirs.close)
                place = make_place()
                ours.callback(os.close, place)
                output, output_theirs = os.pipe()
            except OSError as e:
                remedy = "Raise the limit of open files of the actor (LimitNOFILE), or give it fewer lanes."
                raise EngineUnavailable(self._engine, f"no process can be made for a script: {e}", remedy) from e
            ours.pop_all()
        theirs.callback(os.close, output_theirs)
        child = JobChild(job, output, place, life, self._process)
        return child, [job_theirs.fileno(), output_theirs, place, life_theirs.fileno()]

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        room_bytes = self._settings.TEMPLATE_BYTES
        with theirs:
            self._process = subprocess.Popen(
                # -P: files in the actor's working folder are not modules.
                [sys.executable, "-P", "-m", "hero_engine.children", str(theirs.fileno()), str(room_bytes)],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what is printed while it loads
                # The dynamic linker resolves all symbols now, not each child for itself. See ld.so(8).
                env={**self._environ, wire.BIND_NOW: "1"},
                pass_fds=[theirs.fileno()],
                # A terminal's signals are for the actor, which lets its jobs end before it ends.
                start_new_session=True,
            )
        self._control = ours
        ours.settimeout(_START_LIMIT_S)
        try:
            ours.sendall(wire.frame(pickle.dumps((self._factory, self._settings))))
            answer = self._read_answer(ours)
        except OSError as e:
            self._end()
            raise EngineUnavailable(self._engine, f"its template process does not answer: {e}", _REMEDY) from e
        if answer is None:
            code = self._process.wait()
            self._end()
            raise EngineUnavailable(self._engine, f"its template process ended with exit code {code}", _REMEDY)
        if answer[0] != "ready":
            self._end()
            name, reason, remedy, missing = answer[1:]
            raise EngineUnavailable(name, reason, remedy, missing=missing)
        ours.settimeout(None)
        self.version, self.loaded = answer[1:]

    @staticmethod
    def _read_answer(control: socket.socket) -> list[Any] | None:
        reader = wire.MessageReader()
        while data := control.recv(65536):
            for message in reader.feed(data):
                return message
        return None

    def _end(self) -> None:
        while self._ready:
            self._ready.popleft().close()
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(_END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
