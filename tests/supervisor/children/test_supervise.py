"""The supervise loop with small foreign programs: crash loops, stubborn children, what is left behind."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import uvloop

from hero_job.client.async_store import AsyncStore
from hero_job.operations.actor_operations import Recoveries
from hero_supervisor.children.policy import Limits, Phase
from hero_supervisor.children.slot import ChildView
from hero_supervisor.children.spec import ActorSpec
from hero_supervisor.children.supervise import Supervision
from hero_supervisor.upkeep.recovery import Sweep
from tests.valkey_server import ValkeyServer

#: Fast, so that a crash loop comes to its cap within the patience of a test.
QUICK = Limits(max_restarts=3, backoff_min_s=0.01, backoff_max_s=0.2, healthy_s=0.3, shutdown_s=0.3, term_s=0.3)

SLEEP = "import time; time.sleep(600)"
# Runs while the file is there, and crashes at once when it is not.
NEEDS_FILE = "import sys, os, time; os.path.exists(sys.argv[1]) or sys.exit(1); time.sleep(600)"
IGNORES_TERM = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
time.sleep(600)
"""
HAS_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1] + ".part", "w") as file:
    file.write(str(child.pid))
import os
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""
# Speaks the control protocol: ready, then the beats that the arguments describe.
SPEAKS = """
import argparse, json, signal, socket, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
parser = argparse.ArgumentParser()
parser.add_argument("lanes")
for flag in ("--name", "--incarnation", "--control-fd"):
    parser.add_argument(flag)
options = parser.parse_args()
control = socket.socket(fileno=int(options.control_fd))
def say(**message):
    control.sendall(json.dumps(message).encode() + b"\\n")
say(event="ready", incarnation=options.incarnation)
control.sendall(b"[1]\\nnonsense\\n" + json.dumps({"event": "word of a later version"}).encode() + b"\\n")
control.settimeout(0.05)
while True:
    say(event="beat", lanes=json.loads(options.lanes), rss_bytes=1, jobs=2, store_up=True)
    try:
        if b"drain" in control.recv(100):
            say(event="draining", reason="control")
            sys.exit(0)
    except TimeoutError:
        pass
"""


def program(name: str, code: str, *arguments: object, limits: Limits = QUICK, **fields: object) -> ActorSpec:
    command = (sys.executable, "-I", "-S", "-c", code, *map(str, arguments))
    defaults: dict[str, object] = {"script_type": "", "control": False}
    return ActorSpec(name=name, command=command, limits=limits, **(defaults | fields))  # type: ignore[arg-type]


async def soon(probe: Callable[[], object], what: str = "", within_s: float = 20.0) -> None:
    deadline_mono = time.monotonic() + within_s
    while not probe():
        assert time.monotonic() < deadline_mono, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def supervising(*specs: ActorSpec, url: str = "unix:///nowhere") -> AsyncIterator[Supervision]:
    others = {process.pid for process in psutil.Process().children()}  # the session's store
    store = AsyncStore(url)
    supervision = Supervision(Sweep(store, Recoveries("test"), every_s=1))
    supervision.want(specs)
    supervision.start()
    try:
        yield supervision
    finally:
        await supervision.stop(now=True)
        await store.aclose()
        assert supervision.children() == ()
        left = [process for process in psutil.Process().children() if process.pid not in others]
        assert left == [], "a process or a zombie is left"


def child(supervision: Supervision, slot: str) -> ChildView:
    (found,) = [view for view in supervision.children() if view.slot == slot]
    return found


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    uvloop.run(test())


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_crash_loop_is_held_visibly_and_ends_by_itself_when_the_cause_is_gone(tmp_path: Path) -> None:
    async def test() -> None:
        needed = tmp_path / "needed"
        async with supervising(program("loop", NEEDS_FILE, needed), program("other", SLEEP)) as supervision:
            other = child(supervision, "other-1").pid
            await soon(lambda: child(supervision, "loop-1").held, "the loop is held")
            view = child(supervision, "loop-1")
            assert view.last_exit == "exit 1"
            assert view.restarts >= 3
            needed.touch()
            await soon(lambda: not child(supervision, "loop-1").held, "the hold ends")
            assert child(supervision, "loop-1").phase is Phase.RUNNING
            assert child(supervision, "other-1").pid == other

    run(test)


