"""Keeps the programs of one run: starts them on request, and ends everything that is left of them when the run is over.

`running.Programs` starts this file as a process of its own, with the first program of a run:

    python keeper.py CONTROL_FD MAX_PROCESSES

A request is the marshalled tuple (path, words, environment, folder), with the descriptors for standard output and
error, and of a script to be read by the program as its last word if there is one. The answers are (process id, 0) or
(0, errno), and, when that program has ended, (process id, wait status, whether there were too many processes). When the
other end of the control socket is closed, also because its process has died, the programs get a SIGTERM, and SIGKILL
after `GRACE_S`.

Invariant: every descendant is found again, in whatever session, because this process adopts its orphans. It imports
only a few modules of the standard library, because its start delays the first program of each run.

Source: prctl(2), pidfd_open(2), Linux include/uapi/linux/prctl.h
"""

import ctypes
import marshal
import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress

#: How long programs have to end after a SIGTERM, in seconds.
GRACE_S = 2.0
#: How often the processes are counted, in seconds.
_TICK_S = 0.02
_MAX_REQUEST_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
#: Rounds of stopping new descendants before they are killed.
_MAX_ROUNDS = 200
#: Processes that the user may have beyond all of the machine at the start: what multiplies faster than it is counted
#: meets this limit of the kernel, which holds for every user but root.
_SPARE_PROCESSES = 1000
#: Priority of this process, where it may choose one: it must get its turn beside programs that multiply.
_NICE = -15

_prctl = ctypes.CDLL(None).prctl
_nice_before = os.getpriority(os.PRIO_PROCESS, 0)


def main(control: socket.socket, max_processes: int) -> None:
    """Serve requests until the other end is closed, and end what is left."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # A program that gets more rights than its user could neither be stopped nor be ended.
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_processes()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    awake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(awake, select.POLLIN)
    program, too_many = 0, False
    while True:
        ready = dict(poll.poll(_TICK_S * 1000 if _children(os.getpid()) else None))
        if len(_descendants()) > max_processes:
            too_many = True
            _kill_all()
        if awake in ready:
            with suppress(BlockingIOError):
                os.read(awake, 4096)
        for pid, status in _reap():
            if pid == program:
                control.send(marshal.dumps((pid, status, too_many)))
                program, too_many = 0, False
        if control.fileno() in ready:
            request, fds, _, _ = socket.recv_fds(control, _MAX_REQUEST_BYTES, 3)
            if not request:
                break
            program, error = _start(marshal.loads(request), fds)
            for fd in fds:
                os.close(fd)
            control.send(marshal.dumps((program, error)))
    _end()


def _limit_processes() -> None:
    there_are = sum(name.isdecimal() for name in os.listdir("/proc"))  # noqa: PTH208  pathlib is slow to import
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    most = there_are + _SPARE_PROCESSES
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _start(request: tuple[str, list[str], dict[str, str], str], fds: list[int]) -> tuple[int, int]:
    """Start a program in a session of its own. Returns its id, or 0 and why it does not start."""
    path, words, env, folder = request
    failed, tell = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            os.setpriority(os.PRIO_PROCESS, 0, _nice_before)
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            for fd, target in zip((os.open(os.devnull, os.O_RDONLY), *fds[:2]), (0, 1, 2), strict=True):
                os.dup2(fd, target)
            for fd in fds[2:]:
                os.set_inheritable(fd, True)
                words.append(f"/dev/fd/{fd}")
            os.chdir(folder)
            os.execve(path, words, env)
        except OSError as e:
            os.write(tell, str(e.errno).encode())
        finally:
            os._exit(127)
    os.close(tell)
    error = int(os.read(failed, 16) or 0)
    os.close(failed)
    if error:
        os.waitpid(pid, 0)
        return 0, error
    return pid, 0


def _end() -> None:
    """Let the programs end, and kill them when their time is up."""
    for pid in _descendants():
        _signal(pid, signal.SIGTERM)
        _signal(pid, signal.SIGCONT)
    _wait_s(GRACE_S)
    _kill_all()
    _wait_s(GRACE_S)


def _kill_all() -> None:
    """Kill all descendants. They are stopped first, because what is stopped starts nothing new."""
    stopped: set[int] = set()
    for _ in range(_MAX_ROUNDS):
        new = _descendants() - stopped
        if not new:
            break
        for pid in new:
            _signal(pid, signal.SIGSTOP)
        stopped |= new
    for pid in stopped:
        _signal(pid, signal.SIGKILL)


def _wait_s(longest_s: float) -> None:
    """Wait until no child is left, or some seconds."""
    until_mono = time.monotonic() + longest_s
    while _children(os.getpid()) and time.monotonic() < until_mono:
        _reap()
        time.sleep(_TICK_S / 4)


def _signal(pid: int, number: int) -> None:
    """Signal a descendant, and nothing else that has its id by now."""
    with suppress(OSError):
        fd = os.pidfd_open(pid)
        try:
            if _is_below(pid):
                signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)


def _is_below(pid: int) -> bool:
    """Tell whether the ancestors of a process lead to this one."""
    while pid not in (0, 1):
        pid = _parent(pid)
        if pid == os.getpid():
            return True
    return False


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123  pathlib is slow to import
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def _descendants() -> set[int]:
    found: set[int] = set()
    pending = [os.getpid()]
    while pending:
        new = [pid for pid in _children(pending.pop()) if pid not in found]
        found.update(new)
        pending += new
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  pathlib is slow to import
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:  # noqa: PTH123  see above
                found += map(int, file.read().split())
    return found


def _reap() -> list[tuple[int, int]]:
    ended = []
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended.append((pid, status))
    return ended


if __name__ == "__main__":
    # The process at the other end may be gone when an answer is sent.
    with suppress(OSError):
        main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    _end()
    os._exit(0)
