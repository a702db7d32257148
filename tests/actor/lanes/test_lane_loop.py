"""What one lane does: what it claims, what it settles and when, and how it ends."""

from __future__ import annotations

import select
import time
from pathlib import Path

import pytest

from hero_actor.conditions.shutdown_flags import Reason
from hero_actor.lanes.lane import LaneState
from hero_engine.engine import Done, Outcome, RunLog
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import Recoveries
from hero_job.protocol.op import Op
from tests.actor.engines import Handle
from tests.actor.lanes.lane_alone import Gate, LaneAlone, MakeLane, log_of
from tests.actor.process import make_job
from tests.eventually import GENEROUS_S, eventually
from tests.job.steps import claimed_ids


def queue_length(actor: LaneAlone) -> int:
    return actor.client.run(Op(("LLEN", actor.operations.keys.work("osis")), int))


def test_a_lane_runs_what_is_queued_and_then_waits_for_more(make_lane: MakeLane) -> None:
    actor = make_lane()
    lane = actor.lane
    first = actor.submit("1")
    assert not lane.turned
    assert lane.ended

    lane.start()

    assert actor.output(first) == "1"
    actor.wait_idle()
    assert lane.state is LaneState.IDLE
    assert lane.turned
    assert not lane.ended
    assert actor.output(actor.submit("2")) == "2"
    actor.wait_idle()
    assert lane.started == 2
    assert actor.engine.ran == ["1", "2"]
    assert claimed_ids(actor.client, actor.claims) == []


def test_the_first_answer_of_the_store_wakes_who_waits_until_the_actor_is_ready(make_lane: MakeLane) -> None:
    actor = make_lane()

    actor.lane.start()

    assert select.select([actor.shutdown.wake_read_fd], [], [], GENEROUS_S)[0]
    assert actor.lane.turned


def test_a_lane_says_what_it_does_and_since_when(make_lane: MakeLane) -> None:
    actor, gate = make_lane(), Gate()
    lane = actor.lane
    job_id = actor.submit(actor.script("gate", gate))
    made_mono = lane.since_mono

    lane.start()
    gate.wait_begun()

    assert lane.state is LaneState.RUNNING
    assert made_mono < lane.since_mono <= time.monotonic()
    assert (lane.jobs, lane.started) == (0, 1)
    gate.open.set()
    assert actor.output(job_id) == "through the gate"
    actor.wait_idle()
    assert (lane.jobs, lane.started) == (1, 1)


def test_after_a_pause_a_lane_claims_one_job_so_that_others_can_take_the_next(make_lane: MakeLane) -> None:
    actor, gate = make_lane(), Gate()
    fast = [actor.submit("1") for _ in range(100)]
    actor.lane.start()
    assert actor.output(fast[-1]) == "1"
    actor.wait_idle()
    script = actor.script("gate", gate)

    # In one message, so that all of them are there before the lane is awake.
    slow = actor.client.run_many([actor.operations.create(make_job(script, "osis"), start=True) for _ in range(3)])
    gate.wait_begun()

    assert [actor.status(str(job_id)) for job_id in slow] == [
        JobStatus.STARTED, JobStatus.DISPATCHED, JobStatus.DISPATCHED
    ]  # fmt: skip
    gate.open.set()


def test_a_lane_that_drains_settles_its_result_and_claims_nothing_more(make_lane: MakeLane) -> None:
    actor, gate = make_lane(), Gate()
    running = actor.submit(actor.script("gate", gate))
    actor.lane.start()
    gate.wait_begun()
    waiting = actor.submit("1")

    actor.shutdown.request(Reason.SIGNAL)
    gate.open.set()
    eventually(lambda: actor.lane.ended, what="the lane has ended")

    assert actor.status(running) is JobStatus.FINISHED
    assert actor.status(waiting) is JobStatus.DISPATCHED
    assert queue_length(actor) == 1
    assert actor.engine.ran == ["gate"]
    assert not actor.lane.crashed


def test_a_waiting_lane_that_drains_ends_without_a_turn_for_the_id_that_woke_it(make_lane: MakeLane) -> None:
    actor = make_lane()
    actor.lane.start()
    actor.wait_idle()

    actor.shutdown.drain.set()
    woken_by = actor.submit("1")
    eventually(lambda: actor.lane.ended, what="the lane has ended")

    assert claimed_ids(actor.client, actor.claims) == [woken_by]
    assert actor.status(woken_by) is JobStatus.DISPATCHED


def test_a_job_that_the_end_of_its_actor_has_cancelled_is_not_settled(make_lane: MakeLane) -> None:
    actor, gate = make_lane(), Gate()
    job_id = actor.submit(actor.script("gate", gate))
    actor.lane.start()
    gate.wait_begun()

    actor.shutdown.request(Reason.SIGNAL, stop=True)
    actor.batch.stop()
    eventually(lambda: actor.lane.ended, what="the lane has ended")

    # Leaving the registry hands it back.
    assert actor.status(job_id) is JobStatus.STARTED
    assert claimed_ids(actor.client, actor.claims) == [job_id]


def test_a_job_that_somebody_stops_ends_as_stopped_and_the_next_one_runs(make_lane: MakeLane) -> None:
    actor, gate = make_lane(), Gate()
    stopped, following = actor.submit(actor.script("gate", gate)), actor.submit("1")
    actor.lane.start()
    gate.wait_begun()

    assert actor.batch.cancel(stopped, None)

    assert actor.output(following) == "1"
    assert actor.status(stopped) is JobStatus.STOPPED


