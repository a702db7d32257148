"""Two real supervisors with their actors behind sentinels: jobs run on through failovers."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from hero_job import Job, JobStatus, ScriptType, StoreError
from hero_job.client.store import Store
from hero_job.operations.flow import chunks
from hero_job.operations.operations import Operations
from tests.eventually import eventually
from tests.job.client.test_topologies import HASTY_MS, PATIENT_MS, Sentinels, sentinels
from tests.job.conftest import MakeJob, make_job
from tests.storms.hosts import both_deployed
from tests.storms.submitters import Submitters
from tests.storms.test_failover import fail_over
from tests.valkey_server import ValkeyServer

__all__ = ["make_job", "sentinels"]


def outcomes(url: str, job_ids: list[str]) -> set[object]:
    """Ask how jobs ended: each distinct answer, with None for those that have not."""
    operations, found = Operations("hero"), set[object]()
    with Store(url) as store:
        for few in chunks(job_ids, 500):
            for reply in store.run_many([operations.outcome(job_id) for job_id in few]):
                if isinstance(reply, Exception):
                    raise reply
                found.add(reply and (reply.status, reply.output))
    return found


def test_a_deployment_runs_all_acknowledged_jobs_through_a_planned_failover_and_a_killed_primary(
    sentinels: Sentinels, tmp_path: Path, make_job: MakeJob
) -> None:
    url, first, second = sentinels.url, sentinels.master, sentinels.replica
    safe_url, types = f"{url}?wait_replicas=1", itertools.cycle((ScriptType.OSIS, ScriptType.SAL))

    def make(**fields: object) -> Job:
        return make_job(script_type=next(types), **fields)

    def all_have_run() -> bool:
        job_ids = [job_id for jobs in submitters.acknowledged for job_id, _ in tuple(jobs)]
        try:
            return outcomes(url, job_ids) == {(JobStatus.FINISHED, "42")}
        except StoreError:
            return False

    def follow(server: ValkeyServer, primary: ValkeyServer) -> bool:
        """Do what the sentinels do some eight seconds later, as an operator who is in a hurry would."""
        try:
            server.command("REPLICAOF", "127.0.0.1", primary.port)
            return "master_link_status:up" in str(server.command("INFO", "replication"))
        except StoreError:
            return False

    folders = [tmp_path / "host1", tmp_path / "host2"]
    for folder in folders:
        folder.mkdir()
    submitters = Submitters(safe_url, "hero", make)
    with both_deployed(folders, [safe_url] * 2):
        with submitters.submitting():
            submitters.go_on("at the beginning")
            fail_over(url)
            eventually(second.is_primary)
            eventually(lambda: follow(first, second), every_s=0.1)
            submitters.go_on("after the planned failover")
            sentinels.be_patient(HASTY_MS)
            second.kill()
            killed_mono = time.monotonic()
            eventually(first.is_primary, every_s=0.1)
            sentinels.be_patient(PATIENT_MS)
            second.start()
            eventually(lambda: follow(second, first), every_s=0.1)
            submitters.go_on("after the primary was killed")
        print(
            f"{sum(map(len, submitters.acknowledged))} acknowledged, longest pause {submitters.longest_gap_s():.1f} s,"
            f" {submitters.since(killed_mono)} of each client after the kill"
        )
        eventually(all_have_run, every_s=0.2, what="every acknowledged job has run")
