"""What a supervisor tells of its processes, and what it says to the recovery of their jobs. With small programs."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hero_job.client.async_store import AsyncStore
from hero_job.operations.actor_operations import Recoveries
from hero_supervisor.children.supervise import Supervision
from hero_supervisor.policy.child_state import Phase, RestartLimits
from hero_supervisor.process.spec import ActorSpec
from hero_supervisor.upkeep.actor_events import SlotEvent
from hero_supervisor.upkeep.recovery import JobRecovery
from tests.eventually import eventually_async
from tests.supervisor.supervising import QUICK, SLEEP, SPEAKS, child, pid_of, program, run, speaking_program
from tests.valkey_server import ValkeyServer

LACKS = SPEAKS.replace('say(event="ready"', 'say(event="ready", unavailable="no engine"')


class NotingRecovery(JobRecovery):
    """Notes whose jobs it is asked to hand back, and why."""

    asked: list[tuple[str, str, bool]]

    async def recover_dead(self, incarnation: str, reason: str = "", *, stopped: bool = False) -> None:
        self.asked.append((incarnation.partition(".")[0], reason, stopped))
        await super().recover_dead(incarnation, reason, stopped=stopped)


@asynccontextmanager
async def telling(url: str, *specs: ActorSpec) -> AsyncIterator[tuple[Supervision, list[SlotEvent], NotingRecovery]]:
    """Keep entries running, and collect what is told of them."""
    async with AsyncStore(url) as store:
        recovery = NotingRecovery(store, Recoveries("test"), every_s=60)
        recovery.asked = []
        told: list[SlotEvent] = []
        supervision = Supervision(recovery, tell=told.append)
        supervision.want(specs)
        supervision.start()
        try:
            yield supervision, told, recovery
        finally:
            await supervision.stop(now=True)
            await recovery.close()


def words(told: list[SlotEvent]) -> list[str]:
    return [event.event for event in told]


def test_first_start_is_told_as_a_start_and_each_later_one_as_a_restart(valkey: ValkeyServer) -> None:
    async def test() -> None:
        spec = speaking_program("a", script_type="sal")
        async with telling(valkey.url, spec) as (supervision, told, recovery):
            await supervision.settled()
            os.kill(pid_of(supervision, "a-1"), signal.SIGKILL)
            await eventually_async(lambda: words(told).count("ready") == 2)
            assert words(told) == ["started", "ready", "ended", "restarted", "ready"]
            assert {(event.slot, event.script_type) for event in told} == {("a-1", "sal")}
            first, second = dict.fromkeys(event.incarnation for event in told)
            assert told[2].incarnation == first
            assert child(supervision, "a-1").incarnation == second
            assert recovery.asked == [("a-1", "its actor ended: signal 9 (Killed)", False)]

    run(test)


def test_engine_that_is_missing_is_told_instead_of_the_readiness(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with telling(valkey.url, speaking_program("a", LACKS)) as (supervision, told, _):
            await supervision.settled()
            assert [(event.event, event.reason) for event in told] == [("started", ""), ("unavailable", "no engine")]

    run(test)


def test_jobs_of_a_process_that_was_stopped_are_no_suspects_and_those_of_a_killed_one_say_why(
    valkey: ValkeyServer,
) -> None:
    async def test() -> None:
        late = program("late", SPEAKS, '[{"state": "running", "for_ms": 9000, "overdue_ms": 9000}]', control=True)
        limits = RestartLimits(shutdown_s=300)  # so that no pause of the machine makes it a kill
        async with telling(valkey.url, speaking_program("a", limits=limits), late) as (supervision, told, recovery):
            await eventually_async(lambda: any(view.phase is Phase.RUNNING for view in supervision.children()))
            await eventually_async(lambda: "killed" in words(told))
            await eventually_async(lambda: any(slot == "late-1" for slot, _, _ in recovery.asked))
            killed = next(reason for slot, reason, _ in recovery.asked if slot == "late-1")
            assert killed == "its actor was killed: lane 0 is 9.0 s past its job's deadline"
            assert not any(stopped for slot, _, stopped in recovery.asked if slot == "late-1")
            await eventually_async(lambda: child(supervision, "a-1").phase is Phase.RUNNING)
            supervision.set_aside(["a-1"])
            await eventually_async(lambda: child(supervision, "a-1").phase is Phase.STOPPED)
            assert [asked for asked in recovery.asked if asked[0] == "a-1"] == [("a-1", "its actor was stopped", True)]

    run(test)


def test_everything_that_a_process_has_said_comes_before_the_report_of_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        says = "print(('x' * 999 + '\\n') * 150 + 'the last', flush=True); raise SystemExit(3)"
        limits = RestartLimits(max_restarts=0, backoff_min_s=600, backoff_max_s=600)
        async with telling("unix:///nowhere", program("a", says, limits=limits)) as (supervision, told, _):
            # The loop stands still until the process has ended: its end and several pieces of output are there.
            os.waitid(os.P_PID, pid_of(supervision, "a-1"), os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
            await eventually_async(lambda: "ended" in words(told))

    with caplog.at_level("INFO"):
        run(test)
    order = [vars(record).get("text", record.message) for record in caplog.records]
    assert "the last" in order[: order.index("child.ended")]


@pytest.mark.parametrize("code", [0, 1])
def test_slot_that_was_up_once_starts_again_without_waiting_for_those_before_it(code: int) -> None:
    """The order is that of the first starts: a process that is down does not keep the others down."""

    async def test() -> None:
        crashes = RestartLimits(max_restarts=0, backoff_min_s=600, backoff_max_s=600)
        first = program("first", f"import sys; sys.stdin.read(); sys.exit({code})", limits=crashes)
        async with telling("unix:///nowhere", first, program("second", SLEEP, after=("first",), limits=QUICK)) as (
            supervision,
            _,
            _,
        ):
            await eventually_async(lambda: child(supervision, "second-1").pid is not None)
            await eventually_async(lambda: child(supervision, "first-1").held, what="the first one is down for long")
            before = pid_of(supervision, "second-1")
            os.kill(before, signal.SIGKILL)
            await eventually_async(lambda: child(supervision, "second-1").pid not in (None, before))
            assert child(supervision, "first-1").phase is Phase.WAITING

    run(test)


def test_slot_that_is_started_again_has_a_process_immediately() -> None:
    async def test() -> None:
        async with telling("unix:///nowhere", program("a", SLEEP)) as (supervision, _, _):
            assert child(supervision, "a-1").pid is not None, "at the start, too"
            supervision.set_aside(["a-1"])
            await eventually_async(lambda: child(supervision, "a-1").phase is Phase.STOPPED)
            assert child(supervision, "a-1").pid is None
            supervision.start_again(["a-1"])
            assert child(supervision, "a-1").pid is not None

    run(test)
