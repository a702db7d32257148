"""Acts on many jobs, the record of changes, and what readers do not see; over each transport, and by tenants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hero_job.client.store import Store
from hero_job.model.overview.acts import ActKind, BulkAct
from hero_job.operations.operations import Operations
from hero_job.operations.overview.acts import Acts
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.supervisor.rpc.followers import FollowingClient, follower_of
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, call, token_settings
from tests.supervisor.rpc.transports import Client, job
from tests.valkey_server import ValkeyServer


@pytest.fixture
def client(any_client: Client) -> Client:
    """Run every test with this fixture over each transport."""
    return any_client


def create(client: Client, count: int, **fields: Any) -> list[str]:
    return [client.call("create_job", job(**fields)) for _ in range(count)]


def ended(client: Client, act: dict[str, Any]) -> dict[str, Any]:
    """Wait until an act is done."""

    def look() -> dict[str, Any]:
        found: dict[str, Any] = client.call("get_act", [act["act_id"]])
        return {} if found["state"] == "running" else found

    return eventually(look)


def statuses(client: Client, ids: list[str]) -> set[str]:
    return {client.call("get_job_status", [job_id]) for job_id in ids}


def test_many_jobs_are_stopped_retried_and_deleted_by_their_ids(client: Client) -> None:
    ids = create(client, 150)
    other = create(client, 1)

    stopped = ended(client, client.call("stop_jobs", {"job_ids": [*ids, "nowhere"], "reason": "wrong input"}))
    assert (stopped["state"], stopped["done"], stopped["refused"]) == ("done", 150, 1)
    assert (stopped["walked"], stopped["total"], stopped["reason"]) == (151, 151, "wrong input")
    assert [problem["id"] for problem in stopped["problems"]] == ["nowhere"]
    assert statuses(client, ids[::50]) == {"stopped"}

    again = ended(client, client.call("retry_jobs", {"job_ids": ids, "reason": "try again"}))
    assert again["done"] == 150
    assert statuses(client, ids[::50]) == {"dispatched"}

    gone = ended(client, client.call("delete_jobs", {"job_ids": ids, "reason": "tidy up"}))
    assert gone["done"] == 150
    assert client.fail("get_job", [ids[0]])["code"] == ErrorCode.JOB_NOT_FOUND
    assert statuses(client, other) == {"created"}


def test_jobs_are_acted_on_by_a_filter_and_only_those(client: Client) -> None:
    wanted = create(client, 5, caller_id="bob")
    others = create(client, 5, caller_id="carol")

    act = ended(client, client.call("stop_jobs", {"filter": {"caller_id": "bob"}, "reason": "bob asked"}))

    assert (act["state"], act["done"], act["refused"]) == ("done", 5, 0)
    assert act["walked"] == act["total"] > 0
    assert statuses(client, wanted) == {"stopped"}
    assert statuses(client, others) == {"created"}


@pytest.mark.parametrize(
    "params",
    [
        {"filter": {}},
        {"filter": {"caller_id": ""}},
        {"filter": {"colour": "red"}},
        {"filter": {"status": "asleep"}},
        {"job_ids": []},
        {},
        {"job_ids": ["a"], "filter": {"caller_id": "bob"}},
        {"job_ids": ["a"], "reason": ""},
    ],
)
@pytest.mark.parametrize("method", ["stop_jobs", "retry_jobs", "delete_jobs"])
def test_an_act_that_names_no_jobs_is_refused(client: Client, method: str, params: dict[str, Any]) -> None:
    ids = create(client, 2)

    error = client.fail(method, {"reason": "oops", **params})

    assert error["code"] == ErrorCode.INVALID_PARAMS
    assert statuses(client, ids) == {"created"}


def test_the_same_act_sent_again_is_one_act(client: Client) -> None:
    ids = create(client, 3)
    params = {"job_ids": ids, "reason": "once", "act_id": "once"}
    ended(client, client.call("stop_jobs", params))
    ended(client, client.call("retry_jobs", {"job_ids": ids, "reason": "again"}))

    assert client.call("stop_jobs", params)["state"] == "done"
    assert statuses(client, ids) == {"dispatched"}


def test_an_act_whose_supervisor_has_ended_is_interrupted_and_an_unknown_one_is_an_error(
    client: Client, store: Store, operations: Operations
) -> None:
    left = BulkAct(act_id="left", kind=ActKind.STOP, reason="r", who="", selects="{}", started_ms=1, updated_ms=1)
    store.run(Acts(operations).put(left))

    assert client.call("get_act", ["left"])["state"] == "interrupted"
    assert client.fail("get_act", ["nowhere"])["data"]["field"] == "act_id"


def test_each_change_is_recorded_with_who_what_and_outcome(client: Client) -> None:
    (job_id,) = create(client, 1, env_vars={"PASSWORD": "hunter2"})
    client.call("pause_queue", {"script_type": "SAL"})
    client.call("stop_job", [job_id])
    client.fail("delete_job", ["nowhere"])
    schedule = job(script="secret script", env_vars={"PASSWORD": "hunter2"})
    client.call("create_schedule", {"name": "s", "job": schedule, "interval_s": 3600})
    client.call("get_job", [job_id])

    entries = client.call("get_audit")["entries"]

    told = [(e["method"], e["outcome"]) for e in entries]
    assert told == [
        ("pause_queue", "ok"),
        ("stop_job", "ok"),
        ("delete_job", "job_not_found"),
        ("create_schedule", "ok"),
    ]
    assert json.loads(entries[1]["params"]) == {"job_id": job_id}
    assert json.loads(entries[3]["params"])["job"]["env_vars"] == "***"
    assert "hunter2" not in str(entries)
    assert "secret script" not in str(entries)
    assert entries[0]["at"].endswith("Z")
    first = client.call("get_audit", {"count": 1})
    rest = client.call("get_audit", {"after": first["cursor"]})
    assert first["entries"] + rest["entries"] == entries


# Tenants.


def test_a_tenant_acts_on_its_own_jobs_only(token_server: RunningServer) -> None:
    for name in ("alice", "bob"):
        for n in range(3):
            call(token_server, name, "create_job", [job(id=f"{name}{n}", caller_id=name)])
    ids = [f"{name}{n}" for name in ("alice", "bob") for n in range(3)]

    by_filter = call(token_server, "alice", "stop_jobs", {"filter": {"script_type": "SAL"}, "reason": "mine"})
    by_ids = call(token_server, "alice", "delete_jobs", {"job_ids": ids[2:], "reason": "all"})
    by_name = call(token_server, "alice", "stop_jobs", {"filter": {"caller_id": "bob"}, "reason": "his"})
    as_reader = call(token_server, "reader", "stop_jobs", {"job_ids": ids, "reason": "r"})

    acts = [one["result"]["act_id"] for one in (by_filter, by_ids)]
    assert by_name["error"]["code"] == as_reader["error"]["code"] == ErrorCode.FORBIDDEN

    def look() -> list[dict[str, Any]]:
        found = [call(token_server, "alice", "get_act", [act])["result"] for act in acts]
        return found if all(one["state"] == "done" for one in found) else []

    first, second = eventually(look)
    assert first["who"] == "alice"
    assert second["done"] == 1
    assert {p["id"] for p in second["problems"]} == {"bob0", "bob1", "bob2"}
    left = {
        i: call(token_server, "admin", "get_job_status", [i]).get("result") for i in ids
    }  # fmt: skip
    assert {i: left[i] for i in ids[3:]} == {"bob0": "created", "bob1": "created", "bob2": "created"}
    assert left["alice2"] is None
    assert left["alice0"] == "stopped"


def test_only_an_administrator_reads_and_follows_the_record_of_changes(token_server: RunningServer) -> None:
    call(token_server, "alice", "create_job", [job(id="a", caller_id="alice")])
    call(token_server, "alice", "stop_job", ["a"])
    call(token_server, "reader", "stop_job", ["a"])

    (entry,) = call(token_server, "admin", "get_audit")["result"]["entries"]
    refused = [
        call(token_server, "alice", "get_audit")["error"]["code"],
        call(token_server, "alice", "hero_subscribe", ["audit"])["error"]["code"],
        call(token_server, "reader", "hero_subscribe", {"topic": "audit"})["error"]["code"],
    ]

    assert (entry["who"], entry["scope"], entry["by"], entry["method"]) == ("alice", "user", "token", "stop_job")
    assert entry["peer"] == "127.0.0.1"
    assert refused == [ErrorCode.FORBIDDEN] * 3


@pytest.fixture
def administrator(token_server: RunningServer) -> Iterator[FollowingClient]:
    """Follow events as an administrator."""
    headers = {"Authorization": f"Bearer {TOKENS['admin']}"}
    with follower_of(token_server, additional_headers=headers) as follower:
        yield follower


def test_changes_are_followed_as_they_happen(administrator: FollowingClient, token_server: RunningServer) -> None:
    administrator.subscribe("audit")
    call(token_server, "admin", "pause_queue", ["V"])

    told = administrator.result()

    assert (told["event"], told["method"], told["who"]) == ("change", "pause_queue", "admin")
    assert administrator.call("get_audit", {"after": ""})["entries"][-1]["cursor"] == told["cursor"]


def test_readers_see_no_values_of_variables_and_others_do(token_server: RunningServer) -> None:
    secret = {"PASSWORD": "hunter2"}
    given = job(id="j", caller_id="alice", env_vars=secret)
    call(token_server, "alice", "create_job", [given])
    call(token_server, "alice", "start_job", ["j"])
    schedule = {"name": "s", "job": job(env_vars=secret), "interval_s": 3600}
    call(token_server, "admin", "create_schedule", schedule)

    for method in ("get_job", "list_jobs", "list_waiting", "search_jobs", "jobs.list", "list_schedules"):
        params: Any = ["j"] if method == "get_job" else {}
        assert "hunter2" not in str(call(token_server, "reader", method, params)["result"]), method
    assert call(token_server, "reader", "get_job", ["j"])["result"]["env_vars"] == {"PASSWORD": "***"}
    for name in ("alice", "admin"):
        assert call(token_server, name, "get_job", ["j"])["result"]["env_vars"] == secret


def test_scripts_are_masked_if_the_operator_names_them(valkey: ValkeyServer, namespace: str) -> None:
    server = RunningServer(valkey.url, namespace, tokens=token_settings(), reader_masks=["script"]).start()
    try:
        call(server, "admin", "create_job", [job(id="j", script='"a secret"', env_vars={"A": "b"})])
        seen = call(server, "reader", "get_job", ["j"])["result"]
    finally:
        server.stop()

    assert (seen["script"], seen["env_vars"]) == ("***", {"A": "b"})
