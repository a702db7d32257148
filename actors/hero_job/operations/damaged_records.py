"""Finds and deletes the records, apart from jobs, that cannot be read. `Flow`s.

The service looks now and then and logs what it finds; ``heroctl doctor`` shows it and deletes it if asked. Damaged jobs
are in `consistency_check.py`. Invariant: nothing that can be read is deleted: each record is read once more before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hero_job.model.damaged import DamagedRecord, RecordKind, reason_of
from hero_job.model.errors import HeroJobError, StoreRefused
from hero_job.operations.credentials import Credentials
from hero_job.operations.flow import Flow, chunks, find_keys, raise_first_error
from hero_job.operations.objects.object_damage import damaged_objects, object_deletions
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedules
from hero_job.protocol.op import Op


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


def _deletion(operations: Operations, record: DamagedRecord) -> Op[Any]:
    keys = operations.keys
    if record.kind is RecordKind.BATCH:
        return Op(("DEL", keys.batch(record.name)), int)
    if record.kind is RecordKind.SCHEDULE and record.name != "*":
        return Schedules(keys.namespace).delete(record.name)
    key = {RecordKind.ACTOR: keys.actors, RecordKind.TOKEN: keys.tokens, RecordKind.SCHEDULE: keys.schedules}[
        record.kind
    ]
    return Op(("DEL", key) if record.name == "*" else ("HDEL", key, record.name), int)
