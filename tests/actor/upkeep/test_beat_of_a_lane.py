"""What the beat does for a lane whose thread is busy in a script: presence, logs, stops, deadlines and reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from hero_actor.conditions.shutdown_flags import Reason
from hero_actor.lanes.lane import LaneState
from hero_actor.upkeep import beat as beat_module
from hero_actor.upkeep.beat import BeatThread
from hero_engine.engine import Done, Outcome, RunLog
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import Recoveries
from hero_job.protocol.op import Op
from tests.actor.engines import Handle
from tests.actor.lanes.lane_alone import Gate, LaneAlone
from tests.eventually import GENEROUS_S, eventually
from tests.valkey_server import ValkeyServer


class BusyActor(LaneAlone):
    """A lane and its beat; neither has started.

    Args:
        url: Of the store.
        namespace: Of the test.
        grace_s: How long a job may run past its deadline, in seconds.
        every_s: Time between two refreshes, in seconds.
    """

    def __init__(self, url: str, namespace: str, *, grace_s: float = 3600.0, every_s: float = 0.02) -> None:
        super().__init__(url, namespace)
        self.beats = 0
        self.beat = BeatThread(
            store=self._store,
            operations=self.claims,
            lanes=[self.lane],
            shutdown=self.shutdown,
            outage=self.outage,
            grace_s=grace_s,
            on_beat=self._count_beat,
        )
        self.beat._every_s = every_s

    def __exit__(self, *problem: object) -> None:
        if self.beat._thread.ident is not None:
            self.beat.end()
            eventually(lambda: not self.beat._thread.is_alive(), what="the beat has ended")
        super().__exit__(*problem)

    def run(self, script: str = "gate", *, timeout_s: float = 3600.0) -> str:
        """Let the lane run a job whose script is in `functions`; return its id when the script has begun."""
        gate = Gate()
        self.gate = gate
        self.engine.functions.setdefault(script, gate)
        job_id = self.submit(script, timeout_s=timeout_s)
        self.lane.start()
        if self.engine.functions[script] is gate:
            gate.wait_begun()
        return job_id

    def presence(self) -> dict[str, str]:
        flat = self.client.run(Op(("HGETALL", self.claims.keys.actor(self.entry.incarnation)), list))
        return dict(zip(flat[::2], flat[1::2], strict=True))

    def _count_beat(self) -> None:
        self.beats += 1


class MakeActor(Protocol):
    """Makes a lane and its beat."""

    def __call__(self, url: str = "", *, grace_s: float = 3600.0, every_s: float = 0.02) -> BusyActor: ...


@pytest.fixture
def make_actor(valkey: ValkeyServer, namespace: str) -> Iterator[MakeActor]:
    with ExitStack() as actors:

        def make(url: str = "", *, grace_s: float = 3600.0, every_s: float = 0.02) -> BusyActor:
            actor = BusyActor(url or valkey.url, namespace, grace_s=grace_s, every_s=every_s)
            return actors.enter_context(actor)

        yield make


def test_the_presence_says_how_many_lanes_are_busy_and_how_many_jobs_have_run(make_actor: MakeActor) -> None:
    actor = make_actor()
    actor.beat.start()
    eventually(lambda: actor.presence().get("busy") == "0", what="nobody is busy")

    actor.run()
    eventually(lambda: actor.presence().get("busy") == "1", what="the lane is busy")
    assert actor.presence()["jobs"] == "0"
    actor.gate.open.set()

    eventually(lambda: (actor.presence()["busy"], actor.presence()["jobs"]) == ("0", "1"), what="the job has run")
    assert actor.beats >= 2
    assert actor.beat.waits_for_store_s(time.monotonic()) < GENEROUS_S


def test_no_more_lanes_are_busy_than_the_actor_has(make_actor: MakeActor) -> None:
    """A lane that waits for a job has lent its slot to a spare lane."""
    actor = make_actor()
    actor.beat._lanes = [actor.lane, actor.lane]
    actor.run()

    actor.beat.start()

    eventually(lambda: actor.presence().get("busy") == "1", what="the presence was refreshed")


def test_the_beat_says_how_long_the_store_has_not_answered(make_actor: MakeActor, own_valkey: ValkeyServer) -> None:
    actor = make_actor(own_valkey.url)
    actor.beat.start()
    eventually(lambda: actor.beats, what="it beats")
    own_valkey.freeze()
    try:
        eventually(lambda: actor.beat.waits_for_store_s(time.monotonic()) > 0.05, what="it waits")
        assert actor.beat.waits_for_store_s(time.monotonic() - 3600) < 0, "since a moment ago, not since ever"
        assert actor.beat.end() is None, "its report goes on by itself"
    finally:
        own_valkey.thaw()


def test_an_actor_that_was_declared_dead_ends_its_running_jobs(
    make_actor: MakeActor, caplog: pytest.LogCaptureFixture
) -> None:
    actor = make_actor()
    actor.run()
    actor.client.run(Recoveries(actor.operations.keys.namespace).recover(actor.entry.incarnation, proven_dead=True))

    actor.beat.start()
    eventually(actor.shutdown.stop.is_set, what="it is to end")
    beats = actor.beats
    eventually(lambda: actor.beats > beats + 2, what="it beats on")

    assert actor.shutdown.reason is Reason.DECLARED_DEAD
    assert [record.message for record in caplog.records].count("actor.declared_dead") == 1


def test_a_defect_of_the_beat_ends_the_actor(make_actor: MakeActor, caplog: pytest.LogCaptureFixture) -> None:
    actor = make_actor()

    def fail() -> None:
        raise RuntimeError("a defect")

    actor.beat._on_beat = fail

    actor.beat.start()

    eventually(actor.shutdown.drain.is_set, what="the actor ends")
    assert actor.shutdown.reason is Reason.CRASHED
    assert [record.message for record in caplog.records] == ["beat.crashed"]


def test_what_a_script_logs_is_written_while_it_runs_by_the_next_refresh(make_actor: MakeActor) -> None:
    actor = make_actor()
    said, go_on = threading.Event(), threading.Event()

    def talk(run: Handle, log: RunLog) -> Outcome:
        log.progress(1, 4, "a quarter")
        said.set()
        go_on.wait(GENEROUS_S)
        return Done("")

    job_id = actor.run(actor.script("talk", talk))
    assert said.wait(GENEROUS_S)
    try:
        assert actor.client.run(actor.operations.record(job_id)).progress is None
        with actor.batch.trips:
            # A lane in a round trip of its own writes it itself.
            actor.beat.start()
            eventually(lambda: actor.beats > 2, what="it beats")
            assert actor.batch.log.dirty
        eventually(lambda: actor.client.run(actor.operations.record(job_id)).progress, what="the progress is there")
        eventually(lambda: not actor.batch.trips.locked(), what="the lane can make its own round trips")
    finally:
        go_on.set()


def test_a_stop_whose_order_was_lost_is_found_by_the_beat(make_actor: MakeActor) -> None:
    actor = make_actor()
    job_id = actor.run()
    actor.client.run(actor.operations.stop(job_id))
    assert actor.status(job_id) is JobStatus.STOPPING

    actor.beat.start()

    reply = actor.client.wait_reply(actor.operations, job_id, GENEROUS_S)
    assert reply.status is JobStatus.STOPPED


def test_the_beat_does_not_stop_a_job_that_nobody_has_stopped(make_actor: MakeActor) -> None:
    actor = make_actor()
    job_id = actor.run()

    actor.beat.start()
    eventually(lambda: actor.beats > 5, what="it beats")

    assert isinstance(actor.batch.run, Handle)
    assert not actor.batch.run.cancelled.is_set()
    assert actor.status(job_id) is JobStatus.STARTED


def test_a_job_is_cancelled_at_its_deadline_although_the_next_refresh_is_far_away(make_actor: MakeActor) -> None:
    actor = make_actor(every_s=3600)
    job_id = actor.run(timeout_s=0.05)
    actor.beat.start()

    reply = actor.client.wait_reply(actor.operations, job_id, GENEROUS_S)

    assert (reply.status, reply.error_kind) == (JobStatus.ERROR, "timeout")
    assert actor.shutdown.reason is None, "it has yielded"
    assert not actor.batch.abandoned


class Deaf:
    """A script that ignores its cancellation."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, run: Handle, log: RunLog) -> Outcome:
        self.begun.set()
        self.go_on.wait(GENEROUS_S)
        return Done("late")