def test_a_job_that_was_cancelled_at_its_deadline_has_timed_out(make_lane: MakeLane) -> None:
    actor, gate = make_lane(), Gate()
    job_id = actor.submit(actor.script("gate", gate), timeout_s=3600)
    actor.lane.start()
    gate.wait_begun()

    actor.batch.cancel_overdue(time.monotonic() + 3601)

    reply = actor.client.wait_reply(actor.operations, job_id, GENEROUS_S)
    assert (reply.status, reply.error_kind) == (JobStatus.ERROR, "timeout")
    assert "3600 s" in str(reply.error)


def test_a_lane_whose_actor_was_declared_dead_runs_nothing_more_and_ends_the_process(make_lane: MakeLane) -> None:
    actor, gate = make_lane(), Gate()
    job_id = actor.submit(actor.script("gate", gate))
    actor.lane.start()
    gate.wait_begun()
    incarnation, namespace = actor.entry.incarnation, actor.operations.keys.namespace
    actor.client.run(Recoveries(namespace).recover(incarnation, proven_dead=True))
    gate.open.set()

    eventually(lambda: actor.lane.ended, what="the lane has ended")

    assert actor.shutdown.reason is Reason.DECLARED_DEAD
    assert actor.shutdown.stop.is_set()
    assert actor.status(job_id) is JobStatus.DISPATCHED, "its late result does not count"
    assert actor.engine.ran == ["gate"]


def test_a_defect_that_ends_a_lane_ends_its_actor(make_lane: MakeLane, caplog: pytest.LogCaptureFixture) -> None:
    def leave(run: Handle, log: RunLog) -> Outcome:
        raise SystemExit(3)

    actor = make_lane()
    job_id = actor.submit(actor.script("leave", leave))
    actor.shutdown.clear_wake()

    actor.lane.start()
    eventually(lambda: actor.lane.ended, what="the lane has ended")

    assert actor.lane.crashed
    assert actor.shutdown.reason is Reason.CRASHED
    assert not actor.shutdown.stop.is_set(), "the other lanes may finish"
    assert actor.status(job_id) is JobStatus.STARTED
    assert [record.message for record in caplog.records] == ["lane.crashed"]


def test_a_large_result_is_settled_before_the_next_job_of_its_batch_begins(make_lane: MakeLane) -> None:
    actor = make_lane()
    before: list[JobStatus] = []
    large = actor.script("large", lambda run, log: Done("x" * 300_000))

    def look(run: Handle, log: RunLog) -> Outcome:
        before.append(actor.status(jobs[0]))
        return Done("looked")

    jobs = [actor.submit(script) for script in (large, actor.script("look", look), "1")]
    turn = actor.client.run(actor.claims.turn(0, [], 3))
    assert len(turn.jobs) == 3

    actor.lane._run_jobs(turn)

    assert before == [JobStatus.FINISHED]
    assert actor.batch.has_results, "the small ones wait for the next turn"
    assert actor.lane.state is LaneState.RUNNING
    actor.lane.start()
    for job_id, output in zip(jobs, ("x" * 300_000, "looked", "1"), strict=True):
        assert actor.output(job_id) == output
    assert actor.engine.ran == ["large", "look", "1"]


def test_the_beat_is_asked_to_look_only_at_a_lane_that_holds_more_than_it_runs(make_lane: MakeLane) -> None:
    actor = make_lane()
    for count in (1, 3):
        for _ in range(count):
            actor.submit("1")
        actor.lane._run_jobs(actor.client.run(actor.claims.turn(0, actor.batch.take_results(), count)))
        assert actor.on_batch == (count > 1)


def test_what_a_script_logs_is_in_the_store_and_in_its_file_before_its_result(
    make_lane: MakeLane, tmp_path: Path
) -> None:
    seen: list[str] = []

    def talk(run: Handle, log: RunLog) -> Outcome:
        log.line("info", "hello")
        log.progress(1, 2, "half")
        return Done("said")

    def look(run: Handle, log: RunLog) -> Outcome:
        seen.append(log_of(tmp_path / "a.log"))
        return Done("")

    actor = make_lane(log_dir=str(tmp_path))
    talking = actor.submit(actor.script("talk", talk), log_path="a.log")
    actor.submit(actor.script("look", look))

    actor.lane._run_jobs(actor.client.run(actor.claims.turn(0, [], 2)))

    assert len(seen) == 1
    assert "hello" in seen[0]
    record = actor.client.run(actor.operations.record(talking))
    assert record.progress is not None
    assert (record.progress.done, record.progress.text) == (1, "half")
    assert not actor.batch.log.dirty


@pytest.mark.parametrize("where", ["no folder for files", "outside of the folder"])
def test_a_job_whose_log_file_is_not_written_succeeds_all_the_same(
    make_lane: MakeLane, tmp_path: Path, where: str
) -> None:
    def talk(run: Handle, log: RunLog) -> Outcome:
        log.line("info", "hello")
        return Done("said")

    folder = tmp_path / "logs"
    folder.mkdir()
    actor = make_lane(log_dir=str(folder) if where == "outside of the folder" else "")
    path = "../a.log" if where == "outside of the folder" else "a.log"
    job_id = actor.submit(actor.script("talk", talk), log_path=path)
    actor.lane.start()

    assert actor.output(job_id) == "said"
    assert [*tmp_path.rglob("*.log")] == []
