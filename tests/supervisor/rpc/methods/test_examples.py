"""The example of every method in `rpc.discover`, called against a whole service with real actors."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from hero_supervisor.rpc.methods import examples
from hero_supervisor.rpc.methods.overview import overview_examples
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.supervisor.rpc.json_schema import validator
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.transports import Client, HttpClient, job

CALLS = examples.build()
#: Methods whose result is exactly the one in the example.
EXACT = {
    "create_job", "start_job", "run_job", "play", "get_job_status", "get_job_output", "stop_job", "retry_job",
    "set_object", "find_objects", "list_objects", "delete_object", "change_object_rights",
    "delete_job", "purge_dead", "delete_schedule", "get_batch", "wait_jobs",
    "jobs.create", "job.run", "job.start", "job.result", "job.stop", "job.delete",
    "job.logs", "jobs.clear",
}  # fmt: skip


@pytest.fixture
def example_jobs(service: Client) -> None:
    """Create the jobs, the batch and the schedule that the examples use; remove everything else."""
    eventually(lambda: service.call("clear_all_jobs")["running"] == 0)
    service.call("purge_dead")
    ours = {"caller_id": examples.CALLER, "context_id": examples.CONTEXT}
    ready = job(id=examples.DONE, **ours, script='print("ready"); 40 + 2')
    assert service.call("run_job", {"job": ready}) == "42"
    service.call("create_job", job(id=examples.CREATED, **ours))
    service.fail("run_job", {"job": job(id=examples.DEAD, **ours, script='throw "no such report"')})
    eventually(lambda: service.call("list_dead")["total"] == 1)
    if "error" in service.ask("get_batch", [examples.BATCH]):  # the counts of a batch outlive its jobs
        batch = [job(id=f"{examples.BATCH}-{n}", **ours) for n in range(2)]
        service.call("run_jobs", {"jobs": batch, "batch_id": examples.BATCH})
    service.call("stop_jobs", {"act_id": overview_examples.ACT, "job_ids": ["nowhere"], "reason": "wrong input"})
    note = {"type": examples.TYPE, "sid": examples.SID, "context_id": examples.CONTEXT}
    if service.call("list_objects", {"type": examples.TYPE, "context_id": examples.CONTEXT})["sids"]:
        service.call("delete_object", note)
    service.call("set_object", {**note, "fields": {"title": "Buy milk"}})
    nightly = job(**ours)
    service.call("create_schedule", {"name": examples.SCHEDULE, "job": nightly, "interval_s": 86_400})


@pytest.fixture(scope="module")
def described(deployment: Deployment) -> dict[str, Any]:
    """The whole document, and in it the schemas of results by method."""
    with RawClient(deployment.socket) as client:
        document: dict[str, Any] = client.call("rpc.discover", [])
    document["results"] = {method["name"]: method["result"]["schema"] for method in document["methods"]}
    return document


@pytest.mark.usefixtures("example_jobs")
@pytest.mark.parametrize("method", list(CALLS))
def test_example_gives_the_result_that_it_shows(service: Client, method: str, described: dict[str, Any]) -> None:
    example = orjson.loads(orjson.dumps(CALLS[method].described(method)))
    params = {param["name"]: param["value"] for param in example["params"]}
    if isinstance(service, HttpClient) and method in OF_A_CONNECTION:
        assert "websocket" in str(service.fail(method, params)).lower()
        return

    result = service.call(method, params)

    schema = {**described["results"].get(method, {}), "components": described["components"]}
    problems = validator()(schema).iter_errors(result)
    assert [f"{problem.json_path}: {problem.message}" for problem in problems] == []
    if method in EXACT:
        assert result == example["result"]["value"]
    else:
        assert_alike(result, example["result"]["value"], method)


#: Methods that HTTP POST refuses, because a POST is no lasting connection.
OF_A_CONNECTION = {"authenticate", "fetch_nonce", "hero_subscribe", "hero_unsubscribe"}
#: Fields that only the Unix socket can fill, because only there the kernel knows the client.
OF_THE_KERNEL = {"uid", "gid", "pid"}


def assert_alike(result: Any, example: Any, place: str) -> None:
    """Whether names and types are the same at every level; null and empty values match everything."""
    if example in (None, [], {}) or result is None:
        return
    assert type(result) is type(example) or {type(result), type(example)} == {int, float}, place
    if isinstance(example, dict):
        assert result.keys() | OF_THE_KERNEL == example.keys() | OF_THE_KERNEL, place
        for name, value in example.items():
            if name in OF_THE_KERNEL:
                continue
            assert_alike(result[name], value, f"{place}.{name}")
    elif isinstance(example, list):
        assert result, place
        for got, value in zip(result, example, strict=False):
            assert_alike(got, value, f"{place}[]")