def test_a_job_that_does_not_yield_is_settled_after_its_grace_and_its_actor_drains(
    make_actor: MakeActor, caplog: pytest.LogCaptureFixture
) -> None:
    actor, deaf = make_actor(grace_s=0.05, every_s=3600), Deaf()
    before = actor.submit("1")
    job_id = actor.run(actor.script("deaf", deaf), timeout_s=0.05)
    try:
        assert actor.output(before) == "1"
        assert deaf.begun.wait(GENEROUS_S)
        actor.beat.start()

        reply = actor.client.wait_reply(actor.operations, job_id, GENEROUS_S)

        assert (reply.status, reply.error_kind) == (JobStatus.ERROR, "timeout")
        assert actor.shutdown.reason is Reason.STUCK
        assert not actor.shutdown.stop.is_set(), "the jobs of other lanes go on"
        eventually(lambda: not actor.beat.has_unsettled, what="the store has taken it")
        assert actor.lane.ended, "its thread is lost"
        assert [record.message for record in caplog.records].count("job.stuck") == 1
    finally:
        deaf.go_on.set()
    eventually(actor.has_ended, what="the lane has ended")
    assert actor.client.run(Op(("LLEN", actor.operations.keys.reply(job_id)), int)) == 1


def test_a_job_that_does_not_yield_is_settled_when_the_store_is_back(
    make_actor: MakeActor, own_valkey: ValkeyServer
) -> None:
    actor, deaf = make_actor(own_valkey.url, grace_s=0.05), Deaf()
    job_id = actor.run(actor.script("deaf", deaf), timeout_s=0.05)
    eventually(lambda: actor.status(job_id) is JobStatus.STARTED, what="the job runs")
    eventually(lambda: actor.lane.state is LaneState.RUNNING, what="the lane runs it")
    own_valkey.kill()
    try:
        actor.beat.start()
        eventually(lambda: actor.beat.has_unsettled, what="the job has been given up")
        assert actor.outage.active
        own_valkey.start()

        reply = actor.client.wait_reply(actor.operations, job_id, GENEROUS_S)
        assert reply.error_kind == "timeout"
        eventually(lambda: not actor.beat.has_unsettled, what="the store has taken it")
    finally:
        deaf.go_on.set()


