"""Reads and changes the lists of rights of a context. Pure."""

from __future__ import annotations

from collections.abc import Callable

from hero_job.model.objects.acl import Acl, Right, decode_acl, may
from hero_job.model.objects.errors import ObjectsBusy
from hero_job.operations.flow import Flow
from hero_job.operations.objects.guard import ATTEMPTS, ObjectAccess, ObjectGuard, one, refused
from hero_job.protocol import lua
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op, as_is


class AclChanges:
    """The procedures on the rights in one namespace.

    Args:
        namespace: Prefix of all keys.
    """

    __slots__ = ("_guard", "_keys")

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        self._keys = Keys(namespace)
        self._guard = ObjectGuard(self._keys)

    def read(self, access: ObjectAccess) -> Flow[Acl]:
        """Read the lists of a context.

        Raises:
            InsufficientAuthorization: The caller is neither its owner nor one of its administrators.
        """
        acl = yield from self._guard.current(access.context_id)
        if not may(access.caller_id, access.context_id, acl, Right.ADMIN):
            raise refused(access, "read the rights")
        return acl

    def change(self, access: ObjectAccess, change: Callable[[Acl], Acl]) -> Flow[Acl]:
        """Change the lists of a context.

        Args:
            access: Who asks, and where.
            change: Makes the new lists of the present ones.

        Returns:
            The new lists.

        Raises:
            InsufficientAuthorization: The caller is neither the context's owner nor one of its administrators.
            ObjectInvalid: A name cannot be used, or there would be too many.
            ObjectsBusy: Others changed the lists each time.
        """
        acl = yield from self._guard.current(access.context_id)
        for _ in range(ATTEMPTS):
            if not may(access.caller_id, access.context_id, acl, Right.ADMIN):
                raise refused(access, "change the rights")
            text = change(acl).encode()
            op = Op([self._keys.acl(access.context_id), acl.version, text], as_is, lua.PUT_ACL, 1)
            answer = yield from one(op)
            if answer[0] == 0:
                return decode_acl(text)
            acl = decode_acl(answer[1])
        raise ObjectsBusy("the list of rights")
