"""What a crash of an actor does to the jobs that it ran: the culprit is found and charged, and nobody else is."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord
from tests.actor.engines import until
from tests.eventually import eventually
from tests.supervisor.conftest import StartSupervisor
from tests.supervisor.supervisor_process import SupervisorProcess

# No pause of a busy machine may look like the end of an actor.
CONFIG = """
[supervisor]
lease_s = 60
[rpc]
unix_socket = ""
[jobs]
max_redeliveries = {most}
[[actors]]
type = "sal"
lanes = 8
engine = "tests.actor.engines:TestEngine"
isolation = "{isolation}"
"""
SAL = ScriptType.SAL


def start_innocents(supervisor: SupervisorProcess, gate: Path) -> list[str]:
    ids = [supervisor.submit(until(gate), SAL) for _ in range(3)]
    for job_id in ids:
        supervisor.wait_status(job_id, JobStatus.STARTED)
    return ids


def all_run(supervisor: SupervisorProcess, ids: list[str], attempt: int) -> bool:
    records = [supervisor.record(job_id) for job_id in ids]
    return all((record.status, record.attempt) == (JobStatus.STARTED, attempt) for record in records)


def finished_records(supervisor: SupervisorProcess, ids: list[str], gate: Path) -> list[JobRecord]:
    gate.touch()
    for job_id in ids:
        assert supervisor.reply(job_id).status is JobStatus.FINISHED
    return [supervisor.record(job_id) for job_id in ids]


def test_script_that_crashes_its_actor_is_found_and_costs_its_neighbours_one_restart(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    supervisor = start_supervisor(CONFIG.format(most=2, isolation="thread"))
    supervisor.wait_ready()
    gate = tmp_path / "gate"
    innocents = start_innocents(supervisor, gate)

    culprit = supervisor.submit("segfault", SAL)

    reply = supervisor.reply(culprit)
    assert (reply.status, reply.error_kind) == (JobStatus.ERROR, "lost")
    assert reply.error is not None
    assert "ended 3 times while it ran alone" in reply.error
    assert "SIGSEGV" in reply.error
    record = supervisor.record(culprit)
    assert (record.attempt, record.redeliveries) == (4, 3)
    assert record.rerun_reason is not None
    assert "it ran alone, and the script's process was ended by signal SIGSEGV" in record.rerun_reason
    for innocent in finished_records(supervisor, innocents, gate):
        assert (innocent.attempt, innocent.redeliveries) == (2, 0)
        assert innocent.rerun_reason == "its actor ended: signal 11 (Segmentation fault)"
    assert len(supervisor.events("child.ended", child="sal-1")) == 1, "only the first crash ended the actor"


@pytest.mark.slow
def test_script_that_freezes_its_actor_is_ended_at_its_deadline_when_it_runs_alone(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    supervisor = start_supervisor(CONFIG.format(most=0, isolation="thread"))
    supervisor.wait_ready()
    gate = tmp_path / "gate"
    innocents = start_innocents(supervisor, gate)

    culprit = supervisor.submit("hold", SAL, timeout=1)

    reply = supervisor.reply(culprit)
    assert (reply.status, reply.error_kind) == (JobStatus.ERROR, "timeout")
    for innocent in finished_records(supervisor, innocents, gate):
        assert (innocent.attempt, innocent.redeliveries) == (2, 0)
        assert innocent.rerun_reason is not None
        # On a slow machine its lease may have expired before the supervisor killed it.
        assert innocent.rerun_reason.startswith("its actor ")


@pytest.mark.slow
def test_actor_killed_from_outside_charges_no_job_however_often(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    supervisor = start_supervisor(CONFIG.format(most=0, isolation="thread"))
    supervisor.wait_ready()
    gate = tmp_path / "gate"
    innocents = start_innocents(supervisor, gate)

    for attempt in (2, 3):
        os.kill(supervisor.pid_of("sal-1"), signal.SIGKILL)
        eventually(partial(all_run, supervisor, innocents, attempt), what="they run again")

    for innocent in finished_records(supervisor, innocents, gate):
        assert (innocent.attempt, innocent.redeliveries) == (3, 0)
        assert innocent.rerun_reason == "its actor ended: signal 9 (Killed)"


def test_script_in_process_isolation_crashes_alone(start_supervisor: StartSupervisor, tmp_path: Path) -> None:
    supervisor = start_supervisor(CONFIG.format(most=0, isolation="process"))
    supervisor.wait_ready()
    gate = tmp_path / "gate"
    innocents = start_innocents(supervisor, gate)

    crashed = supervisor.reply(supervisor.submit("segfault", SAL))
    held = supervisor.reply(supervisor.submit("hold", SAL, timeout=1))

    assert (crashed.status, crashed.error_kind) == (JobStatus.ERROR, "crashed")
    assert "SIGSEGV" in (crashed.error or "")
    assert held.error_kind == "timeout"
    for innocent in finished_records(supervisor, innocents, gate):
        assert (innocent.attempt, innocent.rerun_reason) == (1, None)
    assert supervisor.events("child.ended") == []
