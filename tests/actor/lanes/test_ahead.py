"""Turns that a lane sends before it needs their jobs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import pytest

from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.batch import Batch
from hero_actor.lanes.turns import lane_turns
from hero_actor.lanes.turns.ahead import AheadAnswer
from hero_actor.lanes.turns.lane_turns import LaneTurns
from hero_job.client.store import Begun, Store
from hero_job.model.claim_types import ActorEntry, ClaimedJob, Settlement
from hero_job.model.errors import StoreUnavailable
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import ActorOperations, Turn
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.actor.engines import Handle
from tests.actor.process import make_job
from tests.eventually import eventually
from tests.job.steps import claimed_ids
from tests.valkey_server import ValkeyServer


class LaneInTest:
    """What a lane holds, and its turns; the test says what it runs."""

    def __init__(self, store: Store, actor: ActorOperations, hold_s: float = math.inf) -> None:
        self.batch = Batch(lambda _: Handle(), hold_s=hold_s)
        self.turns = LaneTurns(0, store=store, operations=actor, batch=self.batch, outage=StoreOutage())

    def run(self, jobs: list[ClaimedJob]) -> None:
        """Run jobs to their end."""
        job = self.batch.load(jobs)
        while job is not None:
            job = self.batch.advance(Settlement(job.id, job.attempt, JobStatus.FINISHED, "42"))


class LateBegun(Begun[Turn]):
    """Does something else before it reads an answer."""

    __slots__ = ("_before", "_begun")

    def __init__(self, begun: Begun[Turn], before: Callable[[], object]) -> None:
        self._begun, self._before = begun, before

    def finish(self) -> Turn:
        """Read the answer late."""
        self._before()
        return self._begun.finish()


def joined(store: Store, namespace: str) -> ActorOperations:
    """The operations of an actor that has joined."""
    entry = ActorEntry(
        incarnation="osis-1.h.1", name="osis-1", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1, engine="test",
        engine_version="1",
    )  # fmt: skip
    actor = ActorOperations(entry, namespace)
    assert store.run(actor.join())
    return actor


def lose_answers(store: Store) -> None:
    """Let the server answer nothing more on the only connection of a store."""
    begun = store.begin(Op(("CLIENT", "REPLY", "OFF"), as_is))  # which has no answer itself
    assert begun is not None
    store._give_back(begun._connection)


def client_id(server: ValkeyServer, name: str) -> str:
    """The server's id of the connection with a name."""
    (found,) = (line for line in str(server.command("CLIENT", "LIST")).splitlines() if f" name={name} " in line)
    return found.split()[0].removeprefix("id=")


def submit_many(store: Store, operations: Operations, count: int) -> list[str]:
    """Start equal jobs; return their ids in order."""
    return [store.run(operations.create(make_job("1", "osis"), start=True)) for _ in range(count)]


def test_each_result_is_settled_by_the_turn_after_its_batch(
    store: Store, namespace: str, operations: Operations
) -> None:
    ids = submit_many(store, operations, 8)
    lane = LaneInTest(store, joined(store, namespace))
    jobs = lane.turns.take(2).jobs
    lane.turns.send_ahead(jobs, 2)
    ran, settled = [], []

    while jobs:
        ran += [job.id for job in jobs]
        lane.batch.ahead.held = jobs
        lane.run(jobs)
        ahead = lane.turns.take_ahead(2 if len(ran) < 8 else 0)
        assert ahead is not None
        assert ahead.is_full is (len(ran) < 8)
        settled += [result.job_id for result in ahead.results]
        jobs = ahead.turn.jobs

    assert ran == ids
    assert settled == ids[:6]
    lane.turns.take(0)
    assert lane.turns.take_ahead(2) is None
    assert {store.run(operations.status(job_id)) for job_id in ids} == {JobStatus.FINISHED}


