"""Where the commands on objects read and change: in the store as the operator, or through a server with a token.

Invariant: both print the same. Only the rights differ: nothing is hidden from who reaches the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from hero_client.remote.errors import ServiceRefused
from hero_ctl.commands.osis.shared import all_sids, operator, read_types, short_name
from hero_ctl.connect.store import namespace_of, remote_of
from hero_ctl.options import StoreOptions
from hero_job.model.objects.acl import acl_change
from hero_job.model.objects.errors import ObjectNotFound
from hero_job.operations.objects.acl_changes import AclChanges
from hero_job.operations.objects.objects import Objects

if TYPE_CHECKING:
    from hero_client import Supervisor
    from hero_client.remote.supervisor import RemoteSupervisor

_NOT_FOUND = 1601
#: SIDs of one answer of a server.
_PAGE = 500


class ObjectSource(Protocol):
    """What the commands ask."""

    def counts(self, context: str | None) -> Iterator[tuple[str, str, int]]:
        """Count the objects: context, type, number."""

    def sids(self, type_name: str, context: str, find: str | None, schemas: str) -> Iterator[str]:
        """List the SIDs of a type, or of what a query finds."""

    def versions(self, type_name: str, sid: str, context: str, *, history: bool) -> list[dict[str, Any]]:
        """Read an object, or its last versions; raises `ObjectNotFound`."""

    def rights(self, context: str) -> dict[str, Any]:
        """Read the rights in a context."""

    def change_rights(self, change: str, to: str, member: str, context: str) -> None:
        """Change the rights in a context."""


def object_source(supervisor: Supervisor, store: StoreOptions) -> ObjectSource:
    """Choose where to ask."""
    remote = remote_of(supervisor)
    return _Stored(supervisor, namespace_of(store)) if remote is None else _Served(remote)


class _Stored:
    def __init__(self, supervisor: Supervisor, namespace: str) -> None:
        self._supervisor = supervisor
        self._drive = supervisor.store.drive
        self._objects = Objects(namespace)
        self._acls = AclChanges(namespace)

    def counts(self, context: str | None) -> Iterator[tuple[str, str, int]]:
        if context is not None:
            counts = self._drive(self._objects.types(operator(context)))
            yield from ((context, name, count) for name, count in counts.items())
            return
        after = ""
        while True:
            pairs, after = self._drive(self._objects.context_page(after))
            yield from self._drive(self._objects.counts(pairs))
            if not after:
                return

    def sids(self, type_name: str, context: str, find: str | None, schemas: str) -> Iterator[str]:
        indexed = () if find is None else read_types(schemas).indexed(short_name(type_name))
        return all_sids(self._supervisor, self._objects, operator(context), type_name, find=find, indexed=indexed)

    def versions(self, type_name: str, sid: str, context: str, *, history: bool) -> list[dict[str, Any]]:
        access = operator(context)
        if history:
            found = self._drive(self._objects.history(access, type_name, sid))
        else:
            found = [self._drive(self._objects.get(access, type_name, sid))]
        return [
            {
                "sid": one.sid, "type": type_name, "version": one.version, "written_at": one.written_at,
                "written_by": one.caller_id, "job_id": one.job_id, "fields": one.fields,
            }
            for one in found
        ]  # fmt: skip

    def rights(self, context: str) -> dict[str, Any]:
        return self._drive(self._acls.read(operator(context))).as_json()

    def change_rights(self, change: str, to: str, member: str, context: str) -> None:
        self._drive(self._acls.change(operator(context), acl_change(change, to, member)))


class _Served:
    def __init__(self, remote: RemoteSupervisor) -> None:
        self._ask = remote.ask

    def counts(self, context: str | None) -> Iterator[tuple[str, str, int]]:
        for row in self._ask("list_object_types", {"context_id": context}):
            yield row["context_id"], row["type"], row["count"]

    def sids(self, type_name: str, context: str, find: str | None, schemas: str) -> Iterator[str]:
        del schemas  # the server has them
        method = "list_objects" if find is None else "find_objects"
        cursor = ""
        while True:
            params = {"type": type_name, "query": find, "context_id": context, "cursor": cursor, "limit": _PAGE}
            page = self._ask(method, params)
            yield from page["sids"]
            cursor = page["cursor"]
            if not cursor:
                return

    def versions(self, type_name: str, sid: str, context: str, *, history: bool) -> list[dict[str, Any]]:
        params = {"type": type_name, "sid": sid, "context_id": context}
        try:
            found = self._ask("get_object_history" if history else "get_object", params)
        except ServiceRefused as e:
            if e.code == _NOT_FOUND:
                raise ObjectNotFound(sid) from e
            raise
        return list(found) if history else [found]

    def rights(self, context: str) -> dict[str, Any]:
        return dict(self._ask("get_object_rights", {"context_id": context}))

    def change_rights(self, change: str, to: str, member: str, context: str) -> None:
        self._ask("change_object_rights", {"change": change, "to": to, "member": member, "context_id": context})