def test_program_that_does_not_exist_is_tried_again_with_backoff(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "program"
        spec = ActorSpec(name="x", script_type="", command=(str(path),), control=False, limits=QUICK)
        async with supervising(spec) as supervision:
            await soon(lambda: child(supervision, "x-1").held)
            path.write_text("#!/bin/sh\nexec sleep 600\n")
            path.chmod(0o755)
            await soon(lambda: child(supervision, "x-1").phase is Phase.RUNNING)

    run(test)


def test_children_of_a_dead_child_die_with_it(tmp_path: Path) -> None:
    async def test() -> None:
        told = tmp_path / "pid"
        async with supervising(program("parent", HAS_CHILD, told)) as supervision:
            await soon(told.exists)
            grandchild = int(told.read_text())
            told.unlink()
            pid = child(supervision, "parent-1").pid
            assert pid is not None
            os.kill(pid, 9)
            await soon(lambda: gone(grandchild), "the grandchild ends")
            await soon(told.exists, "the parent is replaced")
            grandchild = int(told.read_text())
        await soon(lambda: gone(grandchild), "the grandchild ends when all is stopped")

    run(test)


def test_stubborn_child_is_killed_in_the_end_and_delays_nobody_meanwhile(tmp_path: Path) -> None:
    async def test() -> None:
        deaf = tmp_path / "deaf"
        patient = Limits(shutdown_s=1.0, term_s=1.0)
        stubborn, other = program("stubborn", IGNORES_TERM, deaf, limits=patient), program("other", SLEEP)
        async with supervising(stubborn, other) as supervision:
            await soon(deaf.exists)
            pid = child(supervision, "other-1").pid
            assert pid is not None
            supervision.want([other])
            await soon(lambda: child(supervision, "stubborn-1").phase is Phase.DRAINING)
            os.kill(pid, 9)
            await soon(lambda: child(supervision, "other-1").pid not in (pid, None), "the other one is replaced")
            assert child(supervision, "stubborn-1").phase in (Phase.DRAINING, Phase.ENDING)
            await soon(lambda: len(supervision.children()) == 1, "the stubborn one is killed")

    run(test)


def test_what_is_wanted_can_change_while_it_runs() -> None:
    async def test() -> None:
        async with supervising(program("a", SLEEP, count=3)) as supervision:
            first = child(supervision, "a-1").pid
            supervision.want([program("a", SLEEP, count=1), program("b", SLEEP)])
            await soon(lambda: {view.slot for view in supervision.children()} == {"a-1", "b-1"})
            assert child(supervision, "a-1").pid == first
            supervision.want([program("a", SLEEP + "\n")])
            await soon(lambda: [view.slot for view in supervision.children()] == ["a-1"])
            await soon(lambda: child(supervision, "a-1").pid not in (first, None), "the changed one is replaced")

    run(test)


def test_no_zombie_is_left_by_many_exits() -> None:
    async def test() -> None:
        hasty = Limits(max_restarts=10_000, backoff_min_s=0.001, backoff_max_s=0.002)
        async with supervising(program("fly", "pass", count=4, limits=hasty)) as supervision:
            await soon(lambda: min(view.restarts for view in supervision.children()) > 25)
            running = {view.pid for view in supervision.children()}
            zombies = [p for p in psutil.Process().children() if p.status() == psutil.STATUS_ZOMBIE]
            # One that has just ended may not have been seen yet.
            assert len(zombies) <= len(running)

    run(test)


def test_actor_that_beats_is_shown_with_what_it_says(valkey: ValkeyServer) -> None:
    async def test() -> None:
        lanes = '[{"state": "running", "for_ms": 1}, {"state": "idle", "for_ms": 1}, 7, {"state": 3, "for_ms": "x"}]'
        async with supervising(program("a", SPEAKS, lanes, control=True), url=valkey.url) as supervision:
            (view,) = await supervision.settled()
            assert view.phase is Phase.RUNNING
            await soon(lambda: child(supervision, "a-1").jobs == 2)
            assert child(supervision, "a-1").busy == 1
            assert child(supervision, "a-1").incarnation.startswith("a-1.")

    run(test)


def test_actor_is_drained_by_the_control_socket(valkey: ValkeyServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def test() -> None:
        async with supervising(program("a", SPEAKS, "[]", control=True), url=valkey.url) as supervision:
            await supervision.settled()
            await supervision.stop()

    run(test)
    assert [vars(line)["reason"] for line in caplog.records if line.message == "child.stopped"] == ["exit 0"]


def test_lane_past_its_deadline_costs_the_process_its_life(valkey: ValkeyServer) -> None:
    async def test() -> None:
        lanes = '[{"state": "running", "for_ms": 9000, "overdue_ms": 9000}]'
        async with supervising(program("a", SPEAKS, lanes, control=True), url=valkey.url) as supervision:
            await soon(lambda: child(supervision, "a-1").last_exit == "signal 9 (Killed)")

    run(test)


def test_actor_without_a_word_is_given_up_when_its_time_to_start_is_over(valkey: ValkeyServer) -> None:
    async def test() -> None:
        # `-c` code takes any arguments: it runs, and never says that it is ready.
        silent = program("a", SLEEP, control=True, limits=Limits(boot_s=0.2, backoff_min_s=0.01))
        async with supervising(silent, url=valkey.url) as supervision:
            await soon(lambda: child(supervision, "a-1").restarts > 0)

    run(test)


def test_restart_does_not_wait_for_a_store_that_is_away() -> None:
    async def test() -> None:
        async with supervising(program("a", SPEAKS, "[]", control=True)) as supervision:
            (view,) = await supervision.settled()
            assert view.pid is not None
            os.kill(view.pid, 9)
            await soon(lambda: child(supervision, "a-1").pid not in (view.pid, None))
            assert child(supervision, "a-1").incarnation != view.incarnation

    run(test)
