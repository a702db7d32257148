"""No matter what is killed, every acknowledged job ends exactly once. Real processes, real kill -9."""

from __future__ import annotations

import collections
import functools
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from hero_job import HeroJobError, Job, JobBuilder, JobStatus, StoreUnavailable
from hero_job.operations.operations import Op, Operations
from hero_supervisor import ScriptType, Supervisor
from tests.deployment import Deployment, alive, deployed
from tests.eventually import GENEROUS_S, eventually

JOBS = 1000
KILLS = 6


def job(script_type: ScriptType, script: str = "sleep(0.004); 40 + 2") -> Job:
    return JobBuilder().caller_id("a" * 66).context_id("b" * 66).script_type(script_type).script(script).build()


def mixed(count: int) -> list[Job]:
    return [job(ScriptType.OSIS if n % 2 else ScriptType.SAL) for n in range(count)]


def statuses(supervisor: Supervisor, ids: list[str]) -> list[JobStatus]:
    """Read the statuses of many jobs in one round trip."""
    operations = Operations()
    return supervisor.store.run_many([operations.status(i) for i in ids])


def all_ended(supervisor: Supervisor, ids: list[str]) -> bool:
    try:
        return all(status.terminal for status in statuses(supervisor, ids))
    except StoreUnavailable:
        return False


def has_started(supervisor: Supervisor, job_id: str) -> bool:
    status = supervisor.get_job_status(job_id)
    return status is JobStatus.STARTED or status.terminal


def assert_each_ended_once(supervisor: Supervisor, ids: list[str]) -> None:
    """Every job has finished, with one reply and one event; queues and claimed lists are empty."""

    def run(*args: str | int) -> Any:
        return supervisor.store.run(Op(args, lambda answer: answer))

    assert collections.Counter(statuses(supervisor, ids)) == {JobStatus.FINISHED: len(ids)}
    assert set(supervisor.store.run_many([Op(("LLEN", f"hero:q:reply:{i}"), int) for i in ids])) == {1}
    events: collections.Counter[str] = collections.Counter()
    for _, fields in run("XRANGE", "hero:events", "-", "+"):
        events.update(i for i, status in zip(fields[::2], fields[1::2], strict=True) if status == "finished")
    assert {events[i] for i in ids} == {1}
    assert supervisor.queue_length(ScriptType.OSIS) == supervisor.queue_length(ScriptType.SAL) == 0
    assert run("KEYS", "hero:meta:claimed:*") == []


