"""The topic `jobs`: which events are sent, in which order, and where a subscription begins."""

from __future__ import annotations

from typing import Any

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.job.lane import Lane
from tests.supervisor.rpc.followers import FollowingClient, follower_of
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.subscriptions.actors import submit


def moves(told: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["job_id"], event["status"]) for event in told]


def ended(job_id: str) -> Any:
    return lambda event: event.get("job_id") == job_id and event.get("status") == "finished"


def test_a_jobs_whole_life_is_sent(follower: FollowingClient, store: Store, operations: Operations, lane: Lane) -> None:
    follower.subscribe("jobs")
    submit(store, operations, "a")
    lane.work_off()

    told = follower.until(ended("a"))

    assert moves(told) == [("a", "dispatched"), ("a", "started"), ("a", "finished")]
    assert {(e["event"], e["caller_id"], e["context_id"], e["script_type"]) for e in told} == {
        ("job", "02abc", "02def", "SAL")
    }
    assert all(e["at"].endswith("Z") and "-" in e["cursor"] for e in told)


def test_an_event_right_after_the_answer_is_sent(
    follower: FollowingClient, store: Store, operations: Operations
) -> None:
    subscription = follower.call("hero_subscribe", ["jobs"])
    submit(store, operations, "a")

    first, second = follower.notified(), follower.notified()

    assert first == {"subscription": subscription, "result": first["result"]}
    assert first["result"]["event"] == "following"
    assert second["result"]["job_id"] == "a"


@pytest.mark.parametrize(
    "wanted",
    [
        {"job_ids": ["b", "x"]},
        {"caller_id": "02b"},
        {"context_id": "02b"},
        {"script_type": "osis"},
        {"status": ["stopped"]},
        {"status": ["STOPPED", "error"], "script_type": "OSIS", "caller_id": "02b", "job_ids": ["a", "b"]},
    ],
    ids="+".join,
)
def test_only_events_that_match_the_filter_are_sent(
    follower: FollowingClient, store: Store, operations: Operations, wanted: dict[str, Any]
) -> None:
    follower.subscribe("jobs", wanted)
    submit(store, operations, "a")
    submit(store, operations, "b", caller_id="02b", context_id="02b", script_type="OSIS")
    store.run(operations.stop("b"))
    submit(store, operations, "c")

    told = follower.until(lambda event: event["status"] == "stopped")

    assert {event["job_id"] for event in told} == {"b"}


def test_a_client_that_continues_after_its_cursor_misses_nothing_and_gets_nothing_twice(
    pushing_server: RunningServer, store: Store, operations: Operations
) -> None:
    def connect() -> Any:
        return follower_of(pushing_server)

    with connect() as client:
        client.subscribe("jobs")
        submit(store, operations, "seen")
        cursor = client.result()["cursor"]
    missed = [f"m{n}" for n in range(450)]  # more than two pages
    for job_id in missed:
        submit(store, operations, job_id)

    with connect() as client:
        client.subscribe("jobs", {"after": cursor})
        submit(store, operations, "last")
        told = client.until(lambda event: event["job_id"] == "last")

    assert [event["job_id"] for event in told] == [*missed, "last"]


def test_the_empty_cursor_is_the_beginning_of_what_the_store_has(
    follower: FollowingClient, store: Store, operations: Operations
) -> None:
    submit(store, operations, "before")
    follower.subscribe("jobs", {"after": ""})

    assert follower.result()["job_id"] == "before"


def test_events_that_the_store_has_lost_are_reported_as_a_gap(
    follower: FollowingClient, store: Store, operations: Operations
) -> None:
    submit(store, operations, "gone")
    submit(store, operations, "kept")
    store.run(Op(("XTRIM", operations.keys.events, "MAXLEN", 1), int))
    follower.subscribe("jobs", {"after": "1-1"})

    told = follower.until(lambda event: event.get("job_id") == "kept")

    assert [event["event"] for event in told] == ["gap", "job"]


def test_a_job_whose_record_is_gone_is_told_without_it(
    follower: FollowingClient, store: Store, operations: Operations
) -> None:
    submit(store, operations, "a")
    store.run(Op(("DEL", operations.keys.job("a")), int))
    follower.subscribe("jobs", {"after": ""})

    event = follower.result()

    assert (event["job_id"], event["caller_id"], event["script_type"]) == ("a", None, None)
