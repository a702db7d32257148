"""What an actor does with an order to stop, depending on where the job is."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.batch import Batch
from hero_actor.lanes.lane import Lane
from hero_actor.upkeep.stop_listener import StopListener
from hero_job import JobBuilder, JobStatus
from hero_job.client.store import Store
from hero_job.model.claim_types import ActorEntry, Order, Settlement
from hero_job.model.job import ScriptType
from hero_job.operations.actor_operations import ActorOperations
from hero_job.operations.operations import Operations
from tests.actor.engines import Handle


@dataclass
class HeldJobs:
    """What the listener asks of a lane."""

    batch: Batch = field(default_factory=lambda: Batch(lambda _: Handle()))


@dataclass
class ActorInTest:
    """An actor with one lane, without its threads."""

    store: Store
    claims: ActorOperations
    operations: Operations
    lane: HeldJobs = field(default_factory=HeldJobs)
    wanted: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        lane: Lane = self.lane  # type: ignore[assignment]
        self.listener = StopListener(
            store=self.store,
            operations=self.claims,
            job_operations=self.operations,
            lanes=[lane],
            wanted_stops=self.wanted,
            outage=StoreOutage(),
        )

    def submit(self) -> str:
        job = JobBuilder().caller_id("a").context_id("b").script("1").script_type("osis").build()
        return self.store.run(self.operations.create(job, start=True))

    def status(self, job_id: str) -> JobStatus:
        return self.store.run(self.operations.status(job_id))


@pytest.fixture
def actor(store: Store, namespace: str, operations: Operations) -> ActorInTest:
    entry = ActorEntry(
        incarnation="osis-1.h.1",
        name="osis-1",
        script_type=ScriptType.OSIS,
        host="h",
        pid=1,
        lanes=1,
        engine="test",
        engine_version="1",
    )
    claims = ActorOperations(entry, namespace)
    assert store.run(claims.join())
    return ActorInTest(store, claims, operations)


def test_running_job_is_cancelled_and_a_later_run_of_it_is_not(actor: ActorInTest) -> None:
    job_id = actor.submit()
    actor.lane.batch.load(actor.store.run(actor.claims.turn(0, [], 1)).jobs)

    actor.listener._carry_out(Order("stop", job_id, "1"))

    assert isinstance(actor.lane.batch.run, Handle)
    assert actor.lane.batch.run.cancelled.is_set()
    assert actor.wanted == set()


def test_job_that_is_claimed_and_has_not_begun_is_remembered_and_a_job_that_has_ended_is_not(
    actor: ActorInTest,
) -> None:
    claimed, ended = actor.submit(), actor.submit()
    jobs = actor.store.run(actor.claims.turn(0, [], 2)).jobs
    actor.store.run(actor.claims.turn(0, [Settlement(ended, jobs[1].attempt, JobStatus.FINISHED, "1")], 0))

    for job_id in (claimed, ended):
        actor.listener._carry_out(Order("stop", job_id, "1"))

    assert actor.wanted == {(claimed, "1")}
    assert actor.status(ended) is JobStatus.FINISHED


def test_stop_of_a_foreign_client_reaches_a_job_that_is_not_here(
    actor: ActorInTest, caplog: pytest.LogCaptureFixture
) -> None:
    waiting, elsewhere = actor.submit(), actor.submit()
    foreign = ActorOperations(actor.claims.entry, actor.operations.keys.namespace)
    actor.store.run(foreign.turn(5, [], 1))

    for job_id in (waiting, elsewhere, "unknown"):
        actor.listener._carry_out(Order("stop", job_id))

    assert actor.status(waiting) is JobStatus.STOPPING
    assert actor.status(elsewhere) is JobStatus.STOPPED
    assert actor.wanted == set()
    assert [record.message for record in caplog.records] == ["order.impossible"]


def test_unknown_order_changes_nothing(actor: ActorInTest, caplog: pytest.LogCaptureFixture) -> None:
    job_id = actor.submit()

    with caplog.at_level(logging.WARNING):
        actor.listener._carry_out(Order("dance", job_id, "1"))

    assert actor.status(job_id) is JobStatus.DISPATCHED
    assert actor.wanted == set()
    assert [record.message for record in caplog.records] == ["order.unknown"]
