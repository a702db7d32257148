"""Tells our own defects, which the log shows with a traceback, from failures with a cause outside our programs.

Every place that catches whatever may happen logs it by `log_failure`. Invariant: a failure of the store, of the
operating system or for lack of memory is one line without a traceback.
"""

from __future__ import annotations

import logging
from typing import Protocol, runtime_checkable


@runtime_checkable
class _Foreign(Protocol):
    is_foreign: bool


def is_foreign(error: BaseException) -> bool:
    """Whether the cause is outside our programs: a full disk, no memory, no descriptors, a store that is away.

    Args:
        error: The failure. Classes of our own say so by an attribute `is_foreign`.
    """
    return isinstance(error, OSError | MemoryError) or (isinstance(error, _Foreign) and error.is_foreign)


def log_failure(
    log: logging.Logger, event: str, error: BaseException, *, level: int = logging.ERROR, **fields: object
) -> None:
    """Log a failure: a defect with its traceback, anything else in one line.

    Args:
        log: Of the module that has caught it.
        event: Name of the event.
        error: The failure.
        level: Of the line.
        fields: More fields of the line.
    """
    if is_foreign(error):
        log.log(level, event, extra={**fields, "reason": reason_of(error)})
    else:
        log.log(level, event, extra=fields, exc_info=error)


def reason_of(error: BaseException) -> str:
    """Say in words what has failed."""
    if isinstance(error, MemoryError):
        return "there is no memory left"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or "the operating system gave no reason"
