"""Turns that are sent ahead, in a whole actor: nothing that happens to them makes a job run twice, or not at all."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from hero_job.model.status import JobStatus
from tests.actor.conftest import StartActor
from tests.actor.engines import TEST_ENGINE, noted
from tests.actor.process import JobClient, make_job
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

ROUNDS = 25
#: Jobs that are queued in one go: several full batches, so that turns follow each other.
JOBS = 200


def wait_until_shorter(client: JobClient, left: int) -> None:
    eventually(lambda: client.queue_length() <= left, what=f"{left} jobs are left")


@pytest.mark.parametrize("seed", [1, 2])
def test_broken_connections_a_killed_store_and_slow_jobs_among_fast_ones_double_no_run(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    runs, made = tmp_path / "runs", list[str]()
    actor = start_actor("osis", *TEST_ENGINE, url=own_valkey.url)

    for number in range(ROUNDS):
        jobs = []
        for _ in range(JOBS):
            slow_s = chance.choice((0.015, 0.03)) if chance.random() < 0.01 else 0.0
            jobs.append(make_job(noted(runs, len(made), slow_s), "osis"))
            made.append(jobs[-1].id)
        own_client.submit_jobs(jobs)
        if number % 8 == 7:
            own_valkey.kill()
            own_valkey.start()
        for _ in range(3):
            wait_until_shorter(own_client, chance.randrange(JOBS))
            own_valkey.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    for job_id in made:
        assert own_client.reply(job_id).status is JobStatus.FINISHED
    counts = Counter(map(int, runs.read_text().split()))
    assert {n: counts[n] for n in range(len(made)) if counts[n] != 1} == {}
    assert {record.attempt for record in map(own_client.record, made)} == {1}
    assert actor.process.poll() is None
