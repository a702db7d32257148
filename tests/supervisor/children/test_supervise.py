"""The supervise loop with small programs: crash loops, children that do not end, processes that they leave behind."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from hero_supervisor.policy.child_state import Phase, RestartLimits
from hero_supervisor.process.spec import ActorSpec
from tests.eventually import eventually_async
from tests.supervisor.supervising import (
    HAS_CHILD,
    IGNORES_TERM,
    NEEDS_FILE,
    QUICK,
    SLEEP,
    SPEAKS,
    child,
    gone,
    program,
    run,
    supervising,
)
from tests.valkey_server import ValkeyServer


def test_crash_loop_is_held_visibly_and_recovers_when_the_cause_is_gone(tmp_path: Path) -> None:
    async def test() -> None:
        needed = tmp_path / "needed"
        async with supervising(program("loop", NEEDS_FILE, needed), program("other", SLEEP)) as supervision:
            other = child(supervision, "other-1").pid
            await eventually_async(lambda: child(supervision, "loop-1").held, what="the loop is held")
            view = child(supervision, "loop-1")
            assert view.last_exit == "exit 1"
            assert view.restarts >= 3
            needed.touch()
            await eventually_async(lambda: not child(supervision, "loop-1").held, what="the hold ends")
            assert child(supervision, "loop-1").phase is Phase.RUNNING
            assert child(supervision, "other-1").pid == other

    run(test)


def test_missing_program_is_tried_again_with_backoff(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "program"
        spec = ActorSpec(name="x", script_type="", command=(str(path),), control=False, limits=QUICK)
        async with supervising(spec) as supervision:
            await eventually_async(lambda: child(supervision, "x-1").held)
            path.write_text("#!/bin/sh\nexec sleep 600\n")
            path.chmod(0o755)
            await eventually_async(lambda: child(supervision, "x-1").phase is Phase.RUNNING)

    run(test)


def test_grandchildren_are_killed_when_their_parent_ends(tmp_path: Path) -> None:
    async def test() -> None:
        told = tmp_path / "pid"
        async with supervising(program("parent", HAS_CHILD, told)) as supervision:
            await eventually_async(told.exists)
            grandchild = int(told.read_text())
            told.unlink()
            pid = child(supervision, "parent-1").pid
            assert pid is not None
            os.kill(pid, 9)
            await eventually_async(lambda: gone(grandchild), what="the grandchild ends")
            await eventually_async(told.exists, what="the parent is replaced")
            grandchild = int(told.read_text())
        await eventually_async(lambda: gone(grandchild), what="the grandchild ends when all is stopped")

    run(test)


def test_child_that_ignores_term_is_killed_and_delays_no_other_child(tmp_path: Path) -> None:
    async def test() -> None:
        deaf = tmp_path / "deaf"
        patient = RestartLimits(shutdown_s=2.0, term_s=2.0)
        stubborn, other = program("stubborn", IGNORES_TERM, deaf, limits=patient), program("other", SLEEP)
        async with supervising(stubborn, other) as supervision:
            await eventually_async(deaf.exists)
            pid = child(supervision, "other-1").pid
            assert pid is not None
            supervision.want([other])
            await eventually_async(lambda: child(supervision, "stubborn-1").phase is Phase.DRAINING)
            os.kill(pid, 9)
            await eventually_async(
                lambda: child(supervision, "other-1").pid not in (pid, None), what="the other one is replaced"
            )
            assert child(supervision, "stubborn-1").phase in (Phase.DRAINING, Phase.ENDING)
            await eventually_async(lambda: len(supervision.children()) == 1, what="the stubborn one is killed")

    run(test)


def test_wanted_processes_can_change_while_others_run() -> None:
    async def test() -> None:
        async with supervising(program("a", SLEEP, count=3)) as supervision:
            first = child(supervision, "a-1").pid
            supervision.want([program("a", SLEEP, count=1), program("b", SLEEP)])
            await eventually_async(lambda: {view.slot for view in supervision.children()} == {"a-1", "b-1"})
            assert child(supervision, "a-1").pid == first
            supervision.want([program("a", SLEEP + "\n")])
            await eventually_async(lambda: [view.slot for view in supervision.children()] == ["a-1"])
            await eventually_async(
                lambda: child(supervision, "a-1").pid not in (first, None), what="the changed one is replaced"
            )

    run(test)


def test_many_exits_leave_no_zombie() -> None:
    async def test() -> None:
        hasty = RestartLimits(max_restarts=10_000, backoff_min_s=0.001, backoff_max_s=0.002)
        async with supervising(program("fly", "pass", count=4, limits=hasty)) as supervision:
            await eventually_async(lambda: min(view.restarts for view in supervision.children()) > 25)
            running = {view.pid for view in supervision.children()}
            zombies = [p for p in psutil.Process().children() if p.status() == psutil.STATUS_ZOMBIE]
            # The end of a process may not have been seen yet.
            assert len(zombies) <= len(running)

    run(test)


def test_view_of_an_actor_shows_what_its_heartbeats_report(valkey: ValkeyServer) -> None:
    async def test() -> None:
        lanes = '[{"state": "running", "for_ms": 1}, {"state": "idle", "for_ms": 1}, 7, {"state": 3, "for_ms": "x"}]'
        async with supervising(program("a", SPEAKS, lanes, control=True), url=valkey.url) as supervision:
            (view,) = await supervision.settled()
            assert view.phase is Phase.RUNNING
            await eventually_async(lambda: child(supervision, "a-1").jobs == 2)
            assert child(supervision, "a-1").busy == 1
            assert child(supervision, "a-1").incarnation.startswith("a-1.")

    run(test)


def test_actor_is_drained_over_the_control_socket(valkey: ValkeyServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def test() -> None:
        limits = RestartLimits(shutdown_s=300)  # so that no pause of the machine makes it a signal
        async with supervising(program("a", SPEAKS, "[]", control=True, limits=limits), url=valkey.url) as supervision:
            await supervision.settled()
            await supervision.stop()

    run(test)
    assert [vars(line)["reason"] for line in caplog.records if line.message == "child.stopped"] == ["exit 0"]


# Ends when a file is there, and says why only after more than the supervisor reads in two pieces.
SPEAKS_AT_LENGTH = """
import json, os, socket, sys, time
gate, fd = sys.argv[1], int(sys.argv[sys.argv.index("--control-fd") + 1])
control = socket.socket(fileno=fd)
def say(**message):
    control.sendall(json.dumps(message).encode() + b"\\n")
