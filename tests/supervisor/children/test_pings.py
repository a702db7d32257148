"""An actor that has been idle for long must answer an empty job, and is replaced when it does not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from hero_job.client.async_store import AsyncStore
from hero_job.client.cancellation import end_task
from hero_job.model.job import ScriptType
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from hero_supervisor.children.child_view import ChildView
from hero_supervisor.children.pings import Pings
from hero_supervisor.policy.child_state import Phase
from tests.eventually import eventually, eventually_async
from tests.supervisor.conftest import OSIS, StartSupervisor
from tests.valkey_server import ValkeyServer

QUICK = {
    "HERO_SUPERVISOR__PING_IDLE_S": "1",
    # As long as a busy machine may need.
    "HERO_SUPERVISOR__PING_WAIT_S": "300",
    "HERO_SUPERVISOR__SHUTDOWN_S": "0.5",
    "HERO_SUPERVISOR__LOG_LEVEL": "debug",
}

# An actor that joins its supervisor and sends heartbeats, but takes no job.
DEAF = """
import argparse, json, socket, time
parser = argparse.ArgumentParser(allow_abbrev=False)
for flag in ("--control-fd", "--incarnation"):
    parser.add_argument(flag)
options, _ = parser.parse_known_args()
control = socket.socket(fileno=int(options.control_fd))
def say(**message):
    control.sendall(json.dumps(message).encode() + b"\\n")
say(event="ready", incarnation=options.incarnation, lanes=1)
while True:
    lanes = [{"state": "idle", "for_ms": 0, "overdue_ms": 0}]
    say(event="beat", lanes=lanes, rss_bytes=1, jobs=0, store_up=True)
    time.sleep(0.2)
