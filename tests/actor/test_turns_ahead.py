"""Turns that are sent ahead, in a whole actor: nothing that happens to them makes a job run twice, or not at all."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import Recoveries
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


@pytest.mark.parametrize("freeze", range(3))  # which may fall between two batches
def test_an_actor_frozen_past_its_lease_starts_none_of_the_jobs_that_another_one_has_now(
    start_actor: StartActor, client: JobClient, tmp_path: Path, freeze: int
) -> None:
    runs = tmp_path / "runs"
    jobs = [make_job(noted(runs, number), "osis") for number in range(JOBS)]
    frozen = start_actor("osis", *TEST_ENGINE, "--lease-s", "0.5", "--incarnation", "frozen", control=True)
    client.submit_jobs(jobs)
    wait_until_shorter(client, JOBS - 40 * freeze)
    frozen.freeze()
    recoveries = Recoveries(client.operations.keys.namespace)
    eventually(lambda: client.store.drive(recoveries.expired())[1] == ["frozen"])
    while client.store.run(recoveries.recover("frozen", proven_dead=False)).more:
        pass
    start_actor("osis", *TEST_ENGINE)
    for job in jobs:
        assert client.reply(job.id).status is JobStatus.FINISHED

    # Those that it had run, but not settled, have run twice by now.
    ran = runs.read_text().split()
    frozen.thaw()

    assert frozen.wait_exit() == 75
    assert set(map(int, ran)) == set(range(JOBS))
    assert len(runs.read_text().split()) <= len(ran) + 1, "more than the job that would have been next"
