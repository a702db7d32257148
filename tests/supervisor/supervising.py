"""Runs the supervise loop in a test, with small programs in place of actors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import psutil
import uvloop

from hero_job.client.async_store import AsyncStore
from hero_job.operations.actor_operations import Recoveries
from hero_supervisor.children.child_view import ChildView
from hero_supervisor.children.supervise import Supervision
from hero_supervisor.policy.child_state import Phase, RestartLimits
from hero_supervisor.process.spec import ActorSpec
from hero_supervisor.upkeep.recovery import JobRecovery

#: Short times, so that a crash loop reaches its longest pause while a test waits.
QUICK = RestartLimits(max_restarts=3, backoff_min_s=0.01, backoff_max_s=0.2, healthy_s=0.3, shutdown_s=0.3, term_s=0.3)

SLEEP = "import time; time.sleep(600)"
# Runs if the file is there, and crashes immediately if it is not.
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
# Speaks the control protocol: it says that it is ready, then sends heartbeats with the lanes in its argument.
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


def program(name: str, code: str, *arguments: object, limits: RestartLimits = QUICK, **fields: Any) -> ActorSpec:
    """An entry that runs Python code; by default it does not speak the control protocol."""
    command = (sys.executable, "-I", "-S", "-c", code, *map(str, arguments))
    defaults: dict[str, Any] = {"script_type": "", "control": False}
    return ActorSpec(name=name, command=command, limits=limits, **(defaults | fields))


def speaking_program(name: str, code: str = SPEAKS, **fields: Any) -> ActorSpec:
    """An entry whose processes speak the control protocol and report no lanes."""
    return program(name, code, "[]", control=True, **fields)


@asynccontextmanager
async def supervising(*specs: ActorSpec, url: str = "unix:///nowhere") -> AsyncIterator[Supervision]:
    """Keep the entries running; at the end no process and no zombie may be left."""
    others = {process.pid for process in psutil.Process().children()}  # the session's store
    store = AsyncStore(url)
    recovery = JobRecovery(store, Recoveries("test"), every_s=1)
    supervision = Supervision(recovery)
    supervision.want(specs)
    supervision.start()
    try:
        yield supervision
    finally:
        await supervision.stop(now=True)
        await recovery.close()
        await store.aclose()
        assert supervision.children() == ()
        left = [process for process in psutil.Process().children() if process.pid not in others]
        assert left == [], "a process or a zombie is left"


def child(supervision: Supervision, slot: str) -> ChildView:
    """The slot of this name; in a rolling restart there may be two processes of it, and then this fails."""
    (found,) = [view for view in supervision.children() if view.slot == slot]
    return found


def pid_of(supervision: Supervision, slot: str) -> int:
    """The process of a slot, which must have one."""
    pid = child(supervision, slot).pid
    assert pid is not None
    return pid


def all_running(supervision: Supervision) -> bool:
    return all(view.phase is Phase.RUNNING and view.pid for view in supervision.children())


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def limited() -> None:
        # pytest-timeout's alarm only sets a flag in uvloop, which then waits on.
        async with asyncio.timeout(400):
            await test()

    uvloop.run(limited())


def gone(pid: int) -> bool:
    """Whether a process has ended, including a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
