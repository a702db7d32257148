"""What waits for a job goes on when an actor of another program has ended it, by its hash or by a reply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hero_job import JobBuilder, JobStatus
from hero_job.client.async_store import AsyncStore
from hero_job.model.job import Job
from hero_job.operations.batches import create_jobs
from hero_job.operations.events import BEGINNING, Events
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from hero_supervisor.upkeep.foreign_ends import ForeignEnds
from tests.valkey_server import ValkeyServer


def on_store(valkey: ValkeyServer, test: Callable[[AsyncStore], Awaitable[None]]) -> None:
    async def main() -> None:
        async with AsyncStore(valkey.url) as store:
            await test(store)

    asyncio.run(main())


def make(job_id: str, *prerequisites: str) -> Job:
    builder = JobBuilder().id(job_id).caller_id("a").context_id("b").script("1").script_type("osis")
    return builder.prerequisites(list(prerequisites)).build()


async def end_by(store: AsyncStore, operations: Operations, job_id: str, way: str) -> None:
    await store.run(Op(("LPOP", operations.keys.work("osis")), as_is))
    if "hash" in way:
        await store.run(Op(("HSET", operations.keys.job(job_id), "status", "finished", "output", "42"), as_is))
    if "reply" in way:
        await store.run(Op(("RPUSH", operations.keys.reply(job_id), "42"), as_is))


async def rounds(ends: ForeignEnds, count: int = 4) -> None:
    for _ in range(count):
        await ends.run_once()


@pytest.mark.parametrize("way", ["hash", "reply", "hash and reply"])
@pytest.mark.parametrize("begins", ["before", "after"])
def test_dependents_batches_and_followers_hear_of_it_once(
    valkey: ValkeyServer, operations: Operations, way: str, begins: str
) -> None:
    async def test(store: AsyncStore) -> None:
        ends = [ForeignEnds(store, operations) for _ in range(2)]
        if begins == "before":
            for one in ends:
                await one.run_once()
        await store.drive(create_jobs(operations, [make("first"), make("second", "first")], batch_id="batch"))
        await end_by(store, operations, "first", way)
        for one in ends:
            await rounds(one)

        assert await store.run(operations.status("second")) is JobStatus.DISPATCHED
        batch = await store.run(operations.batch("batch"))
        assert batch is not None
        assert (batch.open, batch.finished) == (1, 1)
        entries = await store.run(Events.entries(operations.keys.events, BEGINNING, 100))
        moved = [status for _, fields in entries for job_id, status in fields.items() if job_id == "first"]
        assert moved.count("finished") == 1
        assert await store.run(Op(("LRANGE", operations.keys.reply("first"), 0, -1), len)) == 1
        assert (await store.run(operations.record("first"))).output == "42"
        assert await store.run(Op(("PTTL", operations.keys.job("first")), int)) > 0

    on_store(valkey, test)


def test_a_job_that_waits_in_its_queue_is_left_alone(valkey: ValkeyServer, operations: Operations) -> None:
    async def test(store: AsyncStore) -> None:
        ends = ForeignEnds(store, operations)
        for n in range(300):
            await store.run(operations.create(make(f"j{n}"), start=True))
        await rounds(ends)
        assert await store.run(Op(("LLEN", operations.keys.work("osis")), int)) == 300
        await end_by(store, operations, "j299", "reply")
        await rounds(ends)  # a hundred jobs in each
        assert await store.run(operations.status("j299")) is JobStatus.FINISHED

    on_store(valkey, test)


def test_a_failure_becomes_a_dead_letter_and_can_be_retried(valkey: ValkeyServer, operations: Operations) -> None:
    async def test(store: AsyncStore) -> None:
        ends = ForeignEnds(store, operations)
        await store.run(operations.create(make("j"), start=True))
        await store.run(Op(("HSET", operations.keys.job("j"), "status", "Failed", "error", "no"), as_is))
        await rounds(ends)
        assert [letter.job_id for letter in await store.run(operations.admin.dead())] == ["j"]
        await store.run(operations.retry("j"))
        assert await store.run(operations.status("j")) is JobStatus.DISPATCHED
        await rounds(ends)
        assert await store.run(operations.status("j")) is JobStatus.DISPATCHED

    on_store(valkey, test)
