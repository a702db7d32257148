"""Steps of the store's clock: living actors keep their jobs, delays their length, schedules their rhythm."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hero_job import JobBuilder, JobLimits, JobStatus
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.model.job import Job
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Missed, Overlap, Schedule, Schedules
from hero_job.operations.store_clock import ClockLook, ClockWatch
from hero_job.protocol.op import Op
from hero_supervisor.upkeep.due_jobs import DueJobs
from hero_supervisor.upkeep.recovery import JobRecovery
from tests.storms.fake_time import FakeTimeServer
from tests.supervisor.upkeep.test_recovery import claim_elsewhere

HOUR_S = 3600


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeTimeServer]:
    server = FakeTimeServer(tmp_path)
    server.start()
    yield server
    server.stop()


def on_store(server: FakeTimeServer, test: Callable[[AsyncStore], Awaitable[None]]) -> None:
    async def main() -> None:
        async with AsyncStore(server.url) as store:
            await test(store)

    asyncio.run(main())


def due_jobs(store: AsyncStore, namespace: str) -> DueJobs:
    clock = ClockWatch(namespace)
    return DueJobs(store, Operations(namespace), Schedules(namespace), limits=JobLimits(), clock=clock)


def delayed(delay_s: float) -> Job:
    return JobBuilder().caller_id("a").context_id("b").script("1").script_type("osis").delay(delay_s).build()


async def waits_ms(store: AsyncStore, operations: Operations, job: Job) -> int:
    seconds, micros = await store.run(Op(("TIME",), list))
    due = await store.run(Op(("ZSCORE", operations.keys.scheduled, job.id), float))
    return int(due) - (int(seconds) * 1000 + int(micros) // 1000)


@pytest.mark.parametrize("step_s", [10, HOUR_S, -HOUR_S])
def test_living_actor_keeps_its_job_when_the_clock_is_set(
    server: FakeTimeServer, namespace: str, operations: Operations, caplog: pytest.LogCaptureFixture, step_s: int
) -> None:
    with Store(server.url) as store:
        job_id, claims = claim_elsewhere(store, operations, namespace, lease_s=8)

        async def test(aio: AsyncStore) -> None:
            recovery = JobRecovery(aio, Recoveries(namespace), every_s=60, lease_s=8)
            await recovery.run_once()
            server.set_clock(step_s)
            await recovery.run_once()
            assert store.run(operations.status(job_id)) is JobStatus.STARTED
            assert store.run(claims.beat(busy=1, jobs=0)), "it has not been declared dead"
            await recovery.run_once()
            assert store.run(operations.status(job_id)) is JobStatus.STARTED

        with caplog.at_level(logging.WARNING):
            on_store(server, test)
    assert [record.getMessage() for record in caplog.records].count("leases.spared") == 1


def test_living_actor_keeps_its_job_when_the_clock_was_set_before_the_first_round(
    server: FakeTimeServer, namespace: str, operations: Operations
) -> None:
    with Store(server.url) as store:
        job_id, claims = claim_elsewhere(store, operations, namespace, lease_s=8)
        server.set_clock(HOUR_S)

        async def test(aio: AsyncStore) -> None:
            recovery = JobRecovery(aio, Recoveries(namespace), every_s=60, lease_s=8)
            round_ = asyncio.create_task(recovery.run_once())
            while not recovery._clocks:  # noqa: ASYNC110  until its first look
                await asyncio.sleep(0.01)
            assert store.run(claims.beat(busy=1, jobs=0))
            await round_
            assert store.run(operations.status(job_id)) is JobStatus.STARTED

        on_store(server, test)


def test_clock_that_is_set_between_the_look_and_the_recovery_declares_nobody_dead(
    server: FakeTimeServer, namespace: str, operations: Operations
) -> None:
    recoveries = Recoveries(namespace)
    with Store(server.url) as store:
        job_id, _ = claim_elsewhere(store, operations, namespace, lease_s=8)
        now_ms, _ = store.drive(recoveries.expired())
        server.set_clock(HOUR_S)
        recovery = recoveries.recover("osis-1.elsewhere.1.x", proven_dead=False, latest_ms=now_ms + 60_000)
        assert store.run(recovery).alive
        assert store.run(operations.status(job_id)) is JobStatus.STARTED
        assert not store.run(recoveries.recover("osis-1.elsewhere.1.x", proven_dead=False)).alive


def test_lease_of_a_lost_host_keeps_its_length_when_the_clock_is_set_back(
    server: FakeTimeServer, namespace: str, operations: Operations
) -> None:
    with Store(server.url) as store:
        claim_elsewhere(store, operations, namespace, lease_s=8)
        presence = operations.keys.actor("osis-1.elsewhere.1.x")

        async def test(aio: AsyncStore) -> None:
            due = due_jobs(aio, namespace)
            await due.run_once()
            server.set_clock(-HOUR_S)
            await due.run_once()
            assert int(str(server.command("PTTL", presence))) <= 9_000

        on_store(server, test)


def test_delays_keep_their_length_and_named_times_stay_when_the_clock_is_set_back(
    server: FakeTimeServer, namespace: str, operations: Operations, caplog: pytest.LogCaptureFixture
) -> None:
    soon = delayed(600)
    named = (
        JobBuilder().caller_id("a").context_id("b").script("1").script_type("osis")
        .not_before(datetime.now(UTC) + timedelta(seconds=900)).build()
    )  # fmt: skip

    async def test(store: AsyncStore) -> None:
        first, second = due_jobs(store, namespace), due_jobs(store, namespace)
        for job in (soon, named):
            await store.run(operations.create(job, start=True))
        await asyncio.gather(first.run_once(), second.run_once())
        server.set_clock(-HOUR_S)
        for _ in range(3):
            await asyncio.gather(first.run_once(), second.run_once())
        assert 0 < await waits_ms(store, operations, soon) <= 601_000
        assert await waits_ms(store, operations, named) > HOUR_S * 1000

    with caplog.at_level(logging.WARNING):
        on_store(server, test)
    assert [record.getMessage() for record in caplog.records].count("store.clock_stepped") == 1, "told once"


def test_a_slow_question_or_answer_is_no_step(server: FakeTimeServer, namespace: str) -> None:
    ahead_s = [0.0]  # by a pause of this process; a slow machine pauses both clocks
    watch = ClockWatch(namespace, lambda: time.monotonic() + ahead_s[0])
    with Store(server.url) as store:

        def look(*, question_s: float = 0, answer_s: float = 0) -> ClockLook:
            """The store's clock moves by what a look takes in fact, and a pause makes ours move by more."""
            asked = watch.look()
            ahead_s[0] += question_s
            op = Op(asked.args, lambda answer: answer, asked.script, asked.key_count)
            answer = store.run(op)
            ahead_s[0] += answer_s
            return asked.decode(answer)

        look(question_s=30)
        assert look().step_ms == 0, "the store had answered late, so less of its time has passed since"
        look(answer_s=30)
        ahead_s[0] += 0.1
        assert look().step_ms == 0
        assert store.run(watch.last_step()) is None
        ahead_s[0] += 30
        assert -31_000 < look().step_ms < -29_000, "the store's clock lacks time that has certainly passed"
        server.set_clock(30)
        look()
        assert 29_000 < look().step_ms < 31_000, "the look after it records a step forward"
        assert look().step_ms == 0


