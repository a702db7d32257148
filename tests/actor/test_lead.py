"""One lane claims for all while jobs are many and short, and all claim again as soon as a job is slow."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hero_job.client.store import Store
from hero_job.model.status import JobStatus
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.actor.engines import TEST_ENGINE, noted, once
from tests.actor.process import ActorProcess, JobClient, make_job
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

LANES = 16
#: An actor for which jobs that come one after another are many and short also on a slow machine.
EAGER = """
import sys
from hero_actor.lanes.turns import lead
lead._WITHIN_S, lead._SHORT_S, lead._SHORT_ALONE_S, lead._LONG_S = {within_s}, 10.0, 10.0, 10.0
lead.LOOK_S, lead._TURN_LOOKS, lead._MOST, lead.BLOCK_S = 0.05, 1000, lead._MANY, {block_s}
from hero_actor.cli import main
sys.exit(main())
"""
#: The jobs that a lead begins with, and one for each lane that still waits on the queue then.
WARM_UP = 32 + LANES

StartEager = Callable[..., ActorProcess]


@pytest.fixture
def start_eager(tmp_path: Path, own_valkey: ValkeyServer, namespace: str) -> Iterator[StartEager]:
    """Return a function that starts an actor of 16 lanes, in which a lead begins soon and ends only for slow jobs."""
    actors: list[ActorProcess] = []

    def start(*flags: str, within_s: float = 1e6, block_s: float = 1.0) -> ActorProcess:
        program = ("-c", EAGER.format(within_s=within_s, block_s=block_s))
        flags = ("--lanes", str(LANES), *flags)
        actors.append(ActorProcess(tmp_path, own_valkey.url, namespace, "sal", flags, control=False, program=program))
        actors[-1].wait_ready()
        return actors[-1]

    yield start
    for actor in actors:
        actor.close()


def lanes_waiting(own_valkey: ValkeyServer) -> int:
    """Count the lanes that wait on their queue in the store."""
    with Store(own_valkey.url) as store:
        clients = str(store.run(Op(("CLIENT", "LIST"), str))).splitlines()
    return sum(" flags=b " in line and " cmd=blmove " in line for line in clients)


def lane_of(client: JobClient, job_id: str) -> str:
    """Return which lane has run a job."""
    return str(client.record(job_id).owner).rpartition("/")[2]


def wait_until_shorter(client: JobClient, left: int) -> None:
    eventually(lambda: client.queue_length("sal") <= left, what=f"{left} jobs are left")


def begin_lead(client: JobClient, own_valkey: ValkeyServer) -> None:
    """Run short jobs, one after another, until one lane claims for all."""
    for _ in range(WARM_UP):
        assert client.run("1", "sal").status is JobStatus.FINISHED
    eventually(lambda: lanes_waiting(own_valkey) == 1, what="one lane waits on the queue for all")


def test_one_lane_runs_short_jobs_that_come_one_after_another(
    start_eager: StartEager, own_client: JobClient, own_valkey: ValkeyServer
) -> None:
    start_eager(*TEST_ENGINE)
    begin_lead(own_client, own_valkey)

    jobs = []
    for _ in range(3 * LANES):
        jobs.append(own_client.submit("1", "sal"))
        assert own_client.reply(jobs[-1]).status is JobStatus.FINISHED

    lanes = Counter(lane_of(own_client, job_id) for job_id in jobs)
    assert max(lanes.values()) > len(jobs) // 2, lanes


def test_all_lanes_run_slow_jobs_that_arrive_simultaneously_behind_short_ones(
    start_eager: StartEager, own_client: JobClient, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    start_eager(*TEST_ENGINE)
    begin_lead(own_client, own_valkey)
    runs, gate = tmp_path / "runs", tmp_path / "gate"

    jobs = [make_job(once(runs, gate), "sal") for _ in range(LANES)]
    own_client.submit_jobs(jobs)

    def begun() -> bool:
        return runs.exists() and len(runs.read_text().split()) == LANES

    eventually(begun, what="each lane runs one of them")
    assert len({lane_of(own_client, job.id) for job in jobs}) == LANES
    gate.touch()
    assert {own_client.reply(job.id).status for job in jobs} == {JobStatus.FINISHED}
    assert len(runs.read_text().split()) == LANES, "none was run twice"


def test_all_lanes_wait_on_the_queue_again_when_few_jobs_come(
    start_eager: StartEager, own_client: JobClient, own_valkey: ValkeyServer
) -> None:
    start_eager(*TEST_ENGINE, within_s=3.0)

    def has_begun() -> bool:
        assert own_client.run("1", "sal").status is JobStatus.FINISHED
        return lanes_waiting(own_valkey) <= 1

    eventually(has_begun, what="one lane waits on the queue for all")
    eventually(lambda: lanes_waiting(own_valkey) == LANES, what="each lane waits on the queue")


def test_a_lane_that_follows_runs_a_job_that_was_put_into_its_claimed_list(
    start_eager: StartEager, own_client: JobClient, own_valkey: ValkeyServer, operations: Operations, namespace: str
) -> None:
    start_eager(*TEST_ENGINE)
    begin_lead(own_client, own_valkey)
    (incarnation,) = own_client.incarnations()

    with Store(own_valkey.url) as store:
        jobs = [make_job("1", "sal", group="ping", instance=f"lane-{lane}") for lane in range(LANES)]
        for lane, job in enumerate(jobs):
            store.run(operations.create(job, start=True))
            assert store.run(Recoveries(namespace).hand_over(job, incarnation, lane))
    for lane, job in enumerate(jobs):
        assert own_client.reply(job.id).status is JobStatus.FINISHED
        assert lane_of(own_client, job.id) == str(lane)
    assert lanes_waiting(own_valkey) <= 1, "one lane still claims for all"


def test_a_lane_that_follows_runs_all_that_an_earlier_turn_of_it_has_claimed(
    start_eager: StartEager, own_client: JobClient, own_valkey: ValkeyServer, operations: Operations, namespace: str
) -> None:
    block_s = 5.0  # with one job for each look, this would take minutes
    start_eager(*TEST_ENGINE, block_s=block_s)
    begin_lead(own_client, own_valkey)
    (incarnation,) = own_client.incarnations()

    # As if the answer to a turn had been lost: the jobs have started, and no lane knows.
    jobs = [make_job("1", "sal", group="lost", instance="answer") for _ in range(60)]
    last_id = own_client.submit("1", "sal")
    assert own_client.reply(last_id).status is JobStatus.FINISHED
    follower = (int(lane_of(own_client, last_id)) + 1) % LANES
    owner = f"{incarnation}/{follower}"
    with Store(own_valkey.url) as store:
        for job in jobs:
            store.run(operations.create(job, start=True))
            assert store.run(Recoveries(namespace).hand_over(job, incarnation, follower))
            started = ("status", "started", "owner", owner, "attempt", "1")
            store.run(Op(("HSET", operations.keys.job(job.id), *started), as_is))

    for job in jobs:
        assert own_client.reply(job.id).status is JobStatus.FINISHED
        assert lane_of(own_client, job.id) == str(follower)


def test_an_actor_whose_lanes_follow_ends_when_it_is_told_to(
    start_eager: StartEager, own_client: JobClient, own_valkey: ValkeyServer
) -> None:
    actor = start_eager(*TEST_ENGINE)
    begin_lead(own_client, own_valkey)

    actor.signal(signal.SIGTERM)

    assert actor.wait_exit() == 0
    assert own_client.incarnations() == []


@pytest.mark.parametrize("seed", [1, 2])
def test_broken_connections_a_killed_store_and_slow_jobs_among_fast_ones_double_no_run(
    start_eager: StartEager, own_client: JobClient, own_valkey: ValkeyServer, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    runs, made = tmp_path / "runs", list[str]()
    actor = start_eager(*TEST_ENGINE)

    for number in range(15):
        begin_lead(own_client, own_valkey)
        jobs = []
        for _ in range(chance.choice((20, 200))):
            slow_s = chance.choice((0.015, 0.1)) if chance.random() < 0.02 else 0.0
            jobs.append(make_job(noted(runs, len(made), slow_s), "sal"))
            made.append(jobs[-1].id)
        own_client.submit_jobs(jobs)
        if number % 8 == 7:
            own_valkey.kill()
            own_valkey.start()
        for _ in range(3):
            wait_until_shorter(own_client, chance.randrange(len(jobs)))
            own_valkey.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        for job in jobs:
            assert own_client.reply(job.id).status is JobStatus.FINISHED
    counts = Counter(map(int, runs.read_text().split()))
    assert {n: counts[n] for n in range(len(made)) if counts[n] != 1} == {}
    assert actor.process.poll() is None
