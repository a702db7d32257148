"""Turns the errors of the API into what a person reads: what happened, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from hero_ctl.exits import Exit, exit_of_kind
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
from hero_job.model.status import JobStatus

_START_HINT = (
    "is it running? Start one with `hero-supervisor` or `scripts/run`, "
    "or name another with --redis-url or HERO_REDIS_URL"
)
#: First words of a server's answer that have an answer of their own.
_REFUSAL_HINTS = {
    "NOAUTH": "put the password into the URL: redis://:PASSWORD@HOST:PORT/",
    "WRONGPASS": "user name or password in the URL are wrong",
    "NOPERM": "the user in the URL may not do this",
    "OOM": "the store is full: raise its maxmemory, or delete old jobs",
    "READONLY": "this is a replica: name the primary",
    "LOADING": "it is still reading its data: try again in a moment",
}

_ENDED = frozenset(status.value for status in JobStatus if status.terminal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What goes to standard error, and the exit code with it."""

    text: str
    exit: Exit


def complain(error: HeroJobError, *, script_name: str | None = None) -> Complaint:
    """Say what an error means.

    Args:
        error: What the API raised.
        script_name: How the user knows the script ("deploy.rhai"); None when only the job's id is known.

    Returns:
        Text without a traceback and the exit code.
    """
    match error:
        case JobFailed():
            return Complaint(text=_failed(error, script_name), exit=exit_of_kind(error.kind))
        case WaitTimeout():
            text = f"heroctl: {error}; ask again with `heroctl output {error.job_id}`"
            return Complaint(text=text, exit=Exit.TIMED_OUT)
        case JobNotFound():
            text = f"heroctl: {error} (never created, deleted, or past its retention)"
            return Complaint(text=text, exit=Exit.UNKNOWN_JOB)
        case JobStateError():
            return _wrong_state(error)
        case StoreUrlInvalid() | JobInvalid() | JobConflict():
            return Complaint(text=f"heroctl: {error}", exit=Exit.USAGE)
        case StoreUnavailable():
            return Complaint(text=f"heroctl: {error}; {_START_HINT}", exit=Exit.STORE)
        case StoreRefused():
            hint = _REFUSAL_HINTS.get(error.code)
            return Complaint(text=f"heroctl: {error}" + (f"; {hint}" if hint else ""), exit=Exit.STORE)
    return Complaint(text=f"heroctl: {error}", exit=Exit.FAILED)


def _wrong_state(error: JobStateError) -> Complaint:
    if error.status in _ENDED:
        return Complaint(text=f"heroctl: {error}", exit=Exit.FAILED)
    text = f"heroctl: {error}; wait for it with `heroctl output {error.job_id} --wait 60`, "
    return Complaint(text=text + f"or end it with `heroctl stop {error.job_id}`", exit=Exit.NOT_ENDED)


def _failed(error: JobFailed, script_name: str | None) -> str:
    """`deploy.rhai:3:7: message`, as compilers write it, so that editors find the place."""
    place = script_name or f"job {error.job_id}"
    if error.line is not None:
        place += f":{error.line}"
        if error.column is not None:
            place += f":{error.column}"
    return f"{place}: {error.message}"
