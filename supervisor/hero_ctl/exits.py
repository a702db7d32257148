"""Exit codes of `heroctl`: the outcome of a job, told to the shell."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the code of a command says; `HELP` tells the user."""

    FINISHED = 0
    FAILED = 1
    USAGE = 2
    TIMED_OUT = 3
    STOPPED = 4
    UNKNOWN_JOB = 5
    STORE = 6
    NOT_ENDED = 7
    INTERRUPTED = 130


HELP = (
    "Exit codes: 0 finished, 1 the script failed, 2 bad usage, 3 timed out, 4 stopped, 5 unknown job, schedule or "
    "actor, 6 the store or the supervisor cannot be reached or refuses, 7 the job has not ended yet, 130 interrupted."
)

_BY_KIND = {"timeout": Exit.TIMED_OUT, "stopped": Exit.STOPPED}


def exit_of_kind(kind: str) -> Exit:
    """The code of a job that ended without a result.

    Args:
        kind: `JobFailed.kind`: the engine's name for the error, or one of the runtime's own.
    """
    return _BY_KIND.get(kind, Exit.FAILED)
