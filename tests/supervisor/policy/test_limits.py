"""The policy: what it reports, what a new process begins with, and where exactly its limits lie."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hero_supervisor.policy.child_state import ChildState, Phase, Restart, backoff_s
from hero_supervisor.policy.decide import decide, next_due
from hero_supervisor.policy.events import (
    Draining,
    Event,
    Exited,
    Heartbeat,
    Kill,
    LaneReport,
    Ready,
    Report,
    Silent,
    Stop,
    Tick,
)
from tests.supervisor.policy.children import LIMITS, after, child_in, reports


def the_report(child: ChildState, event: Event, now: float = 100.0) -> Report:
    """The only report of an event."""
    (report,) = (action for action in decide(child, event, now)[1] if isinstance(action, Report))
    return report


def test_the_report_of_an_end_says_how_the_child_ended() -> None:
    running = child_in(Phase.RUNNING)
    assert the_report(running, Exited(3, 0.0)) == Report("child.ended", "warning", "exit 3", 0.0)
    assert the_report(running, Exited(-9, 0.0)).reason == "signal 9 (Killed)"
    assert the_report(running, Exited(None, 0.0)).reason == "it could not be started"
    killed, _ = after(running, Silent("it took no ping"))
    assert the_report(killed, Exited(-9, 0.0)).reason == "killed: it took no ping"
    stopped, _ = after(running, Stop())
    assert the_report(stopped, Exited(0, 0.0)) == Report("child.stopped", "info", "exit 0")


def test_the_report_of_a_replacement_says_why_the_process_asked_for_it() -> None:
    drained, _ = after(child_in(Phase.RUNNING, started=50.0), Draining("max_jobs"))
    assert the_report(drained, Exited(75, 0.0)) == Report("child.replaced", "info", "max_jobs", 0.0)
    assert the_report(child_in(Phase.RUNNING, started=50.0), Exited(75, 0.0)).reason == "exit 75"


def test_the_pause_and_the_number_of_restarts_are_in_the_reports() -> None:
    child = child_in(Phase.RUNNING, failures=2, restarts=(70.0, 80.0, 90.0))
    ended, held = (action for action in decide(child, Exited(1, 0.5), 100.0)[1] if isinstance(action, Report))
    assert ended.pause_s == LIMITS.backoff_max_s * 0.75
    assert held.level == "error"
    assert "4 restarts within 60 s" in held.reason
    assert "every 30 s" in held.reason


def test_a_refusal_to_start_waits_for_an_operator_whatever_the_exit_code_says() -> None:
    before = child_in(Phase.STARTING, ready=None, control=False)
    assert the_report(before, Exited(None, 0.0, "no such program")) == Report(
        "child.boot_failed", "error", "no such program"
    )
    assert after(before, Exited(None, 0.0, "no such program"))[0].phase is Phase.FAILED


@pytest.mark.parametrize("code", [2, 69, 75])
def test_the_exit_codes_of_another_program_mean_only_that_it_has_ended(code: int) -> None:
    child, _ = after(child_in(Phase.RUNNING, control=False, started=50.0), Exited(code, 0.0))
    assert (child.phase, child.failures) == (Phase.WAITING, 1)


def test_a_process_that_was_ready_for_exactly_the_least_time_may_ask_to_be_replaced() -> None:
    child, _ = after(child_in(Phase.RUNNING, started=99.0), Exited(75, 0.0))
    assert child.failures == 0


@pytest.mark.parametrize(
    ("restart", "code", "phase"),
    [
        (Restart.PERMANENT, 0, Phase.WAITING),
        (Restart.TRANSIENT, 0, Phase.ENDED),
        (Restart.TRANSIENT, 1, Phase.WAITING),
        (Restart.TRANSIENT, -15, Phase.WAITING),
        (Restart.TEMPORARY, 0, Phase.ENDED),
        (Restart.TEMPORARY, 1, Phase.ENDED),
        (Restart.TEMPORARY, 75, Phase.ENDED),
    ],
)
def test_the_restart_rule_says_after_which_ends_a_child_starts_again(restart: Restart, code: int, phase: Phase) -> None:
    running = child_in(Phase.RUNNING, limits=replace(LIMITS, restart=restart))
    ended, _ = after(running, Exited(code, 0.0))
    assert ended.phase is phase
    if phase is Phase.ENDED:
        assert the_report(running, Exited(code, 0.0)).what == "child.done"
        assert next_due(ended) is None
        assert after(ended, Tick(), now=10_000.0)[1] == []


def test_a_new_process_begins_without_what_was_known_of_the_one_before() -> None:
    killed, _ = after(child_in(Phase.RUNNING, store_up_since=1.0), Draining("memory"), Exited(1, 0.0))
    child, _ = after(killed, Tick(), now=130.0)
    assert (child.phase, child.started, child.heard, child.since) == (Phase.STARTING, 130.0, 130.0, 130.0)
    assert (child.ready, child.store_up_since, child.drain_reason, child.kill_reason) == (None, None, "", "")
    assert child.due is None
    other, _ = after(replace(killed, control=False), Tick(), now=130.0)
    assert (other.phase, other.ready) == (Phase.RUNNING, 130.0)


def test_a_process_that_was_killed_gives_its_successor_no_reason_of_its_own() -> None:
    killed, _ = after(child_in(Phase.RUNNING), Silent("it took no ping"), Exited(-9, 0.0))
    started, _ = after(killed, Tick())
    assert the_report(started, Exited(1, 0.0)).reason == "exit 1"


def test_a_process_that_says_twice_that_it_is_ready_is_ready_since_the_first_time() -> None:
    child, _ = after(child_in(Phase.STARTING, ready=None), Ready(), now=101.0)
    child, _ = after(child, Ready(), now=103.0)
    assert (child.ready, child.heard, child.since) == (101.0, 103.0, 101.0)


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.ENDING, Phase.KILLED])
def test_a_process_that_is_ready_too_late_is_not_taken_for_running(phase: Phase) -> None:
    assert after(child_in(phase, ready=None), Ready())[0].phase is phase


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.ENDING, Phase.KILLED, Phase.STOPPED])
def test_a_beat_that_arrives_late_changes_nothing(phase: Phase) -> None:
    stuck = Heartbeat((LaneReport("running", 90_000, 60_000),))
    child = child_in(phase, store_up_since=0.0)
    assert decide(child, stuck, 110.0) == (child, ())


def test_a_lane_may_be_as_late_and_as_still_as_the_limits_say() -> None:
    child = child_in(Phase.RUNNING, store_up_since=0.0)
    late, still = int(LIMITS.overdue_s * 1000), int(LIMITS.stuck_s * 1000)
    assert after(child, Heartbeat((LaneReport("running", 90_000, late), LaneReport("idle", still, 0))))[1] == []
    _, (kill,) = after(child, Heartbeat((LaneReport("idle", 1, 0), LaneReport("running", 1, late + 1000))))
    assert kill == Kill("lane 1 is 6.0 s past its job's deadline")
    _, (kill,) = after(child, Heartbeat((LaneReport("settling", still + 1000, 0),)))
    assert kill == Kill("lane 0 has been settling for 11.0 s without moving")


def test_silence_is_judged_by_the_last_sign_of_life_and_at_the_limit_there_is_none_yet() -> None:
    child, _ = after(child_in(Phase.RUNNING), Heartbeat(), now=150.0)
    assert after(child, Tick(), now=150 + LIMITS.beat_s)[1] == []
    assert after(child, Tick(), now=150 + LIMITS.beat_s + 0.5)[1] == [Kill("no beat for 5.5 s")]


def test_a_tick_that_is_a_little_late_excuses_no_child() -> None:
    assert len(after(child_in(Phase.RUNNING), Tick(late_s=1.0), now=160.0)[1]) == 1
    assert after(child_in(Phase.RUNNING), Tick(late_s=1.1), now=160.0)[1] == []


def test_a_child_is_told_once_that_it_drains_and_from_then_on_has_no_deadline() -> None:
    running = child_in(Phase.RUNNING)
    assert the_report(running, Draining("memory"), 101.0) == Report("child.draining", "info", "memory")
    draining, _ = after(running, Draining("memory"), now=101.0)
    assert (draining.phase, draining.heard, draining.due, next_due(draining)) == (Phase.DRAINING, 101.0, None, None)
    again, actions = decide(draining, Draining("stuck"), 102.0)
    assert actions == ()
    assert (again.drain_reason, again.heard) == ("stuck", 102.0)


@pytest.mark.parametrize("phase", Phase)
def test_a_start_is_settled_when_its_result_is_known(phase: Phase) -> None:
    has_result = phase in (Phase.RUNNING, Phase.FAILED, Phase.ENDED, Phase.STOPPED)
    assert child_in(phase).settled == has_result
    assert child_in(phase, failures=1).settled == has_result, "the first crash may be an accident"
    assert child_in(phase, failures=2).settled


@pytest.mark.parametrize(("count", "pause_s"), [(1, 0), (2, 1), (3, 2), (4, 4), (6, 16), (7, 30), (1000, 30)])
def test_each_further_crash_in_a_row_doubles_the_pause(count: int, pause_s: float) -> None:
    assert backoff_s(LIMITS, count, held=False, roll=1.0) == pause_s
    assert backoff_s(LIMITS, count, held=False, roll=0.0) == pause_s / 2
    assert backoff_s(LIMITS, count, held=True, roll=1.0) == LIMITS.backoff_max_s


def test_nothing_is_due_for_a_healthy_child_or_one_that_only_events_move_on() -> None:
    assert next_due(child_in(Phase.RUNNING)) is None
    assert next_due(child_in(Phase.RUNNING, failures=1)) == 100 + LIMITS.healthy_s
    assert next_due(child_in(Phase.RUNNING, failures=1, ready=None)) is None
    assert next_due(child_in(Phase.STARTING, failures=1)) is None
    assert next_due(child_in(Phase.WAITING, due=0.0)) == 0.0


def test_a_crash_that_was_not_held_is_forgotten_without_a_report() -> None:
    child = child_in(Phase.RUNNING, failures=1)
    assert reports(child, Tick(), now=105.0) == []
    assert after(child, Tick(), now=105.0)[0].failures == 0
    assert after(replace(child, phase=Phase.DRAINING, control=False), Tick(), now=105.0)[0].failures == 1
