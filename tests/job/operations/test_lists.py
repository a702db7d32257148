"""Lists of jobs: complete, in order, in pages, filtered, and never by a walk over the keys."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hero_job import JobInvalid, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.overview.pages import ListedJob, ListPage
from hero_job.model.overview.selection import JobSelection
from hero_job.model.retention import Retention
from hero_job.operations.flow import Flow
from hero_job.operations.operations import Operations
from hero_job.operations.overview import lists
from hero_job.protocol.op import Op
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit, submit_many
from tests.valkey_server import ValkeyServer

ListJobs = Callable[..., Flow[ListPage]]


@pytest.fixture
def pages(store: Store, operations: Operations) -> Callable[..., list[ListedJob]]:
    """Return a reader of all pages of a list."""

    def read(build: ListJobs, *args: Any, count: int = 3, wanted: JobSelection | None = None) -> list[ListedJob]:
        found: list[ListedJob] = []
        cursor = ""
        while True:
            page = store.drive(build(operations, *args, cursor, count, wanted))
            assert len(page.jobs) <= count
            found += page.jobs
            cursor = page.cursor
            if not cursor:
                return found

    return read


ReadPages = Callable[..., list[ListedJob]]


def ids_of(jobs: list[ListedJob]) -> list[str]:
    return [job.record.job.id for job in jobs]


def search(store: Store, operations: Operations, wanted: JobSelection | None = None) -> Iterator[str]:
    cursor = ""
    while True:
        page = store.run(lists.search_jobs(operations, cursor, 500, wanted))
        assert page.walked > 0
        yield from (record.job.id for record in page.records)
        cursor = page.cursor
        if not cursor:
            return


def test_newest_move_comes_first(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, pages: ReadPages
) -> None:
    first, second, third = submit_many(store, operations, make_job, 3)
    lane.finish(*lane.claim(1))

    assert ids_of(pages(lists.list_jobs)) == [first, third, second]


def test_page_of_a_list_costs_two_round_trips(store: Store, operations: Operations, make_job: MakeJob) -> None:
    submit_many(store, operations, make_job, 20)
    trips = 0
    results: list[Any] | None = None
    flow = lists.list_jobs(operations, "", 10)
    with pytest.raises(StopIteration) as end:
        while True:
            results = store.run_many(next(flow) if results is None else flow.send(results))
            trips += 1

    assert trips == 2
    assert len(end.value.value.jobs) == 10


@pytest.mark.parametrize("events_max", [1, 10_000], ids=["the events reach back little", "the events reach back far"])
@pytest.mark.parametrize("seed", range(4))
def test_list_has_each_open_or_failed_job_once_in_whatever_state(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, pages: ReadPages,
    valkey: ValkeyServer, seed: int, events_max: int,
) -> None:  # fmt: skip
    chance = random.Random(seed)
    lane = Lane(store, make_actor(lanes=1, retention=Retention(events_max=10_000)))
    group = Lane(store, make_actor(ScriptType.SAL, group="g"))
    for n in range(120):
        fields: dict[str, Any] = chance.choice(
            [
                {},
                {"delay": 1000.0},
                {"priority": "low"},
                {"priority": "high"},
                {"concurrency": "k"},
                {"group": "g", "script_type": ScriptType.SAL},
                {"prerequisites": [f"j{chance.randrange(n)}"]} if n else {},
            ]
        )
        job = make_job(id=f"j{n}", **fields)
        if chance.random() < 0.1:
            store.run(operations.create(job))
        else:
            store.run(operations.create(job, start=True))
        match chance.randrange(6):
            case 0:
                lane.finish(*lane.claim(1))
            case 1:
                for claimed in lane.claim(1):
                    lane.fail(claimed, retry_in_s=chance.choice([None, 1000.0]))
            case 2:
                store.run(operations.stop(f"j{chance.randrange(n + 1)}"))
            case 3:
                group.claim(1)
            case _:
                pass
    if events_max == 1:
        valkey.command("XTRIM", operations.keys.events, "MAXLEN", "40")

    listed = pages(lists.list_jobs, count=7)

    assert len(ids_of(listed)) == len(set(ids_of(listed)))
    everything = {job_id: store.run(operations.status(job_id)) for job_id in search(store, operations)}
    assert len(everything) == 120
    # What has ended as finished or stopped, or was never started, is listed as far back as the events go.
    forgotten = {JobStatus.FINISHED, JobStatus.STOPPED, JobStatus.CREATED} if events_max == 1 else set()
    assert {i for i, status in everything.items() if status not in forgotten} <= set(ids_of(listed))
    for status in JobStatus:
        if status not in forgotten:
            matching = {i for i, current in everything.items() if current is status}
            assert set(ids_of(pages(lists.list_jobs, wanted=JobSelection(status=status)))) == matching, status


def test_waiting_jobs_are_in_queue_order_with_their_places(
    store: Store, operations: Operations, make_job: MakeJob, pages: ReadPages
) -> None:
    normal = submit_many(store, operations, make_job, 5)
    low = submit(store, operations, make_job, priority="low")
    high = submit(store, operations, make_job, priority="high")
    store.run(operations.stop(normal[1]))

    waiting = pages(lists.list_waiting, (ScriptType.OSIS, None, None))

    assert ids_of(waiting) == [high, normal[0], *normal[2:], low]
    assert [job.place for job in waiting] == [1, 2, 4, 5, 6, 1]


def test_jobs_of_a_paused_queue_and_of_a_group_nobody_serves_are_listed(
    store: Store, operations: Operations, make_job: MakeJob, pages: ReadPages
) -> None:
    store.run(operations.admin.pause(ScriptType.SAL, "lonely"))
    held = submit(store, operations, make_job, script_type=ScriptType.SAL, group="lonely")
    other = submit(store, operations, make_job)

    assert sorted(ids_of(pages(lists.list_waiting, None))) == sorted([held, other])
    assert ids_of(pages(lists.list_waiting, None, wanted=JobSelection(group="lonely"))) == [held]


def test_a_page_goes_on_behind_its_last_job_although_the_queue_has_moved(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    ids = submit_many(store, operations, make_job, 10)
    queue = (ScriptType.OSIS, None, None)
    first = store.drive(lists.list_waiting(operations, queue, "", 4))
    lane.finish(*lane.claim(3))
    submit_many(store, operations, make_job, 2)
    second = store.drive(lists.list_waiting(operations, queue, first.cursor, 4))

    assert ids_of(list(first.jobs)) == ids[:4]
    assert ids_of(list(second.jobs)) == ids[4:8]


def test_delayed_jobs_come_soonest_first_with_the_time_when_they_are_due(
    store: Store, operations: Operations, make_job: MakeJob, pages: ReadPages
) -> None:
    delays = [300.0, 100.0, 200.0, 100.0, 100.0, 100.0]
    ids = [submit(store, operations, make_job, delay=delay) for delay in delays]

    delayed = pages(lists.list_delayed)

    assert ids_of(delayed)[-2:] == [ids[2], ids[0]]
    assert set(ids_of(delayed)) == set(ids)
    due_ms = [job.since_ms or 0 for job in delayed]
    assert due_ms == sorted(due_ms)


def test_blocked_jobs_are_listed_until_what_blocks_them_has_ended(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, pages: ReadPages
) -> None:
    first = submit(store, operations, make_job)
    dependent = submit(store, operations, make_job, prerequisites=[first])
    stopped = submit(store, operations, make_job, prerequisites=[first])
    runs = submit(store, operations, make_job, concurrency="k")
    in_line = submit(store, operations, make_job, concurrency="k")
    claimed = {job.id: job for job in lane.claim()}

    assert set(claimed) == {first, runs}
    assert set(ids_of(pages(lists.list_blocked))) == {dependent, stopped, in_line}
    store.run(operations.stop(stopped))
    lane.finish(claimed[first])
    assert ids_of(pages(lists.list_blocked)) == [in_line]
    lane.finish(claimed[runs])
    assert pages(lists.list_blocked) == []


def test_running_jobs_are_listed_with_their_lane(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, pages: ReadPages
) -> None:
    lane = Lane(store, make_actor(lanes=4))
    ids = submit_many(store, operations, make_job, 5)
    claimed = lane.claim(5)
    lane.finish(claimed[0])

    running = pages(lists.list_active, count=2)

    assert ids_of(running) == ids[1:]
    assert {job.lane for job in running} == {f"{lane.actor.entry.incarnation}/0"}


FILTERS = {
    "script_type": (JobSelection(script_type=ScriptType.SAL), {"sal"}),
    "caller": (JobSelection(caller_id="bob"), {"bob's"}),
    "context": (JobSelection(context_id="kitchen"), {"cooked"}),
    "batch": (JobSelection(batch="b1"), {"batched"}),
    "group": (JobSelection(group="g"), {"grouped"}),
    "error_kind": (JobSelection(error_kind="burnt"), {"failed"}),
    "prefix": (JobSelection(id_prefix="cook"), {"cooked"}),
    "text of the script": (JobSelection(text="SOUP"), {"cooked"}),
    "text of the error": (JobSelection(text="it broke"), {"failed"}),
    "text that is a pattern": (JobSelection(text="%a[("), {"odd"}),
    "two fields": (JobSelection(caller_id="bob", text="soup"), set()),
    "future": (JobSelection(created_after="2126-01-01T00:00:00.000Z"), set()),
    "past": (JobSelection(created_before="2016-01-01T00:00:00.000Z"), set()),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_find_the_same_in_a_list_and_in_a_search(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, pages: ReadPages, name: str
) -> None:
    store.run(operations.create(make_job(id="failed"), start=True))
    (claimed,) = lane.claim(1)
    lane.fail(claimed, kind="burnt")
    store.run(operations.open_batch("b1", 1))
    for job in (
        make_job(id="sal", script_type=ScriptType.SAL),
        make_job(id="bob's", caller_id="bob"),
        make_job(id="cooked", context_id="kitchen", script='"Soup"'),
        dataclasses.replace(make_job(id="batched"), batch="b1"),
        make_job(id="grouped", group="g"),
        make_job(id="odd", script='"%a[("'),
    ):
        store.run(operations.create(job, start=True))
    wanted, expected = FILTERS[name]

    assert set(ids_of(pages(lists.list_jobs, wanted=wanted))) == expected
    assert set(search(store, operations, wanted)) == expected


def test_damaged_records_cost_only_themselves(
    store: Store, operations: Operations, make_job: MakeJob, valkey: ValkeyServer
) -> None:
    keys = operations.keys
    good = submit_many(store, operations, make_job, 3)
    bad = submit_many(store, operations, make_job, 2)
    valkey.command("HDEL", keys.job(bad[0]), "script")
    valkey.command("DEL", keys.job(bad[1]))
    valkey.command("SET", keys.job(bad[1]), "no hash")

    page = store.drive(lists.list_jobs(operations))
    waiting = store.drive(lists.list_waiting(operations))

    assert {record.job.id for record in page.records} == set(good)
    assert {job_id for job_id, _ in page.damaged} == {job_id for job_id, _ in waiting.damaged} == set(bad)


@pytest.mark.parametrize("part", ["events", "scheduled", "blocked", "paused", "actors", "dead_jobs"])
def test_something_else_in_the_place_of_a_list_hides_no_other_list(
    store: Store, operations: Operations, make_job: MakeJob, valkey: ValkeyServer, part: str
) -> None:
    job_id = submit(store, operations, make_job)
    valkey.command("DEL", getattr(operations.keys, part))
    valkey.command("SET", getattr(operations.keys, part), "something else")

    if part == "actors":
        # Who serves which queue cannot be read, as everywhere else.
        assert store.drive(lists.list_waiting(operations, (ScriptType.OSIS, None, None))).records[0].job.id == job_id
    else:
        assert [record.job.id for record in store.drive(lists.list_jobs(operations)).records] == [job_id]


def test_rare_jobs_are_found_behind_many_others_in_bounded_steps(
    store: Store, operations: Operations, make_job: MakeJob, pages: ReadPages
) -> None:
    rare = submit(store, operations, make_job, caller_id="rare")
    crowd = [operations.create(make_job(), start=True) for _ in range(2500)]
    store.run_many(crowd)

    page = store.drive(lists.list_jobs(operations, "", 10, JobSelection(caller_id="rare")))

    assert (page.jobs, page.looked_at) == ((), lists.LOOKS)
    assert page.cursor
    assert ids_of(pages(lists.list_jobs, wanted=JobSelection(caller_id="rare"))) == [rare]


@pytest.mark.parametrize("cursor", ["x", "moves|", "moves||", "moves||\n", "nowhere||1", "queue@||5 x", "delayed||5 x"])
def test_strange_cursor_is_refused_or_harmless(store: Store, operations: Operations, cursor: str) -> None:
    try:
        page = store.drive(lists.list_jobs(operations, cursor))
    except JobInvalid as e:
        assert e.field == "cursor"
    else:
        assert page.jobs == ()


def test_a_cursor_behind_all_queues_that_are_left_ends_the_list(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    """The last actor of a group has left, and so has its queue."""
    submit(store, operations, make_job)

    page = store.drive(lists.list_waiting(operations, cursor="queue@v/left||5"))

    assert (page.records, page.looked_at, page.cursor) == ((), 0, "")


def test_foreign_jobs_that_wait_are_listed(store: Store, operations: Operations, valkey: ValkeyServer) -> None:
    keys = operations.keys
    fields = {"id": "f", "caller_id": "c", "context_id": "x", "script": "1", "scriptType": "OSIS", "timeout": "30"}
    store.run(Op(("HSET", keys.job("f"), *(part for pair in fields.items() for part in pair)), int))
    store.run(Op(("RPUSH", keys.work("osis"), "f"), int))

    assert [r.job.id for r in store.drive(lists.list_waiting(operations)).records] == ["f"]
    for wanted in (None, JobSelection(status=JobStatus.CREATED)):
        assert [r.job.id for r in store.drive(lists.list_jobs(operations, wanted=wanted)).records] == ["f"]
