"""The exit codes of `heroctl`: they tell the shell how a job or a command ended."""

from __future__ import annotations

from enum import IntEnum


class CtlExitCode(IntEnum):
    """What the exit code of a command means; `HELP` explains it to the user."""

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
    "Exit codes: 0 done; 1 the script failed, or the command could not do it; 2 wrong usage; 3 the script ran into its "
    "timeout; 4 the job was stopped; 5 no such job, schedule, batch or actor; 6 the store or the supervisor cannot be "
    "reached, or refuses; 7 the job has not ended yet, also after --wait; 130 interrupted."
)

_BY_KIND = {"timeout": CtlExitCode.TIMED_OUT, "stopped": CtlExitCode.STOPPED}


def exit_code_of(kind: str) -> CtlExitCode:
    """The exit code for a job that ended without a result.

    Args:
        kind: `JobFailed.kind`: the engine's name for the error, or one of the runtime's own.
    """
    return _BY_KIND.get(kind, CtlExitCode.FAILED)