@pytest.mark.parametrize("is_known", [True, False])
def test_ids_that_others_put_into_the_claimed_list_are_found_while_turns_follow_each_other(
    store: Store, namespace: str, operations: Operations, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    """A turn that is sent before the lane knows what it holds does not find them, so at times one does."""
    monkeypatch.setattr(lane_turns, "_BLIND_S", 0.0 if is_known else 3600.0)
    ids = submit_many(store, operations, 6)
    actor = joined(store, namespace)
    lane = LaneInTest(store, actor)
    jobs = lane.turns.take(2).jobs
    lane.batch.ahead.held = jobs
    lane.turns.send_ahead(jobs, 1)
    lane.run(jobs)
    eventually(lambda: store.run(operations.status(ids[2])) is JobStatus.STARTED, what="the turn has arrived")
    store.run(actor.take(0))

    first = lane.turns.take_ahead(1)
    assert first is not None
    if not lane.batch.ahead.pending:
        lane.turns.send_ahead(first.turn.jobs, 1)
    second = lane.turns.take_ahead(0)

    assert second is not None
    assert [job.id for job in first.turn.jobs] == [ids[2]]
    assert [job.id for job in second.turn.jobs] == [ids[3] if is_known else ids[4]]


def test_a_job_that_is_queued_twice_does_not_run_again_while_it_runs(
    store: Store, namespace: str, operations: Operations
) -> None:
    actor = joined(store, namespace)
    ids = submit_many(store, operations, 3)
    lane = LaneInTest(store, actor)
    jobs = lane.turns.take(2).jobs
    store.run(Op(("LPUSH", operations.keys.work("osis"), ids[1]), int))  # by another program

    lane.batch.ahead.held = jobs
    lane.turns.send_ahead(jobs, 2)
    lane.run(jobs)
    ahead = lane.turns.take_ahead(0)

    assert ahead is not None
    assert [job.id for job in ahead.turn.jobs] == ids[2:]
    assert not ahead.is_full
    lane.run(ahead.turn.jobs)
    assert lane.turns.take(5).jobs == []
    assert claimed_ids(store, actor) == []


def test_a_lane_waits_while_the_beat_reads_the_answer(store: Store, namespace: str, operations: Operations) -> None:
    ids = submit_many(store, operations, 3)
    lane = LaneInTest(store, joined(store, namespace))
    jobs = lane.turns.take(2).jobs
    lane.batch.ahead.held = jobs
    lane.turns.send_ahead(jobs, 1)
    lane.run(jobs)
    answers: list[AheadAnswer | None] = []
    thread = threading.Thread(target=lambda: answers.append(lane.turns.take_ahead(0)))
    ahead = lane.batch.ahead
    begun = ahead.begun
    assert begun is not None

    def let_lane_look() -> None:
        thread.start()
        thread.join(0.2)  # a lane that does not wait finds nothing meanwhile

    with lane.batch.trips:
        ahead._begun = LateBegun(begun, let_lane_look)
        ahead.collect()
    thread.join()

    assert answers[0] is not None
    assert [job.id for job in answers[0].turn.jobs] == ids[2:]


@pytest.mark.parametrize("most", [0, 1])
def test_after_lost_answers_the_next_turn_brings_their_jobs_and_settles_all_results_once(
    own_valkey: ValkeyServer, namespace: str, operations: Operations, most: int
) -> None:
    with Store(own_valkey.url, name="lane") as store, Store(own_valkey.url) as other:
        actor = joined(other, namespace)
        ids = submit_many(other, operations, 6)
        lane = LaneInTest(store, actor)
        lane.run(lane.turns.take(2).jobs)
        jobs = lane.turns.take(2).jobs
        lose_answers(store)
        lane.turns.send_ahead(jobs, 1)
        lane.run(jobs)
        eventually(lambda: other.run(operations.status(ids[4])) is JobStatus.STARTED, what="the turn has arrived")
        own_valkey.command("CLIENT", "KILL", "ID", client_id(own_valkey, "lane"))

        with pytest.raises(StoreUnavailable):
            lane.turns.take_ahead(most)  # sends one more, or none

        assert lane.batch.ahead.is_lost
        assert lane.turns.take_ahead(most) is None
        assert [job.id for job in lane.turns.take(3).jobs] == ids[4:]
        assert not lane.batch.ahead.is_lost
        for job_id in ids[:4]:
            assert other.run(Op(("LLEN", operations.keys.reply(job_id)), int)) == 1


def test_what_a_turn_claimed_too_long_ago_starts_only_when_the_store_has_given_it_again(
    store: Store, namespace: str, operations: Operations
) -> None:
    ids = submit_many(store, operations, 4)
    lane = LaneInTest(store, joined(store, namespace), hold_s=0.0)
    lane.turns.send_ahead([], 4)

    answer = lane.turns.take_ahead(0)

    assert answer is not None
    assert answer.turn.jobs == []
    assert lane.batch.ahead.may_hold
    for job_id in ids:  # each claim is too old for a second job
        jobs = lane.turns.take(4).jobs
        lane.run(jobs)
        assert jobs[0].id == job_id
    assert lane.turns.take(4).jobs == []
    assert {store.run(operations.status(job_id)) for job_id in ids} == {JobStatus.FINISHED}
