"""The whole service with real actors, when processes die, hang, or are told to end."""

from __future__ import annotations

import os
import signal
import time

import pytest

from hero_job.client.store import Store
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.conftest import OSIS, StartSupervisor
from tests.supervisor.supervising import gone
from tests.supervisor.supervisor_process import SupervisorProcess
from tests.valkey_server import ValkeyServer

TWO_TYPES = OSIS + '[[actors]]\ntype = "sal"\ncount = 2\nlanes = 4\n'


def nothing_left(supervisor: SupervisorProcess) -> bool:
    return not supervisor.survivors()


def test_configured_actors_start_join_and_run_jobs(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor(TWO_TYPES)
    supervisor.wait_ready()
    with Store(supervisor.url) as store:
        actors = store.drive(supervisor.operations.admin.actors())
    assert sorted((actor.name, actor.lanes) for actor in actors) == [("osis-1", 1), ("sal-1", 4), ("sal-2", 4)]
    osis, sal = supervisor.submit("40 + 2"), supervisor.submit("40 + 2", ScriptType.SAL)
    assert supervisor.reply(osis).output == supervisor.reply(sal).output == "42"


def test_killed_actor_is_replaced_and_its_job_restarts_before_its_lease_expires(
    start_supervisor: StartSupervisor,
) -> None:
    # The lease would end only after this test has failed.
    supervisor = start_supervisor(OSIS.replace("lease_s = 3.0", "lease_s = 600.0"))
    supervisor.wait_ready()
    pid = supervisor.pid_of("osis-1")
    job_id = supervisor.submit("sleep(2); 42")
    supervisor.wait_status(job_id, JobStatus.STARTED)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: supervisor.record(job_id).attempt == 2, what="the second start")
    assert supervisor.reply(job_id).output == "42"
    record = supervisor.record(job_id)
    assert (record.attempt, record.redeliveries) == (2, 0)
    assert record.rerun_reason == "its actor ended: signal 9 (Killed)"
    assert supervisor.wait_pid("osis-1", after=pid) != pid
    assert supervisor.events("child.ended", child="osis-1", reason="signal 9 (Killed)", starts_in_s=0.0)


