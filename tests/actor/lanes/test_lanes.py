"""How lanes take jobs: order, concurrency, round trips, and what happens behind a slow job."""

from __future__ import annotations

import signal
from itertools import pairwise

from hero_job.model.status import JobStatus
from tests.actor.conftest import StartActor
from tests.actor.process import Client
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def test_osis_runs_jobs_one_at_a_time_in_the_order_of_their_queue(start_actor: StartActor, client: Client) -> None:
    job_ids = [client.submit(f"sleep(0.003); {i}") for i in range(30)]

    start_actor()

    for job_id in job_ids:
        client.reply(job_id)
    records = [client.record(job_id) for job_id in job_ids]
    for earlier, later in pairwise(records):
        assert str(earlier.finished_at) <= str(later.started_at)


def test_sixteen_sleeping_scripts_in_sal_all_run_at_the_same_time(start_actor: StartActor, client: Client) -> None:
    start_actor("sal")

    job_ids = [client.submit("sleep(1)", "sal") for _ in range(16)]

    for job_id in job_ids:
        client.reply(job_id)
    records = [client.record(job_id) for job_id in job_ids]
    assert max(str(r.started_at) for r in records) < min(str(r.finished_at) for r in records)


def test_sleeping_scripts_are_spread_over_lanes_that_were_busy_with_fast_ones(
    start_actor: StartActor, client: Client
) -> None:
    actor = start_actor("sal")
    actor.signal(signal.SIGSTOP)
    fast = [client.submit("1", "sal") for _ in range(2000)]
    slow = [client.submit("sleep(1)", "sal") for _ in range(16)]
    actor.signal(signal.SIGCONT)

    for job_id in fast + slow:
        client.reply(job_id)

    records = [client.record(job_id) for job_id in slow]
    assert max(str(r.started_at) for r in records) < min(str(r.finished_at) for r in records)


def test_two_cpu_bound_scripts_in_one_process_run_on_two_cores_at_once(start_actor: StartActor, client: Client) -> None:
    actor = start_actor("sal", "--lanes", "2")
    job_ids = [client.submit("loop {}", "sal", timeout_s=60) for _ in range(2)]
    for job_id in job_ids:
        client.wait_status(job_id, JobStatus.STARTED)

    def both_compute() -> bool:
        # Of two threads that share the interpreter lock one always waits for it, asleep. Two that the kernel finds
        # running or ready to, look after look, share nothing; how much processor they get is up to the machine.
        return all(len(actor.computing_threads()) >= 2 for _ in range(20))

    eventually(both_compute, every_s=0.05, what="two threads compute at once")


def test_busy_lane_makes_one_round_trip_a_job(
    start_actor: StartActor, own_client: Client, own_valkey: ValkeyServer
) -> None:
    actor = start_actor(url=own_valkey.url)
    actor.signal(signal.SIGSTOP)
    job_ids = [own_client.submit("sleep(0.005)") for _ in range(100)]
    before = own_valkey.command_calls()
    actor.signal(signal.SIGCONT)
    own_client.reply(job_ids[-1])
    after = own_valkey.command_calls()

    scripts = after["evalsha"] - before["evalsha"]
    # One more to claim the first; the beat adds one a second.
    assert 100 <= scripts <= 105
    assert after.get("blmove", 0) - before.get("blmove", 0) <= 3


def test_busy_lane_makes_far_fewer_round_trips_than_jobs_while_jobs_are_fast(
    start_actor: StartActor, own_client: Client, own_valkey: ValkeyServer
) -> None:
    actor = start_actor(url=own_valkey.url)
    actor.signal(signal.SIGSTOP)
    job_ids = [own_client.submit("40 + 2") for _ in range(2000)]
    before = own_valkey.command_calls()
    actor.signal(signal.SIGCONT)
    own_client.reply(job_ids[-1])
    after = own_valkey.command_calls()

    assert after["evalsha"] - before["evalsha"] < 1000


def test_nothing_waits_behind_a_slow_job_in_its_batch(start_actor: StartActor, client: Client) -> None:
    actor = start_actor()
    actor.signal(signal.SIGSTOP)
    before = [client.submit("1") for _ in range(1000)]
    slow = client.submit("sleep(2)")
    behind = [client.submit("2") for _ in range(100)]
    actor.signal(signal.SIGCONT)

    # While the slow job runs, all results before it are there, and all jobs behind it are in the queue.
    client.wait_status(slow, JobStatus.STARTED)
    eventually(lambda: client.queue_length() == 100, what="unstarted jobs are back in the queue")
    for job_id in before:
        assert client.status(job_id) is JobStatus.FINISHED
    assert client.status(slow) is JobStatus.STARTED

    # And they keep their order and their first attempt.
    for job_id in behind:
        client.reply(job_id)
    records = [client.record(job_id) for job_id in behind]
    assert [r.attempt for r in records] == [1] * 100
    assert sorted(records, key=lambda r: str(r.finished_at)) == records


def test_another_actor_takes_what_was_queued_behind_a_slow_job(start_actor: StartActor, client: Client) -> None:
    first = start_actor()
    first.signal(signal.SIGSTOP)
    for _ in range(1000):
        client.submit("1")
    slow = client.submit("sleep(3)")
    behind = [client.submit("2") for _ in range(50)]
    second = start_actor()
    second.signal(signal.SIGSTOP)
    first.signal(signal.SIGCONT)
    client.wait_status(slow, JobStatus.STARTED)
    second.signal(signal.SIGCONT)

    for job_id in behind:
        client.reply(job_id)

    assert client.status(slow) is JobStatus.STARTED


def test_group_and_instance_queues_are_served(start_actor: StartActor, client: Client) -> None:
    start_actor("osis", "--group", "g", "--instance", "1")

    assert client.run("1", group="g").result() == "1"
    assert client.run("2", group="g", instance="1").result() == "2"
    assert client.run("3").result() == "3"


def test_jobs_of_low_priority_are_run_after_the_others(start_actor: StartActor, client: Client) -> None:
    actor = start_actor()
    actor.signal(signal.SIGSTOP)
    client.submit("0")  # goes to the lane that blocks, frozen or not
    first = client.submit("1")
    low = client.submit("2", priority="low")
    normal = client.submit("3")
    actor.signal(signal.SIGCONT)

    assert [client.reply(job_id).result() for job_id in (first, low, normal)] == ["1", "2", "3"]
    started = [str(client.record(job_id).started_at) for job_id in (first, normal, low)]
    assert started == sorted(started)


def test_many_lanes_run_many_jobs_each_exactly_once(start_actor: StartActor, client: Client) -> None:
    start_actor("sal")

    job_ids = [client.submit(f"{i}", "sal") for i in range(1000)]

    assert [client.reply(job_id).result() for job_id in job_ids] == [str(i) for i in range(1000)]
    assert {client.record(job_id).attempt for job_id in job_ids} == {1}
