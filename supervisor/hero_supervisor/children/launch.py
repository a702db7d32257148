"""How a process of a slot is started: as whom, where, and held to what.

Owned here: all that is set between fork and exec. Used by `child.py`. Invariant: the program does not run a single
instruction before everything that was asked for holds, or it does not run at all; and a program that knows nothing of
us does not outlive the supervisor.

Of our own actors `subprocess` itself sets user, groups and folder. Priority, processors and memory are set from here,
on a launcher that waits for our word before it becomes the program: after the program's exec would be too late, since
the kernel keeps priority and processors by thread and the program may have made some. (`preexec_fn` would run Python in
a copy of this process, where another thread may hold a lock for ever.)
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
from dataclasses import dataclass

from hero_supervisor.errors import LaunchRefused

# It drops to the user itself: this interpreter may lie where that user cannot read it. The kernel forgets the signal at
# the parent's death when the user changes, so it is asked for after that. 9: a foreign program need not obey TERM, and
# nobody is left to see to it; an actor chooses for itself (TERM) as soon as it runs. When the parent has died before
# that, the pipe ends instead of saying yes. Source: prctl(2), PR_SET_PDEATHSIG.
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
class Launch:
    """As whom, where, and held to what a process runs; the defaults change nothing.

    Attributes:
        user: Name or number of the user; its groups come with it. Empty: as the supervisor.
        cwd: Working folder; empty: that of the supervisor.
        nice: The priority itself, -20 (first) to 19 (last); 0: as the supervisor.
        cpu_affinity: Processors that it may run on; none: as the supervisor.
        memory_max_bytes: Most memory of its own (heap, stacks and private mappings) that the kernel gives to the
            process, and to each that it starts; 0 for no limit.
    """

    user: str = ""
    cwd: str = ""
    nice: int = 0
    cpu_affinity: tuple[int, ...] = ()
    memory_max_bytes: int = 0

    @property
    def holds(self) -> bool:
        """Whether anything is to be set that `subprocess` does not set."""
        return bool(self.nice or self.cpu_affinity or self.memory_max_bytes)


def launch(
    argv: Sequence[str],
    how: Launch,
    who: Who,
    *,
    environ: Mapping[str, str],
    pass_fds: tuple[int, ...],
    output_fd: int,
    speaks: bool,
) -> subprocess.Popen[bytes]:
    """Start a program.

    Args:
        argv: Program and arguments.
        how: What is to hold for it.
        who: Its user, looked up.
        environ: Its environment.
        pass_fds: Descriptors that it is given.
        output_fd: Where its stdout and stderr go.
        speaks: It is one of our actors, which sees to its end itself.

    Raises:
        LaunchRefused: What is asked for cannot be had, and the same again would not either.
        OSError: The program does not exist or cannot be executed, or there are no more processes or descriptors.
    """
    if how.cwd and not os.path.isdir(how.cwd):  # noqa: PTH112  as in the actor: no pathlib for one question
        raise LaunchRefused("cwd", how.cwd, "there is no such folder")
    options = {
        "stdin": subprocess.DEVNULL,
        "stdout": output_fd,
        "stderr": output_fd,
        "env": dict(environ),
        "cwd": how.cwd or None,
        # A session and a group of its own: a Ctrl-C at the terminal is for the supervisor, which lets it drain; and
        # what it has started can be ended with it.
        "start_new_session": True,
    }
    if speaks and not how.holds:
        return subprocess.Popen(argv, pass_fds=pass_fds, **who.options, **options)  # type: ignore[call-overload,no-any-return]
    _check_program(argv[0], how.cwd, environ)
    held, release = os.pipe()
    try:
        popen: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(held), who.numbers, *argv],
            pass_fds=(*pass_fds, held),
            **options,
        )
        try:
            _hold(popen.pid, how)
            os.write(release, b"+")
        except BaseException:
            popen.kill()
            popen.wait()
            raise
    finally:
        os.close(held)
        os.close(release)
    return popen


def _hold(pid: int, how: Launch) -> None:
    """Set on the waiting launcher what the program is to inherit."""
    try:
        if how.nice:
            os.setpriority(os.PRIO_PROCESS, pid, how.nice)
    except OSError as e:
        raise LaunchRefused("nice", str(how.nice), e.strerror or str(e)) from e
    try:
        if how.cpu_affinity:
            os.sched_setaffinity(pid, how.cpu_affinity)
    except OSError as e:
        raise LaunchRefused("cpu_affinity", str(list(how.cpu_affinity)), e.strerror or str(e)) from e
    try:
        if how.memory_max_bytes:
            # Not RLIMIT_AS: it counts what is reserved and never used, gigabytes with many threads. RLIMIT_RSS does
            # nothing. Source: getrlimit(2)
            limits = (how.memory_max_bytes, how.memory_max_bytes)
            resource.prlimit(pid, resource.RLIMIT_DATA, limits)
    except (OSError, ValueError) as e:
        raise LaunchRefused("memory_max", str(how.memory_max_bytes), str(e)) from e


def _check_program(program: str, cwd: str, environ: Mapping[str, str]) -> None:
    # The launcher could say so only by its exit code.
    path = os.path.join(cwd, program) if os.sep in program else program  # noqa: PTH118
    if shutil.which(path, path=environ.get("PATH")) is None:
        raise FileNotFoundError(2, "no such program, or it cannot be executed", program)


@dataclass(frozen=True, slots=True)
class Who:
    """A user, as `subprocess` and the program want to know it.

    Attributes:
        options: For `subprocess.Popen`.
        environ: What the program finds of it in its environment.
    """

    options: dict[str, object]
    environ: dict[str, str]

    @property
    def numbers(self) -> str:
        """User, group and all groups, with commas between; empty for no change."""
        if not self.options:
            return ""
        groups = self.options["extra_groups"]
        assert isinstance(groups, list)
        return ",".join(map(str, (self.options["user"], self.options["group"], *groups)))

    @classmethod
    def of(cls, user: str) -> Who:
        """Look a user up.

        Args:
            user: Name or number; empty for that of this process.

        Raises:
            LaunchRefused: There is none, or this process may not become it.
        """
        if not user:
            return cls({}, {})
        entry = _look_up(user)
        known = {"USER": entry.pw_name, "LOGNAME": entry.pw_name, "HOME": entry.pw_dir}
        if os.geteuid() != 0:
            if entry.pw_uid == os.geteuid():
                return cls({}, known)
            raise LaunchRefused("user", user, "only root can start a process as another user")
        groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
        return cls({"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}, known)


def _look_up(user: str) -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(user)
    with contextlib.suppress(KeyError):
        if user.isdecimal():
            return pwd.getpwuid(int(user))
    raise LaunchRefused("user", user, "there is no such user")
