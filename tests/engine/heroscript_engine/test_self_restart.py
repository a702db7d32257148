"""A Python actor without a supervisor starts over in its own process, and its engine leaves no process behind."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from hero_job import JobBuilder, ScriptType
from hero_supervisor import SupervisorBuilder
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def test_actor_that_starts_over_reaps_the_processes_of_its_engine(valkey: ValkeyServer, namespace: str) -> None:
    command = [sys.executable, "-m", "hero_actor", "--type", "python", "--namespace", namespace, "--max-jobs", "1"]
    actor = subprocess.Popen(command, env={**os.environ, "HERO_REDIS_URL": valkey.url}, stderr=subprocess.DEVNULL)
    try:
        with SupervisorBuilder().redis_url(valkey.url).namespace(namespace).build() as supervisor:

            def children() -> list[int]:
                return [child.pid for child in psutil.Process(actor.pid).children()]

            def incarnation() -> str:
                return next((one.incarnation for one in supervisor.list_actors() if one.beat_at is not None), "")

            former = eventually(incarnation)
            former_children = eventually(children)
            job = JobBuilder().caller_id("a").context_id("b").script_type(ScriptType.PYTHON)
            supervisor.run_job_and_await_result(job.script("!!play.echo content:'hello'").build())
            eventually(lambda: incarnation() not in ("", former), what="it has started over")

            eventually(lambda: not set(former_children) & set(children()), what="the former ones are buried")
    finally:
        actor.terminate()
        actor.wait(60)
