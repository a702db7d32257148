"""Commands that coroutines ask for in one turn of the loop go out together; each caller gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.model.errors import JobDamaged, JobNotFound, StoreUnavailable
from hero_job.model.status import JobStatus
from hero_job.operations.foreign_ends import seen
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeJob
from tests.valkey_server import ValkeyServer

MANY = 100


def on_store(url: str, test: Callable[[AsyncStore], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncStore(url) as store:
            await test(store)

    asyncio.run(run())


def reads_of(store: Store) -> int:
    """How often the server has read from a connection."""
    text = store.run(Op(("INFO", "stats"), str))
    return int(text.partition("total_reads_processed:")[2].split()[0])


def test_a_hundred_simultaneous_calls_cost_the_server_few_reads(own_valkey: ValkeyServer, make_job: MakeJob) -> None:
    operations = Operations("groups")
    with Store(own_valkey.url) as watching:
        job_id = watching.run(operations.create(make_job()))

        async def test(store: AsyncStore) -> None:
            await store.run(operations.status(job_id))  # connects
            before = reads_of(watching)
            calls = (store.drive(seen(operations, job_id, operations.status(job_id))) for _ in range(MANY))
            assert await asyncio.gather(*calls) == [JobStatus.CREATED] * MANY
            assert reads_of(watching) - before < MANY / 2

        on_store(own_valkey.url, test)


def test_each_caller_gets_its_own_answer_or_error(
    valkey: ValkeyServer, store: Store, operations: Operations, make_job: MakeJob
) -> None:
    good, damaged = store.run(operations.create(make_job())), "damaged"
    store.run(Op(("SET", operations.keys.job(damaged), "no hash"), as_is))

    async def test(aio: AsyncStore) -> None:
        asked = [good, damaged, "unknown"] * 20
        calls = [aio.run(operations.status(job_id)) for job_id in asked]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for job_id, answer in zip(asked, answers, strict=True):
            expected = {good: JobStatus, damaged: JobDamaged, "unknown": JobNotFound}[job_id]
            assert isinstance(answer, expected), (job_id, answer)

    on_store(valkey.url, test)


def test_jobs_are_created_once_by_a_server_that_does_not_know_the_script(
    own_valkey: ValkeyServer, make_job: MakeJob
) -> None:
    operations = Operations("groups")
    jobs = [make_job() for _ in range(MANY)]

    async def test(store: AsyncStore) -> None:
        await store.run(Op(("SCRIPT", "FLUSH"), as_is))
        ids = await asyncio.gather(*(store.run(operations.create(job, start=True)) for job in jobs))
        assert ids == [job.id for job in jobs]
        queue = operations.keys.work(jobs[0].script_type.suffix)
        assert sorted(await store.run(Op(("LRANGE", queue, 0, -1), list))) == sorted(ids)

    on_store(own_valkey.url, test)


def test_a_caller_that_gives_up_disturbs_no_other_one(
    valkey: ValkeyServer, store: Store, operations: Operations, make_job: MakeJob
) -> None:
    jobs = [make_job() for _ in range(MANY)]

    async def test(aio: AsyncStore) -> None:
        calls = [asyncio.ensure_future(aio.run(operations.create(job))) for job in jobs]
        await asyncio.sleep(0)  # they have asked, and nothing is sent
        for call in calls[::2]:
            call.cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert answers[1::2] == [job.id for job in jobs[1::2]]
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])

    on_store(valkey.url, test)
    for job in jobs[1::2]:
        assert store.run(operations.status(job.id)) is JobStatus.CREATED
    for job in jobs[::2]:
        with pytest.raises(JobNotFound):
            store.run(operations.status(job.id))


@pytest.mark.parametrize("how", ["the server dies", "the store is closed"])
def test_every_caller_hears_that_no_answer_comes(own_valkey: ValkeyServer, how: str) -> None:
    operations = Operations("groups")

    async def test(store: AsyncStore) -> None:
        await store.run(operations.ping())  # connects
        own_valkey.freeze()
        calls = [asyncio.ensure_future(store.run(operations.status("any"))) for _ in range(MANY)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if how == "the server dies":
            own_valkey.kill()
        else:
            await store.aclose()
            own_valkey.thaw()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(answer, StoreUnavailable) for answer in answers), answers
        assert len({id(answer) for answer in answers}) == MANY  # raising one exception many times would change it

    on_store(own_valkey.url, test)
