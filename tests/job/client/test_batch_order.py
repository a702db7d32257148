"""A batch is created and queued in the order of its jobs, by the store of asyncio as by the synchronous one."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.model.errors import JobNotFound
from hero_job.operations.batches import create_jobs
from hero_job.operations.flow import Flow
from hero_job.operations.operations import Op, Operations
from tests.job.conftest import MakeJob
from tests.valkey_server import ValkeyServer

Drive = Callable[[Flow[Any]], Any]


@pytest.fixture(params=["sync", "asyncio"])
def drive(request: pytest.FixtureRequest, valkey: ValkeyServer) -> Iterator[Drive]:
    if request.param == "sync":
        with Store(valkey.url) as store:
            yield store.drive
    else:
        with asyncio.Runner() as runner:

            async def make() -> AsyncStore:
                return AsyncStore(valkey.url)

            store_aio = runner.run(make())
            yield lambda flow: runner.run(store_aio.drive(flow))
            runner.run(store_aio.aclose())


def test_a_batch_is_queued_in_the_order_of_its_jobs(
    drive: Drive, store: Store, operations: Operations, make_job: MakeJob
) -> None:
    # Of very different sizes, which on several connections would overtake each other.
    jobs = [make_job(id=f"b{n}", script="1" * (200_000 if n % 10 == 0 else 1)) for n in range(100)]
    store.run(Op(("SCRIPT", "FLUSH"), lambda _: None))

    assert drive(create_jobs(operations, jobs)).refused == {}

    queued = store.run(Op(("LRANGE", operations.keys.work(jobs[0].script_type.suffix), 0, -1), list))
    assert queued == [job.id for job in jobs]


@pytest.mark.parametrize("named", ["prerequisites", "dependents"])
def test_jobs_of_a_batch_find_the_jobs_that_they_name(
    drive: Drive, operations: Operations, make_job: MakeJob, named: str
) -> None:
    def names(n: int) -> dict[str, Any]:
        return {named: (f"{batch}-{n}",)}

    for batch in range(20):
        jobs = [make_job(id=f"{batch}-0", script="1" * 200_000)]
        jobs += [dataclasses.replace(make_job(id=f"{batch}-{n}"), **names(n - 1)) for n in range(1, 30)]

        assert drive(create_jobs(operations, jobs)).refused == {}


def test_each_operation_has_its_own_result_or_error(drive: Drive, operations: Operations, make_job: MakeJob) -> None:
    def flow() -> Flow[list[Any]]:
        return (yield [operations.create(make_job(id="one")), operations.start("none"), operations.start("one")])

    created, refused, started = drive(flow())

    assert created == "one"
    assert isinstance(refused, JobNotFound)
    assert started is None
