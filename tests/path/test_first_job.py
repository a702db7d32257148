"""The whole path in a real deployment: from a client to a script and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from hero_job import JobBuilder, JobFailed, JobNotFound, JobStatus
from hero_job.operations.operations import Op
from hero_supervisor import ScriptType, Supervisor, SupervisorBuilder
from tests.deployment import Deployment, deployed
from tests.eventually import GENEROUS_S


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(tmp_path_factory.mktemp("d")) as deployment:
        yield deployment


@pytest.fixture
def supervisor(deployment: Deployment) -> Iterator[Supervisor]:
    with deployment.supervisor() as supervisor:
        yield supervisor


def builder(script_type: ScriptType, script: str) -> JobBuilder:
    return JobBuilder().caller_id("02abc").context_id("02def").script_type(script_type).script(script).timeout(60)


def wait_pop(supervisor: Supervisor, key: str) -> object:
    """Wait for an entry of a list with a plain command."""
    return supervisor.store.run(Op(("BLPOP", key, 60), lambda answer: answer, block_s=60))


@pytest.mark.parametrize("script_type", [ScriptType.OSIS, ScriptType.SAL])
def test_a_job_runs_in_two_steps_and_in_one(supervisor: Supervisor, script_type: ScriptType) -> None:
    job = builder(script_type, "40 + 2").build()
    assert supervisor.create_job(job) == job.id
    assert supervisor.get_job_output(job.id) is None
    assert supervisor.get_job_status(job.id) is JobStatus.CREATED

    supervisor.start_job(job.id)
    assert supervisor.await_result(job.id, 60) == "42"

    assert supervisor.get_job_output(job.id) == "42"
    assert supervisor.run_job_and_await_result(builder(script_type, "40 + 2").build()) == "42"


def test_the_asyncio_api_does_the_same(deployment: Deployment) -> None:
    async def main() -> list[str]:
        async with SupervisorBuilder().redis_url(deployment.url).build_async() as supervisor:
            jobs = [builder(ScriptType.SAL, f"{n} * 2").build() for n in range(50)]
            return list(await asyncio.gather(*(supervisor.run_job_and_await_result(job) for job in jobs)))

    assert asyncio.run(main()) == [str(n * 2) for n in range(50)]


def test_a_failed_script_reports_kind_message_and_line(supervisor: Supervisor) -> None:
    with pytest.raises(JobFailed) as failed:
        supervisor.run_job_and_await_result(builder(ScriptType.OSIS, "let a = 1;\nlet b = a + missing;").build())

    assert (failed.value.kind, failed.value.line) == ("ErrorVariableNotFound", 2)
    assert "missing" in failed.value.message


def test_a_script_that_exceeds_its_timeout_fails_with_that_kind(supervisor: Supervisor) -> None:
    with pytest.raises(JobFailed) as failed:
        supervisor.run_job_and_await_result(builder(ScriptType.SAL, "loop {}").timeout(0.2).build())

    assert failed.value.kind == "timeout"


def test_a_script_knows_its_caller_and_context_even_inside_functions(supervisor: Supervisor) -> None:
    job = builder(ScriptType.OSIS, "fn f() { [CALLER_ID, CONTEXT_ID, JOB_ID] } f()").build()

    assert supervisor.run_job_and_await_result(job) == f'["02abc","02def","{job.id}"]'


def test_an_unknown_job_is_an_error_and_not_an_output_to_come(supervisor: Supervisor) -> None:
    with pytest.raises(JobNotFound):
        supervisor.get_job_output("nobody")


def test_plain_redis_commands_can_play_the_client(supervisor: Supervisor) -> None:
    def redis(*args: str | int) -> object:
        return supervisor.store.run(Op(args, lambda answer: answer))

    redis("HSET", "hero:job:foreign", "id", "foreign", "caller_id", "a", "context_id", "b", "script_type", "SAL",
          "script", "6 * 7", "timeout", "10", "status", "dispatched")  # fmt: skip
    redis("LPUSH", "hero:q:work:type:sal", "foreign")

    answer = wait_pop(supervisor, "hero:q:reply:foreign")

    assert isinstance(answer, list)
    assert '"output":"42"' in answer[1]
    assert redis("HGET", "hero:job:foreign", "output") == "42"
    assert redis("HGET", "hero:job:foreign", "status") == "finished"


@pytest.mark.parametrize("says", ["reply and hash", "only the hash"])
def test_plain_redis_commands_can_play_the_actor(supervisor: Supervisor, says: str) -> None:
    def redis(*args: str | int) -> object:
        return supervisor.store.run(Op(args, lambda answer: answer))

    job = builder(ScriptType.V, "!!wallet.send to:me").build()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(supervisor.run_job_and_await_result, job)
        assert wait_pop(supervisor, "hero:q:work:type:v") == ["hero:q:work:type:v", job.id]
        fields = redis("HGETALL", f"hero:job:{job.id}")
        assert isinstance(fields, list)
        assert dict(zip(fields[::2], fields[1::2], strict=True))["script"] == "!!wallet.send to:me"
        redis("HSET", f"hero:job:{job.id}", "status", "started")
        redis("HSET", f"hero:job:{job.id}", "status", "finished", "output", "sent")
        if says == "reply and hash":
            redis("LPUSH", f"hero:q:reply:{job.id}", "sent")

        assert waiting.result(GENEROUS_S) == "sent"
    assert supervisor.get_job_output(job.id) == "sent"


def test_sixteen_sleeping_scripts_on_four_lanes_take_four_sleeps(supervisor: Supervisor) -> None:
    ids = [supervisor.submit_job(builder(ScriptType.SAL, "sleep(0.5)").build()) for _ in range(16)]
    for job_id in ids:
        supervisor.await_result(job_id, GENEROUS_S)

    records = [supervisor.get_job(job_id) for job_id in ids]
    started = [datetime.fromisoformat(r.started_at or "").timestamp() for r in records]
    ended = [datetime.fromisoformat(r.finished_at or "").timestamp() for r in records]
    simultaneous = max(sum(s <= t < e for s, e in zip(started, ended, strict=True)) for t in started)
    assert simultaneous == 4
