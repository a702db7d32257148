"""The methods on single jobs, with a third-party actor on the other side of a real Valkey."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.transports import Client, job
from tests.valkey_server import ValkeyServer

StartActor = Callable[[str], ForeignActor]


@pytest.fixture
def client(any_client: Client) -> Client:
    """Run every test of this module over each transport."""
    return any_client


def test_two_steps_create_then_start_then_the_output_is_there(client: Client, foreign_actor: StartActor) -> None:
    foreign_actor("sal")
    job_id = client.call("create_job", job())

    created = (client.call("get_job_status", [job_id]), client.call("get_job_output", [job_id]))
    started = client.call("start_job", [job_id])
    output = eventually(lambda: client.call("get_job_output", [job_id]))

    assert created == ("created", None)
    assert started == {"success": True}
    assert output == "ran 40 + 2"
    assert client.call("get_job_status", {"job_id": job_id}) == "finished"


@pytest.mark.parametrize("method", ["create_job", "run_job"])
@pytest.mark.parametrize(
    "shape",
    [
        lambda fields: fields,
        lambda fields: [fields],
        lambda fields: {"job": fields},
        lambda fields: {"callerId": fields.pop("caller_id"), "scriptType": fields.pop("script_type"), **fields},
    ],
    ids=["named fields", "one object by position", "one object by name", "camelCase"],
)
def test_a_job_may_be_given_by_fields_or_as_an_object(
    client: Client, foreign_actor: StartActor, method: str, shape: Callable[[dict[str, Any]], Any]
) -> None:
    foreign_actor("sal")
    given = job(id="j1", timeout=7, env_vars={"A": "b"})

    result = client.call(method, shape(given))
    record = client.call("get_job", ["j1"])

    assert result == ("j1" if method == "create_job" else "ran 40 + 2")
    assert (record["timeout"], record["env_vars"], record["caller_id"]) == (7, {"A": "b"}, "02abc")


def test_run_job_takes_script_and_type_alone_as_the_rust_system_does(client: Client, foreign_actor: StartActor) -> None:
    foreign_actor("sal")

    assert client.call("run_job", ["1", "sal"]) == "ran 1"
    assert client.call("run_job", ["1", "SAL", []]) == "ran 1"
    assert client.call("run_job", {"script": "1", "script_type": "SAL"}) == "ran 1"


def test_play_runs_for_osis_unless_told_otherwise(client: Client, foreign_actor: StartActor) -> None:
    foreign_actor("osis")
    foreign_actor("v")

    assert client.call("play", ["1"]) == {"output": "ran 1"}
    assert client.call("play", {"script": "1", "script_type": "V"}) == {"output": "ran 1"}


def test_a_failed_job_is_an_error_with_kind_message_line_and_column(client: Client, foreign_actor: StartActor) -> None:
    foreign_actor("sal")

    errors = [client.fail("run_job", job(id="j1", script="fail")), client.fail("get_job_output", ["j1"])]

    for error in errors:
        assert error["code"] == ErrorCode.JOB_FAILED
        data = {name: error["data"][name] for name in ("kind", "message", "line", "column", "job_id")}
        assert data == {"kind": "runtime", "message": "it failed", "line": 2, "column": 5, "job_id": "j1"}


@pytest.mark.parametrize("method", ["start_job", "get_job", "get_job_status", "get_job_output", "delete_job"])
@pytest.mark.parametrize("params", [["nowhere"], {"job_id": "nowhere"}], ids=["by position", "by name"])
def test_an_unknown_job_is_an_error_and_not_a_null(client: Client, method: str, params: Any) -> None:
    error = client.fail(method, params)

    assert error["code"] == ErrorCode.JOB_NOT_FOUND
    assert error["data"]["job_id"] == "nowhere"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"caller_id": None}, "caller_id"),
        ({"context_id": ""}, "context_id"),
        ({"script": None}, "script"),
        ({"script": " "}, "script"),
        ({"script": 42}, "script"),
        ({"script_type": None}, "script_type"),
        ({"script_type": "Lua"}, "script_type"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": "10"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"timeout": 1e12}, "timeout"),
        ({"scrpt": "x"}, "scrpt"),
        ({"script": "x" * (1024 * 1024 + 1)}, "script"),
        ({"env_vars": {"A": 1}}, "env_vars"),
        ({"id": "two words"}, "id"),
    ],
)
@pytest.mark.parametrize("as_object", [False, True])
def test_a_wrong_field_is_named_and_nothing_is_stored(
    client: Client, fields: dict[str, Any], field: str, as_object: bool
) -> None:
    params = job(**fields)

    error = client.fail("create_job", {"job": params} if as_object else params)

    assert error["code"] == ErrorCode.INVALID_PARAMS
    assert error["data"]["field"] == field
    assert client.call("list_jobs")["jobs"] == []


def test_object_and_fields_together_are_refused(client: Client) -> None:
    error = client.fail("create_job", {"job": job(), "timeout": 5})

    assert error["data"]["kind"] == "job_invalid"
    assert "timeout" in error["message"]


def test_the_same_job_twice_is_one_job_and_another_content_is_a_conflict(client: Client) -> None:
    ids = {client.call("create_job", job(id="same")), client.call("create_job", job(id="same"))}
    error = client.fail("create_job", job(id="same", script="other"))

    assert ids == {"same"}
    assert (error["code"], error["data"]["field"]) == (ErrorCode.JOB_CONFLICT, "script")


def test_a_job_is_started_once(client: Client) -> None:
    job_id = client.call("create_job", job())
    client.call("start_job", [job_id])

    error = client.fail("start_job", [job_id])

    assert (error["code"], error["data"]["status"]) == (ErrorCode.JOB_STATE, "dispatched")


def test_jobs_are_listed_in_pages_until_the_cursor_is_empty(client: Client) -> None:
    ids = {client.call("create_job", job()) for _ in range(25)}

    seen, cursor = [], ""
    while True:
        page = client.call("list_jobs", {"cursor": cursor, "count": 10})
        seen += [record["id"] for record in page["jobs"]]
        cursor = page["cursor"]
        if not cursor:
            break

    assert set(seen) == ids


def test_a_deleted_job_is_gone(client: Client) -> None:
    job_id = client.call("create_job", job())

    assert client.call("delete_job", [job_id]) is None
    assert client.fail("get_job", [job_id])["code"] == ErrorCode.JOB_NOT_FOUND


def test_queues_are_listed_with_how_many_wait(client: Client) -> None:
    for _ in range(3):
        client.call("start_job", [client.call("create_job", job())])

    queues = {queue["script_type"]: queue["waiting"] for queue in client.call("list_queues")}

    assert queues == {"OSIS": 0, "SAL": 3, "V": 0, "Python": 0}
    assert client.call("list_actors") == []


def test_a_damaged_job_is_an_error_and_does_not_hide_the_others(
    client: Client, valkey: ValkeyServer, namespace: str
) -> None:
    good = client.call("create_job", job())
    valkey.command("SET", f"{namespace}:job:bad", "not a hash")

    error = client.fail("get_job", ["bad"])
    # Other namespaces share the server, so a page may hold no job of ours and still not be the last.
    pages = [client.call("search_jobs")]
    while pages[-1]["cursor"]:
        pages.append(client.call("search_jobs", {"cursor": pages[-1]["cursor"]}))

    assert error["code"] == ErrorCode.JOB_DAMAGED
    # While the store resizes its table of keys, one may come twice.
    assert {record["id"] for page in pages for record in page["jobs"]} == {good}
    assert {damaged["id"] for page in pages for damaged in page["damaged"]} == {"bad"}


def test_service_methods_answer(client: Client) -> None:
    health = client.call("health")
    version = client.call("version")

    assert health["status"] == "ok"
    assert health["warnings"] == []
    assert health["uptime_s"] >= 0
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", version["version"])


def test_health_names_the_settings_of_the_store_that_may_lose_jobs(
    own_valkey: ValkeyServer, namespace: str, socket_path: Any
) -> None:
    own_valkey.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    own_valkey.command("CONFIG", "SET", "appendonly", "no")
    server = RunningServer(own_valkey.url, namespace, socket_path).start()
    try:
        with RawClient(socket_path) as client:
            health = client.call("health")
    finally:
        server.stop()

    assert health["status"] == "ok"
    assert [warning.partition(":")[0] for warning in health["warnings"]] == [
        "maxmemory-policy allkeys-lru",
        "appendonly no",
    ]


def test_without_the_store_calls_fail_clearly_and_work_again_when_it_is_back(
    own_valkey: ValkeyServer, namespace: str, socket_path: Any
) -> None:
    server = RunningServer(own_valkey.url, namespace, socket_path).start()
    try:
        with RawClient(socket_path) as client:
            job_id = client.call("create_job", job())
            own_valkey.kill()

            error = client.fail("get_job_status", [job_id])
            health = client.call("health")
            own_valkey.start()
            status = eventually(lambda: client.ask("get_job_status", [job_id]).get("result"))
    finally:
        server.stop()

    assert error["code"] == ErrorCode.STORE_UNAVAILABLE
    assert own_valkey.url.rstrip("/") in error["data"]["url"]
    assert health["status"] == "degraded"
    assert status == "created"
