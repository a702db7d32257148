"""How lanes claim jobs: order, concurrency, round trips, and what happens behind a slow job."""

from __future__ import annotations

import time
from itertools import pairwise

from hero_job.model.status import JobStatus
from tests.actor.conftest import StartActor
from tests.actor.process import ActorProcess, JobClient
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def test_osis_runs_jobs_one_at_a_time_in_the_order_of_their_queue(start_actor: StartActor, client: JobClient) -> None:
    job_ids = [client.submit(f"sleep(0.003); {i}") for i in range(30)]

    start_actor()

    for job_id in job_ids:
        client.reply(job_id)
    records = [client.record(job_id) for job_id in job_ids]
    for earlier, later in pairwise(records):
        assert str(earlier.finished_at) <= str(later.started_at)


#: Tells that it runs. The status tells that a lane has claimed it, which may still hand it back.
SLEEPING = "progress(1, 1); sleep(600)"


def all_run_simultaneously(client: JobClient, job_ids: list[str]) -> None:
    """Check that jobs with the script `SLEEPING` are all running, and stop them."""
    eventually(lambda: all(client.record(job_id).progress for job_id in job_ids), what="all run")
    assert {client.status(job_id) for job_id in job_ids} == {JobStatus.STARTED}
    for job_id in job_ids:
        client.stop(job_id)


def test_sixteen_sleeping_scripts_run_simultaneously_in_sal(start_actor: StartActor, client: JobClient) -> None:
    start_actor("sal")

    all_run_simultaneously(client, [client.submit(SLEEPING, "sal") for _ in range(16)])


def test_sleeping_scripts_are_spread_over_lanes_that_were_busy_with_fast_ones(
    start_actor: StartActor, client: JobClient
) -> None:
    actor = start_actor("sal")
    actor.freeze()
    fast = [client.submit("1", "sal") for _ in range(2000)]
    slow = [client.submit(SLEEPING, "sal") for _ in range(16)]
    actor.thaw()

    for job_id in fast:
        client.reply(job_id)
    all_run_simultaneously(client, slow)


def test_two_cpu_bound_scripts_of_one_process_compute_simultaneously(
    start_actor: StartActor, client: JobClient
) -> None:
    actor = start_actor("sal", "--lanes", "2")
    job_ids = [client.submit("loop {}", "sal") for _ in range(2)]
    for job_id in job_ids:
        client.wait_status(job_id, JobStatus.STARTED)

    def both_compute() -> bool:
        # If they shared the interpreter lock, one of them would sleep while it waits for the lock. Threads that the
        # kernel reports as runnable at every look share nothing; how much processor time they get does not matter.
        return all(len(actor.computing_threads()) >= 2 for _ in range(20))

    eventually(both_compute, every_s=0.05, what="two threads compute simultaneously")


def scripts_called(actor: ActorProcess, client: JobClient, server: ValkeyServer, script: str, jobs: int) -> int:
    """Count the Lua scripts that an idle actor calls for a number of queued jobs."""
    actor.freeze()
    job_ids = [client.submit(script) for _ in range(jobs)]
    before = server.command_calls()
    actor.thaw()
    client.reply(job_ids[-1])
    after = server.command_calls()
    # A lane blocks on its queue before the first job, and perhaps once more after the last.
    assert after.get("blmove", 0) - before.get("blmove", 0) <= 3
    return after["evalsha"] - before["evalsha"]


def test_busy_lane_makes_one_round_trip_per_job(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer
) -> None:
    actor = start_actor(url=own_valkey.url)
    began_mono = time.monotonic()

    scripts = scripts_called(actor, own_client, own_valkey, "sleep(0.005)", 100)

    # One more to claim the first job; the beat adds one per second.
    assert 100 <= scripts <= 105 + (time.monotonic() - began_mono)


def test_busy_lane_makes_far_fewer_round_trips_than_jobs_while_jobs_are_fast(
    start_actor: StartActor, own_client: JobClient, own_valkey: ValkeyServer
) -> None:
    actor = start_actor(url=own_valkey.url)

    def few() -> bool:
        # A lane measures its jobs: on a busy machine they may be slow for a while.
        return scripts_called(actor, own_client, own_valkey, "40 + 2", 1000) < 500

    eventually(few, what="few round trips")


def test_nothing_waits_behind_a_slow_job_in_its_batch(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor()
    actor.freeze()
    before = [client.submit("1") for _ in range(1000)]
    slow = client.submit("sleep(600)")
    behind = [client.submit("2") for _ in range(100)]
    actor.thaw()

    # While the slow job runs, all jobs before it are settled and all jobs behind it are back in the queue.
    client.wait_status(slow, JobStatus.STARTED)
    eventually(lambda: client.queue_length() == 100, what="unstarted jobs are back in the queue")
    for job_id in before:
        client.wait_status(job_id, JobStatus.FINISHED)
    assert client.status(slow) is JobStatus.STARTED

    # These keep their order and their first attempt.
    client.stop(slow)
    for job_id in behind:
        client.reply(job_id)
    records = [client.record(job_id) for job_id in behind]
    assert [r.attempt for r in records] == [1] * 100
    assert sorted(records, key=lambda r: str(r.finished_at)) == records


def test_another_actor_takes_what_was_queued_behind_a_slow_job(start_actor: StartActor, client: JobClient) -> None:
    first, second = start_actor(), start_actor()
    first.freeze()
    second.freeze()
    for _ in range(1000):
        client.submit("1")
    slow = client.submit("sleep(600)")
    behind = [client.submit("2") for _ in range(50)]
    first.thaw()
    client.wait_status(slow, JobStatus.STARTED)
    second.thaw()

    for job_id in behind:
        client.reply(job_id)

    assert client.status(slow) is JobStatus.STARTED


def test_group_and_instance_queues_are_served(start_actor: StartActor, client: JobClient) -> None:
    start_actor("osis", "--group", "g", "--instance", "1")

    assert client.run("1", group="g").result() == "1"
    assert client.run("2", group="g", instance="1").result() == "2"
    assert client.run("3").result() == "3"


def test_jobs_of_low_priority_are_run_after_the_others(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor()
    actor.freeze()
    client.submit("0")  # the server gives it to the blocked lane, even to a frozen one
    first = client.submit("1")
    low = client.submit("2", priority="low")
    normal = client.submit("3")
    actor.thaw()

    assert [client.reply(job_id).result() for job_id in (first, low, normal)] == ["1", "2", "3"]
    started = [str(client.record(job_id).started_at) for job_id in (first, normal, low)]
    assert started == sorted(started)


def test_many_lanes_run_many_jobs_each_exactly_once(start_actor: StartActor, client: JobClient) -> None:
    start_actor("sal")

    job_ids = [client.submit(f"{i}", "sal") for i in range(1000)]

    assert [client.reply(job_id).result() for job_id in job_ids] == [str(i) for i in range(1000)]
    assert {client.record(job_id).attempt for job_id in job_ids} == {1}
