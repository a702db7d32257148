"""Submitting a job and waiting for its end in one call, by the asyncio store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hero_job import Job, ScriptType
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.model.errors import JobConflict, JobDamaged, JobNotFound, WaitTimeout
from hero_job.model.views import Reply
from hero_job.operations.actor_operations import ActorEntry, ActorOperations
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from hero_job.protocol.replies import encode_result
from tests.eventually import eventually
from tests.job.conftest import MakeJob
from tests.job.lane import Lane
from tests.valkey_server import ValkeyServer

LONG_S = 600.0


class Running:
    """Runs jobs with an asyncio store."""

    def __init__(self, store: AsyncStore, operations: Operations) -> None:
        self.store = store
        self.operations = operations

    def begin(self, job: Job, wait_s: float = LONG_S) -> asyncio.Task[Reply]:
        submit = self.operations.create(job, start=True)
        return asyncio.create_task(self.store.run_job(self.operations, submit, job.id, wait_s))


class Scene:
    """A store that has run a job, as that of a supervisor has: it follows the events."""

    def __init__(self, url: str, operations: Operations, make_job: MakeJob, lane: Lane) -> None:
        self._url = url
        self._operations = operations
        self._make_job = make_job
        self._lane = lane

    def play(self, test: Callable[[Running], Awaitable[None]]) -> None:
        async def main() -> None:
            async with AsyncStore(self._url) as store:
                running = Running(store, self._operations)
                await self.end(running.begin(self._make_job()))
                await test(running)

        asyncio.run(main())

    async def end(self, *waiting: asyncio.Task[Reply]) -> list[str]:
        """Run jobs until the waits have ended; return what they waited for."""
        while not all(task.done() for task in waiting):
            await asyncio.to_thread(self._lane.work_off)
            await asyncio.wait(waiting, timeout=0.01)
        return [task.result().result() for task in waiting]

    async def queued(self, count: int = 1) -> None:
        """Wait until so many jobs are on the queue, and what their submitters do next has been sent."""
        queue = self._operations.keys.work("osis")
        length = Op(("LLEN", queue), int)
        await asyncio.to_thread(eventually, lambda: self._lane.store.run(length) == count)
        await asyncio.sleep(0.05)  # nothing depends on how long this is; a wait that looked would most likely do so now


@pytest.fixture
def scene(valkey: ValkeyServer, operations: Operations, make_job: MakeJob, lane: Lane) -> Scene:
    return Scene(valkey.url, operations, make_job, lane)


def test_a_new_job_is_not_looked_at_before_it_has_ended(own_valkey: ValkeyServer, make_job: MakeJob) -> None:
    operations = Operations("waits")
    entry = ActorEntry(
        incarnation="i", name="i", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1, engine="e", engine_version="1"
    )
    with Store(own_valkey.url) as store:
        actor = ActorOperations(entry, "waits")
        store.run(actor.join())
        scene = Scene(own_valkey.url, operations, make_job, Lane(store, actor))

        async def test(running: Running) -> None:
            own_valkey.command("CONFIG", "RESETSTAT")
            waiting = [running.begin(make_job()) for _ in range(20)]
            await scene.queued(20)
            assert own_valkey.command_calls().get("hmget", 0) == 0
            assert all(output.startswith("out of ") for output in await scene.end(*waiting))

        scene.play(test)


def test_each_of_many_waits_gets_the_end_of_its_own_job(scene: Scene, make_job: MakeJob) -> None:
    jobs = [make_job() for _ in range(100)]

    async def test(running: Running) -> None:
        waiting = [running.begin(job) for job in jobs]
        await scene.queued(100)
        assert await scene.end(*waiting) == [f"out of {job.id}" for job in jobs]

    scene.play(test)


def test_a_job_that_is_sent_again_has_the_end_that_it_had(scene: Scene, make_job: MakeJob) -> None:
    job = make_job()

    async def test(running: Running) -> None:
        await scene.end(running.begin(job))
        assert (await running.begin(job)).result() == f"out of {job.id}"
        with pytest.raises(JobConflict):
            await running.begin(make_job("another", id=job.id))

    scene.play(test)


def test_the_second_holder_of_a_unique_key_waits_for_the_first(
    scene: Scene, make_job: MakeJob, operations: Operations
) -> None:
    first, second = make_job(unique="k"), make_job(unique="k")

    async def test(running: Running) -> None:
        waiting = [running.begin(first)]
        await scene.queued()
        waiting.append(running.begin(second))
        await asyncio.sleep(0)  # it has asked
        await running.store.run(operations.status(first.id))  # goes behind it, on the same connection
        assert await scene.end(*waiting) == [f"out of {first.id}"] * 2

    scene.play(test)


def test_an_end_that_no_event_tells_is_found(scene: Scene, make_job: MakeJob, operations: Operations) -> None:
    job = make_job()

    async def test(running: Running) -> None:
        waiting = running.begin(job)
        await scene.queued()
        # An actor of another program takes the job and answers.
        await running.store.run(Op(("LPOP", operations.keys.work("osis")), as_is))
        reply = encode_result(job.id, "from elsewhere")
        await running.store.run(Op(("LPUSH", operations.keys.reply(job.id), reply), as_is))
        assert (await waiting).result() == "from elsewhere"

    scene.play(test)


def test_a_wait_that_is_too_short_says_how_long_it_was(scene: Scene, make_job: MakeJob) -> None:
    async def test(running: Running) -> None:
        with pytest.raises(WaitTimeout) as late:
            await running.begin(make_job(), 0.05)
        assert late.value.waited_s == 0.05

    scene.play(test)


@pytest.mark.parametrize(("put", "error"), [((), JobNotFound), (("SET", "text"), JobDamaged)], ids=["gone", "damaged"])
def test_a_record_that_cannot_be_read_fails_its_own_wait_alone(
    scene: Scene, make_job: MakeJob, operations: Operations, put: tuple[str, ...], error: type[Exception]
) -> None:
    good, bad = make_job(), make_job()

    async def test(running: Running) -> None:
        waiting_good, waiting_bad = running.begin(good), running.begin(bad)
        await scene.queued(2)
        key = operations.keys.job(bad.id)
        await running.store.run(Op(("DEL", key), as_is))
        if put:
            await running.store.run(Op((put[0], key, put[1]), as_is))
        await running.store.run(Op(("LREM", operations.keys.work("osis"), 1, bad.id), as_is))
        await running.store.run(Op(("XADD", operations.keys.events, "*", bad.id, "finished"), as_is))
        with pytest.raises(error):
            await waiting_bad
        assert await scene.end(waiting_good) == [f"out of {good.id}"]

    scene.play(test)


def test_a_wait_that_is_given_up_disturbs_no_other(scene: Scene, make_job: MakeJob) -> None:
    jobs = [make_job() for _ in range(10)]

    async def test(running: Running) -> None:
        waiting = [running.begin(job) for job in jobs]
        await scene.queued(10)
        for task in waiting[::2]:
            task.cancel()
        assert await scene.end(*waiting[1::2]) == [f"out of {job.id}" for job in jobs[1::2]]

    scene.play(test)
