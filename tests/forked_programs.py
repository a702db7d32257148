"""Runs our programs in forks of processes that have imported them, because much of the tests' work is their imports.

`ForkedPopen` has the interface of `subprocess.Popen`, for `heroctl`, `python -m hero_supervisor.cli` and `python -m
hero_actor`. What runs is a process of its own, with the streams, the folder, the environment, the umask and the
arguments of the call, also in /proc. It executes the installed script or the module, and its exit code or signal comes
back. `program_forks.py` is the process that forks it, one per program and process of the tests; it ends with that
process, and kills what it has forked.

A program is executed as a user executes it, not forked, where a fork would differ: on a terminal or with a closed
stream, with other options of `Popen` for the new process, in another network namespace, and with an environment that
differs in a variable that Python or a module has read before the fork. Tests of the start itself, such as of imports,
of memory or of the time since the start, use `subprocess`.
"""

from __future__ import annotations

import atexit
import functools
import marshal
import os
import select
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HEROCTL = Path(sys.executable).parent / "heroctl"

_ROOT = str(Path(__file__).parents[1])
_SERVER = Path(__file__).with_name("program_forks.py")

#: The scripts that can be forked.
SCRIPTS = {HEROCTL}
#: The modules that can be forked, each with the program whose server has imported what they need.
MODULES = {
    "hero_supervisor.cli": "hero_supervisor.cli",
    "hero_supervisor.unix_server": "hero_supervisor.cli",
    "hero_actor": "hero_actor",
}

#: Beginnings of the names of variables that Python, or a library in C, reads when a process starts.
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "TZ", "MALLOC_", "GLIBC_", "OPENSSL_")

#: The environment of the server: that of the tests, before any of them has changed it.
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("HERO_")}


#: Options of `Popen` with which a fork is the same as an execution.
_FORKED_WITH = {"stdin", "stdout", "stderr", "cwd", "env", "text", "pass_fds", "start_new_session"}


class ForkServerEnded(RuntimeError):
    """The process that forks a program has ended; its standard error says why."""


class ProgramForks:
    """The caller's side of the server of one program. Threads may share it.

    Args:
        program: "heroctl", or the name of the module.

    Attributes:
        process: The server.
        control_fd: The way to it.
        read_by_imports: Names of the variables that its imports have read.
    """

    def __init__(self, program: str) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            self.process = subprocess.Popen(
                [sys.executable, _SERVER, str(theirs.fileno()), program],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=ENVIRON, cwd="/",
            )  # fmt: skip
            theirs.close()
            if not (read := ours.recv(1 << 16)):
                raise ForkServerEnded
            # No socket object stays open in the process of the tests, which look for such.
            self.control_fd = ours.detach()
        self._owner = os.getpid()
        self.read_by_imports: frozenset[str]
        self.read_by_imports, self._can_show = marshal.loads(read)

    def can_fork(self, environ: Mapping[str, str]) -> bool:
        """Would a new process of this thread be what the server forks: with the same imports, in the same network?"""
        different = {
            name
            for name in {*ENVIRON, *environ}
            if ENVIRON.get(name) != environ.get(name)
            and (name in self.read_by_imports or name.startswith(_READ_AT_START))
        }
        # The fork searches the folder of this project in its turn. Any other may replace what has been imported.
        if "PYTHONPATH" not in ENVIRON and {_ROOT} == set(environ.get("PYTHONPATH", "").split(os.pathsep)):
            different.discard("PYTHONPATH")
        return (
            self._can_show and not different and _network("/proc/thread-self") == _network(f"/proc/{self.process.pid}")
        )

    def fork(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        folder: str | Path,
        streams: Sequence[int],
        *,
        passed: Sequence[int] = (),
        new_session: bool = False,
    ) -> tuple[int, int]:
        """Fork the program.

        Args:
            command: Its words, with the program.
            environ: Its environment.
            folder: Its working directory.
            streams: The descriptors of its standard input, output and error.
            passed: Other descriptors, which it gets under the same numbers.
            new_session: Give it a session of its own.

        Returns:
            Its process id, and the end of a pipe that gives its wait status. If that is closed, it is killed.
        """
        status = Path("/proc/self/status").read_text()
        umask = int(status.partition("\nUmask:")[2].split()[0], 8)
        status_fd, theirs = os.pipe()
        made = [theirs, os.memfd_create("order")]
        try:
            made.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
            with open(made[1], "wb", closefd=False) as order:
                order.write(marshal.dumps((list(command), dict(environ), umask, list(passed), new_session)))
            with socket.socket(fileno=os.dup(self.control_fd)) as control:
                socket.send_fds(control, [b"+"], [*made, *streams, *passed])
        except BaseException:
            os.close(status_fd)
            raise
        finally:
            for fd in made:
                os.close(fd)
        return read_number(status_fd), status_fd

    def close(self) -> None:
        """End the server and what it has forked. A fork of the process of the tests leaves it alone."""
        if os.getpid() == self._owner:
            with socket.socket(fileno=self.control_fd) as control:
                control.shutdown(socket.SHUT_RDWR)  # such a fork may hold it open
            self.process.wait()


