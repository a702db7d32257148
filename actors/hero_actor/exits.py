"""Exit codes of an actor process, by which it tells its supervisor or service manager why it ended.

`hero_supervisor.children.exits` defines the same codes. The two packages do not import each other; a test compares
them.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Why an actor process ended. Any other exit code means that it crashed.

    Source: 64-78 follow sysexits.h; 2 is argparse's.
    """

    DRAINED = 0
    """It was told to stop and did: nothing is claimed in its name any more."""

    USAGE = 2
    """The command line or the store's URL is invalid. A restart would fail in the same way."""

    ENGINE_UNAVAILABLE = 69
    """The engine is unknown or does not load. A restart would fail in the same way."""

    CRASHED = 70
    """A defect of the actor ended one of its threads."""

    REPLACE = 75
    """It must be replaced immediately: a job is stuck, its quota is used up, or it was declared dead."""
