"""Lists of jobs: the newest first, what waits, is delayed, is blocked or runs; and the search through everything.

The lists walk what the store keeps anyway: the event stream, the queues, the sorted sets and the claimed lists
(docs/decisions/0014-lists-without-a-walk.md). The client API, the RPC and `heroctl` drive these `Flow`s. Invariant: a
page of a list costs two round trips and a bounded number of looks, no matter how many jobs the store has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hero_job.model.errors import JobDamaged, JobInvalid
from hero_job.model.fields.checks import bounded_ms
from hero_job.model.fields.shown_values import shown
from hero_job.model.job import ScriptType
from hero_job.model.overview.pages import ListedJob, ListPage, SearchPage
from hero_job.model.overview.selection import JobSelection
from hero_job.model.status import JobStatus
from hero_job.model.views import ActorPresence, JobRecord
from hero_job.operations.flow import MAX_PAGE_BYTES, Flow, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.protocol import lua
from hero_job.protocol.codec import decode_record
from hero_job.protocol.keys import KeyPart, Keys
from hero_job.protocol.op import Op, as_is, pairs

#: Most jobs of a page.
MAX_PAGE: Final = 1000
#: Jobs that one round trip looks at: some 15 ms of the server.
LOOKS: Final = 500
#: Longest cursor: a position holds an id and a score.
MAX_CURSOR: Final = 1000
# The list, the time back to which events were walked, and the position in the list.
_CURSOR: Final = re.compile(r"([a-z]+(?:@[^\n|]*)?)\|([0-9TZ:.+-]*)\|([^\n]*)")

QueueName = tuple[ScriptType, str | None, str | None]


@dataclass(frozen=True, slots=True)
class _Source:
    """A list of ids: its name in cursors, its key, and how it is walked (see list_jobs.lua)."""

    name: str
    key: str
    walk: str


def list_jobs(
    operations: Operations, cursor: str = "", count: int = 100, wanted: JobSelection | None = None
) -> Flow[ListPage]:
    """Read one page of jobs, the newest move first.

    Jobs that have moved recently come first, in the order of their last move. After them come those that have not: the
    dead letters, and what waits, is delayed, is blocked or runs, the newest of each first.

    Args:
        operations: Of the namespace.
        cursor: "" for the first page, then the cursor of the last page.
        count: Most jobs of the page, 1 to 1000.
        wanted: Which jobs; None for all.

    Raises:
        JobInvalid: `count` or `cursor` is out of range.
    """
    wanted = wanted or JobSelection()
    keys, status = operations.keys, wanted.status
    queues = _waiting(keys, (yield from _queue_names(operations)), wanted, walk="tail")
    by_status = {
        JobStatus.DISPATCHED: queues,
        JobStatus.CREATED: queues,  # another program may queue a job without any status
        JobStatus.STARTED: _running(keys),
        JobStatus.STOPPING: _running(keys),
        JobStatus.SCHEDULED: [_Source("delayed", keys.scheduled, "falling")],
        JobStatus.WAITING_FOR_PREREQUISITES: [_Source("blocked", keys.blocked, "falling")],
        JobStatus.ERROR: [_Source("dead", keys.dead_jobs, "falling")],
    }
    if status is None:
        behind = [source for sources in dict.fromkeys(map(tuple, by_status.values())) for source in sources]
    else:
        behind = by_status.get(status, [])
    return (yield from _page(operations, [_Source("moves", keys.events, "events"), *behind], cursor, count, wanted))


def list_waiting(
    operations: Operations,
    queue: QueueName | None = None,
    cursor: str = "",
    count: int = 100,
    wanted: JobSelection | None = None,
) -> Flow[ListPage]:
    """Read one page of the jobs that wait in a queue, in the order in which they will be claimed, with their places.

    Jobs of low priority come after all others of their queue. A paused queue is listed as well.

    Args:
        operations: Of the namespace.
        queue: Script type, group and instance of the queue; None for all known queues, one after the other.
        cursor: "" for the first page, then the cursor of the last page.
        count: Most jobs of the page, 1 to 1000.
        wanted: Which jobs; None for all.

    Raises:
        JobInvalid: `count` or `cursor` is out of range.
    """
    wanted = wanted or JobSelection()
    names = [queue] if queue is not None else (yield from _queue_names(operations))
    sources = _waiting(operations.keys, names, wanted, walk="head")
    page = yield from _page(operations, sources, cursor, count, wanted)
    waiting = (JobStatus.DISPATCHED, JobStatus.CREATED)  # another program may queue a job without any status
    # The id of a job that was stopped or deleted stays in its queue until a lane meets it.
    jobs = tuple(job for job in page.jobs if job.record.status in waiting)
    return ListPage(jobs=jobs, damaged=page.damaged, cursor=page.cursor, looked_at=page.looked_at)


def list_delayed(
    operations: Operations, cursor: str = "", count: int = 100, wanted: JobSelection | None = None
) -> Flow[ListPage]:
    """Read one page of the jobs that wait for their time, the soonest first; `since_ms` is when they are due.

    Args:
        operations: Of the namespace.
        cursor: "" for the first page, then the cursor of the last page.
        count: Most jobs of the page, 1 to 1000.
        wanted: Which jobs; None for all.

    Raises:
        JobInvalid: `count` or `cursor` is out of range.
    """
    source = _Source("delayed", operations.keys.scheduled, "rising")
    return (yield from _page(operations, [source], cursor, count, wanted or JobSelection()))


def list_blocked(
    operations: Operations, cursor: str = "", count: int = 100, wanted: JobSelection | None = None
) -> Flow[ListPage]:
    """Read one page of the jobs that wait for other jobs, those that have waited longest first.

    They wait for prerequisites, or in line for a place under a key; `since_ms` is since when.

    Args:
        operations: Of the namespace.
        cursor: "" for the first page, then the cursor of the last page.
        count: Most jobs of the page, 1 to 1000.
        wanted: Which jobs; None for all.

    Raises:
        JobInvalid: `count` or `cursor` is out of range.
    """
    source = _Source("blocked", operations.keys.blocked, "rising")
    return (yield from _page(operations, [source], cursor, count, wanted or JobSelection()))


def list_active(
    operations: Operations, cursor: str = "", count: int = 100, wanted: JobSelection | None = None
) -> Flow[ListPage]:
    """Read one page of the jobs that lanes have claimed; `lane` says which.

    While jobs are fast, a lane claims several and runs them one after another.

    Args:
        operations: Of the namespace.
        cursor: "" for the first page, then the cursor of the last page.
        count: Most jobs of the page, 1 to 1000.
        wanted: Which jobs; None for all.

    Raises:
        JobInvalid: `count` or `cursor` is out of range.
    """
    return (yield from _page(operations, _running(operations.keys), cursor, count, wanted or JobSelection()))


def search_jobs(
    operations: Operations, cursor: str = "", keys_per_page: int = 2000, wanted: JobSelection | None = None
) -> Op[SearchPage]:
    """Look for jobs among all keys of the server, a page of keys at a time.

    This finds what no list has: jobs that other programs have created and not queued, and those that ended long ago.

    Args:
        operations: Of the namespace.
        cursor: "" for the first page, then the cursor of the last page.
        keys_per_page: About how many keys to look at, 1 to 5,000.
        wanted: Which jobs; None for all.

    Raises:
        JobInvalid: `keys_per_page` or `cursor` is out of range.
    """
    if not 1 <= keys_per_page <= 5_000:
        raise JobInvalid("count", f"must be from 1 to 5000, not {shown(keys_per_page)}")
    parsed = re.fullmatch(r"([0-9]{1,20})\.([0-9]{1,15})", cursor or "0.0", re.ASCII)
    if parsed is None:
        raise JobInvalid("cursor", f"must be the cursor of the last page, not {shown(cursor)}")
    wanted = wanted or JobSelection()

    def decode(answer: list[Any]) -> SearchPage:
        following, looked, total, rows = answer
        jobs, damaged = _decode_rows(rows, wanted)
        walked = int(parsed[2]) + int(looked)
        return SearchPage(
            records=tuple(record for record, _ in jobs),
            damaged=damaged,
            cursor="" if str(following) == "0" else f"{following}.{walked}",
            walked=walked,
            total=int(total),
        )

    keys = operations.keys
    args = [keys.actors, keys.prefix, wanted.argument(), parsed[1], keys_per_page, MAX_PAGE_BYTES]
    return Op(args, decode, lua.SEARCH_JOBS, 1)


def queue_names(actors: Sequence[ActorPresence], paused: Sequence[str], queue_prefix: str) -> list[QueueName]:
    """Name the queue of every script type, those of the groups and instances that actors serve, and the paused ones.

    Args:
        actors: All registered actors.
        paused: Keys of the paused queues.
        queue_prefix: What the key of a queue begins with.
    """
    names: set[tuple[ScriptType, str, str]] = {(script_type, "", "") for script_type in ScriptType}
    for actor in actors:
        if actor.group:
            names |= {(actor.script_type, actor.group, ""), (actor.script_type, actor.group, actor.instance or "")}
    for key in paused:
        suffix, _, rest = key.removeprefix(queue_prefix).partition(KeyPart.GROUP)
        group, _, instance = rest.partition(KeyPart.INSTANCE)
        names |= {(script_type, group, instance) for script_type in ScriptType if script_type.suffix == suffix}
    return [(script_type, group or None, instance or None) for script_type, group, instance in sorted(names)]


def _queue_names(operations: Operations) -> Flow[list[QueueName]]:
    keys = operations.keys
    actors, (paused,) = yield from operations.admin.actors_and(Op(("HKEYS", keys.paused), as_is))
    # Something else in the place of the paused queues hides no list.
    return queue_names(actors, paused if isinstance(paused, list) else [], keys.queue_prefix)


def _waiting(keys: Keys, names: Sequence[QueueName], wanted: JobSelection, *, walk: str) -> list[_Source]:
    sources: list[_Source] = []
    for script_type, group, instance in names:
        if wanted.script_type not in (None, script_type) or (wanted.group is not None and wanted.group != group):
            continue
        queue = keys.work(script_type.suffix, group, instance)
        name = f"queue@{queue.removeprefix(keys.queue_prefix)}"
        held = queue + KeyPart.HELD
        lists = (("", queue), (" low", queue + KeyPart.LOW), (" held", held), (" held low", held + KeyPart.LOW))
        sources += [_Source(name + suffix, key, walk) for suffix, key in lists]
    return sources


def _running(keys: Keys) -> list[_Source]:
    return [_Source("claimed", keys.actors, "claimed")]


def _page(
    operations: Operations, sources: Sequence[_Source], cursor: str, count: int, wanted: JobSelection
) -> Flow[ListPage]:
    if not 1 <= count <= MAX_PAGE:
        raise JobInvalid("count", f"must be from 1 to {MAX_PAGE}, not {shown(count)}")
    number, position, walked_to = _parse_cursor(cursor, sources)
    if number > len(sources):
        return ListPage(jobs=(), damaged=(), cursor="", looked_at=0)
    source_keys = [source.key for source in sources]
    args: list[Any] = [*source_keys, operations.keys.prefix, wanted.argument(), count, LOOKS, MAX_PAGE_BYTES]
    args += [number, position, walked_to, *(source.walk for source in sources)]
    (answer,) = yield [Op(args, as_is, lua.LIST_JOBS, len(source_keys))]
    raise_first_error([answer])
    number, position, walked_to, looked_at, rows = answer
    jobs, damaged = _decode_rows(rows, wanted)
    following = ""
    if number <= len(sources):
        following = f"{sources[number - 1].name}|{walked_to}|{position}"
    return ListPage(
        jobs=tuple(_listed(record, str(row[1]), sources[row[3] - 1].walk) for record, row in jobs),
        damaged=damaged,
        cursor=following,
        looked_at=looked_at,
        walked_to=walked_to,
    )


def _parse_cursor(cursor: str, sources: Sequence[_Source]) -> tuple[int, str, str]:
    """Return the number of the list to go on with, the position in it, and back to when events were walked."""
    if not cursor:
        return 1, "", ""
    parsed = _CURSOR.fullmatch(cursor)
    if parsed is None or len(cursor) > MAX_CURSOR:
        raise JobInvalid("cursor", f"must be the cursor of the last page, not {shown(cursor)}")
    name, walked_to, position = parsed.groups()
    names = [source.name for source in sources]
    if name in names:
        return names.index(name) + 1, position, walked_to
    # The queue of a group whose last actor has left: go on with the one that follows.
    following = [number for number, other in enumerate(names, 1) if other.startswith("queue@") and other > name]
    return (following[0] if following else len(names) + 1), "", walked_to


def _listed(record: JobRecord, extra: str, walk: str) -> ListedJob:
    if walk in ("head", "tail"):
        return ListedJob(record=record, place=int(extra))
    if walk == "claimed":
        return ListedJob(record=record, lane=extra)
    try:
        return ListedJob(record=record, since_ms=bounded_ms(extra))
    except ValueError:
        return ListedJob(record=record)


def _decode_rows(
    rows: Sequence[Any], wanted: JobSelection
) -> tuple[list[tuple[JobRecord, Any]], tuple[tuple[str, str], ...]]:
    jobs: list[tuple[JobRecord, Any]] = []
    damaged: list[tuple[str, str]] = []
    for row in rows:
        job_id, fields = row[0], row[2]
        try:
            if isinstance(fields, str):
                raise JobDamaged(job_id, "", fields)
            record = decode_record(job_id, pairs(fields))
        except JobDamaged as e:
            damaged.append((job_id, str(e)))
        else:
            if wanted.matches(record):
                jobs.append((record, row))
    return jobs, tuple(damaged) if wanted.is_empty else ()
