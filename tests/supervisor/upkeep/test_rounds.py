"""How often the tasks of upkeep look, and how often one round asks which actors are missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from hero_job import JobBuilder, JobLimits
from hero_job.client.async_store import AsyncStore
from hero_job.client.cancellation import end_task
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.admin_operations import MOST_ENDED
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedule, Schedules
from hero_job.protocol.op import Op
from hero_supervisor.upkeep.damage_watch import DamageWatch
from hero_supervisor.upkeep.due_jobs import DueJobs
from hero_supervisor.upkeep.foreign_ends import ForeignEnds
from hero_supervisor.upkeep.recovery import JobRecovery
from tests.eventually import GENEROUS_S
from tests.valkey_server import ValkeyServer


class Pauses:
    """Notes for how long tasks want to sleep; each of them wakes immediately."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds: list[float] = []
        self._more = asyncio.Event()
        self._sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", self._note)

    async def _note(self, delay: float) -> None:
        self.seconds.append(delay)
        self._more.set()
        await self._sleep(0)

    async def of(self, forever: Coroutine[Any, Any, None], count: int) -> list[float]:
        """Run a task until it has paused so often, and give its pauses."""
        task = asyncio.create_task(forever)
        async with asyncio.timeout(GENEROUS_S):
            while len(self.seconds) < count:
                self._more.clear()
                await self._more.wait()
        await end_task(task)
        found, self.seconds = self.seconds[:count], []
        return found


def on_store(valkey: ValkeyServer, test: Callable[[AsyncStore], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with AsyncStore(valkey.url) as store:
            await test(store)

    asyncio.run(main())


async def add_silent_actor(store: AsyncStore, operations: Operations, name: str) -> None:
    """Register an actor whose lease has expired."""
    await store.run(Op(("HSET", operations.keys.actors, f"{name}.elsewhere.1.x", "{}"), int))


def test_rounds_of_the_recovery_come_up_to_a_fifth_early(
    valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(store: AsyncStore) -> None:
        pauses = Pauses(monkeypatch)
        for roll, expected in ((0.0, 7.0), (0.5, 6.3)):
            recovery = JobRecovery(store, Recoveries(namespace), every_s=7, roll=partial(float, roll))
            assert await pauses.of(recovery.run(), 3) == pytest.approx([expected] * 3)

    on_store(valkey, test)


def test_only_the_first_round_looks_twice_and_only_if_somebody_is_missing(
    valkey: ValkeyServer, namespace: str, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(store: AsyncStore) -> None:
        pauses = Pauses(monkeypatch)
        recovery = JobRecovery(store, Recoveries(namespace), every_s=7)
        await recovery.run_once()
        await add_silent_actor(store, operations, "sal-1")
        await recovery.run_once()
        assert pauses.seconds == []
        assert await store.run(Op(("HLEN", operations.keys.actors), int)) == 0, "it was recovered"

        await add_silent_actor(store, operations, "sal-2")
        await JobRecovery(store, Recoveries(namespace), every_s=7).run_once()
        (pause_s,) = pauses.seconds
        assert pause_s > 1, "a living actor renews its lease once a second"
        assert await store.run(Op(("HLEN", operations.keys.actors), int)) == 0

    on_store(valkey, test)


def test_due_jobs_are_asked_for_twice_a_second_and_again_soon_after_something_was_due(
    valkey: ValkeyServer, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(store: AsyncStore) -> None:
        pauses, schedules = Pauses(monkeypatch), Schedules(operations.keys.namespace)
        for roll, expected in ((0.0, 0.5), (0.5, 0.525)):
            due = DueJobs(store, operations, schedules, limits=JobLimits(), roll=partial(float, roll))
            assert await pauses.of(due.run(), 3) == pytest.approx([expected] * 3)
        job = {"caller_id": "c", "context_id": "x", "script": "1", "script_type": "osis"}
        await store.run(schedules.put(Schedule(name="s", job=job, interval_s=300_000_000), 1000))
        due = DueJobs(store, operations, schedules, limits=JobLimits(), roll=lambda: 0.0)
        assert await pauses.of(due.run(), 2) == pytest.approx([0.01, 0.5]), "a tick was fired, then nothing was due"

    on_store(valkey, test)


def test_one_round_moves_more_jobs_than_one_call_to_the_store(valkey: ValkeyServer, operations: Operations) -> None:
    count = 2 * MOST_ENDED + 1

    async def test(store: AsyncStore) -> None:
        builder = JobBuilder().caller_id("c").context_id("x").script("1").script_type("osis").delay(3600)
        ids = [await store.run(operations.create(builder.build(), start=True)) for _ in range(count)]
        await store.run(Op(("ZADD", operations.keys.scheduled, *(part for i in ids for part in (1, i))), int))

        due = DueJobs(store, operations, Schedules(operations.keys.namespace), limits=JobLimits(), roll=lambda: 0.0)
        await due.run_once()

        assert await store.run(Op(("LLEN", operations.keys.work("osis")), int)) == count

    on_store(valkey, test)


def test_ends_by_other_programs_are_looked_for_once_a_second(
    valkey: ValkeyServer, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(store: AsyncStore) -> None:
        assert await Pauses(monkeypatch).of(ForeignEnds(store, operations).run(), 3) == [1.0] * 3

    on_store(valkey, test)


def test_damaged_records_are_looked_for_twice_a_minute_and_each_is_told_once(
    valkey: ValkeyServer, operations: Operations, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(store: AsyncStore) -> None:
        await store.run(Op(("HSET", operations.keys.schedules, "odd", "no JSON"), int))
        assert await Pauses(monkeypatch).of(DamageWatch(store, operations).run(), 3) == [30.0] * 3

    on_store(valkey, test)
    assert [vars(r)["record"] for r in caplog.records if r.message == "record.damaged"] == ["odd"]


def test_tasks_go_on_with_their_rounds_while_the_store_is_away(
    namespace: str, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with AsyncStore("unix:///nowhere") as store:
            pauses, schedules = Pauses(monkeypatch), Schedules(namespace)
            due = DueJobs(store, operations, schedules, limits=JobLimits(), roll=lambda: 0.0)
            assert await pauses.of(due.run(), 2) == [0.5, 0.5]
            recovery = JobRecovery(store, Recoveries(namespace), every_s=7, roll=lambda: 0.0)
            assert await pauses.of(recovery.run(), 2) == [7, 7]
            assert await pauses.of(DamageWatch(store, operations).run(), 2) == [30, 30]

    asyncio.run(test())
