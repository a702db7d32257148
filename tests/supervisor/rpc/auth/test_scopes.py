"""Scopes: which methods a token permits, and whose jobs its holder can change."""

from __future__ import annotations

import logging
import re

import orjson
import pytest

from hero_supervisor.rpc.auth import scopes as auth
from hero_supervisor.rpc.auth.scopes import Scope, needed_scope
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.raw_client import job, request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import bearer, call, curl


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("authenticate", Scope.NONE),
        ("version", Scope.READ),
        ("health", Scope.READ),
        ("rpc.discover", Scope.READ),
        ("get_job", Scope.READ),
        ("list_jobs", Scope.READ),
        ("list_waiting", Scope.READ),
        ("list_delayed", Scope.READ),
        ("list_blocked", Scope.READ),
        ("list_active", Scope.READ),
        ("search_jobs", Scope.READ),
        ("explain_job", Scope.READ),
        ("get_job_attempts", Scope.READ),
        ("stop_jobs", Scope.USER),
        ("retry_jobs", Scope.USER),
        ("delete_jobs", Scope.USER),
        ("get_act", Scope.READ),
        ("get_audit", Scope.ADMIN),
        ("list_events", Scope.READ),
        ("create_job", Scope.USER),
        ("run_job", Scope.USER),
        ("play", Scope.USER),
        ("stop_job", Scope.USER),
        ("delete_job", Scope.USER),
        ("clear_all_jobs", Scope.ADMIN),
        ("pause_queue", Scope.ADMIN),
        ("retry_dead", Scope.ADMIN),
        ("purge_dead", Scope.ADMIN),
        ("create_schedule", Scope.ADMIN),
        ("delete_schedule", Scope.ADMIN),
        ("pause_schedule", Scope.ADMIN),
        ("resume_schedule", Scope.ADMIN),
        ("wait_jobs", Scope.READ),
        ("stats", Scope.READ),
        ("job.result", Scope.READ),
        ("whoami", Scope.READ),
        ("fetch_nonce", Scope.NONE),
        ("get_actor", Scope.READ),
        ("get_actor_logs", Scope.ADMIN),
        ("list_functions", Scope.READ),
        ("start_actor", Scope.ADMIN),
        ("stop_actor", Scope.ADMIN),
        ("restart_actor", Scope.ADMIN),
        ("scale_actors", Scope.ADMIN),
        ("purge_queue", Scope.ADMIN),
        ("reload", Scope.ADMIN),
        ("hero_subscribe", Scope.READ),
        ("hero_unsubscribe", Scope.READ),
        ("jobs.create", Scope.USER),
        ("job.stop", Scope.USER),
        ("get_object", Scope.READ),
        ("list_objects", Scope.READ),
        ("find_objects", Scope.READ),
        ("get_object_history", Scope.READ),
        ("list_object_types", Scope.READ),
        ("get_object_rights", Scope.READ),
        ("new_object", Scope.USER),
        ("set_object", Scope.USER),
        ("delete_object", Scope.USER),
        ("change_object_rights", Scope.USER),
        ("never_heard_of", Scope.ADMIN),
    ],
)
def test_each_method_needs_a_scope_and_an_unknown_one_needs_admin(method: str, scope: Scope) -> None:
    assert needed_scope(method) is scope


def test_no_method_of_the_scope_read_changes_anything(token_server: RunningServer) -> None:
    names = token_server.methods()
    changing = re.compile(
        r"create|delete|purge|clear|pause|resume|stop|start|run|play|retry|put_|set_|change|scale|reload"
    )

    assert {name for name in names if needed_scope(name) is Scope.NONE} == {"authenticate", "fetch_nonce"}
    assert [name for name in names if needed_scope(name) is Scope.READ and changing.search(name)] == []


