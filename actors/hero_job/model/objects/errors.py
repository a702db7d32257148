"""What can go wrong with an object.

Their messages are what scripts catch, so they begin like those of the Rust system.
"""

from __future__ import annotations

from hero_job.model.errors import HeroJobError


class ObjectError(HeroJobError):
    """Root of the errors about objects."""


class ObjectNotFound(ObjectError):
    """No object has this SID, or the caller may not read it."""

    def __init__(self, sid: str) -> None:
        super().__init__(sid)
        self.sid = sid

    def __str__(self) -> str:
        return f"object not found: {self.sid:.80}"


class ObjectChanged(ObjectError):
    """The object was written by somebody else after the version that this change starts from.

    Args:
        sid: The object.
        base: The version that the change starts from; 0 for a new object.
        version: The version that the store has; 0 if the object has been deleted.
    """

    def __init__(self, sid: str, base: int, version: int) -> None:
        super().__init__(sid, base, version)
        self.sid = sid
        self.base = base
        self.version = version

    def __str__(self) -> str:
        now = f"it has version {self.version} now" if self.version else "it has been deleted"
        before = f"version {self.base}" if self.base else "that it is new"
        return f"object {self.sid} has changed: {now}, the change starts from {before}; get it again and change that"


class InsufficientAuthorization(ObjectError):
    """The caller may not do this in this context.

    Args:
        caller_id: The caller.
        action: What it may not do, as in "write note".
        context_id: The context.
    """

    def __init__(self, caller_id: str, action: str, context_id: str) -> None:
        super().__init__(caller_id, action, context_id)
        self.caller_id = caller_id
        self.action = action
        self.context_id = context_id

    def __str__(self) -> str:
        return f"Insufficient authorization: {self.caller_id:.80} may not {self.action} in {self.context_id:.80}"


class ObjectInvalid(ObjectError):
    """A SID, a query, a member of a list of rights or an object cannot be used.

    Args:
        kind: Which of them, as the Rust system words it: "invalid name", "index error", "serialization error".
        reason: What is wrong.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


class ObjectsBusy(ObjectError):
    """Others changed the object, or the rights of its context, each time before this change could be made."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} is changed by others all the time; try again later"
