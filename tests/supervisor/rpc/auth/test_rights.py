"""Rights: who may create which jobs in which context, with every method that creates jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hero_config.model.settings import RpcSettings
from hero_job import Job
from hero_supervisor.rpc.auth.rights import Rights
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.raw_client import RawClient, job
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import call, token_settings
from tests.valkey_server import ValkeyServer

RIGHTS = [
    {"script_types": ["sal"], "callers": ["ops", "deploy-*"], "context_id": "site-?"},
    {"script_types": ["osis"], "callers": ["*"]},
]
SECRET = "a_script_that_no_log_may_have"


def runner_job(**fields: Any) -> dict[str, Any]:
    """A job in the shape of the newer Rust supervisor."""
    full = {"id": "j9", "caller_id": "eve", "context_id": "site-1", "payload": SECRET, "executor": "sal", "timeout": 9}
    return {**full, **fields}


def sal(**fields: Any) -> dict[str, Any]:
    return job(**{"caller_id": "eve", "context_id": "site-1", "script": SECRET, **fields})


#: Every method that creates jobs, with a job that no right allows.
CREATING: list[tuple[str, Any]] = [
    ("create_job", [sal()]),
    ("create_job", sal()),
    ("run_job", {"job": sal()}),
    ("run_job", [SECRET, "SAL"]),
    ("play", [SECRET, "sal"]),
    ("create_jobs", [[sal(script_type="OSIS"), sal()]]),
    ("run_jobs", [[sal()]]),
    ("jobs.create", {"job": runner_job()}),
    ("job.run", {"job": runner_job()}),
    ("create_schedule", {"name": "s", "job": sal(), "interval_s": 60}),
]


@pytest.fixture
def client(valkey: ValkeyServer, namespace: str, socket_path: Path) -> Iterator[RawClient]:
    server = RunningServer(valkey.url, namespace, socket_path, rights=RIGHTS).start()
    with RawClient(server.path) as client:
        yield client
    server.stop()


@pytest.mark.parametrize(("method", "params"), CREATING, ids=[f"{m}-{i}" for i, (m, _) in enumerate(CREATING)])
def test_no_method_creates_a_job_that_no_right_allows(
    client: RawClient, caplog: pytest.LogCaptureFixture, method: str, params: Any
) -> None:
    with caplog.at_level(logging.DEBUG):
        refused = client.fail(method, params)

    (record,) = [r for r in caplog.records if r.message == "rpc.refused"]
    assert (refused["code"], refused["data"]["kind"]) == (ErrorCode.FORBIDDEN, "no_right")
    assert "no right to SAL jobs in context" in refused["message"]
    assert client.call("list_jobs")["jobs"] == []
    assert client.call("list_schedules") == []
    assert (vars(record)["what"], vars(record)["script_type"]) == ("no_right", "SAL")
    assert vars(record)["caller"] in {"eve", "anonymous"}
    assert SECRET not in str([r.__dict__ for r in caplog.records])


def test_a_job_that_a_right_allows_is_created(client: RawClient) -> None:
    client.call("create_job", job(id="j1", caller_id="ops", context_id="site-1"))
    client.call("create_jobs", [[job(id="j2", caller_id="deploy-7", context_id="site-2")]])
    client.call("create_job", job(id="j3", caller_id="eve", context_id="anywhere", script_type="OSIS"))

    assert {j["id"] for j in client.call("list_jobs")["jobs"]} == {"j1", "j2", "j3"}


def test_rights_apply_to_the_caller_that_a_job_is_stored_with(valkey: ValkeyServer, namespace: str) -> None:
    rights = [{"script_types": ["sal"], "callers": ["alice"]}]
    server = RunningServer(valkey.url, namespace, tokens=token_settings(), rights=rights).start()
    try:
        own = call(server, "alice", "create_job", [job(caller_id=None)])
        other = call(server, "bob", "create_job", [job(caller_id=None)])
        administrator = call(server, "admin", "create_job", [job(caller_id="bob")])
    finally:
        server.stop()

    assert "result" in own
    assert [a["error"]["data"]["kind"] for a in (other, administrator)] == ["no_right"] * 2


@pytest.mark.parametrize("method", ["play", "run_job"])
def test_a_script_that_is_run_without_a_caller_is_a_job_of_the_one_who_asks(
    valkey: ValkeyServer, namespace: str, foreign_actor: Callable[[str], ForeignActor], method: str
) -> None:
    server = RunningServer(valkey.url, namespace, tokens=token_settings()).start()
    try:
        foreign_actor("sal")
        ran = call(server, "alice", method, ["6 * 7", "SAL"])
        (found,) = call(server, "admin", "list_jobs")["result"]["jobs"]
        seen = call(server, "alice", "get_job_output", [found["id"]])
    finally:
        server.stop()

    assert "ran 6 * 7" in str(ran["result"])
    assert found["caller_id"] == "alice"
    assert seen["result"] == "ran 6 * 7"


def allowed(rights: list[dict[str, Any]], **fields: str) -> bool:
    asked = Job.from_fields(job(**fields))
    try:
        Rights(RpcSettings.model_validate({"rights": rights})).check(asked)
    except RpcError:
        return False
    return True


@pytest.mark.parametrize(
    ("rights", "fields", "may"),
    [
        ([], {}, True),
        ([{"callers": ["*"]}], {}, True),
        ([{"callers": ["02abc"]}], {}, True),
        ([{"callers": ["02AB?"]}], {}, False),
        ([{"callers": ["02ab"]}], {}, False),
        ([{"callers": ["x", "02a*"]}], {}, True),
        ([{"callers": ["*"], "context_id": "02d?f"}], {}, True),
        ([{"callers": ["*"], "context_id": "02d?"}], {}, False),
        ([{"callers": ["*"], "script_types": ["osis", "v"]}], {}, False),
        ([{"callers": ["*"], "script_types": ["python"]}], {"script_type": "python"}, True),
        ([{"callers": ["[a-z]"]}], {"caller_id": "a"}, False),
        ([{"callers": ["[a-z]"]}], {"caller_id": "[a-z]"}, True),
        ([{"callers": ["a.c"]}], {"caller_id": "abc"}, False),
        ([{"callers": ["a*"]}], {"caller_id": "a\nb"}, True),
        ([{"callers": ["x"], "context_id": "02def"}, {"callers": ["*"], "context_id": "other"}], {}, False),
    ],
)
def test_a_right_names_context_type_and_caller(rights: list[dict[str, Any]], fields: dict[str, str], may: bool) -> None:
    assert allowed(rights, **fields) is may
