"""The names and shapes of the newer Rust supervisor, over a real socket, with real actors behind it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hero_job.client.store import Store
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.job.conftest import lane, make_actor
from tests.job.lane import Lane
from tests.supervisor.rpc.transports import Client, job, request

__all__ = ["lane", "make_actor"]  # fixtures


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


PAGE = (Path(__file__).parents[4] / "docs/rust_family.md").read_text("utf-8")
#: Name on the page -> what its result is called there.
ROWS = dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|[^|]*\| ([^|]*) \|", PAGE, re.MULTILINE))
SHAPES: dict[str, Callable[[Any], bool]] = {
    "id": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "array of jobs": lambda value: bool(value) and value[0].keys() == runner_job().keys(),
    '`{"success"}` or `{"error"}`': lambda value: value in ({"success": "42"}, {"error": "stopped"}),
    '`{"logs"}`, a text or null': lambda value: value == {"logs": "ready"},
    "object with `status`": lambda value: value["status"] in {"created", "dispatched", "started", "finished"},
}


def test_every_alias_answers_in_the_shape_that_the_page_gives(
    any_client: Client,
    store: Store,
    lane: Lane,
) -> None:
    osis = {"executor": "osis", "payload": "1", "id": "j"}
    calls: dict[str, Any] = {
        "jobs.create": {"job": runner_job(**osis)},
        "jobs.list": {},
        "job.status": {"job_id": "j"},
        "job.start": {"job_id": "j"},
    }
    shown = {name: any_client.call(name, params) for name, params in calls.items()}
    (held,) = lane.claim()
    assert store.run(lane.actor.write_log(0, held, [("info", "ready")]))
    lane.finish(held, output="42")
    for name in ("job.result", "job.logs", "job.stop", "job.delete"):
        shown[name] = any_client.call(name, {"job_id": "j"})
    any_client.call("create_job", {"job_params": job(id="k")})
    any_client.call("job.stop", ["k"])
    shown["job.run"] = any_client.call("job.result", ["k"])  # the same shape; with an actor in the test above
    shown["jobs.clear"] = any_client.call("jobs.clear")

    assert ROWS.keys() == shown.keys()
    for name, value in shown.items():
        assert SHAPES[ROWS[name]](value), (name, value)
    assert any_client.call("jobs.list") == []


def test_our_own_methods_answer_in_our_shape(any_client: Client) -> None:
    for job_id in ("a", "b"):
        any_client.call("create_job", {"job_params": job(id=job_id)})
    assert any_client.call("stop_job", ["a"]) == "stopped"
    assert any_client.call("list_jobs", {"count": 1000}).keys() == {"jobs", "damaged", "cursor"}
    assert any_client.call("get_job_logs", ["a"]) == {"lines": [], "cursor": ""}
    assert any_client.call("clear_all_jobs") == {"deleted": 2, "running": 0}
    assert any_client.fail("create_job", {"job_params": 5})["data"]["field"] == "job_params"
    assert any_client.fail("create_job", {"job_params": job(), "script": "1"})["data"]["field"] == "job"


def test_a_request_may_begin_with_a_byte_order_mark(any_client: Client) -> None:
    assert any_client.exchange(b"\xef\xbb\xbf" + request("version"))["result"]["name"] == "hero-runtime"
