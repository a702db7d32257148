"""The counters of a deployment: each end counts once, and their history by minute and hour."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from hero_job import JobInvalid, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.claim_types import CountReport
from hero_job.model.overview.counters import BUCKETS, JobCounts
from hero_job.model.retention import Retention
from hero_job.operations.actor_operations import ActorOperations, Recoveries, Settlement
from hero_job.operations.foreign_ends import end_foreign_jobs
from hero_job.operations.operations import Operations
from hero_job.operations.overview.history import History, history, resolution_for
from hero_job.operations.overview.history import counts as job_counts
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit
from tests.valkey_server import ValkeyServer


def totals(store: Store, operations: Operations) -> dict[str, JobCounts]:
    return store.run(job_counts(operations))


def plain(counts: JobCounts) -> dict[str, object]:
    """What was counted, without what was not."""
    names = ("started", "finished", "stopped", "errors", "retries", "redeliveries")
    return {name: value for name in names if (value := getattr(counts, name))}


def report(store: Store, actor: ActorOperations, number: int, more: Mapping[str, int]) -> bool:
    return store.run(actor.beat(busy=0, jobs=0, report=CountReport(number, more)))


def test_a_report_that_is_sent_again_counts_once_even_after_the_lease(
    store: Store, operations: Operations, make_actor: MakeActor, valkey: ValkeyServer
) -> None:
    actor, other = make_actor(), make_actor()
    report(store, actor, 1, {"started": 3, "finished": 2, "wait:0": 1, "wait_us": 700})
    report(store, actor, 1, {"started": 3, "finished": 2, "wait:0": 1, "wait_us": 700})
    valkey.command("DEL", operations.keys.actor(actor.entry.incarnation))
    report(store, actor, 1, {"started": 3, "finished": 2, "wait:0": 1, "wait_us": 700})
    report(store, actor, 2, {"started": 1})
    report(store, other, 1, {"started": 10})

    found = totals(store, operations)["osis"]

    assert (plain(found), found.wait.buckets[0], found.wait.sum_us) == ({"started": 14, "finished": 2}, 1, 700)


def test_the_number_of_the_last_report_goes_with_its_actor(
    store: Store, operations: Operations, make_actor: MakeActor, recoveries: Recoveries, valkey: ValkeyServer
) -> None:
    leaving, dead = make_actor(), make_actor()
    for actor in (leaving, dead):
        report(store, actor, 1, {"started": 1})
    store.run(leaving.leave())
    store.run(recoveries.recover(dead.entry.incarnation, proven_dead=True))

    assert valkey.command("EXISTS", f"{operations.keys.counts}:reports") == 0
    assert not report(store, dead, 2, {"started": 1}), "it was declared dead"
    assert totals(store, operations)["osis"].started == 2


def test_what_the_scripts_end_and_repeat_is_counted_once(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    actor = make_actor(retention=Retention(max_redeliveries=1))
    lane = Lane(store, actor)
    # Each job is repeated, charged, lost, stopped while it waits, stopped by recovery, or fails with its prerequisite.
    repeated = submit(store, operations, make_job, retries=3)
    lane.fail(lane.claim()[0], retry_in_s=1000)
    store.run(operations.stop(repeated))
    alone = submit(store, operations, make_job)
    for _ in range(2):
        (job,) = store.run(actor.turn(0, [], 1)).jobs
        crashed = Settlement(job.id, job.attempt, JobStatus.ERROR, error="it broke", ended_its_process=True)
        for _ in range(2):  # the answer to the first one is lost
            store.run(actor.turn(0, [crashed], 0))
    waiting = submit(store, operations, make_job)
    submit(store, operations, make_job, prerequisites=[waiting])
    store.run(operations.stop(waiting))
    store.run(operations.stop(waiting))
    interrupted, stopping = submit(store, operations, make_job), submit(store, operations, make_job)
    assert lane.claim_ids() == [interrupted, stopping]
    store.run(operations.stop(stopping))
    for _ in range(2):
        store.run(recoveries.recover(actor.entry.incarnation, proven_dead=True))

    assert store.run(operations.status(alone)) is JobStatus.ERROR
    assert plain(totals(store, operations)["osis"]) == {
        "stopped": 3, "errors": {"lost": 1, "prerequisite_failed": 1}, "retries": 1, "redeliveries": 2
    }  # fmt: skip


def test_expired_damaged_and_foreign_jobs_are_counted(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, valkey: ValkeyServer
) -> None:
    late = submit(store, operations, make_job, script_type=ScriptType.V, expires=1000)
    valkey.command("HSET", operations.keys.job(late), "expires_ms", "1")
    valkey.command("ZADD", operations.keys.expiring, "1", late)
    store.run(operations.admin.promote())
    odd = submit(store, operations, make_job)
    valkey.command("DEL", operations.keys.job(odd))
    valkey.command("SADD", operations.keys.job(odd), "no hash")
    store.run(make_actor().turn(0, [], 1))
    foreign = submit(store, operations, make_job, script_type=ScriptType.SAL)
    valkey.command(
        "HSET", operations.keys.job(foreign), "status", "error", "error", "it broke", "error_kind", "odd kind"
    )
    suspects: set[str] = set()
    for _ in range(3):
        store.drive(end_foreign_jobs(operations, [foreign], suspects))

    found = {script_type: plain(counts) for script_type, counts in totals(store, operations).items()}

    assert found == {
        "v": {"errors": {"expired": 1}}, "unknown": {"errors": {"damaged": 1}}, "sal": {"errors": {"foreign": 1}}
    }  # fmt: skip


def test_a_claim_says_since_when_the_job_might_run_and_when_it_was_claimed(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, valkey: ValkeyServer
) -> None:
    for fields in ({}, {"retries": 1}):
        actor = make_actor()
        job_id = submit(store, operations, make_job, **fields)
        valkey.command("HSET", operations.keys.job(job_id), "updated_at", "2026-01-01T00:00:00.000Z")
        turn = store.run(actor.turn(0, [], 1))
        assert [job.queued_at for job in turn.jobs] == ["2026-01-01T00:00:00.000Z"]
        assert turn.at == store.run(operations.record(job_id)).started_at


def put(valkey: ValkeyServer, operations: Operations, start_s: int, *fields: str | int, hour: bool = False) -> None:
    valkey.command("HSET", operations.keys.counts_of(start_s, hour=hour), *fields)


def read(store: Store, operations: Operations, *asked: int | str | None) -> History:
    return store.drive(history(operations, *asked))  # type: ignore[arg-type]


def test_minutes_are_aligned_added_up_and_filtered(store: Store, operations: Operations, valkey: ValkeyServer) -> None:
    now = int(time.time())
    minutes = [now // 60 * 60 - 60 * n for n in range(2, 9)]
    for minute in minutes:
        put(valkey, operations, minute, "sal:started", 2, "sal:error:timeout", 1, "v:run:3", 4, "v:run_us", 5_000_000)

    by_minute = read(store, operations, 900, 60)
    by_five = read(store, operations, 3600, 300, "v")

    sal = dict(zip(by_minute.starts_s, by_minute.periods["sal"], strict=True))
    assert {start for start, counts in sal.items() if counts.started} == set(minutes)
    assert all(start % 60 == 0 for start in by_minute.starts_s)
    assert by_minute.now_s - by_minute.starts_s[-1] < 60
    assert all(counts.errors == ({"timeout": 1} if counts.started else {}) for counts in sal.values())
    assert set(by_five.periods) == {"v"}
    assert all(start % 300 == 0 for start in by_five.starts_s)
    assert sum(counts.run.buckets[3] for counts in by_five.periods["v"]) == 28
    assert sum(counts.run.sum_us for counts in by_five.periods["v"]) == 35_000_000


def test_more_than_a_day_is_told_by_hours(store: Store, operations: Operations, valkey: ValkeyServer) -> None:
    hour = int(time.time()) // 3600 * 3600 - 40 * 3600
    put(valkey, operations, hour, "osis:finished", 7, hour=True)

    for resolution_s in (3600, None):
        found = read(store, operations, 3 * 86_400, resolution_s)
        assert found.resolution_s == 3600
        assert sum(counts.finished for counts in found.periods["osis"]) == 7
    month = read(store, operations, 30 * 86_400)
    assert (month.resolution_s, len(month.starts_s)) == (10_800, 240)
    assert sum(counts.finished for counts in month.periods["osis"]) == 7


def test_what_is_counted_now_is_in_the_totals_the_minute_and_the_hour_which_expire(
    store: Store, operations: Operations, make_actor: MakeActor, valkey: ValkeyServer
) -> None:
    report(store, make_actor(), 1, {"started": 3, f"run:{BUCKETS - 1}": 3})

    for span_s, resolution_s in ((3600, 60), (86_400, 3600)):
        found = read(store, operations, span_s, resolution_s)
        assert sum(counts.started for counts in found.periods["osis"]) == 3
        assert found.totals["osis"].run.buckets[-1] == 3
    keys = [str(key) for key in valkey.command("KEYS", f"{operations.keys.counts}:*:*")]  # type: ignore[attr-defined]
    left_s = {key.split(":")[-2]: int(str(valkey.command("TTL", key))) for key in keys}
    assert 86_400 < left_s["minute"] <= 90_000
    assert 30 * 86_400 < left_s["hour"] <= 31 * 86_400


def test_what_is_no_counter_hides_no_other_and_stops_no_actor(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, valkey: ValkeyServer
) -> None:
    actor, keys = make_actor(), operations.keys
    now = int(time.time())
    put(
        valkey, operations, now // 60 * 60 - 120, "osis:started", 1, "osis:finished", "many", "x", "1", "osis:run:99", 3
    )
    valkey.command("SET", keys.counts_of(now // 60 * 60 - 180, hour=False), "no hash")
    valkey.command("HSET", keys.counts, "osis:started", "many", "osis:future:thing", 4)
    valkey.command("SET", f"{keys.counts}:reports", "no hash")

    assert report(store, actor, 1, {"started": 2, "finished": 2})
    store.run(operations.stop(submit(store, operations, make_job)))

    found = read(store, operations, 600)
    assert sum(counts.started for counts in found.periods["osis"]) == 3
    assert plain(found.totals["osis"]) == {"finished": 2, "stopped": 1}
    valkey.command("SET", keys.counts, "no hash")
    assert read(store, operations, 600).totals == {}
    assert report(store, actor, 2, {"started": 2})
    assert plain(totals(store, operations)["osis"]) == {"started": 2}


@pytest.mark.parametrize(
    ("span_s", "resolution_s"), [(59, None), (31 * 86_400, None), (3600, 90), (86_401, 60), (100, 30), (-1, None)]
)
def test_a_history_that_is_not_kept_is_refused(
    store: Store, operations: Operations, span_s: int, resolution_s: int | None
) -> None:
    with pytest.raises(JobInvalid):
        read(store, operations, span_s, resolution_s)


@pytest.mark.parametrize(
    ("span_s", "period_s"),
    [(60, 60), (300 * 60, 60), (301 * 60, 300), (86_400, 300), (300 * 3600, 3600), (301 * 3600, 10_800)],
)
def test_a_history_has_at_most_three_hundred_periods_if_nobody_asks_for_others(span_s: int, period_s: int) -> None:
    assert resolution_for(span_s, None) == period_s
