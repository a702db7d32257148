"""Due jobs are queued once, no matter how many supervisors look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hero_job import JobBuilder, JobLimits, JobStatus, ScriptType
from hero_job.client.async_store import AsyncStore
from hero_job.client.cancellation import end_task
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Missed, Overlap, Schedule, Schedules
from hero_job.protocol.op import Op
from hero_supervisor.upkeep.due_jobs import DueJobs
from tests.valkey_server import ValkeyServer

JOB = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"}


def on_store(valkey: ValkeyServer, test: Callable[[AsyncStore], Awaitable[None]]) -> None:
    async def main() -> None:
        async with AsyncStore(valkey.url) as store:
            await test(store)

    asyncio.run(main())


def due_jobs(store: AsyncStore, namespace: str) -> DueJobs:
    return DueJobs(store, Operations(namespace), Schedules(namespace), limits=JobLimits(), roll=lambda: 0.0)


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
        async with asyncio.timeout(20):
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
    schedule = Schedule(name="s", job=JOB, interval_s=60, missed=Missed.ALL, overlap=overlap)

    async def test(store: AsyncStore) -> None:
        now_s = (await store.run(schedules.due())).now_ms / 1000
        await store.run(schedules.put(schedule, next(schedule.ticks_after(now_s - 180))))
        await asyncio.gather(*(due_jobs(store, namespace).run_once() for _ in range(5)))
        # Three ticks were missed. The job of the first tick stays open, since there is no actor.
        assert await queued(store, operations) == (1 if overlap is Overlap.SKIP else 3)
        assert await due_jobs(store, namespace).run_once() > 0

    on_store(valkey, test)


def test_schedule_goes_on_after_its_job_has_ended(valkey: ValkeyServer, namespace: str, operations: Operations) -> None:
    schedules = Schedules(namespace)
    schedule = Schedule(name="s", job=JOB, interval_s=60, missed=Missed.ONCE)

    async def test(store: AsyncStore) -> None:
        now_ms = (await store.run(schedules.due())).now_ms
        first, second = now_ms - 61_000, now_ms - 1_000
        await store.run(schedules.put(schedule, first))
        await store.run(operations.create(schedule.job_at(first), start=True))
        await store.run(operations.stop(schedule.job_at(first).id))
        await store.run(schedules.move_on("s", first, second, schedule.job_at(first).id))

        await due_jobs(store, namespace).run_once()

        assert await store.run(operations.status(schedule.job_at(second).id)) is JobStatus.DISPATCHED

    on_store(valkey, test)