"""


def test_each_idle_actor_is_pinged_and_the_pings_leave_nothing_behind(
    start_supervisor: StartSupervisor, valkey: ValkeyServer, namespace: str
) -> None:
    config = OSIS + '[[actors]]\ntype = "sal"\ncount = 2\nlanes = 3\n'
    environ = QUICK | {"HERO_SUPERVISOR__SHUTDOWN_S": "60"}
    supervisor = start_supervisor(config, redis_url=valkey.url, namespace=namespace, environ=environ)
    supervisor.wait_ready()

    def ping_keys() -> set[str]:
        keys = valkey.command("KEYS", f"{namespace}:*ping*")
        assert isinstance(keys, list)
        return set(map(str, keys))

    slots = ("osis-1", "sal-1", "sal-2")
    for slot in slots:
        supervisor.wait_event("ping.answered", child=slot, count=2)
    assert supervisor.events("ping.unanswered") == []
    # Those that are there now may be of a ping that is under way.
    seen = ping_keys()
    eventually(lambda: not seen & ping_keys(), what="the pings are gone")
    # A job after that runs as always, and no ping was in the queue of the type.
    assert supervisor.reply(supervisor.submit("40 + 2", ScriptType.SAL)).output == "42"
    assert supervisor.events("child.killed") == []
    assert supervisor.terminate() == 0
    # One that was under way, and that its actor had begun, goes by itself.
    left = {key: valkey.command("PTTL", key) for key in ping_keys()}
    assert [key for key, ttl_ms in left.items() if ttl_ms == -1] == []


def test_busy_actor_is_not_pinged(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor(environ=QUICK)
    supervisor.wait_ready()
    job_id = supervisor.submit("sleep(4); 42")
    supervisor.wait_status(job_id, "started")
    before = len(supervisor.events("ping.answered"))
    assert supervisor.reply(job_id).output == "42"
    supervisor.wait_event("ping.answered", count=before + 1)
    assert supervisor.events("ping.unanswered") == supervisor.events("child.killed") == []
    assert supervisor.record(job_id).attempt == 1


def pings_of(
    store: AsyncStore, operations: Operations, namespace: str, view: ChildView, blamed: list[str], *, wait_s: float
) -> Pings:
    """The pings of a supervisor that has one actor."""
    return Pings(
        store,
        operations,
        Recoveries(namespace),
        children=lambda: (view,),
        silent=lambda incarnation, _for_s: blamed.append(incarnation),
        idle_s=1.0,
        wait_s=wait_s,
    )


def seen(*, busy: int = 0) -> ChildView:
    """An actor of one lane, as its heartbeats show it."""
    return ChildView(
        slot="sal-1", entry="sal", script_type="sal", phase=Phase.RUNNING, role="owner", pid=1,
        incarnation="sal-1.here", restarts=0, held=False, holds=0, starts_in_s=None, waits_for=(), last_exit="",
        for_s=1.0, lanes=1, busy=busy, jobs=0, rss_bytes=1,
    )  # fmt: skip


def test_no_ping_is_given_while_a_job_runs(valkey: ValkeyServer, operations: Operations, namespace: str) -> None:
    async def run() -> None:
        async with AsyncStore(valkey.url) as store:
            pings = pings_of(store, operations, namespace, seen(busy=1), [], wait_s=300)
            for now_mono in range(1000, 1010):
                pings._look(now_mono)
            assert all(idle.asking is None for idle in pings._idle.values())

    asyncio.run(run())


def test_end_of_the_service_ends_its_pings_and_leaves_nothing_of_them(
    valkey: ValkeyServer, operations: Operations, namespace: str
) -> None:
    async def run() -> None:
        async with AsyncStore(valkey.url) as store:
            pings = pings_of(store, operations, namespace, seen(), [], wait_s=300)
            pings._children = lambda: (seen(), replace(seen(busy=1), incarnation="sal-2.here"))
            for now_mono in (1000.0, 1001.0):
                pings._look(now_mono)
            watching = asyncio.create_task(pings.run())
            await eventually_async(lambda: bool(valkey.command("KEYS", f"{namespace}:*ping*")), what="it is given")
            await end_task(watching)
            assert valkey.command("KEYS", f"{namespace}:*ping*") == []
            assert [idle.asking for idle in pings._idle.values()] == [None, None]

    asyncio.run(run())


def test_actor_that_has_ended_is_forgotten(valkey: ValkeyServer, operations: Operations, namespace: str) -> None:
    async def run() -> None:
        async with AsyncStore(valkey.url) as store:
            now = [seen(busy=1)]
            pings = pings_of(store, operations, namespace, now[0], [], wait_s=300)
            pings._children = lambda: tuple(now)
            pings._look(1000.0)
            assert list(pings._idle) == ["sal-1.here"]
            now.clear()
            pings._look(1001.0)
            assert not pings._idle

    asyncio.run(run())


@pytest.mark.parametrize("takes_a_job", [True, False])
def test_ping_that_waits_behind_a_job_of_its_lane_blames_nobody(
    valkey: ValkeyServer, operations: Operations, namespace: str, takes_a_job: bool
) -> None:
    """The lane takes the job before it has seen the ping, and before a heartbeat has told of it."""
    blamed: list[str] = []

    async def run() -> None:
        async with AsyncStore(valkey.url) as store:
            pings = pings_of(store, operations, namespace, seen(), blamed, wait_s=0.2)
            if takes_a_job:
                claimed = operations.keys.claimed("sal-1.here", 0)
                await store.run(Op(("RPUSH", claimed, "a-job-that-takes-long"), int))
            for now_mono in (1000.0, 1001.0):
                pings._look(now_mono)
            (idle,) = pings._idle.values()
            assert idle.asking is not None
            await idle.asking

    asyncio.run(run())
    assert blamed == ([] if takes_a_job else ["sal-1.here"])


def test_actor_that_sends_heartbeats_but_takes_no_job_is_replaced(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    # This takes the place of the actor's package, since the supervisor starts `python -m hero_actor`.
    package = tmp_path / "deaf" / "hero_actor"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(DEAF)
    path = os.pathsep.join((str(package.parent), str(Path(__file__).parents[3])))
    environ = QUICK | {"HERO_SUPERVISOR__PING_WAIT_S": "4", "PYTHONPATH": path}
    supervisor = start_supervisor(environ=environ)
    supervisor.wait_ready()
    pid = supervisor.pid_of("osis-1")
    reason = supervisor.wait_event("child.killed", child="osis-1")["reason"]
    assert reason.startswith("no answer to a ping")
    eventually(lambda: supervisor.pid_of("osis-1") != pid, what="it is replaced")


@pytest.mark.parametrize("end", [("status", "error", "error_kind", "expired"), ("status", "stopped")])
def test_end_that_the_actor_did_not_give_is_no_answer(
    start_supervisor: StartSupervisor, valkey: ValkeyServer, namespace: str, end: tuple[str, ...]
) -> None:
    environ = QUICK | {"HERO_SUPERVISOR__PING_WAIT_S": "60"}
    supervisor = start_supervisor(redis_url=valkey.url, namespace=namespace, environ=environ)
    supervisor.wait_ready()
    os.kill(supervisor.pid_of("osis-1"), signal.SIGSTOP)

    keys = eventually(lambda: valkey.command("KEYS", f"{namespace}:job:ping-*"))
    assert isinstance(keys, list)
    key = str(keys[0])
    job_id = key.rpartition(":")[2]
    valkey.command("HSET", key, *end)
    fields = dict(zip(end[::2], end[1::2], strict=True))
    valkey.command("LPUSH", f"{namespace}:q:reply:{job_id}", json.dumps({"job_id": job_id, **fields}))

    supervisor.wait_event("ping.unanswered", child="osis-1")


def test_actor_is_not_blamed_for_a_store_that_is_away(
    start_supervisor: StartSupervisor, own_valkey: ValkeyServer
) -> None:
    supervisor = start_supervisor(redis_url=own_valkey.url, environ=QUICK)
    supervisor.wait_ready()
    supervisor.wait_event("ping.answered")
    own_valkey.kill()
    supervisor.wait_event("ping.not_given", count=2)
    own_valkey.start()
    supervisor.wait_event("ping.answered", count=len(supervisor.events("ping.answered")) + 1)
    assert supervisor.events("child.killed") == []
