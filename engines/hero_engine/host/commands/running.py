"""The programs of a run: started below a keeper process, watched while they run, and ended with the run.

`programs(call)` makes it when a function first starts a program. Invariants: a program gets no variable of the service
that the operator has not named; nothing here waits for a program in another way than by the `Call`; when the run ends,
everything that it has started ends too, and the scratch folder is removed afterwards.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.environment import trace_variables
from hero_engine.host.places import scratch
from hero_engine.host.programs import PATH
from hero_engine.host.workspace import workspace
from hero_process.defects import log_failure
from hero_process.proc import arguments_of, stat_of
from hero_process.signals import pidfd_of, send_signal
from hero_process.tree import descendants_of, kill_tree

log = logging.getLogger(__name__)

_KEY = "programs"
_KEEPER = os.path.join(os.path.dirname(__file__), "keeper.py")  # noqa: PTH118, PTH120  as sys.executable is
_READ_BYTES = 256 << 10
_PIPE_BYTES = 1 << 20
#: How long the end of a run waits for a keeper that has nothing left to end, in seconds.
_SOON_S = 0.02
#: A keeper ends before that, in seconds, unless something keeps it from it.
_LATEST_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How a program ended.

    Attributes:
        stdout: What it wrote to standard output, up to `max_output_bytes`.
        stderr: The same of standard error.
        success: Whether its exit code is 0.
        code: Its exit code; -1 if a signal ended it.
        truncated: Whether more was written than the texts have.
    """

    stdout: str
    stderr: str
    success: bool
    code: int
    truncated: bool = False


