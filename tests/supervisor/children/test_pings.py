"""An actor that has been idle for long must answer an empty job, and is replaced when it does not."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from hero_job.model.job import ScriptType
from tests.eventually import eventually
from tests.supervisor.conftest import OSIS, StartSupervisor
from tests.valkey_server import ValkeyServer

QUICK = {
    "HERO_SUPERVISOR__PING_IDLE_S": "1",
    "HERO_SUPERVISOR__PING_WAIT_S": "4",
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
    # As long as a busy machine may need.
    environ = QUICK | {"HERO_SUPERVISOR__PING_WAIT_S": "300", "HERO_SUPERVISOR__SHUTDOWN_S": "60"}
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
    assert len(supervisor.events("ping.answered")) == before
    supervisor.wait_event("ping.answered", count=before + 1)
    assert supervisor.events("ping.unanswered") == []


def test_actor_that_sends_heartbeats_but_takes_no_job_is_replaced(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    # This takes the place of the actor's package, since the supervisor starts `python -m hero_actor`.
    package = tmp_path / "deaf" / "hero_actor"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(DEAF)
    path = os.pathsep.join((str(package.parent), str(Path(__file__).parents[3])))
    supervisor = start_supervisor(environ=QUICK | {"PYTHONPATH": path})
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
