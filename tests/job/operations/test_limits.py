"""Limits across jobs: unique keys, concurrency keys, rate keys, and one job of a context at a time."""

from __future__ import annotations

from datetime import datetime

from hero_job import JobBuilder, JobStatus
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorOperations, Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.eventually import eventually
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit


def test_jobs_of_one_context_run_one_after_the_other_in_order_across_actors(
    store: Store, operations: Operations, make_actor: MakeActor, namespace: str
) -> None:
    def job(context: str, n: int) -> str:
        builder = JobBuilder().id(f"{context}{n}").caller_id("c").context_id(context).script("1").script_type("osis")
        return store.run(operations.create(builder.build(), start=True))

    ids = [job(context, n) for n in range(3) for context in ("a", "b")]
    lanes = [Lane(store, ActorOperations(make_actor().entry, namespace, by_context=True)) for _ in range(3)]

    first = [lane.claim(1) for lane in lanes]
    assert [[j.id for j in jobs] for jobs in first] == [["a0"], ["b0"], []]
    order = ["a0", "b0"]
    lanes[0].finish(*first[0])
    running = [lane.claim(5) for lane in lanes]
    assert [j.id for jobs in running for j in jobs] == ["a1"], "context b waits for its running job"
    order.append("a1")
    lanes[1].finish(*first[1])
    while len(order) < len(ids):
        for lane, jobs in zip(lanes, running, strict=True):
            if jobs:
                lane.finish(*jobs)
        running = [lane.claim(5) for lane in lanes]
        order += [j.id for jobs in running for j in jobs]
    assert [i for i in order if i[0] == "a"] == ["a0", "a1", "a2"]
    assert [i for i in order if i[0] == "b"] == ["b0", "b1", "b2"]


def test_a_slow_lane_that_was_woken_does_not_let_another_lane_start_the_next_job_of_the_context(
    store: Store, operations: Operations, make_actor: MakeActor, make_job: MakeJob, namespace: str
) -> None:
    slow, quick = (ActorOperations(make_actor().entry, namespace, by_context=True) for _ in range(2))
    ids = [submit(store, operations, make_job) for _ in range(2)]

    # The slow lane has been woken by the first job and has not taken its turn yet.
    assert store.run(slow.take(0)) == ids[0]

    assert Lane(store, quick).claim_ids(1) == [ids[0]]
    assert Lane(store, slow).claim_ids(1) == []


def test_a_unique_key_allows_one_open_job_and_the_next_after_its_end(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    first = submit(store, operations, make_job, unique="k")

    assert submit(store, operations, make_job, unique="k") == first
    assert submit(store, operations, make_job, unique="other") != first
    lane.work_off()
    assert submit(store, operations, make_job, unique="k") != first


def test_a_unique_key_with_a_period_outlasts_its_job(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    def once(key: str, for_s: float) -> str:
        builder = JobBuilder().caller_id("a").context_id("b").script("1").script_type("osis").unique(key, for_s)
        return store.run(operations.create(builder.build(), start=True))

    first, short = once("k", 3600), once("short", 0.2)
    lane.work_off()
    assert once("k", 3600) == first
    eventually(lambda: store.run(Op(("EXISTS", f"{operations.keys.prefix}meta:unique:short"), int)) == 0)
    assert once("short", 0.2) != short
    assert once("k", 3600) == first


def limited(make_job: MakeJob, operations: Operations, store: Store, **fields: object) -> str:
    return submit(store, operations, make_job, concurrency="k", **fields)


def test_a_concurrency_key_lets_the_next_in_line_run_when_one_ends(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    ids = [limited(make_job, operations, store) for _ in range(5)]
    free = submit(store, operations, make_job)
    one, two = Lane(store, make_actor()), Lane(store, make_actor())

    (running, other) = one.claim()
    assert [running.id, other.id] == [ids[0], free]
    assert two.claim() == []

    # The place goes to the next in line, once, when its holder ends, fails and is repeated later, or dies.
    one.finish(running)
    (second,) = two.claim()
    assert second.id == ids[1]
    two.fail(second, retry_in_s=3600)
    (third,) = two.claim()
    assert third.id == ids[2]
    store.run(recoveries.recover(two.actor.entry.incarnation, proven_dead=True))
    (third,) = one.claim()
    assert third.id == ids[2], "the job keeps its place when its holder dies"
    assert store.run(operations.stop(ids[3])) is JobStatus.STOPPED
    assert one.claim() == []
    one.finish(third)
    assert one.claim_ids() == [ids[4]]


def test_a_rate_key_lets_three_jobs_start_and_delays_the_others(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    def rated() -> str:
        builder = JobBuilder().caller_id("a").context_id("b").script("1").script_type("osis").rate("k", 3, 0.6)
        return store.run(operations.create(builder.build(), start=True))

    ids = [rated() for _ in range(5)]

    assert lane.claim_ids() == ids[:3]
    assert {store.run(operations.status(i)) for i in ids[3:]} == {JobStatus.SCHEDULED}
    began: list[str] = []

    def promote() -> bool:
        store.run(operations.admin.promote())
        began.extend(i for i in lane.claim_ids() if i not in ids[:3] and i not in began)
        return len(began) == 2

    eventually(promote)
    starts = [datetime.fromisoformat(store.run(operations.record(i)).started_at or "").timestamp() for i in ids]
    starts.sort()
    # No job starts before the rate allows it, no matter how late it is promoted.
    assert starts[3] - starts[0] >= 0.19
    assert starts[4] - starts[0] >= 0.39


def test_what_is_kept_of_a_rate_lasts_no_longer_than_it_delays_anything(
    store: Store, operations: Operations, lane: Lane
) -> None:
    builder = JobBuilder().caller_id("a").context_id("b").script("1").script_type("osis").rate("k", 2, 3600)
    job_id = store.run(operations.create(builder.build(), start=True))
    assert lane.claim_ids() == [job_id]

    left_ms = store.run(Op(("PTTL", f"{operations.keys.prefix}limit:rate:k"), int))

    assert 0 < left_ms <= 1_800_001, "one start of two in an hour is forgotten after half an hour"
