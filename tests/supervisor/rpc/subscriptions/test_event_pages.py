"""`list_events`: the same events as a subscription sends, by pages."""

from __future__ import annotations

from typing import Any

import pytest

from hero_job.client.store import Store
from hero_job.operations.events import BEGINNING, entries_after
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.job.lane import Lane
from tests.supervisor.rpc.followers import FollowingClient, follower_of
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.subscriptions.actors import submit


def moves(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["job_id"], event["status"]) for event in events]


def ended(job_id: str) -> Any:
    return lambda event: event.get("job_id") == job_id and event.get("status") == "finished"


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_pages_have_what_a_subscription_was_sent(
    follower: FollowingClient, store: Store, operations: Operations, lane: Lane, count: int
) -> None:
    follower.subscribe("jobs")
    submit(store, operations, "a")
    submit(store, operations, "b")
    lane.work_off()
    told = [event for event in follower.until(ended("b")) if event["event"] == "job"]

    found, cursor, more = [], "", True
    while more:
        page = follower.call("list_events", {"after": cursor, "count": count})
        found += page["events"]
        cursor, more = page["cursor"], page["more"]
        assert page["gap"] is False

    assert sorted(moves(found)) == sorted(moves(told))
    assert [event["cursor"] for event in found] == sorted(event["cursor"] for event in found)
    assert {(e["caller_id"], e["context_id"], e["script_type"]) for e in found} == {("02abc", "02def", "SAL")}
    assert follower.call("list_events", {"after": cursor}) == {
        "events": [], "cursor": cursor, "more": False, "gap": False,
    }  # fmt: skip


def test_events_of_some_jobs_and_of_actors(
    follower: FollowingClient, store: Store, operations: Operations, lane: Lane
) -> None:
    submit(store, operations, "a")
    submit(store, operations, "b")
    lane.work_off()

    of_b = follower.call("list_events", {"topic": "jobs", "job_ids": ["b"]})["events"]
    of_actors = follower.call("list_events", {"topic": "actors"})["events"]

    assert moves(of_b) == [("b", "dispatched"), ("b", "started"), ("b", "finished")]
    assert [(event["event"], event["name"]) for event in of_actors] == [("joined", "sal-1")]


def test_a_cursor_that_the_store_no_longer_has_is_a_gap(
    follower: FollowingClient, store: Store, operations: Operations
) -> None:
    submit(store, operations, "a")
    first = follower.call("list_events", {})["cursor"]
    submit(store, operations, "b")
    submit(store, operations, "c")
    stream = operations.keys.events
    store.run(Op(("XTRIM", stream, "MAXLEN", 1), int))

    after_trim = follower.call("list_events", {"after": first})
    store.run(Op(("DEL", stream), int))
    gone = follower.call("list_events", {"after": first})
    again = follower.call("list_events", {"after": gone["cursor"]})

    assert (moves(after_trim["events"]), after_trim["gap"]) == ([("c", "dispatched")], True)
    assert (gone["events"], gone["gap"], again["gap"]) == ([], True, False)


def test_a_stream_that_has_started_again_is_read_from_its_beginning(store: Store, operations: Operations) -> None:
    stream = operations.keys.events
    store.run(Op(("XADD", stream, "5-1", "a", "dispatched"), str))

    page = store.drive(entries_after(stream, "7-1", 10))

    assert ([cursor for cursor, _ in page.entries], page.cursor, page.gap) == (["5-1"], "5-1", True)
    assert store.drive(entries_after(stream, BEGINNING, 10)).gap is False


def test_a_connection_bound_to_a_context_sees_only_its_jobs(
    web_server: RunningServer, store: Store, operations: Operations
) -> None:
    submit(store, operations, "a", context_id="02mine")
    submit(store, operations, "b", context_id="02other")

    with follower_of(web_server, "/02mine") as bound:
        found = bound.call("list_events", {})["events"]

    assert moves(found) == [("a", "dispatched")]
