"""Starts the process of a slot as its settings ask: user, folder, priority, processors, memory.

Owned here: everything that is set between fork and exec. Used by `child_process.py`. Invariants: the program does not
run a single instruction before all settings are in force, or it does not run at all; a program that knows nothing of us
does not outlive the supervisor.

For our own actors `subprocess` sets user, groups and folder. Priority, processors and memory are set from here, on a
launcher that waits for our word before it becomes the program. After the program's exec would be too late: the kernel
keeps priority and processors per thread, and the program may have started some. (`preexec_fn` would run Python in a
copy of this process, where another thread may hold a lock for ever.)
"""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hero_supervisor.errors import LaunchRefused

# The launcher drops to the user itself, because that user may not be allowed to read this interpreter. The kernel
# forgets the death signal when the user changes, so it is set after that. It is 9: a third-party program need not obey
# TERM, and no supervisor is left to insist; an actor of ours sets TERM for itself as soon as it runs. When the parent
# has already died, the pipe ends instead of saying yes. Source: prctl(2), PR_SET_PDEATHSIG.
_LAUNCHER = """
import ctypes, os, sys
held, who, program = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
if who:
    user, group, *groups = map(int, who.split(","))
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.read(held, 1) != b"+":
    os._exit(0)
os.close(held)
try:
    os.execvp(program[0], program)
except OSError as e:
    os.write(2, f"{program[0]}: {e.strerror}\\n".encode())
    os._exit(127)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """User, folder, priority and limits of a process. The defaults change nothing.

    Attributes:
        user: Name or number of the user, who brings its groups; empty for the supervisor's own user.
        cwd: Working folder; empty for that of the supervisor.
        nice: Priority, from -20 (first) to 19 (last); 0 for that of the supervisor.
        cpu_affinity: Processors that it may run on; empty for those of the supervisor.
        memory_max_bytes: Largest amount of private memory (heap, stacks and private mappings) that the kernel gives to
            the process, and to each process that it starts; 0 for no limit.
    """

    user: str = ""
    cwd: str = ""
    nice: int = 0
    cpu_affinity: tuple[int, ...] = ()
    memory_max_bytes: int = 0

    @property
    def needs_launcher(self) -> bool:
        """Whether anything is to be set that `subprocess` does not set."""
        return bool(self.nice or self.cpu_affinity or self.memory_max_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessUser:
    """The user that a process runs as. The defaults leave it as it is.

    Attributes:
        uid: Number of the user; None for no change.
        gid: Number of its first group; None for no change.
        groups: Numbers of all its groups; None for no change.
        environ: Variables that tell the program about its user.
    """

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> str:
        """User, group and all groups, separated by commas; empty for no change."""
        return "" if self.groups is None else ",".join(map(str, (self.uid, self.gid, *self.groups)))

    @classmethod
    def find(cls, user: str) -> ProcessUser:
        """Look a user up.

        Args:
            user: Name or number; empty for the user of this process.

        Raises:
            LaunchRefused: There is no such user, or this process may not become it.
        """
        if not user:
            return cls()
        entry = _look_up(user)
        environ = {"USER": entry.pw_name, "LOGNAME": entry.pw_name, "HOME": entry.pw_dir}
        if os.geteuid() != 0:
            if entry.pw_uid == os.geteuid():
                return cls(environ=environ)
            raise LaunchRefused("user", user, "only root can start a process as another user")
        groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
        return cls(uid=entry.pw_uid, gid=entry.pw_gid, groups=groups, environ=environ)


def launch(
    argv: Sequence[str],
    options: LaunchOptions,
    user: ProcessUser,
    *,
    environ: Mapping[str, str],
    pass_fds: tuple[int, ...],
    output_fd: int,
    control: bool,
) -> subprocess.Popen[bytes]:
    """Start a program.

    Args:
        argv: Program and arguments.
        options: Where it runs, its priority and its limits.
        user: As whom it runs.
        environ: Its environment.
        pass_fds: Descriptors that it inherits.
        output_fd: Where its stdout and stderr go.
        control: It is one of our actors, which ends by itself when its supervisor does.

    Raises:
        LaunchRefused: Its settings cannot be met. Another try would fail in the same way.
        OSError: The program does not exist or cannot be executed, or there are no more processes or descriptors.
    """
    if options.cwd and not os.path.isdir(options.cwd):  # noqa: PTH112  as in the actor: no pathlib for one question
        raise LaunchRefused("cwd", options.cwd, "there is no such folder")

    def start(command: Sequence[str], fds: tuple[int, ...], run_as: ProcessUser) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=output_fd,
            stderr=output_fd,
            env=dict(environ),
            cwd=options.cwd or None,
            # Its own session and group: a Ctrl-C at the terminal reaches only the supervisor, which lets it drain, and
            # everything that it has started can be ended with it.
            start_new_session=True,
            user=run_as.uid,
            group=run_as.gid,
            extra_groups=run_as.groups,
        )

    if control and not options.needs_launcher:
        return start(argv, pass_fds, user)
    _check_program(argv[0], options.cwd, environ)
    held, release = os.pipe()
    try:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(held), user.numbers]
        popen = start([*launcher, *argv], (*pass_fds, held), ProcessUser())
        try:
            _apply(popen.pid, options)
            os.write(release, b"+")
        except BaseException:
            popen.kill()
            popen.wait()
            raise
    finally:
        os.close(held)
        os.close(release)
    return popen


def _apply(pid: int, options: LaunchOptions) -> None:
    """Set on the waiting launcher what the program is to inherit."""
    try:
        if options.nice:
            os.setpriority(os.PRIO_PROCESS, pid, options.nice)
    except OSError as e:
        raise LaunchRefused("nice", str(options.nice), e.strerror or str(e)) from e
    try:
        if options.cpu_affinity:
            os.sched_setaffinity(pid, options.cpu_affinity)
    except OSError as e:
        raise LaunchRefused("cpu_affinity", str(list(options.cpu_affinity)), e.strerror or str(e)) from e
    try:
        if options.memory_max_bytes:
            # Not RLIMIT_AS, which counts memory that is reserved and never used: gigabytes with many threads.
            # RLIMIT_RSS does nothing. Source: getrlimit(2)
            resource.prlimit(pid, resource.RLIMIT_DATA, (options.memory_max_bytes, options.memory_max_bytes))
    except (OSError, ValueError, OverflowError) as e:
        raise LaunchRefused("memory_max", str(options.memory_max_bytes), str(e)) from e


def _check_program(program: str, cwd: str, environ: Mapping[str, str]) -> None:
    # The launcher could report a missing program only by its exit code.
    path = os.path.join(cwd, program) if os.sep in program else program  # noqa: PTH118
    if shutil.which(path, path=environ.get("PATH")) is None:
        raise FileNotFoundError(2, "no such program, or it cannot be executed", program)


def _look_up(user: str) -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(user)
    with contextlib.suppress(KeyError):
        if user.isdecimal():
            return pwd.getpwuid(int(user))
    raise LaunchRefused("user", user, "there is no such user; create it, or correct the setting")
