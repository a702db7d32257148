"""A WebSocket whose path names a context: all of its jobs have that context, no matter which method creates them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import GENEROUS_S
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.raw_client import job, request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import ask

StartActor = Callable[[str], ForeignActor]
VERSION = request("version").decode()


def test_jobs_that_name_no_context_get_that_of_the_connection(web_server: RunningServer) -> None:
    with web_server.websocket("/02beef") as client:
        ask(client, "create_job", [job(id="object", context_id=None)])
        ask(client, "create_job", job(id="fields", context_id=None))
        ask(client, "create_job", {"job": job(id="named", context_id="02beef")})
        contexts = {
            name: ask(client, "get_job", [name])["result"]["context_id"] for name in ("object", "fields", "named")
        }

    assert contexts == {"object": "02beef", "fields": "02beef", "named": "02beef"}


@pytest.mark.parametrize("params", [["40 + 2", "SAL"], {"script": "40 + 2", "script_type": "SAL"}])
@pytest.mark.parametrize("method", ["run_job", "play"])
def test_a_script_alone_runs_in_the_context_of_its_connection(
    web_server: RunningServer, foreign_actor: StartActor, method: str, params: Any
) -> None:
    foreign_actor("sal")
    with web_server.websocket("/02beef") as client:
        ask(client, method, params)
        (found,) = ask(client, "list_jobs")["result"]["jobs"]

    assert (found["context_id"], found["status"]) == ("02beef", "finished")


@pytest.mark.parametrize("spelling", ["context_id", "contextId"])
@pytest.mark.parametrize("other", ["02other", "default"])
def test_a_job_of_another_context_is_refused(web_server: RunningServer, spelling: str, other: str) -> None:
    given = {**job(context_id=None), spelling: other}
    with web_server.websocket("/02beef") as client:
        answers = [
            ask(client, "create_job", [given]),
            ask(client, "create_job", given),
            ask(client, "run_job", {"job": given}),
            ask(client, "run_job", [given]),
        ]
        left = ask(client, "list_jobs")["result"]["jobs"]

    assert [answer["error"]["code"] for answer in answers] == [ErrorCode.FORBIDDEN] * 4
    assert left == []


def test_every_method_that_creates_jobs_is_bound_to_the_context(
    web_server: RunningServer, foreign_actor: StartActor
) -> None:
    foreign_actor("sal")
    given = job(context_id=None)
    other_system = {"id": "alias", "caller_id": "02abc", "payload": "1", "executor": "sal", "timeout": 5}
    schedule = {"name": "nightly", "job": given, "interval_s": 3600}
    with web_server.websocket("/02beef") as client:
        answers = [
            ask(client, "create_jobs", {"jobs": [given, given]}),
            ask(client, "run_jobs", [[given]]),
            ask(client, "jobs.create", {"job": other_system}),
            ask(client, "job.run", [{"job": {**other_system, "id": "alias-2"}}]),
            ask(client, "create_schedule", schedule),
        ]
        refused = [
            ask(client, "create_jobs", {"jobs": [given, {**given, "context_id": "02other"}]}),
            ask(client, "run_jobs", [[{**given, "contextId": "02other"}]]),
            ask(client, "jobs.create", {"params": {"job": {**other_system, "context_id": "02other"}}}),
            ask(client, "create_schedule", {**schedule, "job": {**given, "context_id": "02other"}}),
            ask(client, "create_schedule", {**schedule, "job": {**given, "context_id": "default"}}),
        ]
        found = ask(client, "list_jobs")["result"]["jobs"]

    assert [answer.get("error") for answer in answers] == [None] * 5
    assert [answer["error"]["code"] for answer in refused] == [ErrorCode.FORBIDDEN] * 5
    assert [one["context_id"] for one in found] == ["02beef"] * 5


def test_a_variable_called_script_is_not_taken_for_a_job(web_server: RunningServer) -> None:
    with web_server.websocket("/02beef") as client:
        ask(client, "create_job", [job(id="j", context_id=None, env_vars={"script": "x"})])

        assert ask(client, "get_job", ["j"])["result"]["env_vars"] == {"script": "x"}


def test_parameters_nested_deeper_than_the_recursion_limit_harm_nobody(web_server: RunningServer) -> None:
    deep = "[" * 1000 + "]" * 1000
    with web_server.websocket("/02beef") as client:
        client.send('{"jsonrpc":"2.0","id":1,"method":"create_job","params":' + deep + "}")

        assert orjson.loads(client.recv(GENEROUS_S))["error"]["code"] == ErrorCode.INVALID_PARAMS


def test_a_path_may_name_any_context_that_a_job_may_have(web_server: RunningServer) -> None:
    with web_server.websocket("/b%C3%A9%20ta") as client:
        ask(client, "create_job", [job(id="j", context_id=None)])

        assert ask(client, "get_job", ["j"])["result"]["context_id"] == "bé ta"


@pytest.mark.parametrize(("path", "status"), [("/rpc", 404), ("/healthz", 404), ("/a/b", 403), ("/%0aa", 404)])
def test_a_websocket_elsewhere_is_refused(web_server: RunningServer, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        web_server.websocket(path)

    assert refused.value.response.status_code == status
