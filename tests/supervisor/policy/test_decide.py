"""The decisions of the policy: for states and events, and as properties of any history."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_supervisor.policy.child_state import ChildState, Phase, Restart, RestartLimits, backoff_s
from hero_supervisor.policy.decide import decide, next_due
from hero_supervisor.policy.events import (
    AskToDrain,
    Draining,
    Event,
    Exited,
    Heartbeat,
    Kill,
    LaneReport,
    Ready,
    Report,
    Silent,
    Spawn,
    Start,
    Stop,
    Terminate,
    Tick,
)
from tests.supervisor.policy.children import LIMITS, after, child_in, reports

# Starting


def test_wanted_child_is_started_at_the_first_tick() -> None:
    child, done = after(ChildState(limits=LIMITS), Tick())
    assert (child.phase, done) == (Phase.STARTING, [Spawn()])


def test_waiting_child_is_started_when_its_time_has_come_and_not_before() -> None:
    waiting = child_in(Phase.WAITING, due=110.0)
    assert after(waiting, Tick(), now=109.9)[1] == []
    assert after(waiting, Tick(), now=110.0)[1] == [Spawn()]


def test_child_is_running_when_it_says_that_it_is_ready() -> None:
    assert after(child_in(Phase.STARTING, ready=None), Ready())[0].phase is Phase.RUNNING


def test_program_without_control_protocol_is_running_once_it_is_started() -> None:
    assert after(ChildState(limits=LIMITS, control=False), Tick())[0].phase is Phase.RUNNING


def test_starting_child_may_be_silent_for_longer_than_a_running_one() -> None:
    starting = child_in(Phase.STARTING, ready=None)
    assert after(starting, Tick(), now=100 + LIMITS.boot_s - 1)[1] == []
    _, (kill,) = after(starting, Tick(), now=100 + LIMITS.boot_s + 1)
    assert isinstance(kill, Kill)


# Hanging


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.DRAINING])
def test_child_without_heartbeats_is_killed(phase: Phase) -> None:
    child, _ = after(child_in(phase), Heartbeat())
    assert after(child, Tick(), now=100 + LIMITS.beat_s - 0.1)[1] == []
    killed, (kill,) = after(child, Tick(), now=100 + LIMITS.beat_s + 0.1)
    assert isinstance(kill, Kill)
    assert killed.phase is Phase.KILLED
    assert after(killed, Tick(), now=500.0)[1] == []


def test_program_without_control_protocol_is_not_judged_by_heartbeats() -> None:
    assert after(child_in(Phase.RUNNING, control=False), Tick(), now=1000.0)[1] == []


def test_no_child_is_killed_because_the_supervisor_slept() -> None:
    child, done = after(child_in(Phase.RUNNING), Tick(late_s=60.0), now=160.0)
    assert done == []
    assert after(child, Tick(), now=160 + LIMITS.beat_s - 0.1)[1] == []
    assert len(after(child, Tick(), now=160 + LIMITS.beat_s + 0.1)[1]) == 1


@pytest.mark.parametrize(
    ("lane", "killed"),
    [
        (LaneReport("running", 3_600_000, 0), False),
        (LaneReport("running", 3_600_000, 4_000), False),
        (LaneReport("running", 3_600_000, 6_000), True),
        (LaneReport("idle", 900, 0), False),
        (LaneReport("idle", 11_000, 0), True),
        (LaneReport("settling", 11_000, 0), True),
        (LaneReport("connecting", 60_000, 0), False),
        (LaneReport("word of a later version", 60_000, 0), False),
    ],
)
def test_process_with_a_lane_that_does_not_move_on_is_killed(lane: LaneReport, killed: bool) -> None:
    child = child_in(Phase.RUNNING, store_up_since=0.0)
    assert [type(action) for action in after(child, Heartbeat((LaneReport("idle", 1, 0), lane)))[1]] == [Kill] * killed


def test_idle_lane_may_stand_still_while_the_store_is_away_and_for_a_while_after() -> None:
    stuck = (LaneReport("settling", 60_000, 0),)
    child, done = after(child_in(Phase.RUNNING, store_up_since=0.0), Heartbeat(stuck, store_up=False))
    assert done == []
    child, done = after(child, Heartbeat(stuck, store_up=True), now=101.0)
    assert done == []
    assert after(child, Heartbeat(stuck, store_up=True), now=110.0)[1] == []
    assert len(after(child, Heartbeat(stuck, store_up=True), now=111.5)[1]) == 1


def test_actor_that_drains_because_of_a_stuck_job_may_finish_its_other_jobs() -> None:
    overdue = Heartbeat((LaneReport("running", 90_000, 60_000),))
    child, _ = after(child_in(Phase.RUNNING), Draining("stuck"))
    assert child.phase is Phase.DRAINING
    assert after(child, overdue)[1] == []
    assert len(after(after(child_in(Phase.RUNNING), Draining("memory"))[0], overdue)[1]) == 1


# Ending by itself


def test_first_crash_is_followed_by_an_immediate_start() -> None:
    child, _ = after(child_in(Phase.RUNNING), Exited(1, 0.5))
    assert (child.phase, child.due) == (Phase.WAITING, 100.0)
    assert after(child, Tick())[1] == [Spawn()]


@pytest.mark.parametrize("code", [0, 1, 70, -9, None])
def test_every_unrequested_end_is_a_crash(code: int | None) -> None:
    child, _ = after(child_in(Phase.RUNNING), Exited(code, 0.0))
    assert (child.phase, child.failures) == (Phase.WAITING, 1)


@pytest.mark.parametrize("code", [2, 69])
@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RUNNING])
def test_failed_start_is_reported_once_and_not_tried_again(code: int, phase: Phase) -> None:
    before = child_in(phase)
    assert reports(before, Exited(code, 0.0)) == ["child.boot_failed"]
    failed, _ = after(before, Exited(code, 0.0))
    assert failed.phase is Phase.FAILED
    assert next_due(failed) is None
    assert decide(failed, Tick(), 10_000.0) == (failed, ())


def test_process_that_asks_to_be_replaced_is_replaced_immediately_and_not_counted() -> None:
    child, _ = after(child_in(Phase.DRAINING, failures=2, started=50.0), Exited(75, 0.9))
    assert (child.phase, child.due, child.failures, child.restarts) == (Phase.WAITING, 100.0, 2, ())


@pytest.mark.parametrize("changes", [{"ready": None, "started": 50.0}, {"started": 99.5}])
def test_process_that_asks_to_be_replaced_right_after_its_start_is_a_crash(changes: dict[str, Any]) -> None:
    child, _ = after(child_in(Phase.DRAINING, **changes), Exited(75, 0.9))
    assert child.failures == 1


def test_kill_counts_as_a_crash_even_with_the_exit_code_of_a_boot_failure() -> None:
    killed, _ = after(child_in(Phase.RUNNING), Tick(), now=200.0)
    child, _ = after(killed, Exited(69, 0.0), now=200.0)
    assert (child.phase, child.failures) == (Phase.WAITING, 1)


# Crash loops


def crash_loop(crashes: int, numbers: RestartLimits = LIMITS) -> tuple[ChildState, list[float], list[str]]:
    """Crash right after each start, and give the pauses and the reports."""
    child, now, pauses, told = ChildState(limits=numbers), 100.0, [], []
    for _ in range(crashes):
        child, _ = decide(child, Tick(), now)
        child, actions = decide(child, Exited(1, 0.999999), now)
        assert child.due is not None
        pauses.append(child.due - now)
        told += [action.what for action in actions if isinstance(action, Report)]
        now = child.due
    return child, pauses, told


def test_crash_loop_backs_off_is_held_at_the_longest_pause_and_goes_on() -> None:
    child, pauses, told = crash_loop(8)
    assert [round(pause) for pause in pauses] == [0, 1, 2, 30, 30, 30, 30, 30]
    assert child.held
    assert told.count("child.held") == 1
    assert child.phase is Phase.WAITING


def test_slow_crash_loop_is_held_when_it_restarts_too_often() -> None:
    patient = replace(LIMITS, backoff_min_s=0.001)
    child, now = ChildState(limits=patient), 100.0
    for _ in range(4):  # ready for long enough to be healthy each time
        child, _ = decide(child, Tick(), now)
        child, _ = decide(child, Ready(), now)
        child, _ = decide(child, Tick(), now + patient.healthy_s)
        now += 10.0
        child, _ = decide(child, Exited(1, 0.0), now)
        now = child.due or now
    assert child.held
    assert child.failures == 1


def test_restarts_outside_the_window_do_not_count() -> None:
    child = child_in(Phase.RUNNING, restarts=(1.0, 2.0, 39.0))
    assert not after(child, Exited(1, 0.0))[0].held
    assert after(replace(child, restarts=(41.0, 42.0, 43.0)), Exited(1, 0.0))[0].held


def test_memory_of_restarts_is_bounded() -> None:
    child, _, _ = crash_loop(50, replace(LIMITS, window_s=1e9))
    assert len(child.restarts) == LIMITS.max_restarts + 1


def test_child_that_was_ready_for_a_while_is_healthy_again() -> None:
    child = child_in(Phase.RUNNING, failures=5, held=True)
    assert next_due(child) == 100 + LIMITS.healthy_s
    assert after(child, Tick(), now=104.9)[0].held
    assert reports(child, Tick(), now=105.0) == ["child.recovered"]
    healthy, _ = after(child, Tick(), now=105.0)
    assert (healthy.failures, healthy.held) == (0, False)


def test_held_child_that_is_ready_only_for_a_moment_stays_held() -> None:
    child, _ = after(child_in(Phase.RUNNING, failures=5, held=True), Exited(1, 0.0), now=101.0)
    assert child.held
    assert child.due == 101 + LIMITS.backoff_max_s / 2


# Stopping


@pytest.mark.parametrize("phase", [Phase.WAITING, Phase.FAILED])
def test_child_without_a_process_is_stopped_immediately(phase: Phase) -> None:
    child, done = after(child_in(phase), Stop())
    assert (child.phase, done) == (Phase.STOPPED, [])


def test_stopping_is_drain_then_terminate_then_kill() -> None:
    child, done = after(child_in(Phase.RUNNING), Stop())
    assert (child.phase, done) == (Phase.DRAINING, [AskToDrain()])
    child = replace(child, control=False)  # so that missing heartbeats do not matter here
    assert after(child, Tick(), now=109.9)[1] == []
    child, done = after(child, Tick(), now=110.0)
    assert (child.phase, done) == (Phase.ENDING, [Terminate()])
    assert after(child, Tick(), now=111.9)[1] == []
    child, (kill,) = after(child, Tick(), now=112.0)
    assert isinstance(kill, Kill)
    assert after(child, Exited(-9, 0.0))[0].phase is Phase.STOPPED


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RUNNING, Phase.DRAINING, Phase.ENDING])
def test_second_stop_without_time_kills(phase: Phase) -> None:
    child, _ = after(child_in(phase), Stop())
    _, (kill,) = after(child, Stop(now=True))
    assert isinstance(kill, Kill)


def test_child_that_drains_by_itself_gets_a_deadline_when_it_is_to_stop() -> None:
    child, _ = after(child_in(Phase.RUNNING), Draining("max_jobs"))
    assert next_due(child) is None
    child, done = after(child, Stop())
    assert (child.due, done) == (110.0, [AskToDrain()])


def test_a_patient_stop_gives_no_deadline_until_a_second_one_does() -> None:
    patient, done = after(child_in(Phase.RUNNING), Stop(patient=True))
    assert (patient.phase, patient.due, done) == (Phase.DRAINING, None, [AskToDrain()])
    assert after(patient, Stop(patient=True), now=101.0) == (patient, [])
    hurried, done = after(patient, Stop(), now=101.0)
    assert (hurried.due, done) == (101 + LIMITS.shutdown_s, [])
    assert after(hurried, Stop(), now=105.0)[0].due == 101 + LIMITS.shutdown_s, "a third one gives no more time"


def test_a_program_without_heartbeats_gets_a_deadline_from_a_patient_stop_as_well() -> None:
    child, _ = after(child_in(Phase.RUNNING, control=False), Stop(patient=True))
    assert child.due == 100 + LIMITS.shutdown_s


@pytest.mark.parametrize("phase", [Phase.KILLED, Phase.STOPPED])
def test_a_killed_child_that_is_to_stop_is_not_started_again(phase: Phase) -> None:
    child, done = after(child_in(phase, kill_reason="it took no ping"), Stop())
    assert (child.phase, child.stopping, done) == (phase, True, [])
    assert after(child, Exited(-9, 0.0))[0].phase is Phase.STOPPED


def test_a_child_that_was_told_to_end_is_not_asked_to_drain_again() -> None:
    ending, _ = after(replace(after(child_in(Phase.RUNNING), Stop())[0], control=False), Tick(), now=110.0)
    assert (ending.phase, ending.due) == (Phase.ENDING, 110 + LIMITS.term_s)
    assert after(ending, Stop(), now=111.0) == (ending, [])
    _, (kill,) = after(ending, Tick(), now=112.0)
    assert kill == Kill("did not end within 12 s")


@pytest.mark.parametrize("code", [0, 2, 69, 75, 1, -9])
def test_child_that_was_stopped_is_not_started_again_however_it_ended(code: int) -> None:
    child, _ = after(child_in(Phase.RUNNING), Stop(), Exited(code, 0.0))
    assert child.phase is Phase.STOPPED
    assert after(child, Tick(), now=1000.0)[1] == []


def test_child_that_hangs_while_it_drains_is_killed() -> None:
    child, _ = after(child_in(Phase.RUNNING), Stop())
    _, (kill,) = after(child, Tick(), now=100 + LIMITS.beat_s + 0.1)
    assert isinstance(kill, Kill)


@pytest.mark.parametrize("phase", Phase)
def test_only_a_running_child_is_killed_for_an_unanswered_ping(phase: Phase) -> None:
    child, done = after(child_in(phase), Silent("it took no ping"))
    if phase is Phase.RUNNING:
        assert (child.phase, child.kill_reason, done) == (Phase.KILLED, "it took no ping", [Kill("it took no ping")])
    else:
        assert (child, done) == (child_in(phase), [])


def test_child_that_was_killed_is_started_again_even_if_its_exit_looks_orderly() -> None:
    transient = replace(LIMITS, restart=Restart.TRANSIENT)
    child, _ = after(child_in(Phase.RUNNING, limits=transient), Silent("it took no ping"), Exited(0, 0.0))
    assert child.phase is Phase.WAITING


@pytest.mark.parametrize("phase", Phase)
def test_start_starts_only_a_child_without_a_process_that_nobody_stopped(phase: Phase) -> None:
    _, done = after(child_in(phase), Start())
    assert done == ([Spawn()] if phase in (Phase.WAITING, Phase.FAILED, Phase.ENDED) else [])


# Properties

failures = st.integers(min_value=1, max_value=10_000)
rolls = st.floats(min_value=0, max_value=1, exclude_max=True)
limits = st.builds(
    RestartLimits,
    backoff_min_s=st.floats(min_value=0.001, max_value=10),
    backoff_max_s=st.floats(min_value=10, max_value=3600),
)


@given(limits, failures, rolls, st.booleans())
def test_backoff_is_never_above_the_longest_pause_and_at_least_half_of_the_pause_without_jitter(
    numbers: RestartLimits, count: int, roll: float, held: bool
) -> None:
    pause_s = backoff_s(numbers, count, held=held, roll=roll)
    whole_s = backoff_s(numbers, count, held=held, roll=1.0)
    assert whole_s / 2 <= pause_s <= whole_s <= numbers.backoff_max_s


@given(limits, failures, rolls)
def test_backoff_without_jitter_never_falls_and_is_zero_only_for_the_first_crash(
    numbers: RestartLimits, count: int, roll: float
) -> None:
    now_s = backoff_s(numbers, count, held=False, roll=roll)
    assert (now_s == 0) == (count == 1)
    assert backoff_s(numbers, count + 1, held=False, roll=roll) >= now_s


events = st.one_of(
    st.builds(Tick, st.floats(min_value=0, max_value=5)),
    st.just(Ready()),
    st.builds(
        Heartbeat, st.tuples(st.builds(LaneReport, st.just("running"), st.just(1), st.integers(0, 9000))), st.booleans()
    ),
    st.builds(Draining, st.sampled_from(["signal", "stuck", "memory"])),
    st.builds(Exited, st.sampled_from([0, 1, 75, -9, None]), rolls),
)


@given(st.lists(st.tuples(events, st.floats(min_value=0, max_value=20)), max_size=60))
def test_wanted_child_that_can_start_always_has_something_that_moves_it_on(
    history: list[tuple[Event, float]],
) -> None:
    """After every event it has either a process that is judged, or a time at which it is started."""
    child, now, process = ChildState(limits=LIMITS), 0.0, False
    for event, passed_s in [(Tick(), 0.0), *history]:
        now += passed_s
        if not process and not isinstance(event, Tick):
            continue  # messages and exits come only from a process
        child, actions = decide(child, event, now)
        spawned = Spawn() in actions
        assert not (spawned and process), "two processes in one slot"
        process = (process or spawned) and not isinstance(event, Exited)
        assert child.phase not in (Phase.FAILED, Phase.STOPPED)
        assert process == (child.phase is not Phase.WAITING)
        if not process:
            assert child.due is not None
            assert child.due <= now + LIMITS.backoff_max_s
