"""Two supervisors on one store, each with a Python actor: each finishes the work of the other, and only once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import psutil
import pytest

from hero_job import JobBuilder, JobStatus
from hero_job.client.store import Store
from hero_job.operations.operations import Op, Operations
from hero_job.operations.schedules import Missed, Overlap, Schedule
from hero_job.protocol import lua
from hero_supervisor import SupervisorBuilder
from tests.chaos.faults import actors_of, flag_of, kill_all
from tests.chaos.proxy import Act, Proxy
from tests.chaos.witness import WITNESS, Witness
from tests.deployment import Deployment, alive
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

ROOT = Path(__file__).parents[2]
PYTHON = """
[[actors]]
type = "python"
max_restarts = 10000
backoff_max_s = 0.5
[actors.env]
PYTHONPATH = "{path}"
{variable} = "{witness}"
HERO_OUTPUT = "last"
HERO_ACTIONS_ENV = "{variable}"
HERO_ACTIONS = "module:tests.chaos.actions"
"""
KEYS = Operations().keys


class Hosts:
    """Two deployments, their store, and the proxy between them."""

    def __init__(self, folder: Path) -> None:
        self.witness = Witness(folder / "witness.jsonl")
        self.valkey = ValkeyServer(folder).start()
        self.proxy = Proxy(self.valkey.port).start()
        path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
        actors = PYTHON.format(path=path, variable=WITNESS, witness=self.witness.path)
        self.both: list[Deployment] = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            self.both.append(Deployment(folder / name, redis_url=self.proxy.url, actors=actors).start())
        self.store = Store(self.valkey.unix_url)

    def close(self) -> None:
        self.proxy.mend()
        for deployment in self.both:
            deployment.stop()
        self.store.close()
        self.proxy.close()
        self.valkey.stop()

    def holder(self, job_id: str) -> Deployment:
        """Return the deployment whose actor holds a running job."""
        owner = str(self.valkey.command("HGET", KEYS.job(job_id), "owner"))
        deployments = {flag_of(a, "--incarnation"): d for d in self.both for a in actors_of(d)}
        return deployments[owner.partition("/")[0]]

    def submit(self, gate: Path, retries: int = 0) -> str:
        """Submit a job that acts once a file exists; return its id when its process waits for the file."""
        script = f"!!chaos.act value:42 gate:'{gate}'"
        builder = JobBuilder().caller_id("a").context_id("b").script_type("Python").script(script).retries(retries)
        job_id = self.store.run(Operations().create(builder.build(), start=True))
        eventually(lambda: self.acts(job_id, "acting"), what="the process of the job has started")
        return job_id

    def events(self) -> list[tuple[str, str]]:
        """List job and new status of each event."""
        entries = self.store.run(Op(("XRANGE", KEYS.events, "-", "+"), list))
        return [pair for _, flat in entries for pair in zip(flat[::2], flat[1::2], strict=True)]

    def acts(self, job_id: str, what: str = "acted") -> int:
        """Count the entries of a job in the witness's file."""
        return sum(entry["what"] == what and entry["job"] == job_id for entry in self.witness.read())


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    hosts = Hosts(tmp_path_factory.mktemp("hosts"))
    yield hosts
    hosts.close()


def test_jobs_of_a_lost_host_are_run_by_the_other(hosts: Hosts, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    job_id = hosts.submit(gate)
    lost = hosts.holder(job_id)
    lost.lose()
    gate.touch()

    reply = hosts.store.wait_reply(Operations(), job_id, 60)

    record = hosts.store.run(Operations().record(job_id))
    assert (reply.status, reply.output, record.attempt, record.redeliveries) == (JobStatus.FINISHED, "42", 2, 0)
    assert hosts.acts(job_id) == 1, "the first process was killed before it could act"
    assert hosts.store.run(Op(("LLEN", KEYS.reply(job_id)), int)) == 1
    lost.start()


@pytest.mark.parametrize("victim", ["process", "template"])
def test_a_job_whose_process_is_killed_is_retried_and_acts_once(hosts: Hosts, tmp_path: Path, victim: str) -> None:
    gate = tmp_path / "gate"
    job_id = hosts.submit(gate, retries=1)
    (actor,) = actors_of(hosts.holder(job_id))
    templates = actor.children()
    children = [child for template in templates for child in template.children()]
    kill_all(templates if victim == "template" else children)
    # The kernel kills the children of a dead template a moment later.
    eventually(lambda: not any(alive(child) for child in children), what="the process of the job is dead")
    gate.touch()

    reply = hosts.store.wait_reply(Operations(), job_id, 60)

    record = hosts.store.run(Operations().record(job_id))
    assert (reply.status, reply.output, record.redeliveries) == (JobStatus.FINISHED, "42", 0)
    # A script that has lost its template only runs again within its attempt, unless its own death was seen first.
    assert record.attempt in ((2,) if victim == "process" else (1, 2))
    assert hosts.acts(job_id) == 1
    assert alive(actor), "the actor itself goes on"


@pytest.mark.parametrize("moment", ["before its job is created", "after its job was created"])
def test_a_tick_has_exactly_one_job_although_its_supervisor_is_killed(hosts: Hosts, moment: str) -> None:
    dying, other = hosts.both
    psutil.Process(other.pid).suspend()
    name = f"tick-{moment.partition(' ')[0]}"
    schedule = Schedule(
        name=name,
        job={"caller_id": "c", "context_id": "c", "script_type": "python", "script": "!!play.echo content:42"},
        interval_s=1,
        overlap=Overlap.ALLOW,
        missed=Missed.ALL,
    )
    sha = (lua.CREATE if moment.startswith("before") else lua.TICK).sha.encode()
    held = hosts.proxy.trap(Act.HOLD_REQUEST, lambda e: sha in e.command and any(name.encode() in w for w in e.command))
    with SupervisorBuilder().redis_url(hosts.valkey.url).build() as supervisor:
        first_ms = supervisor.put_schedule(schedule)
        held.wait_caught()
        first = schedule.job_at(first_ms).id
        assert ((first, "dispatched") in hosts.events()) == moment.startswith("after")
        kill_all(dying.kill())
        hosts.proxy.mend()
        psutil.Process(other.pid).resume()

        eventually(lambda: (schedule.job_at(first_ms + 2000).id, "finished") in hosts.events())
        supervisor.delete_schedule(name)

    events = hosts.events()
    fired = {job for job, _ in events if job.startswith(f"{name}@")}
    expected = takewhile(
        lambda tick: schedule.job_at(tick).id <= max(fired), schedule.ticks_after(first_ms / 1000 - 0.1)
    )
    assert sorted(fired) == [schedule.job_at(tick).id for tick in expected]
    assert all(events.count((job, "dispatched")) == 1 for job in fired)
    dying.start()
