"""Finds and deletes the records, apart from jobs, that cannot be read, and what stands under our keys instead. `Flow`s.

The service looks now and then and logs what it finds; ``heroctl doctor`` shows it and deletes it if asked. Damaged jobs
are in `consistency_check.py`. Invariant: nothing that can be read is deleted: each record is read once more before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hero_job.model.damaged import DamagedRecord, RecordKind, reason_of
from hero_job.model.errors import HeroJobError, StoreRefused
from hero_job.model.job import ScriptType
from hero_job.operations.credentials import Credentials
from hero_job.operations.flow import Flow, chunks, find_keys, raise_first_error
from hero_job.operations.objects.object_damage import damaged_objects, object_deletions
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedules
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is

#: What stands under each key that a namespace has once. Actors, schedules and tokens are read whole, see below.
_TYPES: Final = {
    KeyPart.SCHEDULED: "zset",
    KeyPart.BLOCKED: "zset",
    KeyPart.EXPIRING: "zset",
    KeyPart.MOVING_SCHEDULED: "zset",
    KeyPart.MOVING_EXPIRING: "zset",
    KeyPart.DEAD_LETTERS: "zset",
    KeyPart.TICKS: "zset",
    KeyPart.BATCHES: "zset",
    KeyPart.OBJECT_TYPES: "zset",
    KeyPart.UNSETTLED: "hash",
    KeyPart.DEAD: "hash",
    KeyPart.CLOCK: "hash",
    KeyPart.COUNTS: "hash",
    KeyPart.COUNT_REPORTS: "hash",
    KeyPart.PAUSED: "hash",
    KeyPart.EVENTS: "stream",
    KeyPart.ACTOR_EVENTS: "stream",
    KeyPart.AUDIT: "stream",
}


def damaged_records(operations: Operations, *, walk: bool = True) -> Flow[list[DamagedRecord]]:
    """Find the records that cannot be read.

    Args:
        operations: Of the namespace.
        walk: Look at batches, objects, rights and values too, which costs walks over all keys.

    Returns:
        What is damaged.
    """
    namespace = operations.keys.namespace
    found: list[DamagedRecord] = []
    try:
        found += yield from operations.admin.damaged_actors()
    except StoreRefused as e:
        found.append(DamagedRecord(kind=RecordKind.ACTOR, name="*", reason=reason_of(e)))
    lists: list[Op[Any]] = [Schedules(namespace).damaged(), Credentials(namespace).damaged()]
    for kind, answer in zip((RecordKind.SCHEDULE, RecordKind.TOKEN), (yield lists), strict=True):
        if isinstance(answer, HeroJobError):
            found.append(DamagedRecord(kind=kind, name="*", reason=reason_of(answer)))
        else:
            found += answer
    found += yield from _wrong_types(operations)
    if walk:
        prefix = operations.keys.batch("")
        for ids in chunks([key.removeprefix(prefix) for key in (yield from find_keys(prefix))]):
            answers = yield [operations.batch(batch_id) for batch_id in ids]
            found += [
                DamagedRecord(kind=RecordKind.BATCH, name=batch_id, reason=reason_of(answer))
                for batch_id, answer in zip(ids, answers, strict=True)
                if isinstance(answer, HeroJobError)
            ]
        found += yield from damaged_objects(operations)
    return found


def delete_damaged(operations: Operations, records: Sequence[DamagedRecord]) -> Flow[list[DamagedRecord]]:
    """Delete records that still cannot be read.

    Args:
        operations: Of the namespace.
        records: What `damaged_records` has found.

    Returns:
        Those that were deleted.
    """
    still = set((yield from damaged_records(operations)))
    gone = [record for record in records if record in still]
    for record in gone:
        if record.kind in (RecordKind.OBJECT, RecordKind.ACL, RecordKind.VALUES):
            raise_first_error((yield (yield from object_deletions(operations.keys, record))))
        else:
            raise_first_error((yield [_deletion(operations, record)]))
    return gone


def _wrong_types(operations: Operations) -> Flow[list[DamagedRecord]]:
    wanted = {str(part): kind for part, kind in _TYPES.items()}
    for script_type in ScriptType:
        queue = KeyPart.QUEUE + script_type.suffix
        wanted |= dict.fromkeys((queue, queue + KeyPart.LOW, queue + KeyPart.HELD), "list")
    prefix = operations.keys.prefix
    kinds = yield [Op(("TYPE", prefix + name), as_is) for name in wanted]
    raise_first_error(kinds)
    return [
        DamagedRecord(kind=RecordKind.KEY, name=name, reason=f"it is a {kind}, not a {wanted[name]}")
        for name, kind in zip(wanted, kinds, strict=True)
        if kind not in (wanted[name], "none")
    ]


def _deletion(operations: Operations, record: DamagedRecord) -> Op[Any]:
    keys = operations.keys
    if record.kind is RecordKind.BATCH:
        return Op(("DEL", keys.batch(record.name)), int)
    if record.kind is RecordKind.SCHEDULE and record.name != "*":
        return Schedules(keys.namespace).delete(record.name)
    if record.kind is RecordKind.KEY:
        return Op(("DEL", keys.prefix + record.name), int)
    key = {RecordKind.ACTOR: keys.actors, RecordKind.TOKEN: keys.tokens, RecordKind.SCHEDULE: keys.schedules}[
        record.kind
    ]
    return Op(("DEL", key) if record.name == "*" else ("HDEL", key, record.name), int)
