"""Which slots start after which, which restart together, and which are not started again. With real processes."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hero_config.model.settings import ActorSettings, Settings
from hero_supervisor.children.supervise import Supervision
from hero_supervisor.policy.child_state import ChildState, Phase, Restart, RestartLimits
from hero_supervisor.policy.decide import decide
from hero_supervisor.policy.events import Exited, Start, Stop, Tick
from hero_supervisor.process.spec import ActorSpec, Strategy
from tests.eventually import eventually_async
from tests.supervisor.supervising import NEEDS_FILE, QUICK, SLEEP, all_running, child, pid_of, program, run, supervising


def pids(supervision: Supervision) -> dict[str, int | None]:
    return {view.slot: view.pid for view in supervision.children()}


def kill(supervision: Supervision, slot: str) -> None:
    os.kill(pid_of(supervision, slot), signal.SIGKILL)


def test_entry_starts_when_the_entries_before_it_are_up_and_shows_what_it_waits_for() -> None:
    async def test() -> None:
        first = program("first", "import time; time.sleep(0.3)", limits=RestartLimits(restart=Restart.TEMPORARY))
        async with supervising(program("second", SLEEP, after=("first",)), first) as supervision:
            assert child(supervision, "second-1").waits_for == ("first-1",)
            # A program without the protocol is up as soon as it runs, and counts as up when it has ended for good.
            await eventually_async(lambda: child(supervision, "second-1").pid is not None)
        missing = ActorSpec(name="first", script_type="", command=("/none",), control=False, limits=QUICK)
        async with supervising(program("second", SLEEP, after=("first",)), missing) as supervision:
            views = {view.slot: view for view in await supervision.settled()}
            assert views["second-1"].waits_for == ("first-1",)
            assert views["second-1"].pid is None

    run(test)


@pytest.mark.parametrize(
    ("strategy", "killed", "restarted"),
    [
        (Strategy.ONE_FOR_ONE, "b-1", {"b-1"}),
        (Strategy.REST_FOR_ONE, "b-1", {"b-1", "c-1"}),
        (Strategy.REST_FOR_ONE, "c-1", {"c-1"}),
        (Strategy.ONE_FOR_ALL, "b-1", {"a-1", "b-1", "c-1"}),
    ],
)
def test_strategy_decides_which_slots_restart_together(strategy: Strategy, killed: str, restarted: set[str]) -> None:
    async def test() -> None:
        group = [program(name, SLEEP, strategy=strategy, strategy_group="g") for name in "abc"]
        async with supervising(*group, program("other", SLEEP, strategy=strategy)) as supervision:
            await eventually_async(lambda: all_running(supervision))
            before = pids(supervision)
            kill(supervision, killed)
            await eventually_async(
                lambda: all_running(supervision) and all(pids(supervision)[slot] != before[slot] for slot in restarted)
            )
            after = pids(supervision)
            assert {slot for slot in after if after[slot] != before[slot]} == restarted
            assert list(after) == ["a-1", "b-1", "c-1", "other-1"]

    run(test)


def test_processes_of_one_entry_form_a_group() -> None:
    async def test() -> None:
        async with supervising(program("a", SLEEP, count=3, strategy=Strategy.ONE_FOR_ALL)) as supervision:
            await eventually_async(lambda: all_running(supervision))
            before = pids(supervision)
            kill(supervision, "a-2")
            await eventually_async(
                lambda: all_running(supervision) and not set(before.values()) & set(pids(supervision).values())
            )

    run(test)


def test_group_restarts_with_a_crash_loop_and_recovers_with_it(tmp_path: Path) -> None:
    async def test() -> None:
        needed = tmp_path / "needed"
        # A slow machine takes a while for the crash, and that must not look like a life.
        limits = replace(QUICK, healthy_s=2.0)
        loops = program("a", NEEDS_FILE, needed, strategy=Strategy.ONE_FOR_ALL, strategy_group="g", limits=limits)
        other = program("b", SLEEP, strategy=Strategy.ONE_FOR_ALL, strategy_group="g")
        async with supervising(loops, other) as supervision:
            await eventually_async(lambda: child(supervision, "a-1").held, what="the loop is held")
            needed.touch()
            await eventually_async(
                lambda: not child(supervision, "a-1").held and all_running(supervision), what="both are up"
            )
            assert child(supervision, "a-1").holds == 1

    run(test)


def test_temporary_child_is_not_restarted_with_its_group() -> None:
    async def test() -> None:
        once = RestartLimits(restart=Restart.TEMPORARY, shutdown_s=1)
        specs = [
            program("a", SLEEP, strategy=Strategy.ONE_FOR_ALL, strategy_group="g"),
            program("b", SLEEP, strategy=Strategy.ONE_FOR_ALL, strategy_group="g", limits=once),
        ]
        async with supervising(*specs) as supervision:
            await eventually_async(lambda: all_running(supervision))
            before = pids(supervision)
            kill(supervision, "a-1")
            await eventually_async(lambda: child(supervision, "b-1").phase is Phase.STOPPED)
            await eventually_async(lambda: child(supervision, "a-1").pid not in (None, before["a-1"]))
            kill(supervision, "a-1")  # a stopped slot delays no other
            await eventually_async(
                lambda: child(supervision, "a-1").restarts == 2 and child(supervision, "a-1").pid is not None
            )

    run(test)


def test_transient_and_temporary_processes_may_end_for_good(tmp_path: Path) -> None:
    async def test() -> None:
        # It ends with code 3 at its first start, and with 0 at its second.
        code = "import os, sys; p = sys.argv[1]; e = os.path.exists(p); open(p, 'w').close(); sys.exit(0 if e else 3)"
        transient = RestartLimits(restart=Restart.TRANSIENT, backoff_min_s=0.01)
        specs = [
            program("transient", code, tmp_path / "mark", limits=transient),
            program("temporary", "import sys; sys.exit(3)", limits=RestartLimits(restart=Restart.TEMPORARY)),
        ]
        async with supervising(*specs) as supervision:
            await eventually_async(lambda: all(view.phase is Phase.ENDED for view in supervision.children()))
            views = supervision.children()
            assert [(view.last_exit, view.restarts) for view in views] == [("exit 0", 1), ("exit 3", 0)]
            supervision.start_again(["temporary-1"])
            await eventually_async(lambda: child(supervision, "temporary-1").restarts == 1)

    run(test)


@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize("code", [0, 1, 70, 75, -9, None])
def test_restart_rule_decides_which_exit_is_the_last(restart: Restart, code: int | None) -> None:
    running = ChildState(limits=RestartLimits(restart=restart), phase=Phase.RUNNING, started=0.0, ready=1.0)
    after, _ = decide(running, Exited(code, 0.5), 100.0)
    ends = restart is Restart.TEMPORARY or (restart is Restart.TRANSIENT and code == 0)
    assert after.phase is (Phase.ENDED if ends else Phase.WAITING)
    assert decide(after, Tick(), 1000.0)[0].phase is (Phase.ENDED if ends else Phase.STARTING)
    assert decide(after, Start(), 100.0)[0].phase is Phase.STARTING
    assert decide(after, Stop(), 100.0)[0].phase is Phase.STOPPED


def test_patient_stop_has_no_deadline_until_an_impatient_one_comes() -> None:
    running = ChildState(limits=RestartLimits(shutdown_s=3), phase=Phase.RUNNING, ready=1.0, heard=5.0)
    patient, _ = decide(running, Stop(patient=True), 5.0)
    assert (patient.phase, patient.due) == (Phase.DRAINING, None)
    assert decide(patient, Stop(patient=True), 6.0)[0] == patient
    assert decide(patient, Stop(), 6.0)[0].due == 9.0
    assert decide(patient, Stop(now=True), 6.0)[0].phase is Phase.KILLED
    without_control = ChildState(limits=RestartLimits(shutdown_s=3), control=False, phase=Phase.RUNNING, ready=1.0)
    assert decide(without_control, Stop(patient=True), 5.0)[0].due == 8.0


def entry(name: str, **fields: Any) -> ActorSettings:
    return ActorSettings(type="sal", name=name, **fields)


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([entry("a", after=("b",))], "'a' should start after 'b', but no entry has that name"),
        ([entry("a", after=("a",))], "start after each other: a -> a"),
        ([entry("a", after=("b",)), entry("b", after=("a",))], "start after each other"),
        (
            [entry("a", strategy_group="g", strategy="one_for_all"), entry("b", strategy_group="g")],
            "should have the same strategy",
        ),
        (
            [
                entry("a", strategy_group="g", strategy="one_for_all", after=("b",)),
                entry("b", strategy_group="g", strategy="one_for_all"),
            ],
            "start after each other",
        ),
        ([entry("a"), entry("a")], "used twice"),
    ],
)
def test_entries_that_cannot_be_put_in_order_are_refused(entries: list[ActorSettings], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Settings(actors=tuple(entries))
    with pytest.raises(ValueError, match="at most max"):
        entry("a", min=3, max=2)
