"""An actor with `--isolation process`: everything that a job shows is as with threads."""

from __future__ import annotations

import os
import signal

import psutil

from hero_job.client.store import Store
from hero_job.model.status import JobStatus
from hero_job.operations.operations import Operations
from hero_process.proc import children_of
from tests.actor.conftest import StartActor
from tests.actor.process import ActorProcess, JobClient
from tests.deployment import alive
from tests.eventually import eventually

PROCESS = ("--isolation", "process")


def children(actor: ActorProcess) -> list[int]:
    (template,) = children_of(actor.pid)
    return list(children_of(template))


def test_log_and_progress_can_be_read_while_a_script_runs_and_a_stop_ends_it(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    start_actor("sal", *PROCESS)
    job_id = client.submit_started('print("begun"); progress(1, 4, "working"); sleep(600)', "sal", timeout_s=600)

    eventually(lambda: client.record(job_id).progress is not None, what="its progress is stored")
    progress = client.record(job_id).progress
    assert progress is not None
    assert (progress.done, progress.total, progress.text) == (1, 4, "working")
    eventually(lambda: store.run(operations.log(job_id)), what="its log is stored")
    client.stop(job_id)

    assert client.reply(job_id).status is JobStatus.STOPPED
    assert client.run("40 + 2", "sal").result() == "42"


def test_results_errors_and_deadlines_are_those_of_threads(start_actor: StartActor, client: JobClient) -> None:
    start_actor("sal", *PROCESS, "--max-result-bytes", "2000")

    assert client.run('#{a: [1, 2.5, "x"], who: CALLER_ID}', "sal").result() == '{"a":[1,2.5,"x"],"who":"caller-1"}'
    failed = client.run('let x = 1;\nthrow "no luck"', "sal")
    assert (failed.status, failed.line) == (JobStatus.ERROR, 2)
    assert client.run("let s = \"\"; s.pad(3000, 'x'); s", "sal").error_kind == "result_too_large"
    assert client.run("loop {}", "sal", timeout_s=1).error_kind == "timeout"


def test_killed_child_is_the_error_of_its_job_alone(
    start_actor: StartActor, client: JobClient, store: Store, operations: Operations
) -> None:
    actor = start_actor("sal", *PROCESS)
    job_id = client.submit_started('print("begun"); sleep(600)', "sal", timeout_s=600)
    # A child that dies before it has received the job costs nothing: another one runs the job.
    eventually(lambda: store.run(operations.log(job_id)), what="the script runs")
    for pid in children(actor):
        os.kill(pid, signal.SIGKILL)

    reply = client.reply(job_id)

    assert (reply.status, reply.error_kind) == (JobStatus.ERROR, "crashed")
    assert "SIGKILL" in (reply.error or "")
    assert client.run("40 + 2", "sal").result() == "42"
    assert actor.process.poll() is None


def test_no_process_is_left_when_the_actor_has_ended(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor("sal", *PROCESS)
    client.submit_started("sleep(600)", "sal", timeout_s=600)
    left = [psutil.Process(pid) for pid in (*children_of(actor.pid), *children(actor))]

    actor.process.kill()

    eventually(lambda: not any(map(alive, left)), what="its processes are gone")
