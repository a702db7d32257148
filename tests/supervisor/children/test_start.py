"""When an actor counts as up, and what happens when it uses too much memory or cannot start."""

from __future__ import annotations

from pathlib import Path

from hero_job.client.store import Store
from tests.eventually import eventually
from tests.supervisor.conftest import OSIS as SHORT_LEASE
from tests.supervisor.conftest import StartSupervisor

# Nobody dies here, so no pause of a busy machine may make an actor lose its jobs.
OSIS = SHORT_LEASE.replace("lease_s = 3.0", "lease_s = 60.0")


def test_actor_is_up_when_its_engine_is_loaded_and_it_waits_on_its_queue(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    config = OSIS + f'engine = "tests.actor.engines:slow"\n[actors.env]\nTEST_ENGINE_GATE = "{gate}"\n'
    supervisor = start_supervisor(config)
    supervisor.wait_event("child.started", child="osis-1")
    job_id = supervisor.submit("word") if supervisor.wait_event("store.ready") else ""
    # Its process runs but has not joined, so it is not listed as an actor.
    with Store(supervisor.url) as store:
        assert store.drive(supervisor.operations.admin.actors()) == []
    assert supervisor.events("child.ready") == supervisor.events("service.ready") == []
    gate.touch()
    supervisor.wait_event("child.ready", child="osis-1")
    assert supervisor.reply(job_id).output == "word"
    supervisor.wait_event("service.ready", ready=1)


def test_actor_above_its_memory_is_drained_and_replaced_without_losing_a_job(
    start_supervisor: StartSupervisor,
) -> None:
    supervisor = start_supervisor(OSIS + 'engine = "tests.actor.engines:TestEngine"\nmax_rss_bytes = 250000000\n')
    supervisor.wait_ready()
    # The first job makes it live long enough not to count as a crash loop. The second takes it above its limit, with
    # more jobs waiting.
    jobs = [supervisor.submit(script) for script in ("nap 1.2", "hoard 300", *(f"nap 0.{n}" for n in range(10)))]
    supervisor.wait_event("child.replaced", child="osis-1", reason="memory")
    replies = [supervisor.reply(job_id) for job_id in jobs]
    assert {reply.error for reply in replies} == {None}
    assert {supervisor.record(job_id).attempt for job_id in jobs} == {1}
    assert len(supervisor.events("child.replaced")) == 1
    assert supervisor.events("child.ended") == []


def test_failed_start_is_reported_once_with_its_own_code(start_supervisor: StartSupervisor) -> None:
    config = OSIS + 'engine = "tests.actor.engines:broken"\n[[actors]]\ntype = "sal"\n'
    supervisor = start_supervisor(config)
    supervisor.wait_event("service.ready", ready=1, of=2)
    supervisor.wait_event("child.boot_failed", child="osis-1", reason="exit 69")
    # Its own words, which came through its pipe before it ended, say why.
    assert "no such library" in supervisor.wait_event("engine.unavailable", child="osis-1")["reason"]
    supervisor.wait_event("child.ready", child="sal-1")
    eventually(lambda: len(supervisor.events("child.started")) == 2, what="it is not started again")
