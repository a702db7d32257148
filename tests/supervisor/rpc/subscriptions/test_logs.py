"""The topic `logs`: the lines of a job, from the first to its end."""

from __future__ import annotations

from typing import Any

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.job.lane import Lane
from tests.supervisor.rpc.followers import FollowingClient
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.subscriptions.actors import submit


def write_log(store: Store, lane: Lane, held: Any, *texts: str) -> None:
    assert store.run(lane.actor.write_log(0, held, [("info", text) for text in texts]))


def test_a_log_is_followed_while_the_job_runs_and_ends_with_it(
    follower: FollowingClient, store: Store, operations: Operations, lane: Lane
) -> None:
    submit(store, operations, "a")
    (held,) = lane.claim()
    write_log(store, lane, held, "one", "two")
    follower.subscribe("logs", {"job_id": "a"})
    assert [follower.result()["text"] for _ in range(2)] == ["one", "two"]

    write_log(store, lane, held, "three")
    third = follower.result()
    write_log(store, lane, held, "four", "five")
    lane.finish(held)
    rest = follower.until(lambda event: event["event"] == "end")

    assert (third["text"], third["level"]) == ("three", "info")
    assert [event.get("text") for event in rest] == ["four", "five", None]
    assert (rest[-1]["job_id"], rest[-1]["status"]) == ("a", "finished")


def test_the_log_of_a_job_that_has_ended_is_sent_whole_and_the_subscription_is_over(
    pushing_server: RunningServer, follower: FollowingClient, store: Store, operations: Operations, lane: Lane
) -> None:
    submit(store, operations, "a")
    (held,) = lane.claim()
    texts = [f"line {n}" for n in range(700)]
    write_log(store, lane, held, *texts)
    lane.finish(held)
    subscription = follower.subscribe("logs", {"job_id": "a"})

    told = follower.until(lambda event: event["event"] == "end")

    assert [event["text"] for event in told[:-1]] == texts
    assert follower.call("hero_unsubscribe", [subscription]) is False
    eventually(lambda: pushing_server.subscription_tasks() == [])
    # The same log, after a cursor.
    follower.subscribe("logs", {"job_id": "a", "after": told[-3]["cursor"]})
    assert [event.get("text") for event in follower.until(lambda event: event["event"] == "end")] == ["line 699", None]


def test_lines_that_the_store_has_dropped_are_reported_as_a_gap(
    follower: FollowingClient, store: Store, operations: Operations, lane: Lane
) -> None:
    submit(store, operations, "a")
    (held,) = lane.claim()
    write_log(store, lane, held, "first")
    cursor = store.run(operations.log("a"))[0].cursor
    write_log(store, lane, held, *(f"line {n}" for n in range(1100)))
    lane.finish(held)
    follower.subscribe("logs", {"job_id": "a", "after": cursor})

    told = follower.until(lambda event: event["event"] == "end")

    assert [event["event"] for event in told] == ["gap", *["line"] * 1000, "end"]


def test_the_log_of_an_unknown_job_is_an_error(pushing_server: RunningServer, follower: FollowingClient) -> None:
    assert follower.code("hero_subscribe", ["logs", {"job_id": "none"}]) == ErrorCode.JOB_NOT_FOUND
    eventually(lambda: pushing_server.subscription_tasks() == [])
