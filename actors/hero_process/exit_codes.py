"""Exit codes: how a process that ends tells its parent whether to start it again.

This is the one table for actors, for the supervisor that watches them, and for service managers that watch either.

Source: sysexits.h (69 is EX_UNAVAILABLE, 70 EX_SOFTWARE, 74 EX_IOERR, 75 EX_TEMPFAIL); argparse ends with 2.
"""

from __future__ import annotations

from enum import IntEnum


class ProcessExit(IntEnum):
    """Exit codes of `hero-actor` and `hero-supervisor`. Every other code is a crash."""

    OK = 0
    """It was told to stop and has drained: nothing is claimed in its name."""
    USAGE = 2
    """The flags, the config or the store's URL are wrong. A restart would end the same way, so there is none."""
    UNAVAILABLE = 69
    """A part is missing or does not load, such as an engine or the store's program. There is no restart either."""
    DEFECT = 70
    """A defect of the program itself. The supervisor treats it like any other crash."""
    NOT_WRITTEN = 74
    """Its embedded store was stopped while acknowledged writes were not on the disk, which was full."""
    REPLACE = 75
    """It wants to be replaced: a stuck job, `max_jobs`, its memory, or it was declared dead. It is replaced
    immediately, and the restart is not counted."""


NO_RESTART = frozenset({ProcessExit.USAGE, ProcessExit.UNAVAILABLE})
"""Codes after which another start would end the same way."""


def describe(code: int) -> str:
    """Say in words how a process ended.

    Args:
        code: What `Popen.returncode` holds: an exit code, or a signal as a negative number.

    Returns:
        `"exit 0"`, `"signal 9 (Killed)"`.
    """
    if code >= 0:
        return f"exit {code}"
    import signal  # an actor that imports this module for its exit codes does without

    return f"signal {-code} ({signal.strsignal(-code) or 'unknown'})"
