"""The rolling restart, with programs that speak the control protocol like actors."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from hero_supervisor.children.child_view import ChildView
from hero_supervisor.children.supervise import Supervision
from hero_supervisor.policy.child_state import Phase, RestartLimits
from hero_supervisor.process.spec import ActorSpec, Strategy
from tests.eventually import GENEROUS_S, eventually_async
from tests.supervisor.supervising import (
    SPEAKS,
    all_running,
    child,
    gone,
    pid_of,
    program,
    run,
    speaking_program,
    supervising,
)
from tests.valkey_server import ValkeyServer

BROKEN = "import sys; sys.exit(1)"
# Ready, and ignores everything but KILL. It sends heartbeats, so it does not count as hanging.
DEAF = SPEAKS.replace('if b"drain" in control.recv(100):', "if not control.recv(100):").replace(
    "signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)",
)


async def watched(supervision: Supervision, until: Callable[[], bool]) -> list[tuple[ChildView, ...]]:
    """Collect what every turn of the loop shows, until a condition holds."""
    seen = []
    async with asyncio.timeout(GENEROUS_S):
        while not until():
            seen.append(supervision.children())
            await asyncio.sleep(0)
    return seen


def test_successor_is_ready_before_the_old_process_is_told_to_drain(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", count=3), url=valkey.url) as supervision:
            before = {view.slot: view.pid for view in await supervision.settled()}
            assert supervision.rolling == ""
            rolling = supervision.replace(before)
            assert supervision.rolling == "a-1", "an operator sees where it is"
            seen = await watched(supervision, rolling.done)
            report = await rolling
            assert supervision.rolling == ""
            assert report.replaced == ("a-1", "a-2", "a-3")
            after = {view.slot: view.pid for view in supervision.children()}
            assert after.keys() == before.keys()
            assert not set(after.values()) & set(before.values())
            for views in seen:
                owners = [view for view in views if view.role == "owner"]
                # Every slot always had exactly one ready owner, and at most one more process ran.
                assert [view.slot for view in owners] == ["a-1", "a-2", "a-3"]
                assert all(view.phase is Phase.RUNNING for view in owners)
                assert len(views) <= 4
            assert all(gone(pid) for pid in before.values() if pid)

    run(test)


def test_process_that_serves_its_queue_in_order_ends_before_its_successor_starts(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", ordered=True), url=valkey.url) as supervision:
            (before,) = await supervision.settled()
            rolling = supervision.replace(["a-1"])
            seen = await watched(supervision, rolling.done)
            assert (await rolling).replaced == ("a-1",)
            assert all(len(views) == 1 for views in seen)
            pids = list(dict.fromkeys(view.pid for (view,) in seen if view.pid))
            assert len(pids) == 2
            assert pids[0] == before.pid
            (after,) = supervision.children()
            assert after.restarts == 1

    run(test)


def test_successor_that_does_not_become_ready_stops_the_roll_and_the_old_processes_stay(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", count=2), url=valkey.url) as supervision:
            before = [view.pid for view in await supervision.settled()]
            supervision.want([speaking_program("a", BROKEN, count=2)])
            report = await supervision.replace(())
            assert (report.failed, report.reason, report.kept) == ("a-1", "exit 1", ("a-1", "a-2"))
            assert [view.pid for view in supervision.children() if view.role == "owner"] == before
            # The same spec is not tried again, but another one is.
            supervision.want([speaking_program("a", BROKEN, count=2)])
            assert (await supervision.replace(())).replaced == ()
            assert [view.pid for view in supervision.children() if view.role == "owner"] == before
            supervision.want([speaking_program("a", SPEAKS + "\n", count=2)])
            assert (await supervision.replace(())).replaced == ("a-1", "a-2")
            assert not {view.pid for view in supervision.children()} & set(before)

    run(test)


def test_roll_goes_on_when_somebody_kills_a_new_process(valkey: ValkeyServer, tmp_path: Path) -> None:
    waits = f"import time, pathlib\nwhile not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\n"

    async def test() -> None:
        async with supervising(speaking_program("a", count=2), url=valkey.url) as supervision:
            await supervision.settled()
            supervision.want([speaking_program("a", waits + SPEAKS, count=2)])
            rolling = supervision.replace(())
            killed = await kill_successors(supervision, 2)
            (tmp_path / "go").touch()
            report = await rolling
            assert (report.replaced, report.failed) == (("a-1", "a-2"), "")
            assert not killed & {view.pid for view in supervision.children()}

    run(test)


def test_roll_ends_when_new_processes_are_killed_again_and_again(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", count=2), url=valkey.url) as supervision:
            before = [view.pid for view in await supervision.settled()]
            supervision.want([speaking_program("a", "import time; time.sleep(600)", count=2)])
            rolling = supervision.replace(())
            await kill_successors(supervision, 4)
            report = await rolling
            assert (report.failed, report.reason) == ("a-1", "signal 9 (Killed)")
            assert [view.pid for view in supervision.children() if view.role == "owner"] == before

    run(test)


async def kill_successors(supervision: Supervision, count: int) -> set[int | None]:
    """Kill this many new processes, one after the other."""
    killed: set[int | None] = set()

    def successor() -> int | None:
        found = (view.pid for view in supervision.children() if view.role == "successor" and view.pid not in killed)
        return next((pid for pid in found if pid), None)

    while len(killed) < count:
        pid = await eventually_async(successor)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    return killed


def test_corrected_spec_is_taken_while_the_broken_one_is_tried(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a"), url=valkey.url) as supervision:
            await supervision.settled()
            supervision.want([speaking_program("a", "import sys, time; time.sleep(0.3); sys.exit(1)")])
            await eventually_async(lambda: any(view.role == "successor" for view in supervision.children()))
            supervision.want([speaking_program("a", SPEAKS + "\n")])
            report = await supervision.replace(())
            assert (report.failed, report.replaced) == ("", ("a-1",))

    run(test)


def test_ordered_process_runs_its_old_program_again_when_the_new_one_fails(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", ordered=True), url=valkey.url) as supervision:
            await supervision.settled()
            supervision.want([speaking_program("a", BROKEN, ordered=True)])
            assert (await supervision.replace(())).failed == "a-1"
            await eventually_async(
                lambda: child(supervision, "a-1").phase is Phase.RUNNING, what="the old program runs"
            )

    run(test)


def test_old_process_that_does_not_drain_delays_only_the_roll(valkey: ValkeyServer) -> None:
    async def test() -> None:
        limits = RestartLimits(beat_s=600, shutdown_s=600)
        async with supervising(
            speaking_program("a", DEAF, limits=limits), speaking_program("b"), url=valkey.url
        ) as supervision:
            await supervision.settled()
            old = child(supervision, "a-1").pid
            rolling = supervision.replace(["a-1", "b-1"])
            await eventually_async(
                lambda: any(view.role == "retiring" for view in supervision.children()), what="it is succeeded"
            )
            (retiring,) = [view for view in supervision.children() if view.role == "retiring"]
            assert (retiring.pid, retiring.phase) == (old, Phase.DRAINING)
            other = child(supervision, "b-1").pid
            assert other is not None
            os.kill(other, signal.SIGKILL)
            await eventually_async(
                lambda: child(supervision, "b-1").pid not in (other, None), what="the other one is replaced"
            )
            assert not rolling.done()
            assert retiring.pid is not None
            os.kill(retiring.pid, signal.SIGKILL)
            assert (await rolling).replaced == ("a-1", "b-1")

    run(test)


@pytest.mark.parametrize("ordered", [False, True])
def test_old_process_is_given_all_the_time_that_its_jobs_need(valkey: ValkeyServer, ordered: bool) -> None:
    async def test() -> None:
        limits = RestartLimits(beat_s=600, shutdown_s=0.05, term_s=0.05)
        async with supervising(speaking_program("a", DEAF, ordered=ordered, limits=limits), url=valkey.url) as s:
            await s.settled()
            old, rolling = pid_of(s, "a-1"), s.replace(["a-1"])
            await eventually_async(lambda: any(v.pid == old and v.phase is Phase.DRAINING for v in s.children()))
            await asyncio.sleep(0.3)  # several times what a stop would give it
            assert not gone(old)
            os.kill(old, signal.SIGKILL)
            assert (await rolling).replaced == ("a-1",)

    run(test)


def test_successor_ends_with_a_slot_that_is_no_longer_wanted(valkey: ValkeyServer) -> None:
    async def test() -> None:
        # It never says that it is ready.
        silent = speaking_program("a", "import time; time.sleep(600)", limits=RestartLimits(boot_s=600))
        async with supervising(speaking_program("a"), url=valkey.url) as supervision:
            await supervision.settled()
            supervision.want([silent])
            await eventually_async(lambda: {view.role for view in supervision.children()} == {"owner", "successor"})
            supervision.want([])
            await eventually_async(lambda: supervision.children() == (), what="both are gone")

    run(test)


def test_slot_that_is_set_aside_in_the_middle_of_its_roll_has_no_process_afterwards(valkey: ValkeyServer) -> None:
    async def test() -> None:
        silent = speaking_program("a", "import time; time.sleep(600)", limits=RestartLimits(boot_s=600))
        async with supervising(speaking_program("a"), url=valkey.url) as supervision:
            await supervision.settled()
            supervision.want([silent])
            await eventually_async(lambda: {view.role for view in supervision.children()} == {"owner", "successor"})
            supervision.set_aside(["a-1"])
            await eventually_async(lambda: [v.phase for v in supervision.children()] == [Phase.STOPPED])
            assert (await supervision.replace(())).failed == ""

    run(test)


def test_owner_that_restarts_with_its_group_in_the_middle_of_its_roll_gets_the_wanted_program(
    valkey: ValkeyServer,
) -> None:
    async def test() -> None:
        def entry(name: str, code: str) -> ActorSpec:
            limits = RestartLimits(boot_s=600, beat_s=600, shutdown_s=1)
            return speaking_program(name, code, limits=limits, strategy=Strategy.ONE_FOR_ALL, strategy_group="g")

        async with supervising(entry("a", SPEAKS), entry("b", SPEAKS), url=valkey.url) as supervision:
            await supervision.settled()
            first = child(supervision, "a-1").pid
            supervision.want([entry("a", "import time; time.sleep(600)"), entry("b", SPEAKS)])
            await eventually_async(lambda: "successor" in {view.role for view in supervision.children()})
            (successor,) = (view.pid for view in supervision.children() if view.role == "successor")
            os.kill(pid_of(supervision, "b-1"), signal.SIGKILL)
            await eventually_async(lambda: {view.role for view in supervision.children()} == {"owner"})
            await eventually_async(lambda: child(supervision, "a-1").pid not in (None, first, successor))
            assert successor is not None
            assert gone(successor)
            assert child(supervision, "a-1").phase is Phase.STARTING, "it runs the wanted program, which is never ready"

    run(test)


def test_stopped_slot_stays_stopped_until_it_is_started(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", count=2), url=valkey.url) as supervision:
            await supervision.settled()
            supervision.set_aside(["a-1"])
            await eventually_async(lambda: child(supervision, "a-1").phase is Phase.STOPPED)
            await supervision.replace(["a-1", "a-2"])
            supervision.want([speaking_program("a", SPEAKS + "\n", count=2)])
            await supervision.replace(())
            assert child(supervision, "a-1").phase is Phase.STOPPED
            supervision.start_again(["a-1"])
            await eventually_async(lambda: all_running(supervision))
            command = psutil.Process(child(supervision, "a-1").pid).cmdline()
            assert any(argument.endswith("\n\n") for argument in command), "it runs the spec that came meanwhile"

    run(test)


def test_start_ends_a_pause_early(valkey: ValkeyServer) -> None:
    async def test() -> None:
        limits = RestartLimits(max_restarts=1, backoff_min_s=600, backoff_max_s=600, healthy_s=0.1, shutdown_s=0.3)
        async with supervising(program("a", BROKEN, limits=limits), url=valkey.url) as supervision:
            await eventually_async(lambda: child(supervision, "a-1").held)
            before: Any = child(supervision, "a-1")
            assert before.starts_in_s > 200
            assert before.holds == 1
            supervision.start_again(["a-1"])
            await eventually_async(lambda: child(supervision, "a-1").restarts == before.restarts + 1)

    run(test)


def test_stop_in_the_middle_of_a_roll_kills_both_processes(valkey: ValkeyServer) -> None:
    async def test() -> None:
        limits = RestartLimits(beat_s=600, shutdown_s=0.1, term_s=0.1)
        async with supervising(speaking_program("a", DEAF, limits=limits), url=valkey.url) as supervision:
            await supervision.settled()
            supervision.replace(["a-1"])
            await eventually_async(lambda: any(view.role == "retiring" for view in supervision.children()))
            async with asyncio.timeout(GENEROUS_S):
                await supervision.stop()
            assert supervision.children() == ()

    run(test)


def test_no_slot_ever_has_two_owners_under_random_commands_and_kills(valkey: ValkeyServer) -> None:
    """The operating system is asked which processes run, after each random command or kill."""
    chance = random.Random(7)
    limits = RestartLimits(max_restarts=1000, backoff_min_s=0.01, backoff_max_s=0.05, shutdown_s=0.3, term_s=0.2)

    def specs(count: int, ordered: int, version: int) -> list[ActorSpec]:
        code = SPEAKS + "\n" * version
        return [
            speaking_program("many", code, count=count, limits=limits),
            speaking_program("ordered", code, count=ordered, ordered=True, limits=limits),
        ]

    def slots_that_run() -> Counter[str]:
        found: Counter[str] = Counter()
        for process in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                command = process.cmdline()
                if process.status() != psutil.STATUS_ZOMBIE and "--name" in command:
                    found[command[command.index("--name") + 1]] += 1
        return found

    async def test() -> None:
        async with supervising(*specs(2, 1, 0), url=valkey.url) as supervision:
            await supervision.settled()
            for _ in range(150):
                names = [view.slot for view in supervision.children() if view.role == "owner"]
                match chance.randrange(7):
                    case 0:
                        supervision.replace(names)
                    case 1:
                        supervision.want(specs(chance.randrange(4), chance.randrange(3), chance.randrange(3)))
                    case 2 if names:
                        supervision.set_aside([chance.choice(names)])
                    case 3 if names:
                        supervision.start_again([chance.choice(names)])
                    case 4 | 5:
                        pids = [view.pid for view in supervision.children() if view.pid]
                        if pids:
                            os.kill(chance.choice(pids), signal.SIGKILL)
                    case _:
                        await asyncio.sleep(chance.random() / 10)
                running = slots_that_run()
                assert all(count == 1 for slot, count in running.items() if slot.startswith("ordered")), running
                assert sum(count == 2 for count in running.values()) <= 1, running
                assert max(running.values(), default=0) <= 2, running
                owners = [view.slot for view in supervision.children() if view.role == "owner"]
                assert len(owners) == len(set(owners))
                await asyncio.sleep(0)
            supervision.want(specs(2, 1, 9))
            supervision.start_again(view.slot for view in supervision.children() if view.role == "owner")
            await supervision.replace(())
            await eventually_async(
                lambda: all_running(supervision) and len(supervision.children()) == 3, what="it comes to rest"
            )
            assert slots_that_run() == {"many-1": 1, "many-2": 1, "ordered-1": 1}

    run(test)


def test_limits_and_order_change_without_a_new_process() -> None:
    async def test() -> None:
        async with supervising(program("a", "import time; time.sleep(600)"), program("b", BROKEN)) as supervision:
            await eventually_async(lambda: child(supervision, "a-1").phase is Phase.RUNNING)
            pid = child(supervision, "a-1").pid
            supervision.want(
                [program("a", "import time; time.sleep(600)", after=("b",), limits=RestartLimits(term_s=9))]
            )
            await supervision.replace(())
            assert child(supervision, "a-1").pid == pid

    run(test)
