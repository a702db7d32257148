"""The names and shapes of the newer Rust supervisor, over a real socket, with real actors behind it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.supervisor.rpc.transports import Client


def runner_job(**fields: Any) -> dict[str, Any]:
    """A job in the shape that programs of the newer Rust supervisor send."""
    return {
        "id": uuid.uuid4().hex,
        "caller_id": "02abc",
        "context_id": "02def",
        "payload": "40 + 2",
        "runner": "sal_runner_1",
        "executor": "rhai",
        "timeout": 30,
        "env_vars": {},
        "created_at": "2023-01-01T00:00:00Z",
        "updated_at": "2023-01-01T00:00:00Z",
        **fields,
    }


@pytest.mark.parametrize(
    "wrap", [lambda params: params, lambda params: [params], lambda params: {"params": params}],
    ids=["by name", "one object by position", "one object by name"],
)  # fmt: skip
def test_a_program_of_the_newer_supervisor_finds_its_methods_and_shapes(service: Client, wrap: Any) -> None:
    given = runner_job()
    job_id = service.call("jobs.create", wrap({"secret": "s", "job": given}))
    too_early = service.fail("job.result", wrap({"job_id": job_id}))
    service.call("job.start", wrap({"secret": "s", "job_id": job_id}))
    result = eventually(lambda: service.ask("job.result", wrap({"job_id": job_id})).get("result"))
    (shown,) = [one for one in service.call("jobs.list") if one["id"] == job_id]
    status = service.call("job.status", wrap({"job_id": job_id}))

    assert job_id == given["id"]
    assert too_early["code"] == ErrorCode.JOB_STATE
    assert result == {"success": "42"}
    assert shown.keys() == given.keys()
    assert (shown["payload"], shown["executor"]) == ("40 + 2", "sal")
    assert status["status"] == "finished"
    assert service.call("job.delete", wrap({"secret": "s", "job_id": job_id})) is None
    assert service.fail("job.status", [job_id])["code"] == ErrorCode.JOB_NOT_FOUND


def test_failure_and_stop_have_the_shapes_of_the_newer_supervisor(service: Client) -> None:
    failed = service.call("job.run", {"secret": "s", "job": runner_job(payload='throw "no such thing"')})
    job_id = service.call("jobs.create", {"secret": "s", "job": runner_job()})
    stopped = service.call("job.stop", {"secret": "s", "job_id": job_id})
    nameless = service.fail("jobs.create", {"job": runner_job(runner="x", executor="y")})

    assert failed.keys() == {"error"}
    assert "no such thing" in failed["error"]
    assert stopped is None
    assert service.call("job.result", [job_id]).keys() == {"error"}
    assert nameless["data"]["field"] == "executor"
    assert service.fail("jobs.create", [])["data"]["field"] == "job"
    assert service.fail("job.start", [])["data"]["field"] == "job_id"
