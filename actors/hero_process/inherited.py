"""Puts right what a process has inherited from its parent and cannot work with. Called first by each program.

A parent may block or ignore signals (a thread of a JVM, `nohup`, an Erlang port), close the standard streams (cron),
set a umask that makes our own files unreadable, or have removed the folder in which it starts us.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

#: Descriptors that a service may need: a thousand clients and their jobs.
_WANTED_FILES = 65_536


class InheritedUnusable(OSError):
    """Something inherited cannot be put right; the message names it."""


def reset_inherited(*, service: bool) -> None:
    """Put right signals, standard streams and umask.

    Args:
        service: The program runs on in the background and starts others; a command leaves its umask alone.

    Raises:
        InheritedUnusable: The folder in which the program was started no longer exists.
    """
    fill_streams()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if not service:
        return
    # SIGCHLD ignored makes the kernel reap our children before we do; the others could not be sent to our children.
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGQUIT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    inherited = os.umask(0o077)
    if not inherited & 0o700:
        os.umask(inherited | 0o022)  # nobody else writes to our files, whatever the parent allowed
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd() is the same and imports more
    except FileNotFoundError as e:
        raise InheritedUnusable("the folder in which it was started no longer exists; start it in another one") from e


def raise_file_limit() -> None:
    """Allow this process more descriptors, as far as its hard limit does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def fill_streams() -> None:
    """Open /dev/null in the place of closed standard streams. Otherwise the next file that is opened would be one."""
    for fd, name, mode in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
            os.set_inheritable(fd, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, "r" if fd == 0 else "w", closefd=False))
