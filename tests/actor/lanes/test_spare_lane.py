"""A spare lane: it looks for jobs while a script waits for others, and for one job at a time."""

from __future__ import annotations

import threading

from hero_actor.conditions.shutdown_flags import Reason
from hero_actor.lanes.lane import LaneState
from hero_actor.lanes.lent_slots import LentSlots
from hero_actor.lanes.spare_lane import SpareLane
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import Recoveries
from tests.actor.lanes.lane_alone import Gate, LaneAlone, MakeLane
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def nothing() -> None:
    """A script that need not end."""


def spare(make_lane: MakeLane, *url: str) -> tuple[LaneAlone, LentSlots]:
    lent = LentSlots(2, lambda: False, lambda _number: None)
    actor = make_lane(*url, kind=SpareLane, lent_slots=lent)
    actor.lane.start()
    return actor, lent


def test_it_runs_jobs_while_a_script_waits_and_at_no_other_time(make_lane: MakeLane) -> None:
    actor, lent = spare(make_lane)
    early = actor.submit("1")
    with lent.lend(nothing):
        assert actor.output(early) == "1"
        assert actor.output(actor.submit("2")) == "2", "it looks again"
        eventually(lambda: actor.lane.state is LaneState.SPARE, what="it has settled the job")
    late = actor.submit("3")
    assert not threading.Event().wait(0.1)
    assert actor.status(late) is JobStatus.DISPATCHED

    with lent.lend(nothing):
        assert actor.output(late) == "3"

    assert actor.engine.ran == ["1", "2", "3"]
    assert actor.lane.jobs == 3


def test_it_claims_one_job_at_a_time_and_gives_its_slot_back_when_the_job_has_ended(make_lane: MakeLane) -> None:
    actor, lent = spare(make_lane)
    gate = Gate()
    running, waiting = actor.submit(actor.script("gate", gate)), actor.submit("1")
    with lent.lend(nothing):
        gate.wait_begun()
        assert actor.lane.state is LaneState.RUNNING
        assert lent._running == 1
        assert actor.status(waiting) is JobStatus.DISPATCHED
        gate.open.set()
        assert actor.output(running) == "through the gate"
        assert actor.output(waiting) == "1"
    eventually(lambda: lent._running == 0, what="it has given its slot back")


def test_it_ends_with_its_actor_whether_a_script_waits_or_not(make_lane: MakeLane) -> None:
    actor, lent = spare(make_lane)
    with lent.lend(nothing):
        actor.shutdown.request(Reason.SIGNAL)
        eventually(lambda: actor.lane.ended, what="it has ended")
    assert not actor.lane.crashed


def test_it_ends_when_its_actor_was_declared_dead(make_lane: MakeLane) -> None:
    actor, lent = spare(make_lane)
    recoveries = Recoveries(actor.operations.keys.namespace)
    actor.client.run(recoveries.recover(actor.entry.incarnation, proven_dead=True))

    with lent.lend(nothing):
        eventually(lambda: actor.lane.ended, what="it has ended")

    assert actor.shutdown.reason is Reason.DECLARED_DEAD
    assert actor.shutdown.stop.is_set()


def test_a_result_waits_for_the_store_and_keeps_its_slot(make_lane: MakeLane, own_valkey: ValkeyServer) -> None:
    actor, lent = spare(make_lane, own_valkey.url)
    gate = Gate()
    job_id = actor.submit(actor.script("gate", gate))
    with lent.lend(nothing):
        gate.wait_begun()
        own_valkey.kill()
        gate.open.set()
        eventually(lambda: actor.lane.state is LaneState.CONNECTING, what="it has a result and no store")
        assert lent._running == 1
        own_valkey.start()

        assert actor.output(job_id) == "through the gate"
        eventually(lambda: actor.lane.state is LaneState.SPARE, what="it goes on")
    assert actor.engine.ran == ["gate"]
