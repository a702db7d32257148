"""The methods that list jobs, over each transport."""

from __future__ import annotations

from typing import Any

import pytest

from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.transports import Client, job


@pytest.fixture
def client(any_client: Client) -> Client:
    """Run every test of this module over each transport."""
    return any_client


def all_of(client: Client, method: str, **params: Any) -> list[dict[str, Any]]:
    """Read all pages of a list."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = client.call(method, {"cursor": cursor, "count": 2, **params})
        assert len(page["jobs"]) <= 2
        found += page["jobs"]
        cursor = page["cursor"]
        if not cursor:
            return found


def started(client: Client, **fields: Any) -> str:
    job_id: str = client.call("create_job", job(**fields))
    client.call("start_job", [job_id])
    return job_id


def ids(jobs: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in jobs]


def test_lists_tell_what_waits_is_delayed_and_is_blocked(client: Client) -> None:
    first, second = started(client, id="first"), started(client, id="second", script="x" * 500)
    later = started(client, id="later", delay_s=1000)
    blocked = started(client, id="blocked", prerequisites=[first])

    waiting = all_of(client, "list_waiting", script_type="SAL")
    delayed = all_of(client, "list_delayed")
    held_up = all_of(client, "list_blocked")

    assert [(one["id"], one["place"]) for one in waiting] == [(first, 1), (second, 2)]
    assert len(waiting[1]["script"]) == 200
    assert [(one["id"], one["due_at"] > one["created_at"]) for one in delayed] == [(later, True)]
    assert [(one["id"], one["prerequisites"]) for one in held_up] == [(blocked, [first])]
    assert client.call("list_active")["jobs"] == []
    assert ids(all_of(client, "list_jobs")) == [blocked, later, second, first]


def test_each_list_takes_the_filter(client: Client) -> None:
    for caller in ("alice", "bob"):
        first = started(client, caller_id=caller, batch=None)
        started(client, caller_id=caller, delay_s=1000)
        started(client, caller_id=caller, prerequisites=[first])

    for method in ("list_waiting", "list_delayed", "list_blocked"):
        assert [one["caller_id"] for one in all_of(client, method, filter={"caller_id": "bob"})] == ["bob"], method
    assert {one["caller_id"] for one in all_of(client, "list_jobs", caller_id="bob")} == {"bob"}
    assert len(all_of(client, "list_jobs", caller_id="bob", status="scheduled")) == 1


def test_a_search_tells_how_far_it_has_come_and_ends(client: Client) -> None:
    for n in range(3):
        client.call("create_job", job(id=f"s{n}", script=f'"needle {n}"'))

    found, walked, cursor = set[str](), 0, ""
    while True:
        page = client.call("search_jobs", {"cursor": cursor, "count": 200, "filter": {"text": "NEEDLE 1"}})
        assert page["walked"] > walked
        assert page["total"] > 0
        walked, cursor = page["walked"], page["cursor"]
        found |= {one["id"] for one in page["jobs"]}
        if not cursor:
            break

    assert found == {"s1"}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("list_waiting", {"group": "g"}, ErrorCode.INVALID_PARAMS),
        ("list_waiting", {"script_type": "lua"}, ErrorCode.INVALID_PARAMS),
        ("list_jobs", {"cursor": "yesterday"}, ErrorCode.INVALID_PARAMS),
        ("list_jobs", {"count": 0}, ErrorCode.INVALID_PARAMS),
        ("search_jobs", {"cursor": "yesterday"}, ErrorCode.INVALID_PARAMS),
        ("list_delayed", {"filter": {"colour": "red"}}, ErrorCode.INVALID_PARAMS),
        ("list_active", {"filter": {"status": "asleep"}}, ErrorCode.INVALID_PARAMS),
    ],
)
def test_what_cannot_be_meant_is_refused(client: Client, method: str, params: dict[str, Any], code: ErrorCode) -> None:
    assert client.fail(method, params)["code"] == code
