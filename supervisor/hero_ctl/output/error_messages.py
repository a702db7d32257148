"""Explains the errors of the API to a person: what happened, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from hero_client.remote.errors import ServiceRefused, ServiceUnreachable, StoreNeeded
from hero_ctl.exits import CtlExitCode, exit_code_of
from hero_ctl.output.console import PREFIX
from hero_job.model.errors import (
    HeroJobError,
    JobConflict,
    JobFailed,
    JobInvalid,
    JobNotFound,
    JobStateError,
    StoreRefused,
    StoreUnavailable,
    StoreUrlInvalid,
    WaitTimeout,
)
from hero_job.model.objects.errors import ObjectInvalid
from hero_job.model.status import JobStatus

_START_HINT = (
    "is it running? Start one with `hero-supervisor` or `scripts/run`, "
    "or name another one with --redis-url or HERO_REDIS_URL; `heroctl config where` says what named this one"
)
#: What to do about an error of the server, by the first word of its answer.
_REFUSAL_HINTS = {
    "NOAUTH": "put the password into the URL: redis://:PASSWORD@HOST:PORT/",
    "WRONGPASS": "correct the user name or the password in the URL",
    "NOPERM": "the user in the URL may not do this: use another user, or grant it the command",
    "OOM": "make room on its disk, raise its maxmemory, or delete old jobs",
    "MISCONF": "the server cannot write to its disk: make room there, and see its log",
    "READONLY": "this is a replica: name the primary",
    "LOADING": "the server is still reading its data: try again in a moment",
}

_ENDED = frozenset(status.value for status in JobStatus if status.terminal)


_UNAUTHENTICATED = 1301


class ErrorMessage(NamedTuple):
    """What a command prints to standard error, and its exit code."""

    text: str
    code: CtlExitCode


def explain(error: HeroJobError, *, script_name: str | None = None) -> ErrorMessage:
    """Explain an error.

    Args:
        error: What the API raised.
        script_name: How the user knows the script ("deploy.rhai"); None when only the job's id is known.

    Returns:
        Text without a traceback, and the exit code.
    """
    match error:
        case JobFailed():
            return ErrorMessage(text=_failure(error, script_name), code=exit_code_of(error.kind))
        case WaitTimeout():
            text = f"{error}; ask again with `heroctl output {error.job_id}`"
            return ErrorMessage(text=PREFIX + text, code=CtlExitCode.NOT_ENDED)
        case JobNotFound():
            text = f"{error} (never created, deleted, or past its retention)"
            return ErrorMessage(text=PREFIX + text, code=CtlExitCode.UNKNOWN_JOB)
        case JobStateError() if error.status not in _ENDED:
            text = f"{error}; wait for it with `heroctl output {error.job_id} --wait 60`, "
            text += f"or end it with `heroctl stop {error.job_id}`"
            return ErrorMessage(text=PREFIX + text, code=CtlExitCode.NOT_ENDED)
        case ObjectInvalid():
            return ErrorMessage(text=f"{PREFIX}{error}", code=CtlExitCode.USAGE)
        case StoreUrlInvalid() | JobInvalid() | JobConflict():
            return ErrorMessage(text=f"{PREFIX}{error}", code=CtlExitCode.USAGE)
        case StoreUnavailable():
            return ErrorMessage(text=f"{PREFIX}{error}; {_START_HINT}", code=CtlExitCode.STORE)
        case StoreRefused():
            hint = _REFUSAL_HINTS.get(error.code)
            text = f"{str(error).rstrip('.')}; {hint}" if hint else str(error)
            return ErrorMessage(text=PREFIX + text, code=CtlExitCode.STORE)
    if isinstance(error, ServiceUnreachable | ServiceRefused | StoreNeeded):
        code = error.code if isinstance(error, ServiceRefused) else 0
        hint = "; give a token in HERO_TOKEN, or in the profile" if code == _UNAUTHENTICATED else ""
        return ErrorMessage(text=f"{PREFIX}{error}{hint}", code=CtlExitCode.STORE)
    return ErrorMessage(text=f"{PREFIX}{error}", code=CtlExitCode.FAILED)


def _failure(error: JobFailed, script_name: str | None) -> str:
    """`deploy.rhai:3:7: message`, the form of compilers: editors jump to the place."""
    place = script_name or f"job {error.job_id}"
    if error.line is not None:
        place += f":{error.line}"
        if error.column is not None:
            place += f":{error.column}"
    return f"{place}: {error.message}"
