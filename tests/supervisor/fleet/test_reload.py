"""A changed config, and signals, while the service runs. With real supervisors and real actors."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from hero_config.model.settings import ActorSettings, JobsSettings, Settings, StoreSettings, SupervisorSettings
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_supervisor.fleet.reload import merge
from tests.eventually import eventually
from tests.supervisor.conftest import OSIS as SHORT_LEASE
from tests.supervisor.conftest import StartSupervisor
from tests.supervisor.manager_socket import received
from tests.supervisor.supervisor_process import SupervisorProcess

# Nobody dies here, so no pause of a busy machine may make an actor lose its jobs.
OSIS = SHORT_LEASE.replace("lease_s = 3.0", "lease_s = 60.0")
SAL = '[[actors]]\ntype = "sal"\ncount = 2\nlanes = 4\n'
MORE = '[[actors]]\ntype = "sal"\nname = "more"\nlanes = 1\n'


def write(supervisor: SupervisorProcess, config: str) -> None:
    (supervisor.folder / "hero.toml").write_text(config)


def reload(supervisor: SupervisorProcess, config: str) -> None:
    write(supervisor, config)
    supervisor.signal(signal.SIGHUP)


def pids(supervisor: SupervisorProcess) -> dict[str, int]:
    """Give the newest process of each slot."""
    return {str(e["child"]): int(e["child_pid"]) for e in supervisor.events("child.started")}


def test_sighup_reloads_the_config_and_replaces_only_changed_processes(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        supervisor = start_supervisor(OSIS + SAL, environ={"NOTIFY_SOCKET": address})
        supervisor.wait_ready()
        before = pids(supervisor)
        received(manager)

        # One entry is new, one has changed, and one stays.
        running = supervisor.submit("sleep(4); 7", ScriptType.SAL)
        supervisor.wait_status(running, JobStatus.STARTED)
        reload(supervisor, OSIS + SAL.replace("lanes = 4", "lanes = 3") + MORE)
        done = supervisor.wait_event("service.reloaded")
        assert (done["added"], done["changed"], done["removed"], done["scaled"]) == (["more"], ["sal"], [], [])
        supervisor.wait_event("roll.replaced", child="sal-1")
        supervisor.wait_event("roll.replaced", child="sal-2")
        supervisor.wait_event("child.ready", child="more-1")
        after = pids(supervisor)
        assert after["osis-1"] == before["osis-1"]
        assert after["sal-1"] != before["sal-1"]
        assert after["sal-2"] != before["sal-2"]
        assert supervisor.reply(running).output == "7"
        assert supervisor.record(running).attempt == 1
        said = received(manager)
        assert [word.partition("=")[0] for word in said if "STATUS" not in word] == ["RELOADING", "READY"]

    # Another count replaces no process.
    reload(supervisor, OSIS + SAL.replace("lanes = 4", "lanes = 3").replace("count = 2", "count = 3"))
    done = supervisor.wait_event("service.reloaded", count=2)
    assert (done["scaled"], done["removed"], done["changed"]) == (["sal"], ["more"], [])
    supervisor.wait_event("child.ready", child="sal-3")
    supervisor.wait_event("child.stopped", child="more-1")
    assert {slot: pid for slot, pid in pids(supervisor).items() if slot in after} == after


def test_config_with_errors_changes_nothing_and_every_error_is_logged(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor(OSIS)
    supervisor.wait_ready()
    before = pids(supervisor)
    reload(supervisor, OSIS + 'count = "many"\nlanez = 3\n')
    assert supervisor.wait_event("reload.refused")["problems"] == 2
    problems = " ".join(str(e["problem"]) for e in supervisor.events("reload.problem"))
    assert "hero.toml" in problems
    assert "count" in problems
    assert "lanez" in problems
    # Settings that need a restart are named, and the others are applied.
    reload(supervisor, OSIS.replace("sweep_s = 0.2", "sweep_s = 0.3") + "count = 2\n")
    assert supervisor.wait_event("reload.needs_restart")["keys"] == ["supervisor.sweep_s"]
    supervisor.wait_event("child.ready", child="osis-2")
    assert pids(supervisor)["osis-1"] == before["osis-1"]
    # When a process cannot start with the new settings, the old one stays.
    reload(supervisor, OSIS + 'engine = "nosuch"\n')
    assert supervisor.wait_event("roll.stopped")["child"] == "osis-1"
    assert supervisor.reply(supervisor.submit("1 + 1")).output == "2"


def test_signals_restart_all_actors_and_change_their_number(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor(OSIS + '[[actors]]\ntype = "sal"\nlanes = 2\nmax = 2\nmin = 1\n')
    supervisor.wait_ready()
    before = pids(supervisor)
    supervisor.signal(signal.SIGUSR2)
    for slot in before:
        supervisor.wait_event("roll.replaced", child=slot)
    assert not set(pids(supervisor).values()) & set(before.values())

    supervisor.signal(signal.SIGTTIN)
    supervisor.wait_event("child.ready", child="sal-2")
    supervisor.signal(signal.SIGTTIN)  # the maximum is two
    supervisor.wait_event("service.signal", signal="SIGTTIN", count=2)
    supervisor.signal(signal.SIGTTOU)
    supervisor.wait_event("child.stopped", child="sal-2")
    supervisor.signal(signal.SIGTTOU)  # the minimum is one
    supervisor.wait_event("service.signal", signal="SIGTTOU", count=2)
    assert [e["to"] for e in supervisor.events("actors.scaled")] == [2, 1]
    assert not supervisor.events("child.started", child="osis-2")


def test_number_of_actors_follows_the_load(start_supervisor: StartSupervisor) -> None:
    scaled = '[[actors]]\ntype = "sal"\nlanes = 1\nmin = 1\nmax = 2\nscale_wait_s = 0.2\nscale_idle_s = 2.0\n'
    supervisor = start_supervisor(OSIS + scaled)
    supervisor.wait_ready()
    jobs = [supervisor.submit("sleep(1); 1", ScriptType.SAL) for _ in range(12)]
    up = supervisor.wait_event("actors.scaled", entry="sal", to=2)
    assert "jobs wait" in up["reason"]
    supervisor.wait_event("child.ready", child="sal-2")
    assert [supervisor.reply(job).output for job in jobs] == ["1"] * 12
    down = supervisor.wait_event("actors.scaled", entry="sal", to=1)
    assert "lanes are busy" in down["reason"]
    supervisor.wait_event("child.stopped", child="sal-2")
    assert [supervisor.record(job).attempt for job in jobs] == [1] * 12


def test_rolling_restarts_under_load_fail_no_job_and_run_none_twice(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor(OSIS + SAL)
    supervisor.wait_ready()
    jobs: list[str] = []

    def load_until(replaced: int) -> None:
        def probe() -> bool:
            jobs.extend(supervisor.submit(f"sleep(0.05); {n}", kind) for n, kind in enumerate(kinds))
            return len(supervisor.events("roll.replaced")) == replaced

        eventually(probe, every_s=0.05)

    kinds = [ScriptType.OSIS, ScriptType.SAL, ScriptType.SAL]
    for replaced in (3, 6, 9):
        supervisor.signal(signal.SIGUSR2)
        load_until(replaced)
    ends = [supervisor.reply(job) for job in jobs]
    assert {end.status for end in ends} == {JobStatus.FINISHED}
    assert {supervisor.record(job).attempt for job in jobs} == {1}


def test_changeable_settings_are_taken_and_the_others_are_named() -> None:
    running = Settings()
    loaded = Settings(
        store=StoreSettings(namespace="other"),
        supervisor=SupervisorSettings(shutdown_s=3, lease_s=20),
        jobs=JobsSettings(reply_ttl_s=7),
        actors=(ActorSettings(type="v"),),
    )
    merged, needs_restart = merge(running, loaded)
    assert set(needs_restart) == {"store.namespace", "supervisor.lease_s", "jobs.reply_ttl_s"}
    assert merged.actors == loaded.actors
    assert merged.supervisor.shutdown_s == 3
    assert (merged.store, merged.jobs, merged.supervisor.lease_s) == (running.store, running.jobs, 8.0)
