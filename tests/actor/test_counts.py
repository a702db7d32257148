"""Real actors count what they run: all of it when they are stopped, and nothing twice when they are killed."""

from __future__ import annotations

import signal

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.model.overview.counters import JobCounts
from hero_job.operations.operations import Operations
from hero_job.operations.overview.history import counts as job_counts
from tests.actor.conftest import StartActor
from tests.actor.process import JobClient
from tests.eventually import eventually


def counts(store: Store, operations: Operations, script_type: str) -> JobCounts:
    return store.run(job_counts(operations)).get(script_type, JobCounts())


def test_an_actor_that_is_stopped_has_told_of_every_job(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    actor = start_actor("sal", "--lanes", "3")
    ids = [client.submit("1 + 1", "sal") for _ in range(200)]
    failing = client.submit("throw 1", "sal")
    stuck = client.submit("sleep(600)", "sal", timeout_s=1)
    stopped = client.submit_started("loop {}", "sal")
    client.stop(stopped)
    ended = [client.reply(job_id).status for job_id in (*ids, failing, stuck, stopped)]
    actor.signal(signal.SIGTERM)
    assert actor.wait_exit() == 0

    found = counts(store, operations, "sal")

    assert ended == [*[JobStatus.FINISHED] * 200, JobStatus.ERROR, JobStatus.ERROR, JobStatus.STOPPED]
    assert (found.finished, found.stopped, found.errors) == (200, 1, {"ErrorRuntime": 1, "timeout": 1})
    # The stopped job may have waited behind the stuck one in the batch of a lane, and was then never begun.
    assert found.started == sum(found.run.buckets) <= sum(found.wait.buckets), "handed back, it was claimed twice"
    assert found.started in {202, 203}
    assert found.run.sum_us > 1_000_000, "one job ran for a second"
    assert found.wait.sum_us > 0


def test_figures_arrive_with_the_beat_and_a_killed_actor_has_none_counted_twice(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    actor = start_actor("osis")
    for _ in range(20):
        client.run("1 + 1")
    eventually(lambda: counts(store, operations, "osis").finished == 20, what="the beat has told of all jobs")
    actor.signal(signal.SIGKILL)
    actor.wait_exit()
    start_actor("osis")
    client.run("1 + 1")

    eventually(lambda: counts(store, operations, "osis").finished == 21, what="the next actor adds to it")
    assert counts(store, operations, "osis").started == 21
