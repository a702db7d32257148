"""Stores objects, reads them, and keeps their index and their earlier versions. Pure.

Actors run these procedures for scripts, supervisors for the RPC, `heroctl osis` for the operator. Invariants: a caller
that may not read a context finds nothing there; a write is one script, which writes the object, its index and its
history or nothing; no write loses what somebody else wrote after the version that it starts from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hero_job.model.objects.acl import Right
from hero_job.model.objects.errors import ObjectChanged, ObjectInvalid, ObjectNotFound, ObjectsBusy
from hero_job.model.objects.stored_object import (
    StoredObject,
    check_sid,
    check_type,
    decode_any_object,
    decode_object,
    encode_object,
    new_sid,
)
from hero_job.model.objects.words import index_entries, object_words
from hero_job.operations.flow import Flow
from hero_job.operations.objects.guard import ATTEMPTS, ObjectAccess, ObjectGuard, one, refused
from hero_job.protocol import lua
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op, as_is

#: Versions of an object that are kept, the newest included.
KEPT_VERSIONS: Final = 10
#: Objects of one type in one context.
MAX_OBJECTS: Final = 1_000_000
#: Bytes of objects in one answer of the store, and one object more.
PAGE_BYTES: Final = 4 * 1024 * 1024


class Objects:
    """The procedures on the objects of one namespace. Threads may share it.

    Args:
        namespace: Prefix of all keys.
        max_bytes: Largest object, as JSON.
    """

    __slots__ = ("guard", "keys", "max_bytes")

    def __init__(self, namespace: str = DEFAULT_NAMESPACE, max_bytes: int = 1024 * 1024) -> None:
        self.keys = Keys(namespace)
        self.guard = ObjectGuard(self.keys)
        self.max_bytes = max_bytes

    def new(self, access: ObjectAccess, type_name: str) -> Flow[str]:
        """Choose a SID that no object of the type has."""
        objects, _, _ = self.keys.objects(check_type(type_name), access.context_id)
        while True:
            sid = new_sid()
            if not (yield from one(Op(("HEXISTS", objects, sid), as_is))):
                return sid

    def put(
        self,
        access: ObjectAccess,
        type_name: str,
        sid: str,
        fields: Mapping[str, Any],
        *,
        indexed: Sequence[str] = (),
        base: int | None = None,
    ) -> Flow[StoredObject]:
        """Write an object.

        Args:
            access: Who asks, and where.
            type_name: `namespace.type`.
            sid: Its SID.
            fields: Its fields, already checked by its schema.
            indexed: The fields that `find` looks into.
            base: The version that the change starts from; 0 for a new object, None to replace whatever there is.

        Returns:
            The new version.

        Raises:
            InsufficientAuthorization: The caller may not write here.
            ObjectChanged: Somebody else has written the object since.
            ObjectInvalid: It is too large or has too many words, or there are too many objects.
            ObjectsBusy: Others wrote it each time.
        """
        caller_id, job_id = access.caller_id, access.job_id
        record = encode_object(caller_id, job_id, tuple(indexed), fields)
        if (size := len(record.encode())) > self.max_bytes:
            raise ObjectInvalid("serialization error", f"the object has {size} bytes; {self.max_bytes} are allowed")
        comes = index_entries(object_words(fields, indexed))
        action = f"write {_short(type_name)}"
        seen: StoredObject | None = None
        if base != 0:
            seen = yield from self._seen(access, type_name, sid, action)
        for _ in range(ATTEMPTS):
            if (seen is None and base) or (seen is not None and not seen.follows(base, caller_id, job_id)):
                raise ObjectChanged(sid, base or 0, seen.version if seen else 0)
            goes = _entries(seen)
            numbers = [seen.version, seen.since_of_next(caller_id, job_id)] if seen else [0, 1]
            arguments = [
                check_sid(sid), *numbers, record, KEPT_VERSIONS, MAX_OBJECTS, f"{access.context_id} {type_name}",
                len(goes - comes), *sorted(goes - comes), *sorted(comes - goes),
            ]  # fmt: skip
            answer = yield from self.guard.demand(
                access, Right.WRITE, action, self._script(lua.PUT_OBJECT, access, type_name, arguments)
            )
            if answer[0] == 0:
                return StoredObject(
                    sid=sid, version=int(answer[1]), written_at_ms=int(answer[2]), since=numbers[1],
                    caller_id=caller_id, job_id=job_id, indexed=tuple(indexed), fields=fields,
                )  # fmt: skip
            if answer[0] == 3:
                raise ObjectInvalid("io error", f"a context may have {MAX_OBJECTS} objects of a type")
            seen = decode_any_object(sid, answer[1]) if answer[1] else None
        raise ObjectsBusy(f"object {sid}")

    def get(self, access: ObjectAccess, type_name: str, sid: str) -> Flow[StoredObject]:
        """Read an object.

        Raises:
            ObjectNotFound: There is none, or the caller may not read here.
            ObjectInvalid: It is damaged, or a name cannot be used.
        """
        records = yield from self._records(access, type_name, [check_sid(sid)], Right.READ)
        if not records or not records[0]:
            raise ObjectNotFound(sid)
        return decode_object(sid, records[0])

    def get_many(self, access: ObjectAccess, type_name: str, sids: Sequence[str]) -> Flow[list[StoredObject]]:
        """Read objects; those that are missing or damaged are left out."""
        found: list[StoredObject] = []
        asked = 0
        while asked < len(sids):
            some = sids[asked : asked + 500]
            records = yield from self._records(access, type_name, some, Right.READ)
            if not records:
                break
            for sid, record in zip(some, records, strict=False):
                if record:
                    with contextlib.suppress(ObjectInvalid):
                        found.append(decode_object(sid, record))
            asked += len(records)
        return found

    def exists(self, access: ObjectAccess, type_name: str, sid: str) -> Flow[bool]:
        """Whether there is such an object, and the caller may read it."""
        records = yield from self._records(access, type_name, [check_sid(sid)], Right.READ)
        return bool(records and records[0])

    def delete(self, access: ObjectAccess, type_name: str, sid: str, *, base: int | None = None) -> Flow[None]:
        """Delete an object and its earlier versions.

        Args:
            access: Who asks, and where.
            type_name: `namespace.type`.
            sid: Its SID.
            base: The version that is meant; None for any.

        Raises:
            InsufficientAuthorization: The caller may not write here.
            ObjectNotFound: There is no such object.
            ObjectChanged: It has another version.
            ObjectsBusy: Others wrote it each time.
        """
        action = f"delete {_short(type_name)}"
        seen = yield from self._seen(access, type_name, check_sid(sid), action)
        for _ in range(ATTEMPTS):
            if seen is None:
                raise ObjectNotFound(sid)
            if not seen.follows(base, access.caller_id, access.job_id):
                raise ObjectChanged(sid, base or 0, seen.version)
            arguments = [
                sid, seen.version, KEPT_VERSIONS, f"{access.context_id} {type_name}", *sorted(_entries(seen)),
            ]  # fmt: skip
            answer = yield from self.guard.demand(
                access, Right.WRITE, action, self._script(lua.DELETE_OBJECT, access, type_name, arguments)
            )
            if answer[0] == 0:
                return
            seen = decode_any_object(sid, answer[1]) if answer[1] else None
        raise ObjectsBusy(f"object {sid}")

    def history(self, access: ObjectAccess, type_name: str, sid: str) -> Flow[list[StoredObject]]:
        """Read the versions of an object that are kept, the newest first.

        Raises:
            ObjectNotFound: There is no such object, or the caller may not read here.
        """
        objects, _, history = self.keys.objects(check_type(type_name), access.context_id)
        keys = [objects, history, self.keys.acl(access.context_id)]

        def build(acl_version: str) -> Op[Any]:
            return Op([*keys, acl_version, check_sid(sid), KEPT_VERSIONS], as_is, lua.OBJECT_HISTORY, 3)

        answer = yield from self.guard.run(access, Right.READ, build)
        if answer is None or not answer[1]:
            raise ObjectNotFound(sid)
        return [decode_any_object(sid, record) for record in answer[1]]

    def types(self, access: ObjectAccess) -> Flow[dict[str, int]]:
        """Count the objects of each type in a context; nothing if the caller may not read there."""
        found: dict[str, int] = {}
        # Reading no object at all asks for the right.
        if (yield from self._records(access, "any.any", [], Right.READ)) is None:
            return found
        head = f"{access.context_id} "
        members = yield from one(
            Op(("ZRANGEBYLEX", self.keys.object_types, f"[{head}", f"({access.context_id}!"), as_is)
        )
        # A context whose name goes on with a space is another one.
        names = [name for member in members for name in [member.removeprefix(head)] if " " not in name]
        counts = yield [Op(("HLEN", self.keys.objects(name, access.context_id)[0]), as_is) for name in names]
        return {name: int(count) for name, count in zip(names, counts, strict=True) if isinstance(count, int)}

    def context_page(self, after: str = "", limit: int = 1000) -> Flow[tuple[list[tuple[str, str]], str]]:
        """Read one page of the contexts and types that have objects, for the operator.

        Args:
            after: What the page before gave; "" at the beginning.
            limit: Most entries. Damaged ones are left out, so a page may be empty and not be the last.

        Returns:
            Pairs of context and type, and where the next page begins; "" after the last one.
        """
        start = f"({after}" if after else "-"
        op = Op(("ZRANGEBYLEX", self.keys.object_types, start, "+", "LIMIT", 0, limit), as_is)
        entries = yield from one_list(op)
        pairs = [(context, name) for context, _, name in (entry.rpartition(" ") for entry in entries)]
        return [pair for pair in pairs if pair[0]], entries[-1] if len(entries) >= limit else ""

    def counts(self, pairs: Sequence[tuple[str, str]]) -> Flow[list[tuple[str, str, int]]]:
        """Count the objects of contexts and types, for the operator.

        Args:
            pairs: Contexts and types, as `context_page` gives them.
        """
        counts = yield [Op(("HLEN", self.keys.objects(name, context)[0]), as_is) for context, name in pairs]
        return [
            (context, name, int(count))
            for (context, name), count in zip(pairs, counts, strict=True)
            if isinstance(count, int)
        ]

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _records(
        self, access: ObjectAccess, type_name: str, sids: Sequence[str], right: Right
    ) -> Flow[list[str] | None]:
        objects, _, _ = self.keys.objects(check_type(type_name), access.context_id)
        keys = [objects, self.keys.acl(access.context_id)]

        def build(acl_version: str) -> Op[Any]:
            return Op([*keys, acl_version, PAGE_BYTES, *sids], as_is, lua.READ_OBJECTS, 2)

        answer = yield from self.guard.run(access, right, build)
        return None if answer is None else answer[1]

    def _seen(self, access: ObjectAccess, type_name: str, sid: str, action: str) -> Flow[StoredObject | None]:
        records = yield from self._records(access, type_name, [check_sid(sid)], Right.WRITE)
        if records is None:
            raise refused(access, action)
        return decode_any_object(sid, records[0]) if records[0] else None

    def _script(self, script: lua.LuaScript, access: ObjectAccess, type_name: str, arguments: Sequence[Any]) -> Any:
        keys = [
            *self.keys.objects(check_type(type_name), access.context_id),
            self.keys.acl(access.context_id),
            self.keys.object_types,
        ]
        return lambda acl_version: Op([*keys, acl_version, *arguments], as_is, script, len(keys))


def _entries(stored: StoredObject | None) -> set[str]:
    return set() if stored is None else index_entries(object_words(stored.fields, stored.indexed))


def _short(type_name: str) -> str:
    return type_name.rpartition(".")[2]


def one_list(op: Op[Any]) -> Flow[list[str]]:
    """Run one operation that answers with texts."""
    found: list[str] = yield from one(op)
    return found