class ProgramNotRun(Exception):
    """A program did not start, or was ended early.

    Args:
        reason: Why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Output:
    """One stream of a program: keeps its beginning, and logs it by lines.

    Args:
        call: The run.
        level: Level of the lines in the job's log; "" to log none.
        fd: The pipe's end for reading.
    """

    def __init__(self, call: Call, level: str, fd: int) -> None:
        self.fd = fd
        self.truncated = False
        self._call = call
        self._level = level
        self._kept = bytearray()
        self._most = call.rights.max_output_bytes
        self._logged = 0

    def read(self) -> bool:
        """Take what is there. Returns False at the end."""
        try:
            part = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return True
        room = self._most - len(self._kept)
        self._kept += part[:room]
        self.truncated = self.truncated or len(part) > room
        self._log(final=not part)
        return bool(part)

    def drain(self) -> None:
        """Take what the program has left in the pipe, which is no more than the pipe holds."""
        self.read()
        while _readable(self.fd) and not self.truncated and self.read():
            pass
        self._log(final=True)
        if self.truncated and self._level:
            self._call.log(f"more than {self._most} bytes of output; the rest is not kept", "warning")

    def _log(self, *, final: bool) -> None:
        end = len(self._kept) if final else self._kept.rfind(b"\n", self._logged) + 1
        if self._level and end > self._logged:
            self._call.log(self._kept[self._logged : end].decode(errors="replace").removesuffix("\n"), self._level)
        self._logged = max(end, self._logged)

    def text(self) -> str:
        """What was kept."""
        return self._kept.decode(errors="replace")


class Programs:
    """The programs of one run. Made by `programs`.

    Args:
        call: The run.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._files = workspace(call)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", _KEEPER, str(theirs.fileno()), str(call.rights.max_processes)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )

    # -- run -----------------------------------------------------------------------------------------------------------

    def run(
        self,
        path: str,
        words: Sequence[str],
        *,
        script: str | None = None,
        silent: bool = True,
        env: Mapping[str, str] | None = None,
        folder: str = "",
    ) -> CommandResult:
        """Run a program to its end.

        Args:
            path: Its absolute path.
            words: Its name and arguments.
            script: A text that it reads from a file, whose path becomes its last argument.
            silent: Do not write its output to the job's log.
            env: Its variables, instead of the usual ones.
            folder: Its working folder; "" for that of the run.

        Raises:
            ProgramNotRun: It does not start, or had too many processes.
            FunctionError: It took longer than the operator allows.
            CallEnded: The run must end.
        """
        if any("\0" in word for word in words):
            raise ProgramNotRun("Failed to execute command: nul byte found in provided data")
        with contextlib.ExitStack() as opened:
            outputs, theirs = [], []
            for level in ("info", "warning"):
                ours, its = os.pipe2(os.O_CLOEXEC)
                opened.callback(os.close, ours)
                os.set_blocking(ours, False)
                theirs.append(its)
                outputs.append(_Output(self._call, "" if silent else level, ours))
            with contextlib.suppress(OSError):  # too many large pipes
                fcntl.fcntl(theirs[0], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            if script is not None:
                theirs.append(_file_of(script))
            env = self.environment() if env is None else env
            try:
                request = marshal.dumps((path, list(words), dict(env), folder or self._files.folder))
                socket.send_fds(self._control, [request], theirs)
            except OSError as e:
                raise ProgramNotRun(f"Failed to execute command: {e.strerror}") from None
            finally:
                for fd in theirs:
                    os.close(fd)
            try:
                pid, error = self._receive()
                if pid == 0:
                    raise ProgramNotRun(f"Failed to execute command: {os.strerror(error)} (os error {error})")
                return self._watch(outputs)
            except FunctionError:  # it takes longer than the operator allows
                self.close(may_go_on=True)
                raise

    def _watch(self, outputs: list[_Output]) -> CommandResult:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        for output in outputs:
            poll.register(output.fd, select.POLLIN)
        ready: dict[int, int] = {}

        def look(wait_s: float) -> bool:
            ready.clear()
            ready.update(poll.poll(wait_s * 1000))
            return bool(ready)

        while self._control.fileno() not in ready:
            self._call.wait_until(look)
            for output in outputs:
                if output.fd in ready and not output.read():
                    poll.unregister(output.fd)
        _, status, too_many = self._receive()
        for output in outputs:
            output.drain()
        if too_many:
            most = self._call.rights.max_processes
            raise ProgramNotRun(f"the command was ended: it had more than {most} processes (max_processes)")
        code = max(-1, os.waitstatus_to_exitcode(status))
        stdout, stderr = outputs
        return CommandResult(
            stdout=stdout.text(),
            stderr=stderr.text(),
            success=code == 0,
            code=code,
            truncated=stdout.truncated or stderr.truncated,
        )

    def _receive(self) -> tuple[int, ...]:
        self._call.wait_readable(self._control.fileno())
        answer = self._control.recv(4096)
        if not answer:
            raise ProgramNotRun("the command was ended")
        values: tuple[int, ...] = marshal.loads(answer)
        return values

    def environment(self) -> dict[str, str]:
        """The variables that a program gets: a few of the usual ones, and those that the operator allows."""
        home = self._files.scratch
        env = {"PATH": PATH, "HOME": home or "/nonexistent", "LANG": "C.UTF-8"}
        if home:
            env["TMPDIR"] = home
        env |= trace_variables(self._call.asker.traceparent)
        for name in self._call.rights.env:
            if name in os.environ and not name.startswith("HERO_"):
                env[name] = os.environ[name]
        return env

    # -- what is running -----------------------------------------------------------------------------------------------

    @property
    def keeper(self) -> int:
        """Process id of the keeper."""
        return self._keeper.pid

    def ids(self) -> list[int]:
        """The processes that the run has started and that have not ended."""
        found = descendants_of(self._keeper.pid)
        return sorted(pid for pid in found if (stat := stat_of(pid)) is not None and not stat.zombie)

    def terminate(self, pattern: str) -> int:
        """Ask the processes to end whose name or command line has a text. Returns how many."""
        count = 0
        for pid in self.ids():
            with contextlib.suppress(ProcessLookupError), pidfd_of(pid) as pidfd:
                if pid in descendants_of(self._keeper.pid) and pattern in " ".join(arguments_of(pid)):
                    send_signal(pidfd, signal.SIGTERM)
                    count += 1
        return count

    # -- the end -------------------------------------------------------------------------------------------------------

    def close(self, *, may_go_on: bool = False) -> None:
        """Have everything ended that is left. The keeper does it, and gives it some time; this does not wait for it.

        Args:
            may_go_on: The run still needs its scratch folder.
        """
        if self._call.values.get(_KEY) is not self:
            return
        del self._call.values[_KEY]
        self._control.shutdown(socket.SHUT_WR)
        poll = select.poll()
        poll.register(self._control, 0)  # only its end; an answer may still be there
        if poll.poll(_SOON_S * 1000):
            self._reap("")
        else:
            path = "" if may_go_on else self._files.give_up_scratch()
            threading.Thread(target=self._reap, args=(path,), name="programs end", daemon=True).start()

    def _reap(self, scratch_path: str) -> None:
        try:
            self._keeper.wait(_LATEST_S)
        except subprocess.TimeoutExpired:
            log.warning("programs.killed", extra={"job": self._call.asker.job_id})
            kill_tree(self._keeper.pid)
            self._keeper.wait()
        self._control.close()
        if scratch_path:
            try:
                scratch.remove_tree(scratch_path)
            except OSError as e:
                log_failure(log, "scratch.not_removed", e, job=self._call.asker.job_id)


def programs(call: Call) -> Programs:
    """Return the programs of a run; the first call starts its keeper."""
    found: Programs | None = call.values.get(_KEY)
    if found is None:
        found = call.values[_KEY] = Programs(call)
        call.on_close(found.close)
    return found


def _file_of(script: str) -> int:
    fd = os.memfd_create("script", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(script.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _readable(fd: int) -> bool:
    # Not select(), which cannot watch a descriptor above 1023.
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
