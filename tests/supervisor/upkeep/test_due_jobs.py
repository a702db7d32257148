"""Due jobs are queued once, no matter how many supervisors look."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import orjson
import pytest

from hero_job import JobBuilder, JobLimits, JobStatus, ScriptType
from hero_job.client.async_store import AsyncStore
from hero_job.client.cancellation import end_task
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Missed, Overlap, Schedule, Schedules
from hero_job.protocol.op import Op
from hero_supervisor.upkeep.damage_watch import DamageWatch
from hero_supervisor.upkeep.due_jobs import DueJobs
from tests.eventually import GENEROUS_S
from tests.valkey_server import ValkeyServer

JOB = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"}
HOUR_S = 3600


def on_store(valkey: ValkeyServer, test: Callable[[AsyncStore], Awaitable[None]]) -> None:
    async def main() -> None:
        async with AsyncStore(valkey.url) as store:
            await test(store)

    asyncio.run(main())


def due_jobs(store: AsyncStore, namespace: str) -> DueJobs:
    return DueJobs(store, Operations(namespace), Schedules(namespace), limits=JobLimits(), roll=lambda: 0.0)


async def last_hour_ms(store: AsyncStore, schedules: Schedules) -> int:
    """Return the last tick of an hourly schedule. The next one is not so near that it comes in the middle of a test."""
    hour_ms = HOUR_S * 1000
    while (now_ms := (await store.run(schedules.due())).now_ms) % hour_ms > hour_ms - 10_000:  # noqa: ASYNC110 - a clock
        await asyncio.sleep(0.1)
    return now_ms - now_ms % hour_ms


async def queued(store: AsyncStore, operations: Operations) -> int:
    return await store.run(operations.admin.queue_length(ScriptType.OSIS))


def test_delayed_jobs_are_queued_once_by_five_supervisors(
    valkey: ValkeyServer, namespace: str, operations: Operations
) -> None:
    async def test(store: AsyncStore) -> None:
        for _ in range(20):
            job = JobBuilder().caller_id("a").context_id("b").script("1").script_type("osis").delay(0.05).build()
            await store.run(operations.create(job, start=True))
        tasks = [asyncio.create_task(due_jobs(store, namespace).run()) for _ in range(5)]
        async with asyncio.timeout(GENEROUS_S):
            while await queued(store, operations) < 20:  # noqa: ASYNC110 - the event is in another process
                await asyncio.sleep(0.01)
        for task in tasks:
            await end_task(task)
        ids: list[str] = await store.run(Op(("LRANGE", operations.keys.work("osis"), 0, -1), list))
        assert len(ids) == len(set(ids)) == 20

    on_store(valkey, test)


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.ALLOW])
def test_each_tick_of_a_schedule_gets_one_job_unless_it_skips_while_a_job_is_open(
    valkey: ValkeyServer, namespace: str, operations: Operations, overlap: Overlap
) -> None:
    schedules = Schedules(namespace)
    schedule = Schedule(name="s", job=JOB, interval_s=HOUR_S, missed=Missed.ALL, overlap=overlap)

    async def test(store: AsyncStore) -> None:
        await store.run(schedules.put(schedule, await last_hour_ms(store, schedules) - 2 * HOUR_S * 1000))
        await asyncio.gather(*(due_jobs(store, namespace).run_once() for _ in range(5)))
        # Three ticks were missed. The job of the first tick stays open, since there is no actor.
        assert await queued(store, operations) == (1 if overlap is Overlap.SKIP else 3)
        assert await due_jobs(store, namespace).run_once() > 0

    on_store(valkey, test)


def test_schedule_goes_on_after_its_job_has_ended(valkey: ValkeyServer, namespace: str, operations: Operations) -> None:
    schedules = Schedules(namespace)
    schedule = Schedule(name="s", job=JOB, interval_s=HOUR_S, missed=Missed.ONCE)

    async def test(store: AsyncStore) -> None:
        second = await last_hour_ms(store, schedules)
        first = second - HOUR_S * 1000
        await store.run(schedules.put(schedule, first))
        await store.run(operations.create(schedule.job_at(first), start=True))
        await store.run(operations.stop(schedule.job_at(first).id))
        await store.run(schedules.move_on("s", first, second, schedule.job_at(first).id))

        await due_jobs(store, namespace).run_once()

        assert await store.run(operations.status(schedule.job_at(second).id)) is JobStatus.DISPATCHED

    on_store(valkey, test)


def test_schedules_that_this_host_cannot_use_are_named_once_and_stop_no_other_one(
    valkey: ValkeyServer, namespace: str, operations: Operations, caplog: pytest.LogCaptureFixture
) -> None:
    schedules = Schedules(namespace)
    good = Schedule(name="good", job=JOB, interval_s=60)
    too_long = Schedule(name="too-long", job={**JOB, "timeout": 5000}, interval_s=60)
    newer = {"job": JOB, "interval_s": 60, "of_a_newer_version": 1}

    async def test(store: AsyncStore) -> None:
        await store.run(schedules.put(too_long, 1000))
        for n in range(150):
            text = orjson.dumps({"name": f"newer-{n}", **newer})
            await store.run(Op(("HSET", operations.keys.schedules, f"newer-{n}", text), int))
            await store.run(Op(("ZADD", operations.keys.ticks, 1000, f"newer-{n}"), int))
        await store.run(schedules.put(good, (await store.run(schedules.due())).now_ms - 60_000))
        limits = JobLimits(max_timeout_s=1000)
        clock, watch = DueJobs(store, operations, schedules, limits=limits), DamageWatch(store, operations)
        for _ in range(3):
            await clock.run_once()
            await watch.run_once()
        assert await queued(store, operations) == 1
        assert await clock.run_once() > 0, "a schedule that cannot be used keeps nobody busy"

    with caplog.at_level(logging.WARNING):
        on_store(valkey, test)
    refused = [r.__dict__["schedule"] for r in caplog.records if r.message == "schedule.refused"]
    assert sorted(refused) == sorted(["too-long", *(f"newer-{n}" for n in range(150))])
    damaged = [r.__dict__["record"] for r in caplog.records if r.message == "record.damaged"]
    assert sorted(damaged) == sorted(f"newer-{n}" for n in range(150))


@pytest.mark.parametrize("last", ["damaged", "not a hash", "gone"])
def test_a_schedule_goes_on_after_its_last_job_was_damaged(
    valkey: ValkeyServer, namespace: str, operations: Operations, last: str
) -> None:
    schedules = Schedules(namespace)
    schedule = Schedule(name="s", job=JOB, interval_s=HOUR_S)

    async def test(store: AsyncStore) -> None:
        key = operations.keys.job("last")
        if last == "damaged":
            await store.run(Op(("HSET", key, "status", "x", "script", "1"), int))
        elif last == "not a hash":
            await store.run(Op(("SET", key, "x"), str))
        tick = await last_hour_ms(store, schedules)
        await store.run(schedules.put(schedule, tick))
        await store.run(Op(("HSET", operations.keys.schedules, "s last", "last"), int))
        await due_jobs(store, namespace).run_once()
        assert await store.run(operations.status(schedule.job_at(tick).id)) is JobStatus.DISPATCHED

    on_store(valkey, test)


def test_a_store_that_refuses_is_told_once_and_so_is_its_end(
    own_valkey: ValkeyServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    own_valkey.command("ACL", "SETUSER", "clock", "on", ">secret", "~*", "&*", "+@all")
    url = own_valkey.url.replace("redis://", "redis://clock:secret@")

    def told() -> list[str]:
        return [record.message for record in caplog.records if record.message.startswith("due_jobs.")]

    async def main() -> None:
        async with AsyncStore(url) as store:
            task = asyncio.create_task(due_jobs(store, namespace).run())
            own_valkey.command("ACL", "SETUSER", "clock", "resetpass", ">another")
            own_valkey.command("CLIENT", "KILL", "USER", "clock")
            async with asyncio.timeout(GENEROUS_S):
                while not told():  # noqa: ASYNC110 - the event is in the log
                    await asyncio.sleep(0.02)
                own_valkey.command("ACL", "SETUSER", "clock", "resetpass", ">secret")
                while len(told()) < 2:  # noqa: ASYNC110 - the event is in the log
                    await asyncio.sleep(0.02)
            await end_task(task)

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    assert told() == ["due_jobs.refused", "due_jobs.resumed"]
    (refused,) = [record for record in caplog.records if record.message == "due_jobs.refused"]
    assert refused.__dict__["reason"].startswith("WRONGPASS ")