say(event="ready")
while not os.path.exists(gate):
    say(event="beat", lanes=[], rss_bytes=1, jobs=2, store_up=True)
    time.sleep(0.05)
words = [{"event": "word of a later version", "more": "x" * 1000}] * 140 + [
    {"event": "draining", "reason": "its last words"}
]
control.sendall(b"".join(json.dumps(word).encode() + b"\\n" for word in words))
sys.exit(75)
"""


def test_last_words_of_a_process_are_heard_after_its_end(
    valkey: ValkeyServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def test() -> None:
        talker = program("a", SPEAKS_AT_LENGTH, tmp_path / "gate", control=True)
        async with supervising(talker, url=valkey.url) as supervision:
            (view,) = await supervision.settled()
            assert view.pid is not None
            (tmp_path / "gate").touch()
            # The loop stands still until the process has ended, so that it learns everything at the same moment.
            os.waitid(os.P_PID, view.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
            await eventually_async(lambda: child(supervision, "a-1").pid != view.pid)

    run(test)
    assert "its last words" in [vars(line)["reason"] for line in caplog.records if line.message == "child.draining"]


def test_process_with_a_lane_past_its_deadline_is_killed(valkey: ValkeyServer) -> None:
    async def test() -> None:
        lanes = '[{"state": "running", "for_ms": 9000, "overdue_ms": 9000}]'
        async with supervising(program("a", SPEAKS, lanes, control=True), url=valkey.url) as supervision:
            await eventually_async(lambda: child(supervision, "a-1").last_exit == "signal 9 (Killed)")

    run(test)


def test_actor_that_never_reports_is_killed_when_its_time_to_start_is_over(valkey: ValkeyServer) -> None:
    async def test() -> None:
        # `-c` accepts any arguments, so this runs, and never says that it is ready.
        silent = program("a", SLEEP, control=True, limits=RestartLimits(boot_s=0.2, backoff_min_s=0.01))
        async with supervising(silent, url=valkey.url) as supervision:
            await eventually_async(lambda: child(supervision, "a-1").restarts > 0)

    run(test)


def test_restart_does_not_wait_for_a_store_that_is_away() -> None:
    async def test() -> None:
        async with supervising(program("a", SPEAKS, "[]", control=True)) as supervision:
            (view,) = await supervision.settled()
            assert view.pid is not None
            os.kill(view.pid, 9)
            await eventually_async(lambda: child(supervision, "a-1").pid not in (view.pid, None))
            assert child(supervision, "a-1").incarnation != view.incarnation

    run(test)
