"""Finds and deletes objects, lists of rights and values of contexts that cannot be read. `Flow`s.

`damaged_records.py` calls them for ``heroctl doctor``. Reading goes page by page over all objects. Invariant: only what
cannot be read is deleted, together with its entries in the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hero_job.model.damaged import DamagedRecord, RecordKind, reason_of
from hero_job.model.errors import HeroJobError, StoreRefused
from hero_job.model.objects.acl import read_acl
from hero_job.model.objects.errors import ObjectInvalid
from hero_job.model.objects.stored_object import decode_object
from hero_job.operations.flow import PAGE, Flow, chunks, find_keys, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart, Keys
from hero_job.protocol.op import Op, as_is

#: Objects of one answer. An object may have a megabyte.
_FEW: Final = 20


def damaged_objects(operations: Operations) -> Flow[list[DamagedRecord]]:
    """Find damaged objects, lists of rights, and values. Walks over all keys.

    Args:
        operations: Of the namespace.

    Returns:
        What cannot be read. An object is named as `TYPE SID in CONTEXT`, the others by their context.
    """
    keys = operations.keys
    found: list[DamagedRecord] = []
    prefix = keys.prefix + KeyPart.OBJECTS
    for key in (yield from find_keys(prefix)):
        type_name, _, context_id = key.removeprefix(prefix).partition(":")
        found += yield from _objects(key, type_name, context_id)
    contexts = [key.removeprefix(keys.acl("")) for key in (yield from find_keys(keys.acl("")))]
    for some in chunks(contexts):
        texts = yield [Op(("GET", keys.acl(context_id)), as_is) for context_id in some]
        for context_id, text in zip(some, texts, strict=True):
            reason = reason_of(text) if isinstance(text, HeroJobError) else _acl_damage(text)
            if reason:
                found.append(DamagedRecord(kind=RecordKind.ACL, name=context_id, reason=reason))
    for part in (keys.values(""), keys.value_ends("")):
        for some in chunks((yield from find_keys(part))):
            kinds = yield [Op(("TYPE", key), as_is) for key in some]
            found += [
                DamagedRecord(kind=RecordKind.VALUES, name=key.removeprefix(part), reason=f"it is a {kind}, not a hash")
                for key, kind in zip(some, kinds, strict=True)
                if kind not in ("hash", "none")
            ]
    return list(dict.fromkeys(found))


def _objects(key: str, type_name: str, context_id: str) -> Flow[list[DamagedRecord]]:
    found: list[DamagedRecord] = []
    cursor = "0"
    while True:
        (answer,) = yield [Op(("HSCAN", key, cursor, "COUNT", _FEW), as_is)]
        if isinstance(answer, StoreRefused):
            name = _object_name(type_name, "*", context_id)
            return [DamagedRecord(kind=RecordKind.OBJECT, name=name, reason=reason_of(answer))]
        raise_first_error([answer])
        cursor, flat = answer
        for i in range(0, len(flat), 2):
            try:
                decode_object(flat[i], flat[i + 1])
            except ObjectInvalid as e:
                name = _object_name(type_name, flat[i], context_id)
                found.append(DamagedRecord(kind=RecordKind.OBJECT, name=name, reason=e.reason))
        if str(cursor) == "0":
            return found


def _object_name(type_name: str, sid: str, context_id: str) -> str:
    return f"{type_name} {sid} in {context_id}"


def _acl_damage(text: str | None) -> str:
    try:
        read_acl(text)
    except ObjectInvalid as e:
        return e.reason
    return ""


def object_deletions(keys: Keys, record: DamagedRecord) -> Flow[Sequence[Op[Any]]]:
    """Build what deletes a damaged object, list of rights, or values.

    Args:
        keys: Of the namespace.
        record: What `damaged_objects` has found.
    """
    if record.kind is RecordKind.ACL:
        return [Op(("DEL", keys.acl(record.name)), int)]
    if record.kind is RecordKind.VALUES:
        both = (keys.values(record.name), keys.value_ends(record.name))
        kinds = yield [Op(("TYPE", key), as_is) for key in both]
        return [Op(("DEL", key), int) for key, kind in zip(both, kinds, strict=True) if kind not in ("hash", "none")]
    head, _, context_id = record.name.partition(" in ")
    type_name, _, sid = head.partition(" ")
    objects, index, _ = keys.objects(type_name, context_id)
    if sid == "*":
        return [Op(("DEL", objects), int)]
    entries: list[str] = []
    cursor = "0"
    while True:
        (answer,) = yield [Op(("ZSCAN", index, cursor, "MATCH", f"* {_literal(sid)}", "COUNT", PAGE), as_is)]
        if isinstance(answer, StoreRefused):
            break
        raise_first_error([answer])
        cursor, flat = answer
        entries += flat[::2]
        if str(cursor) == "0":
            break
    removals = [Op(("ZREM", index, *some), int) for some in chunks(entries)]
    return [Op(("HDEL", objects, sid), int), *removals]


def _literal(text: str) -> str:
    return "".join(f"\\{c}" if c in "*?[]\\" else c for c in text)
