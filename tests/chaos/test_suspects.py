"""Each fault that hits an actor also hits the process in which the actor runs a suspect alone.

A job is held running. Its actor is killed, so the job runs again alone, in a child of an actor; then that actor is hit.
The witness must know that the second run was hit, too: the script has run three times, and the checker must find no
problem in it. The same with actors that run each script in a child anyway.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hero_job import JobBuilder
from hero_job.client.store import Store
from hero_job.operations.operations import Op, Operations
from hero_job.protocol.op import pairs
from tests.chaos.checker import StoredJob, check, read_history
from tests.chaos.faults import Faults, actors_of, flag_of
from tests.chaos.proxy import Proxy
from tests.chaos.run import ACTOR, LEASE_S, RHAI, ROOT, EventReader
from tests.chaos.witness import WITNESS, Entry, Witness
from tests.deployment import Deployment, alive
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

KEYS = Operations().keys
FAULTS: dict[str, Callable[[Faults, psutil.Process, Deployment], None]] = {
    "kill actor": lambda faults, actor, _host: faults.kill_actor(actor),
    "freeze actor past its lease": lambda faults, actor, _host: faults.freeze_actor_past_lease(actor),
    "cut actor off past its lease": lambda faults, actor, _host: faults.cut_actor_off_past_lease(actor),
    "kill supervisor": lambda faults, _actor, host: faults.kill_supervisor(host),
    "lose host": lambda faults, _actor, host: faults.lose_host(host),
}
#: Where the actors run scripts that are not suspects, and the fault.
CASES = [*(("thread", fault) for fault in FAULTS), ("process", "kill actor"), ("process", "lose host")]


class Hosts:
    """Two hosts with one actor each, their store, the proxy between them, and the faults.

    Args:
        folder: An empty folder.
        isolation: Where the actors run scripts that are not suspects.
    """

    def __init__(self, folder: Path, isolation: str) -> None:
        self.witness = Witness(folder / "witness.jsonl")
        self.valkey = ValkeyServer(folder).start()
        self.proxy = Proxy(self.valkey.port).start()
        path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
        actors = ACTOR.format(
            type="sal",
            count=1,
            more=f'{RHAI}\nlanes = 1\nisolation = "{isolation}"',
            path=path,
            variable=WITNESS,
            witness=self.witness.path,
            env="",
        )
        self.both: list[Deployment] = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            self.both.append(Deployment(folder / name, redis_url=self.proxy.url, actors=actors).start())
        self.store = Store(self.valkey.unix_url)
        self.events = EventReader(self.valkey.unix_url, self.witness)
        self.events.start()
        self.faults = Faults(self.both, self.valkey, self.proxy, self.witness, random.Random(0), LEASE_S)

    def close(self) -> None:
        self.proxy.mend()
        self.events.finish()
        for deployment in self.both:
            deployment.stop()
        self.store.close()
        self.proxy.close()
        self.valkey.stop()

    def submit(self) -> str:
        """Submit a job that runs until it is stopped; return its id."""
        builder = JobBuilder().caller_id("a").context_id("b").script_type("sal").script("sleep(3600)").timeout(3600)
        job_id = self.store.run(Operations().create(builder.build(), start=True))
        ends = ["stopped:stopped"]
        self.witness.note("submitted", job=job_id, type="sal", kind="stopped", ends=ends, output="", retries=0)
        self.witness.note("acknowledged", job=job_id)
        return job_id

    def nth_run(self, job_id: str, number: int) -> Entry:
        """Wait for a run of a job, counted from 1; return what the witness knows of its start."""

        def runs() -> list[Entry]:
            return [e for e in self.witness.read() if e["what"] == "began" and e["job"] == job_id][number - 1 :]

        return eventually(runs, what=f"run {number} of the job")[0]

    def holder(self, job_id: str) -> tuple[psutil.Process, Deployment]:
        """Return the actor that holds a running job, and its host."""
        owner = str(self.valkey.command("HGET", KEYS.job(job_id), "owner")).partition("/")[0]
        actors = {flag_of(actor, "--incarnation"): (actor, host) for host in self.both for actor in actors_of(host)}
        return actors[owner]

    def stop(self, job_id: str) -> StoredJob:
        """Stop a job; return what the store then holds of it."""
        self.store.run(Operations().stop(job_id))
        assert self.store.wait_reply(Operations(), job_id, 60).status == "stopped"
        fields = self.store.run(Op(("HGETALL", KEYS.job(job_id)), pairs))
        return StoredJob(fields, self.store.run(Op(("LLEN", KEYS.reply(job_id)), int)))


@pytest.fixture(scope="module")
def hosts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    hosts = Hosts(tmp_path_factory.mktemp("hosts"), request.param)
    yield hosts
    hosts.close()


@pytest.mark.parametrize(("hosts", "fault"), CASES, indirect=["hosts"])
def test_a_suspect_is_hit_with_the_actor_that_runs_it_in_a_child(hosts: Hosts, fault: str) -> None:
    job_id = hosts.submit()
    hosts.nth_run(job_id, 1)
    hosts.faults.kill_actor(hosts.holder(job_id)[0])
    suspected = hosts.nth_run(job_id, 2)
    actor, host = hosts.holder(job_id)
    child = psutil.Process(suspected["pid"])
    assert child in actor.children(recursive=True)

    FAULTS[fault](hosts.faults, actor, host)

    hosts.nth_run(job_id, 3)
    eventually(lambda: not alive(child), what="the child does not outlive its actor")
    check_end(hosts, job_id)


@pytest.mark.parametrize("hosts", ["thread"], indirect=True)
def test_the_harness_finds_the_actor_of_a_suspect(hosts: Hosts) -> None:
    job_id = hosts.submit()
    hosts.nth_run(job_id, 1)

    hosts.faults.hit_suspect()

    hosts.nth_run(job_id, 3)
    check_end(hosts, job_id)


def check_end(hosts: Hosts, job_id: str) -> None:
    """Stop a job that has begun for the third time; expect that the checker finds no problem in its life."""
    final = hosts.stop(job_id)
    eventually(lambda: {"job": job_id, "status": "stopped"}.items() <= hosts.witness.read()[-1].items())
    history = read_history(e for e in hosts.witness.read() if e.get("job") == job_id or e["what"] == "fault")
    verdict = check(history, {job_id: final}, [])
    assert verdict.problems == []
    assert len(history.runs[job_id]) == 3
    assert final.fields.get("redeliveries", "0") == "0", "nobody is charged for what was done to its actor"
