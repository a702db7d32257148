"""Starts the program of a V job as its child and leaves no process behind. `engine` runs this file for every job:

    python launcher.py PARENT_PID PROGRAM ARGUMENT...

The kernel kills the launcher when the actor dies, and the program when the launcher dies. Every process that the
program leaves behind, in whatever session, becomes a child of the launcher, which kills it. Then the launcher ends as
the program did: with the same exit code, or by the same signal, but without a core file.

It imports only a few modules of the standard library, because starting it adds some 15 ms to each job.

Source: prctl(2) and Linux include/uapi/linux/prctl.h.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def main(parent_pid: int, command: list[str]) -> None:
    """Run the program to its end, kill what it leaves behind, and end this process. Does not return."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(0)  # the actor died before the death signal was set
    launcher = os.getpid()
    program = os.fork()
    if program == 0:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        if os.getppid() == launcher:
            try:
                os.execv(command[0], command)
            except OSError as e:
                os.write(2, f"{command[0]} does not start: {e.strerror}".encode())
        os._exit(127)
    ended = status = 0
    while ended != program:
        ended, status = os.waitpid(-1, 0)
    kill_children(launcher)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        if -code not in (signal.SIGKILL, signal.SIGSTOP):  # their action cannot be set
            signal.signal(-code, signal.SIG_DFL)
        os.kill(launcher, -code)
    os._exit(code)


def kill_children(pid: int) -> None:
    """Kill and wait for all children of this process, except those of another user, which it may not kill."""
    spared: set[int] = set()
    while True:
        with open(f"/proc/self/task/{pid}/children") as children:  # noqa: PTH123  pathlib is slow to import
            left = set(map(int, children.read().split())) - spared
        if not left:
            return
        for child in left:
            try:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            except PermissionError:
                spared.add(child)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