@functools.cache
def program_forks(program: str) -> ProgramForks:
    """Return the server of a program in this process. It ends with this process."""
    forks = ProgramForks(program)
    atexit.register(forks.close)
    _servers.append(forks)
    return forks


_servers: list[ProgramForks] = []


def server_pids() -> list[int]:
    """Return the process ids of the servers of this process."""
    return [forks.process.pid for forks in _servers]


def server_fds() -> set[int]:
    """Return the descriptors of this process that lead to the servers: they stay open."""
    return {forks.control_fd for forks in _servers}


def program_of(command: Sequence[str | Path]) -> str:
    """Return the name of the program whose server can fork a command line; "" if none can."""
    if command[0] in SCRIPTS:
        return "heroctl"
    if command[0] == sys.executable and command[1:2] in (["-m"], ("-m",)) and command[2] in MODULES:
        return MODULES[str(command[2])]
    return ""


class ForkedPopen(subprocess.Popen[Any]):
    """A program, forked if that is the same; see the module. The arguments are those of `subprocess.Popen`."""

    def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
        self.status_fd = -1
        self._program = program_of(command) if options.keys() <= _FORKED_WITH else ""
        self._new_session = options.get("start_new_session", False)
        super().__init__(command, **options)

    # The parts of `Popen` that start a process and take its status.

    def _execute_child(
        self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any,
        startupinfo: Any, creationflags: Any, shell: Any, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int,
        errread: int, errwrite: int, *others: Any,
    ) -> None:  # fmt: skip
        streams = [given if given != -1 else fd for fd, given in enumerate((p2cread, c2pwrite, errwrite))]
        environ = os.environ if env is None else env
        if (
            not self._program
            or not all(map(_is_plain, streams))
            or not (forks := program_forks(self._program)).can_fork(environ)
        ):
            super()._execute_child(  # type: ignore[misc]
                args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
                p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *others,
            )  # fmt: skip
            return
        pipes = (p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        try:
            self.pid, self.status_fd = forks.fork(
                [str(word) for word in args], environ, cwd or ".", streams, passed=pass_fds,
                new_session=self._new_session,
            )  # fmt: skip
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
        self._child_created = True

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self.status_fd == -1:
            taken: tuple[int, int] = super()._try_wait(wait_flags)  # type: ignore[misc]
            return taken
        if wait_flags & os.WNOHANG and not select.select([self.status_fd], [], [], 0)[0]:
            return 0, 0
        return self.pid, read_number(self.status_fd)

    def _internal_poll(self, *given: Any, **named: Any) -> int | None:
        if self.status_fd == -1:
            super()._internal_poll(*given, **named)  # type: ignore[misc]
        elif self.returncode is None and self._waitpid_lock.acquire(blocking=False):  # type: ignore[attr-defined]
            try:
                pid, status = (0, 0) if self.returncode is not None else self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()  # type: ignore[attr-defined]
        return self.returncode

    def _handle_exitstatus(self, status: int, *others: Any) -> None:
        super()._handle_exitstatus(status, *others)  # type: ignore[misc]
        if self.status_fd != -1:
            os.close(self.status_fd)


def run_forked(
    command: Sequence[str | Path], *, input: str | bytes | None = None, capture_output: bool = False,
    timeout: float | None = None, check: bool = False, **options: Any,
) -> subprocess.CompletedProcess[Any]:  # fmt: skip
    """Run a program and wait for it, as `subprocess.run` does.

    Args:
        command: Its words; see `program_of`.
        input: As the others: see `subprocess.run`.
    """
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with ForkedPopen(command, **options) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def read_number(fd: int) -> int:
    """Read a number that the server has written.

    Raises:
        ForkServerEnded: There is none.
    """
    if not (number := os.read(fd, 4)):
        raise ForkServerEnded
    return int.from_bytes(number, "little")


def _network(process: str) -> str:
    """Return the network namespace of a process or thread; a thread may have entered another one than its process."""
    return str(Path(f"{process}/ns/net").readlink())


def _is_plain(fd: int) -> bool:
    """Tell whether a standard stream is open and not a terminal."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return not os.isatty(fd)
