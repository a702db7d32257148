"""Recovery of jobs whose actor died on another host, or while the store was away."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

import pytest
import uvloop

from hero_job.client.async_store import AsyncStore
from hero_job.client.cancellation import end_task
from hero_job.client.store import Store
from hero_job.model.builder import JobBuilder
from hero_job.model.errors import StoreUnavailable
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol import lua
from hero_job.protocol.op import Op
from hero_supervisor.upkeep.recovery import JobRecovery
from tests.eventually import eventually
from tests.supervisor.conftest import StartSupervisor
from tests.valkey_server import ValkeyServer


def claim_elsewhere(
    store: Store, operations: Operations, namespace: str, *, lease_s: float
) -> tuple[str, ActorOperations]:
    """Submit a job and claim it for an actor on another machine, which is silent after that."""
    job = JobBuilder().caller_id("c").context_id("c").script_type(ScriptType.OSIS).script("6 * 7").build()
    store.run(operations.create(job, start=True))
    entry = ActorEntry(
        incarnation="osis-1.elsewhere.1.x",
        name="osis-1",
        script_type=ScriptType.OSIS,
        host="elsewhere",
        pid=1,
        lanes=1,
        engine="rhai",
        engine_version="1",
    )
    claims = ActorOperations(entry, namespace, lease_s=lease_s)
    store.run(claims.join())
    assert [claimed.id for claimed in store.run(claims.turn(0, [], 1)).jobs] == [job.id]
    return job.id, claims


def test_jobs_of_a_lost_host_are_handed_back_when_the_lease_has_expired(
    start_supervisor: StartSupervisor, valkey: ValkeyServer, namespace: str, store: Store, operations: Operations
) -> None:
    job_id, _ = claim_elsewhere(store, operations, namespace, lease_s=1)
    supervisor = start_supervisor(redis_url=valkey.url, namespace=namespace)
    assert supervisor.reply(job_id).output == "42"
    assert supervisor.record(job_id).rerun_reason == "its actor gave no sign of life"
    assert supervisor.wait_event("jobs.recovered")["seen_to_end"] is False


def test_jobs_of_living_actors_stay_and_those_of_a_process_that_was_seen_to_end_are_handed_back_immediately(
    valkey: ValkeyServer, namespace: str, store: Store, operations: Operations
) -> None:
    job_id, claims = claim_elsewhere(store, operations, namespace, lease_s=60)

    async def test() -> None:
        async with AsyncStore(valkey.url) as aio:
            recovery = JobRecovery(aio, Recoveries(namespace), every_s=60)
            await recovery.run_once()
            assert store.run(operations.status(job_id)) is JobStatus.STARTED
            await recovery.recover_dead(claims.entry.incarnation)
            assert store.run(operations.status(job_id)) is JobStatus.DISPATCHED
            await recovery.close()

    uvloop.run(test())


def test_jobs_of_a_dead_child_are_recovered_as_soon_as_the_store_is_back(
    own_valkey: ValkeyServer, namespace: str
) -> None:
    operations = Operations(namespace)
    with Store(own_valkey.url) as store:
        job_id, claims = claim_elsewhere(store, operations, namespace, lease_s=60)
    own_valkey.kill()

    async def test() -> None:
        async with AsyncStore(own_valkey.url) as aio:
            recovery = JobRecovery(aio, Recoveries(namespace), every_s=60)
            await recovery.recover_dead(claims.entry.incarnation)
            own_valkey.start()
            with Store(own_valkey.url) as store:
                assert store.run(operations.status(job_id)) is JobStatus.STARTED
                try:
                    await recovery.run_once()
                except StoreUnavailable:  # the pool has not noticed yet that its connection belongs to the dead server
                    await recovery.run_once()
                assert store.run(operations.status(job_id)) is JobStatus.DISPATCHED
            await recovery.close()

    uvloop.run(test())
    eventually(own_valkey.answers)


def test_after_an_outage_living_actors_get_the_time_of_a_lease_to_renew_theirs(
    own_valkey: ValkeyServer, namespace: str, operations: Operations
) -> None:
    async def test() -> None:
        with Store(own_valkey.url) as store:
            job_id, claims = claim_elsewhere(store, operations, namespace, lease_s=1)
            async with AsyncStore(own_valkey.url) as aio:
                recovery = JobRecovery(aio, Recoveries(namespace), every_s=0.02, lease_s=300)
                running = asyncio.create_task(recovery.run())
                try:
                    own_valkey.kill()
                    while not recovery._store_away:  # noqa: ASYNC110  until a round finds no store
                        await asyncio.sleep(0.01)
                    own_valkey.start()
                    actor = operations.keys.actor(claims.entry.incarnation)
                    eventually(lambda: own_valkey.command("EXISTS", actor) == 0)
                    # Its presence has expired, but the next rounds spare it, and it comes back.
                    for _ in range(5):
                        await recovery.run_once()
                    assert own_valkey.command("HGET", operations.keys.job(job_id), "status") == "started"
                    with Store(own_valkey.url) as again:
                        assert again.run(claims.beat(busy=1, jobs=0))
                finally:
                    await end_task(running)

    uvloop.run(test())


@pytest.mark.parametrize("frozen_at", ["HKEYS", lua.EXPIRED])
def test_a_store_that_was_frozen_lets_living_actors_renew_their_lease_before_they_are_missed(
    own_valkey: ValkeyServer, namespace: str, operations: Operations, frozen_at: object
) -> None:
    lease_s = 0.5

    class FreezingStore(AsyncStore):
        """Finds the server frozen for the time of a lease when it asks one question."""

        def freeze_at(self, op: Op[Any]) -> None:
            if frozen_at in (op.args[0], op.script):
                own_valkey.freeze()
                asyncio.get_running_loop().call_later(lease_s, own_valkey.thaw)

        async def run(self, op: Op[Any]) -> Any:
            self.freeze_at(op)
            return await super().run(op)

        async def run_many(self, ops: Sequence[Op[Any]]) -> list[Any]:
            for op in ops:
                self.freeze_at(op)
            return await super().run_many(ops)

    async def test() -> None:
        async with FreezingStore(own_valkey.url) as aio:
            recovery = JobRecovery(aio, Recoveries(namespace), every_s=60, lease_s=lease_s)
            await recovery.run_once()
            assert store.run(operations.status(job_id)) is JobStatus.STARTED

    with Store(own_valkey.url) as store:
        job_id, claims = claim_elsewhere(store, operations, namespace, lease_s=60)
        own_valkey.command("DEL", operations.keys.actor(claims.entry.incarnation))
        uvloop.run(test())


def test_jobs_of_a_crashed_actor_are_back_in_their_queue_before_its_successor_starts(
    start_supervisor: StartSupervisor, valkey: ValkeyServer, namespace: str
) -> None:
    # Its job never ends, so the end of the test does not wait for it.
    environ = {"HERO_SUPERVISOR__SHUTDOWN_S": "0.2"}
    supervisor = start_supervisor(redis_url=valkey.url, namespace=namespace, environ=environ)
    job_id = supervisor.submit("loop {}")
    eventually(lambda: supervisor.record(job_id).status is JobStatus.STARTED)
    os.kill(supervisor.wait_event("child.started")["child_pid"], signal.SIGKILL)

    supervisor.wait_event("child.started", count=2)

    happened = [
        event
        for line in supervisor.log_text().splitlines()
        for event in ("jobs.recovered", "child.ended")
        if event in line
    ]
    assert happened == ["jobs.recovered", "child.ended"], "it is started again when its end has been judged"