def test_actors_killed_in_the_middle_of_a_thousand_jobs_lose_none(tmp_path: Path) -> None:
    rng = random.Random(7)
    with deployed(tmp_path) as deployment, deployment.supervisor() as supervisor:
        ids: list[str] = []
        for _ in range(KILLS):
            ids += [supervisor.submit_job(j) for j in mixed(JOBS // KILLS)]
            # The kill hits at least this job, which runs long enough to be seen on a busy machine.
            script_type = rng.choice([ScriptType.OSIS, ScriptType.SAL])
            ids.append(supervisor.submit_job(job(script_type, "sleep(1); 40 + 2")))
            eventually(functools.partial(has_started, supervisor, ids[-1]))
            deployment.actors(script_type.suffix)[0].kill()

        eventually(lambda: all_ended(supervisor, ids), every_s=0.1)
        assert_each_ended_once(supervisor, ids)
        records = [supervisor.get_job(i) for i in ids]
        assert any(r.rerun_reason for r in records), "no kill hit a running job: nothing was tested"
        assert all(r.attempt == 1 or r.rerun_reason for r in records), "a job ran again without its holder's death"
        assert not any(r.redeliveries for r in records), "a kill from outside charges no job"


def test_a_killed_supervisor_takes_its_actors_with_it_and_a_new_one_continues(tmp_path: Path) -> None:
    with deployed(tmp_path) as deployment:
        with deployment.supervisor() as supervisor:
            ids = [supervisor.submit_job(j) for j in mixed(JOBS)]
            eventually(lambda: sum(status.terminal for status in statuses(supervisor, ids)) > 50)

        left = deployment.kill()
        assert left
        eventually(lambda: not any(alive(p) for p in left), what="actors and store end on their own")

        deployment.start()
        with deployment.supervisor() as supervisor:
            eventually(lambda: all_ended(supervisor, ids), every_s=0.1)
            assert_each_ended_once(supervisor, ids)


def kill_store_once(deployment: Deployment, acknowledged: list[str], progress: int) -> None:
    """Kill the store when so many jobs are acknowledged, and wait for the new one."""
    eventually(lambda: len(acknowledged) > progress)
    (store,) = deployment.processes("valkey-server")
    store.kill()
    eventually(lambda: [p for p in deployment.processes("valkey-server") if p.pid != store.pid])


def test_a_store_that_is_killed_under_load_loses_nothing_and_all_clients_reconnect(tmp_path: Path) -> None:
    with deployed(tmp_path, appendfsync="always") as deployment, deployment.supervisor() as supervisor:
        acknowledged: list[str] = []

        def submit_all() -> None:
            for j in mixed(JOBS):
                while True:
                    try:
                        acknowledged.append(supervisor.submit_job(j))
                        break
                    except HeroJobError:
                        time.sleep(0.02)  # Submitting the same job again is harmless.

        with ThreadPoolExecutor() as pool:
            submitting = pool.submit(submit_all)
            for progress in (100, 400, 700):
                kill_store_once(deployment, acknowledged, progress)
            submitting.result(GENEROUS_S)

        assert len(set(acknowledged)) == JOBS
        eventually(lambda: all_ended(supervisor, acknowledged), every_s=0.1)
        assert_each_ended_once(supervisor, acknowledged)
        assert supervisor.run_job_and_await_result(job(ScriptType.OSIS, "1 + 1")) == "2"


#: Their scripts can wait for a file, so that a job runs until the test lets it end.
ACTORS_WITH_GATES = """
[[actors]]
type = "osis"
[actors.allow]
read = ["gates"]
[[actors]]
type = "sal"
lanes = 4
[actors.allow]
read = ["gates"]
"""


@pytest.fixture(scope="module")
def with_gates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("d")
    (folder / "gates").mkdir()
    with deployed(folder, actors=ACTORS_WITH_GATES) as deployment:
        yield deployment


def submit_started(supervisor: Supervisor, script_type: ScriptType, gate: Path) -> str:
    """Submit a job that ends once a file exists; return its id when an actor has started it."""
    script = f"while !exist(`{gate}`) {{ sleep(0.005) }} 40 + 2"
    job_id = supervisor.submit_job(job(script_type, script))
    eventually(lambda: supervisor.get_job_status(job_id) is JobStatus.STARTED)
    return job_id


def stands_still(process: psutil.Process) -> bool:
    """Has a process ended, or are all of its threads stopped?"""
    try:
        stats = [(task / "stat").read_text() for task in Path(f"/proc/{process.pid}/task").iterdir()]
    except OSError:
        return not alive(process)
    return {stat.rpartition(")")[2].split()[0] for stat in stats} <= {"T"} or not alive(process)


def test_the_job_of_a_killed_actor_runs_again_immediately(with_gates: Deployment) -> None:
    gate = with_gates.folder / "gates/killed"
    with with_gates.supervisor() as supervisor:
        job_id = submit_started(supervisor, ScriptType.OSIS, gate)
        owner = supervisor.get_job(job_id).owner
        (killed,) = with_gates.actors("osis")
        killed.kill()
        eventually(lambda: not alive(killed))
        gate.touch()

        # The supervisor saw the exit: it does not wait for the lease.
        eventually(lambda: supervisor.get_job_status(job_id) is JobStatus.FINISHED)
        record = supervisor.get_job(job_id)
        assert (record.attempt, record.redeliveries, record.output) == (2, 0, "42")
        assert record.owner != owner


@pytest.mark.parametrize("script_type", [ScriptType.OSIS, ScriptType.SAL])
def test_a_frozen_actor_is_replaced_and_its_job_runs_once_more(with_gates: Deployment, script_type: ScriptType) -> None:
    gate = with_gates.folder / f"gates/frozen-{script_type.suffix}"
    with with_gates.supervisor() as supervisor:
        job_id = submit_started(supervisor, script_type, gate)
        (frozen,) = with_gates.actors(script_type.suffix)
        frozen.suspend()
        eventually(lambda: stands_still(frozen))
        gate.touch()

        assert supervisor.await_result(job_id, GENEROUS_S) == "42"
        eventually(lambda: not alive(frozen))
        record = supervisor.get_job(job_id)
        assert (record.attempt, record.redeliveries) == (2, 0)
        assert record.rerun_reason
        assert record.rerun_reason.startswith("its actor "), "it was killed, or its lease had expired before"