def test_the_last_report_has_what_no_refresh_has_told(make_actor: MakeActor) -> None:
    actor = make_actor(every_s=3600)
    actor.beat.start()
    eventually(lambda: actor.presence().get("busy") == "0", what="the only refresh is over")
    first = actor.submit("1")
    actor.lane.start()
    assert actor.output(first) == "1"
    actor.wait_idle()

    report = actor.beat.end()

    assert report is not None
    assert actor.client.run(report)
    presence = actor.presence()
    assert (presence["busy"], presence["jobs"]) == ("0", "1")


def test_results_before_a_slow_job_and_jobs_behind_it_do_not_wait_for_it(
    make_actor: MakeActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beat_module, "SLOW_S", 0.02)
    actor = make_actor(every_s=3600)
    gate = Gate()
    early, slow, behind = (actor.submit(name) for name in ("1", actor.script("gate", gate), "2"))
    turn = actor.client.run(actor.claims.turn(0, [], 3))
    thread = threading.Thread(target=lambda: actor.lane._run_jobs(turn))
    actor.beat.start()
    thread.start()
    try:
        gate.wait_begun()
        actor.beat.watch_lanes()

        assert actor.output(early) == "1"
        eventually(lambda: actor.status(behind) is JobStatus.DISPATCHED, what="the job behind it is back in the queue")
        assert actor.status(slow) is JobStatus.STARTED
        eventually(lambda: not actor.batch.holds_more, what="the lane holds only the slow job")
    finally:
        gate.open.set()
        thread.join()
    assert actor.engine.ran == ["1", "gate"]
