"""The beat: how often it refreshes its presence, and what becomes of results that it could not settle."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from datetime import datetime

import pytest

from hero_actor.conditions.shutdown_flags import ShutdownFlags
from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.batch import Batch
from hero_actor.lanes.lane import Lane
from hero_actor.lanes.tally import Tally
from hero_actor.lanes.turns.lane_turns import LaneTurns
from hero_actor.upkeep.beat import BeatThread
from hero_job.client.store import Store
from hero_job.model.claim_types import ActorEntry, Settlement
from hero_job.model.errors import StoreError
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import ActorOperations
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.actor.engines import Handle
from tests.actor.lanes.test_ahead import client_id, lose_answers, submit_many
from tests.eventually import eventually
from tests.job.steps import claimed_ids
from tests.valkey_server import ValkeyServer


class QuietLane:
    """A lane whose thread is in a script for the whole test: what the beat asks of it."""

    number = 0
    state = None
    jobs = 0
    started = 1

    def __init__(self) -> None:
        self.batch = Batch(lambda _: Handle())
        self.tally = Tally()


class CountingOutage(StoreOutage):
    """Counts the failures that are noticed."""

    def __init__(self) -> None:
        super().__init__()
        self.noticed = 0

    def begin(self, thread: str, error: StoreError) -> None:
        """Count it too."""
        super().begin(thread, error)
        self.noticed += 1


class BeatInTest:
    """The beat of an actor that has joined, with one lane."""

    def __init__(self, store: Store, namespace: str, *, lease_s: float) -> None:
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
        self.store = store
        self.claims = ActorOperations(entry, namespace, lease_s=lease_s)
        self.lane = QuietLane()
        self.outage = CountingOutage()
        self.shutdown = ShutdownFlags()
        lane: Lane = self.lane  # type: ignore[assignment]
        self.beat = BeatThread(
            store=store,
            operations=self.claims,
            lanes=[lane],
            shutdown=self.shutdown,
            outage=self.outage,
            grace_s=60,
        )
        assert store.run(self.claims.join())


@contextlib.contextmanager
def beating(actor: BeatInTest) -> Iterator[None]:
    """Run its thread."""
    actor.beat.start()
    try:
        yield
    finally:
        actor.beat.end()
        # It may end later than that, and would then write to descriptors that belong to others.
        eventually(lambda: not actor.beat._thread.is_alive(), what="the thread has ended")
        os.close(actor.shutdown.wake_read_fd)
        os.close(actor.shutdown.wake_write_fd)


@pytest.mark.parametrize("lease_s", [0.4, 2])
def test_a_short_lease_is_refreshed_several_times_before_it_ends(
    store: Store, namespace: str, valkey: ValkeyServer, lease_s: float
) -> None:
    actor = BeatInTest(store, namespace, lease_s=lease_s)
    presence = actor.claims.keys.actor("osis-1.h.1")
    seen: list[float] = []

    def two_close_refreshes() -> bool:
        at = valkey.command("HGET", presence, "beat_at")
        if isinstance(at, str) and (at_s := datetime.fromisoformat(at).timestamp()) not in seen:
            seen.append(at_s)
        return any(0 < later - earlier < 0.45 * lease_s for earlier, later in itertools.pairwise(seen))

    with beating(actor):
        # On a slow machine most refreshes are late, but not all of them.
        eventually(two_close_refreshes, what="two refreshes within half a lease")


def test_what_the_beat_could_not_settle_or_hand_back_does_not_wait_for_the_slow_job_when_the_store_is_back(
    own_valkey: ValkeyServer, namespace: str, operations: Operations
) -> None:
    with Store(own_valkey.url) as store:
        actor = BeatInTest(store, namespace, lease_s=2)
        first, second, third = submit_many(store, operations, 3)
        jobs = store.run(actor.claims.turn(0, [], 3)).jobs
        batch = actor.lane.batch
        batch.load(jobs)
        batch.advance(Settlement(first, jobs[0].attempt, JobStatus.FINISHED, output="once"))
        own_valkey.kill()

        actor.beat.watch_lanes()
        with beating(actor):
            # Of two refreshes and, between them, of the attempt to hand the last job back.
            eventually(lambda: actor.outage.noticed >= 3)
            own_valkey.start()

            assert store.wait_reply(operations, first, 150).result() == "once"
            eventually(lambda: store.run(operations.status(third)) is JobStatus.DISPATCHED, what="it is handed back")
            eventually(lambda: not batch.holds_more, what="the lane holds the slow job alone")
            eventually(lambda: not actor.outage.active, what="the outage is over")
        assert batch.running is jobs[1]
        assert store.run(operations.status(second)) is JobStatus.STARTED


@pytest.mark.parametrize("answer", ["comes", "is lost"])
def test_what_a_turn_has_claimed_ahead_does_not_wait_behind_a_slow_job(
    store: Store, namespace: str, operations: Operations, valkey: ValkeyServer, answer: str
) -> None:
    actor = BeatInTest(store, namespace, lease_s=30)
    batch, claims = actor.lane.batch, actor.claims
    ids = submit_many(store, operations, 5)
    queue_length = Op(("LLEN", operations.keys.work("osis")), int)
    with Store(valkey.url, name="lane-in-test") as own_store:
        turns = LaneTurns(0, store=own_store, operations=claims, batch=batch, outage=actor.outage)
        before = turns.take(1).jobs
        batch.load(before)
        batch.advance(Settlement(ids[0], before[0].attempt, JobStatus.FINISHED, output="early"))
        runs = turns.take(2).jobs
        if answer == "is lost":
            lose_answers(own_store)
        turns.send_ahead(runs, 2)
        eventually(lambda: store.run(operations.status(ids[4])) is JobStatus.STARTED, what="the turn has arrived")
        if answer == "is lost":
            valkey.command("CLIENT", "KILL", "ID", client_id(valkey, "lane-in-test"))
        batch.load(runs)
        actor.beat.watch_lanes()

        with beating(actor):
            eventually(lambda: store.run(queue_length) == 3, what="all but the slow job are back")

        assert store.run(operations.status(ids[1])) is JobStatus.STARTED
        assert claimed_ids(store, claims) == [ids[1]]
        assert not batch.holds_more
        batch.advance(Settlement(ids[1], runs[0].attempt, JobStatus.FINISHED, output="slow"))
        ahead = turns.take_ahead(0)
        assert ahead is None or ahead.turn.jobs == []
        assert [job.id for job in turns.take(5).jobs] == ids[2:]
        assert store.wait_reply(operations, ids[1], 5).result() == "slow"
