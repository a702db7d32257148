"""Who waits for a job or a batch waits on while the server is full: the wait itself needs no room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hero_job import JobStatus, StoreRefused, WaitTimeout
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.operations.batches import create_jobs
from hero_job.operations.operations import Operations
from tests.eventually import GENEROUS_S, eventually
from tests.job.conftest import MakeJob
from tests.valkey_server import ValkeyServer

#: Server, operations, job or batch, seconds -> how the job ended, or how many jobs of the batch were stopped.
Wait = Callable[[ValkeyServer, Operations, str, float], object]


def of_store(valkey: ValkeyServer, operations: Operations, job_id: str, wait_s: float) -> object:
    with Store(valkey.url) as store:
        return store.wait_reply(operations, job_id, wait_s).status


def of_store_for_batch(valkey: ValkeyServer, operations: Operations, job_id: str, wait_s: float) -> object:
    with Store(valkey.url) as store:
        return JobStatus.STOPPED if store.wait_batch(operations, f"of-{job_id}", wait_s).stopped else None


def of_async_store(valkey: ValkeyServer, operations: Operations, job_id: str, wait_s: float) -> object:
    async def main() -> object:
        async with AsyncStore(valkey.url) as store:
            return (await store.wait_reply(operations, job_id, wait_s)).status

    return asyncio.run(main())


@pytest.fixture(params=[of_store, of_store_for_batch, of_async_store])
def wait(request: pytest.FixtureRequest) -> Wait:
    chosen: Wait = request.param
    return chosen


@pytest.fixture
def job_id(own_valkey: ValkeyServer, operations: Operations, make_job: MakeJob) -> str:
    """Create a job that waits in its queue, the only one of a batch; return its id."""
    job = make_job()
    with Store(own_valkey.url) as store:
        store.drive(create_jobs(operations, [job], batch_id=f"of-{job.id}"))
    return job.id


def set_full(valkey: ValkeyServer, full: bool) -> None:
    valkey.command("CONFIG", "SET", "maxmemory", "1" if full else "0")


def calls(valkey: ValkeyServer) -> int:
    """Count the commands that read the job or wait for it, and which the server has carried out or refused."""
    lines = str(valkey.command("INFO", "commandstats")).splitlines()
    counted = ("cmdstat_hmget:", "cmdstat_hgetall:", "cmdstat_blmove:", "cmdstat_xread:")
    parts = [part for line in lines if line.startswith(counted) for part in line.partition(":")[2].split(",")]
    return sum(int(part.partition("=")[2]) for part in parts if part.startswith(("calls=", "rejected_calls=")))


def test_a_wait_that_meets_a_full_server_goes_on(
    own_valkey: ValkeyServer, operations: Operations, job_id: str, wait: Wait
) -> None:
    set_full(own_valkey, True)
    before = calls(own_valkey)
    with ThreadPoolExecutor(1) as pool, Store(own_valkey.url) as store:
        waiting = pool.submit(wait, own_valkey, operations, job_id, GENEROUS_S)
        eventually(lambda: waiting.done() or calls(own_valkey) >= before + 2, what="it asks the full server")
        set_full(own_valkey, False)
        store.run(operations.stop(job_id))

        assert waiting.result() == JobStatus.STOPPED


def test_an_end_is_found_on_a_full_server(
    own_valkey: ValkeyServer, operations: Operations, job_id: str, wait: Wait
) -> None:
    with Store(own_valkey.url) as store:
        store.run(operations.stop(job_id))
    set_full(own_valkey, True)

    assert wait(own_valkey, operations, job_id, GENEROUS_S) == JobStatus.STOPPED


def test_a_wait_on_a_full_server_ends_in_time(
    own_valkey: ValkeyServer, operations: Operations, job_id: str, wait: Wait
) -> None:
    set_full(own_valkey, True)

    with pytest.raises(WaitTimeout):
        wait(own_valkey, operations, job_id, 0.2)


def test_a_wait_that_the_server_refuses_for_good_is_an_error(
    own_valkey: ValkeyServer, operations: Operations, job_id: str
) -> None:
    own_valkey.command("SET", operations.keys.reply(job_id), "no list")

    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        of_store(own_valkey, operations, job_id, GENEROUS_S)
