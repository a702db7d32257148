"""When the next look at delayed jobs and schedules is due, and what a look does about schedules and the clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from hero_job import JobBuilder, JobLimits, JobStatus
from hero_job.client.async_store import AsyncStore
from hero_job.model.job import Job
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Missed, Overlap, Schedule, Schedules
from hero_job.operations.store_clock import ClockWatch
from hero_job.protocol.op import Op, as_is
from hero_supervisor.upkeep.due_jobs import DueJobs
from tests.valkey_server import ValkeyServer

#: Seconds between two ticks of a schedule that does not tick by itself during a test.
RARE_S = 300_000_000
FIELDS = {"caller_id": "c", "context_id": "x", "script": "1", "script_type": "osis"}


def on_store(valkey: ValkeyServer, test: Callable[[AsyncStore], Awaitable[None]]) -> None:
    async def main() -> None:
        async with AsyncStore(valkey.url) as store:
            await test(store)

    asyncio.run(main())


def due_jobs(store: AsyncStore, operations: Operations, clock: ClockWatch | None = None) -> DueJobs:
    schedules = Schedules(operations.keys.namespace)
    return DueJobs(store, operations, schedules, limits=JobLimits(), clock=clock)


def delayed(delay_s: float) -> Job:
    return JobBuilder().caller_id("c").context_id("x").script("1").script_type("osis").delay(delay_s).build()


async def now_ms(store: AsyncStore) -> int:
    seconds, _ = await store.run(Op(("TIME",), list))
    return int(seconds) * 1000


def test_the_next_look_is_due_with_the_next_job_or_the_next_tick_whichever_comes_first(
    valkey: ValkeyServer, operations: Operations
) -> None:
    async def test(store: AsyncStore) -> None:
        due = due_jobs(store, operations)
        schedules = Schedules(operations.keys.namespace)
        nothing_s = await due.run_once()
        assert 0 < nothing_s < 60
        await store.run(operations.create(delayed(9000), start=True))
        far_s = await due.run_once()
        assert 1000 < far_s <= 9000
        schedule = Schedule(name="s", job=FIELDS, interval_s=RARE_S)
        await store.run(schedules.put(schedule, await now_ms(store) + 5_000_000))
        assert 1000 < await due.run_once() <= 5000
        await store.run(operations.create(delayed(2000), start=True))
        assert 0 < await due.run_once() <= 2000

    on_store(valkey, test)


def test_after_something_was_moved_or_fired_the_next_look_is_due_immediately(
    valkey: ValkeyServer, operations: Operations
) -> None:
    async def test(store: AsyncStore) -> None:
        due = due_jobs(store, operations)
        schedules = Schedules(operations.keys.namespace)
        await store.run(schedules.put(Schedule(name="s", job=FIELDS, interval_s=RARE_S), await now_ms(store) - 1))
        assert await due.run_once() == 0
        assert await due.run_once() > 0
        job_id = await store.run(schedules.last_job("s"))
        assert job_id is not None
        assert await store.run(operations.status(job_id)) is JobStatus.DISPATCHED

    on_store(valkey, test)


@pytest.mark.parametrize(("overlap", "jobs"), [(Overlap.SKIP, 1), (Overlap.ALLOW, 2)])
def test_a_tick_during_the_job_of_the_last_one_is_left_out_if_the_schedule_says_so(
    valkey: ValkeyServer, operations: Operations, overlap: Overlap, jobs: int
) -> None:
    async def test(store: AsyncStore) -> None:
        due = due_jobs(store, operations)
        schedules = Schedules(operations.keys.namespace)
        schedule = Schedule(name="s", job=FIELDS, interval_s=RARE_S, overlap=overlap, missed=Missed.ONCE)
        tick_ms = await now_ms(store) - 5000
        await store.run(schedules.put(schedule, tick_ms))
        await due.run_once()
        next_ms = await store.run(schedules.next_tick("s"))
        assert next_ms is not None
        assert next_ms > tick_ms
        await store.run(Op(("ZADD", operations.keys.ticks, tick_ms + 2000, "s"), as_is))
        await due.run_once()
        assert await store.run(Op(("LLEN", operations.keys.work("osis")), int)) == jobs
        assert await store.run(schedules.next_tick("s")) == next_ms, "the schedule goes on in both cases"

    on_store(valkey, test)


def test_a_clock_that_was_set_back_is_told_and_schedules_tick_from_the_present_time_on(
    valkey: ValkeyServer, operations: Operations, caplog: pytest.LogCaptureFixture
) -> None:
    elapsed_s = 1000.0

    async def test(store: AsyncStore) -> None:
        nonlocal elapsed_s
        clock = ClockWatch(operations.keys.namespace, lambda: elapsed_s)
        due = due_jobs(store, operations, clock)
        await due.run_once()
        schedules = Schedules(operations.keys.namespace)
        await store.run(schedules.put(Schedule(name="s", job=FIELDS, interval_s=60), await now_ms(store) + 10**9))
        job_id = await store.run(operations.create(delayed(9000), start=True))
        before = float(await store.run(Op(("ZSCORE", operations.keys.scheduled, job_id), as_is)))
        elapsed_s += 3600
        wait_s = await due.run_once()
        assert 0 < wait_s <= 60
        next_ms = await store.run(schedules.next_tick("s"))
        assert next_ms is not None
        assert next_ms <= await now_ms(store) + 61_000
        moved = before - float(await store.run(Op(("ZSCORE", operations.keys.scheduled, job_id), as_is)))
        assert abs(moved - 3_600_000) < 600_000
        assert not (await store.run(clock.look())).schedules_due, "they were moved"

    with caplog.at_level(logging.WARNING):
        on_store(valkey, test)
    (record,) = (record for record in caplog.records if record.message == "store.clock_stepped")
    assert vars(record)["step_s"] < -3000
    assert "were moved" in vars(record)["effect"]
