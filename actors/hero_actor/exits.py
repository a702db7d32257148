"""Exit codes of an actor process: the one word it leaves for whoever started it.

The supervisor has the same table (it must not import this package); a test holds the two together.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Why an actor process ended. Anything that is not here means that it crashed.

    Source: 64-78 follow sysexits.h; 2 is argparse's.
    """

    DRAINED = 0
    """It was told to stop, and has: nothing is claimed in its name."""

    USAGE = 2
    """The command line or the store's URL cannot be used. Starting it again changes nothing."""

    ENGINE_UNAVAILABLE = 69
    """The engine is missing or does not load. Starting it again changes nothing."""

    CRASHED = 70
    """A defect of its own ended one of its threads."""

    REPLACE = 75
    """It wants to be replaced at once: a stuck job, its quota of jobs or memory, or it was declared dead."""
