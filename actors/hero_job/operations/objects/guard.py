"""Runs an operation on objects only for those who may have it done. Pure.

Invariant: the right is decided by `acl.may` alone, and the script that acts checks that the lists of the context are
still those by which it was decided; so a right that was taken away counts from the next script on. The owner and the
operator need no list, so their operations take one round trip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hero_job.model.objects.acl import Acl, Right, decode_acl, is_owner, may
from hero_job.model.objects.errors import InsufficientAuthorization, ObjectsBusy
from hero_job.operations.flow import Flow, raise_first_error
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op, as_is

#: How often an operation is repeated because others changed what it depends on.
ATTEMPTS: Final = 20
_MAX_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAccess:
    """In whose name, and where, something is done with objects. No script and no client fills this in.

    Attributes:
        context_id: The context.
        caller_id: The caller; None for the operator, who may do everything.
        job_id: The job that does it; "" if no job does.
    """

    context_id: str
    caller_id: str | None
    job_id: str = ""


class ObjectGuard:
    """Decides by the lists of a context, and keeps those that it has read. Threads may share it.

    Args:
        keys: Of the namespace.
    """

    __slots__ = ("_acls", "_keys")

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._acls: dict[str, Acl] = {}

    def run(self, access: ObjectAccess, right: Right, build: Callable[[str], Op[Any]]) -> Flow[list[Any] | None]:
        """Run a script that needs a right.

        Args:
            access: Who asks, and where.
            right: The right.
            build: Makes the operation. Its argument is the version of the lists that the script must find; its result
                begins with 1 if the script has found others.

        Returns:
            The answer; None if the caller does not have the right.

        Raises:
            ObjectsBusy: The lists changed each time.
        """
        for _ in range(ATTEMPTS):
            version = yield from self._version(access, right)
            if version is None:
                return None
            answer: list[Any] = yield from one(build(version))
            if answer[0] != 1:
                return answer
            self._keep(access.context_id, answer[1])
        raise ObjectsBusy("the list of rights")

    def demand(
        self, access: ObjectAccess, right: Right, action: str, build: Callable[[str], Op[Any]]
    ) -> Flow[list[Any]]:
        """Run a script that needs a right, as `run`.

        Raises:
            InsufficientAuthorization: The caller does not have the right.
        """
        answer = yield from self.run(access, right, build)
        if answer is None:
            raise refused(access, action)
        return answer

    def current(self, context_id: str) -> Flow[Acl]:
        """Read the lists of a context."""
        return self._keep(context_id, (yield from one(Op(("GET", self._keys.acl(context_id)), as_is))))

    def _version(self, access: ObjectAccess, right: Right) -> Flow[str | None]:
        if is_owner(access.caller_id, access.context_id):
            return ""
        acl = self._acls.get(access.context_id)
        if acl is None or not may(access.caller_id, access.context_id, acl, right):
            # What was kept may be older than the right.
            acl = yield from self.current(access.context_id)
            if not may(access.caller_id, access.context_id, acl, right):
                return None
        return str(acl.version)

    def _keep(self, context_id: str, text: str | None) -> Acl:
        if len(self._acls) >= _MAX_KEPT:
            self._acls.clear()
        acl = self._acls[context_id] = decode_acl(text)
        return acl


def refused(access: ObjectAccess, action: str) -> InsufficientAuthorization:
    """Build the error for a right that is missing."""
    return InsufficientAuthorization(str(access.caller_id), action, access.context_id)


def one(op: Op[Any]) -> Flow[Any]:
    """Run one operation."""
    results = yield [op]
    raise_first_error(results)
    return results[0]
