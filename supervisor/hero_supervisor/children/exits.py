"""Exit codes: what a process that ends wants its supervisor to do.

Owned here: the meaning of each code, for the actors that the supervisor watches and for the supervisor itself.
`hero_actor.exits` holds the same numbers (the two packages do not import each other; a test compares them).

Source: sysexits.h (69 is EX_UNAVAILABLE, 70 EX_SOFTWARE, 75 EX_TEMPFAIL).
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `hero-actor` and `hero-supervisor`; every other code is a crash."""

    OK = 0
    """Drained: it was asked to end, and has."""
    USAGE = 2
    """Wrong flags or a wrong config: the same again would end the same way, so it is not restarted."""
    UNAVAILABLE = 69
    """A part is missing or broken (an engine, the server binary): not restarted either."""
    DEFECT = 70
    """A defect of the program itself. An actor that ends so has crashed like any other."""
    REPLACE = 75
    """It did nothing wrong but must not go on (`max_jobs`, memory, a stuck job): replaced at once, not counted."""


BOOT_FAILURES = frozenset({Exit.USAGE, Exit.UNAVAILABLE})
"""Codes that are reported once and not looped."""


def describe(code: int) -> str:
    """Say in words how a process ended.

    Args:
        code: What `Popen.returncode` holds: an exit code, or a signal as a negative number.

    Returns:
        `"exit 0"`, `"signal 9 (Killed)"`.
    """
    if code >= 0:
        return f"exit {code}"
    import signal  # only the rare death by a signal needs its name

    return f"signal {-code} ({signal.strsignal(-code) or 'unknown'})"