@pytest.mark.usefixtures("patient_attempts")
def test_only_so_many_refusals_are_logged(token_server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    body = b"[" + b",".join(request("play", ["1"], i) for i in range(auth.FREE_ATTEMPTS * 5)) + b"]"
    with caplog.at_level(logging.WARNING):
        answers = curl(token_server.url(), *bearer("reader"), body=body).json

    assert {answer["error"]["code"] for answer in answers} == {ErrorCode.FORBIDDEN}
    assert [r.message for r in caplog.records].count("rpc.refused") == auth.FREE_ATTEMPTS


def test_a_reader_can_read_and_nothing_else(token_server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    call(token_server, "admin", "create_job", [job(id="j1")])
    with caplog.at_level(logging.WARNING):
        read = call(token_server, "reader", "get_job", ["j1"])
        refused = [
            call(token_server, "reader", method, params)["error"]
            for method, params in [
                ("create_job", [job()]),
                ("start_job", ["j1"]),
                ("delete_job", ["j1"]),
                ("play", ["1"]),
            ]
        ]

    assert read["result"]["id"] == "j1"
    assert {error["code"] for error in refused} == {ErrorCode.FORBIDDEN}
    assert "'user'" in refused[0]["message"]
    logged = [(vars(r)["holder"], vars(r)["what"]) for r in caplog.records if r.message == "rpc.refused"]
    assert logged[0] == ("reader", "create_job")


def test_each_request_of_a_batch_is_judged_by_itself(token_server: RunningServer) -> None:
    body = b"[" + request("version", request_id=1) + b"," + request("delete_job", ["j"], request_id=2) + b"]"

    first, second = curl(token_server.url(), *bearer("reader"), body=body).json

    assert first["result"]
    assert second["error"]["code"] == ErrorCode.FORBIDDEN


def test_a_notification_that_is_not_allowed_does_nothing(token_server: RunningServer) -> None:
    one = orjson.dumps({"jsonrpc": "2.0", "method": "create_job", "params": [job(id="j1")]})

    assert curl(token_server.url(), *bearer("reader"), body=one).status == 200
    assert call(token_server, "reader", "get_job", ["j1"])["error"]["code"] == ErrorCode.JOB_NOT_FOUND


def test_a_user_cannot_call_what_only_an_administrator_may(token_server: RunningServer) -> None:
    assert call(token_server, "alice", "no_such_method")["error"]["code"] == ErrorCode.FORBIDDEN
    assert call(token_server, "admin", "no_such_method")["error"]["code"] == ErrorCode.METHOD_NOT_FOUND


def test_the_jobs_of_a_user_carry_its_name(token_server: RunningServer) -> None:
    call(token_server, "alice", "create_job", [job(id="j1", caller_id=None)])
    call(token_server, "alice", "create_job", job(id="j2", caller_id="alice"))

    assert call(token_server, "bob", "get_job", ["j1"])["result"]["caller_id"] == "alice"
    assert call(token_server, "bob", "get_job", ["j2"])["result"]["caller_id"] == "alice"


def test_a_user_cannot_speak_for_another_caller(token_server: RunningServer) -> None:
    for given in (job(caller_id="bob"), {**job(caller_id=None), "callerId": "bob"}, job(caller_id="anonymous")):
        assert call(token_server, "alice", "create_job", [given])["error"]["code"] == ErrorCode.FORBIDDEN
        assert call(token_server, "alice", "run_job", {"job": given})["error"]["code"] == ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    "method", ["start_job", "stop_job", "retry_job", "delete_job", "job.start", "job.stop", "job.delete"]
)
def test_a_user_can_change_only_its_own_jobs(token_server: RunningServer, method: str) -> None:
    call(token_server, "alice", "create_job", [job(id="j1", caller_id=None)])

    of_another = call(token_server, "bob", method, ["j1"])
    of_nobody = call(token_server, "bob", method, ["none"])
    own = call(token_server, "alice", method, ["j1"])

    assert of_another["error"]["code"] == ErrorCode.FORBIDDEN
    assert of_nobody["error"]["code"] == ErrorCode.JOB_NOT_FOUND
    # A job that has not failed cannot be retried; only its owner gets this error.
    assert "result" in own or (method, own["error"]["code"]) == ("retry_job", ErrorCode.JOB_STATE)


def test_an_administrator_can_change_all_jobs_and_name_any_caller(token_server: RunningServer) -> None:
    call(token_server, "admin", "create_job", [job(id="j1", caller_id="alice")])

    assert "result" in call(token_server, "admin", "delete_job", ["j1"])