def test_delay_keeps_its_length_when_a_wrong_clock_is_put_right(
    server: FakeTimeServer, namespace: str, operations: Operations
) -> None:
    before, after = delayed(2 * HOUR_S), delayed(2 * HOUR_S)

    async def test(store: AsyncStore) -> None:
        due = due_jobs(store, namespace)
        await store.run(operations.create(before, start=True))
        await due.run_once()
        server.set_clock(HOUR_S)
        await due.run_once()
        await store.run(operations.create(after, start=True))
        server.set_clock(0)
        await due.run_once()
        for job in (before, after):
            assert 2 * HOUR_S * 1000 - 600_000 < await waits_ms(store, operations, job) <= 2 * HOUR_S * 1000 + 1000

    on_store(server, test)


@pytest.mark.parametrize("cron", [None, "* * * * *"])
def test_next_tick_of_a_schedule_is_at_most_one_interval_away_after_a_step_back_and_gets_its_job(
    server: FakeTimeServer, namespace: str, operations: Operations, cron: str | None
) -> None:
    fields = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"}
    # Two ticks may pass at one time, if the minute is about to end.
    made = Schedule(
        name="s", job=fields, cron=cron, interval_s=None if cron else 60, missed=Missed.ALL, overlap=Overlap.ALLOW
    )
    schedules = Schedules(namespace)

    async def test(store: AsyncStore) -> None:
        due = due_jobs(store, namespace)
        now_ms = (await store.run(schedules.due())).now_ms
        await store.run(schedules.put(made, next(made.ticks_after(now_ms / 1000))))
        await due.run_once()
        server.set_clock(-HOUR_S)
        await due.run_once()
        now_ms = (await store.run(schedules.due())).now_ms
        tick_ms = int(await store.run(Op(("ZSCORE", f"{namespace}:q:ticks", "s"), float)))
        assert tick_ms - now_ms <= 60_000
        # The same minute has come before; its job may still be there.
        await store.run(operations.create(made.job_at(tick_ms), start=True))
        await store.run(operations.stop(made.job_at(tick_ms).id))
        server.set_clock(-HOUR_S + 61)
        await due.run_once()
        assert await store.run(operations.status(made.job_at(tick_ms, again=1).id)) is JobStatus.DISPATCHED

    on_store(server, test)