def test_frozen_actor_is_killed_and_replaced_and_its_job_runs_again(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor()
    supervisor.wait_ready()
    pid = supervisor.pid_of("osis-1")
    job_id = supervisor.submit("sleep(3); 42")
    supervisor.wait_status(job_id, JobStatus.STARTED)
    os.kill(pid, signal.SIGSTOP)
    assert supervisor.reply(job_id).output == "42"
    assert "no beat" in supervisor.wait_event("child.killed", child="osis-1")["reason"]
    supervisor.wait_pid("osis-1", after=pid)
    assert pid not in [process.pid for process in supervisor.descendants()]


def test_actor_with_a_missing_engine_is_reported_once_and_harms_no_other(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor(OSIS + '[[actors]]\ntype = "sal"\nengine = "nosuch"\n')
    supervisor.wait_ready()
    supervisor.wait_event("child.boot_failed", child="sal-1", reason="exit 69")
    assert supervisor.reply(supervisor.submit("1 + 1")).output == "2"
    assert supervisor.terminate() == 0
    assert len(supervisor.events("child.started", child="sal-1")) == 1
    assert len(supervisor.events("child.boot_failed")) == 1


def test_term_lets_running_jobs_finish(start_supervisor: StartSupervisor, valkey: ValkeyServer, namespace: str) -> None:
    supervisor = start_supervisor(TWO_TYPES, redis_url=valkey.url, namespace=namespace)
    supervisor.wait_ready()
    jobs = [supervisor.submit("sleep(3); 7", kind) for kind in (ScriptType.OSIS, ScriptType.SAL)]
    for job_id in jobs:
        supervisor.wait_status(job_id, JobStatus.STARTED)
    assert supervisor.terminate() == 0
    assert [supervisor.record(job_id).output for job_id in jobs] == ["7", "7"]
    assert [supervisor.record(job_id).attempt for job_id in jobs] == [1, 1]
    with Store(valkey.url) as store:
        assert store.drive(supervisor.operations.admin.actors()) == []
    assert nothing_left(supervisor)


def test_job_that_takes_longer_than_the_shutdown_time_is_handed_back(
    start_supervisor: StartSupervisor, valkey: ValkeyServer, namespace: str
) -> None:
    supervisor = start_supervisor(
        OSIS, redis_url=valkey.url, namespace=namespace, environ={"HERO_SUPERVISOR__SHUTDOWN_S": "0.5"}
    )
    supervisor.wait_ready()
    job_id = supervisor.submit("sleep(60)")
    supervisor.wait_status(job_id, JobStatus.STARTED)
    assert supervisor.terminate() == 0
    assert supervisor.record(job_id).status == JobStatus.DISPATCHED
    assert nothing_left(supervisor)


def test_second_term_does_not_wait_for_jobs(
    start_supervisor: StartSupervisor, valkey: ValkeyServer, namespace: str
) -> None:
    supervisor = start_supervisor(
        OSIS, redis_url=valkey.url, namespace=namespace, environ={"HERO_SUPERVISOR__SHUTDOWN_S": "3600"}
    )
    supervisor.wait_ready()
    job_id = supervisor.submit("sleep(3600)", timeout=3600)
    supervisor.wait_status(job_id, JobStatus.STARTED)
    supervisor.descendants()
    supervisor.signal(signal.SIGTERM)
    supervisor.wait_event("service.stopping")
    supervisor.signal(signal.SIGINT)
    assert supervisor.process.wait(GENEROUS_S) == 0
    assert supervisor.record(job_id).status == JobStatus.DISPATCHED
    assert nothing_left(supervisor)


def test_killed_supervisor_leaves_no_process_and_the_next_one_carries_on(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor(TWO_TYPES)
    supervisor.wait_ready()
    running = supervisor.submit("sleep(3); 1")
    supervisor.wait_status(running, JobStatus.STARTED)
    queued = [supervisor.submit(f"{number}") for number in range(20)]
    assert len(supervisor.descendants()) == 4  # three actors and the store
    supervisor.kill()
    eventually(lambda: nothing_left(supervisor), what="actors and store end by themselves")
    successor = start_supervisor(TWO_TYPES)
    # With appendfsync everysec, acknowledged jobs can be lost only in a power cut.
    assert [successor.reply(job_id).output for job_id in queued] == [str(number) for number in range(20)]
    assert successor.reply(running).output == "1"


def test_slot_is_not_started_while_its_process_of_a_killed_supervisor_is_still_ending(
    start_supervisor: StartSupervisor, valkey: ValkeyServer, namespace: str
) -> None:
    killed = start_supervisor(OSIS, redis_url=valkey.url, namespace=namespace)
    killed.wait_ready()
    old_pid = killed.pid_of("osis-1")
    # Frozen, so that the next supervisor finds it. It gets some time before it is killed.
    os.kill(old_pid, signal.SIGSTOP)
    killed.kill()
    successor = start_supervisor(OSIS, redis_url=valkey.url, namespace=namespace)
    assert successor.wait_event("child.former", child="osis-1")["child_pid"] == old_pid
    assert len(successor.events("child.started", child="osis-1")) == 1  # by the killed supervisor; same log
    os.kill(old_pid, signal.SIGCONT)
    successor.wait_event("child.ready", child="osis-1", count=2)
    assert gone(old_pid)
    assert successor.reply(successor.submit("1 + 1")).output == "2"


def test_killed_store_restarts_and_no_job_is_lost(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor(environ={"HERO_EMBEDDED__APPENDFSYNC": "always"})
    supervisor.wait_ready()
    jobs = [supervisor.submit(f"sleep(0.2); {number}") for number in range(5)]
    os.kill(int(supervisor.wait_event("store.ready")["store_pid"]), signal.SIGKILL)
    supervisor.wait_event("store.ready", count=2)
    assert [supervisor.reply(job_id).output for job_id in jobs] == [str(number) for number in range(5)]
    assert len(supervisor.events("child.started")) == 1  # actors outlive an outage of the store


def test_supervisor_waits_for_a_store_that_is_away_at_the_start_and_names_it(
    start_supervisor: StartSupervisor, own_valkey: ValkeyServer
) -> None:
    own_valkey.kill()
    supervisor = start_supervisor(redis_url=own_valkey.url)
    assert f"127.0.0.1:{own_valkey.port}" in supervisor.wait_event("store.away")["reason"]
    own_valkey.start()
    supervisor.wait_event("store.back")
    supervisor.wait_event("child.ready", child="osis-1")
    assert supervisor.reply(supervisor.submit("1 + 1")).output == "2"
    assert len(supervisor.events("child.started")) == 1


@pytest.mark.parametrize("trouble", ["killed", "frozen"])
def test_supervisor_outlives_an_outage_of_the_store_and_recovers_jobs_afterwards(
    start_supervisor: StartSupervisor, own_valkey: ValkeyServer, trouble: str
) -> None:
    supervisor = start_supervisor(redis_url=own_valkey.url)
    supervisor.wait_ready()
    job_id = supervisor.submit("sleep(3); 42")
    supervisor.wait_status(job_id, JobStatus.STARTED)
    pid = supervisor.pid_of("osis-1")
    if trouble == "killed":
        own_valkey.kill()
    else:
        own_valkey.freeze()
    os.kill(pid, signal.SIGKILL)
    supervisor.wait_event("child.started", count=2)  # it does not wait for the store
    if trouble == "killed":
        own_valkey.start()
    else:
        own_valkey.thaw()
    assert supervisor.reply(job_id).output == "42"
    assert supervisor.record(job_id).attempt == 2


def test_supervisor_that_was_frozen_kills_no_actor(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor()
    supervisor.wait_ready()
    supervisor.signal(signal.SIGSTOP)
    frozen_mono = time.monotonic()
    eventually(lambda: time.monotonic() - frozen_mono > 6.0, what="more time than a heartbeat may take")
    supervisor.signal(signal.SIGCONT)
    assert supervisor.reply(supervisor.submit("1 + 1")).output == "2"
    resumed_mono = time.monotonic()
    eventually(lambda: time.monotonic() - resumed_mono > 1.5, what="a few ticks")
    assert supervisor.events("child.killed") == []
