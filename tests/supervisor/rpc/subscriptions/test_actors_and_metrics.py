"""The topics `actors` and `metrics`."""

from __future__ import annotations

from hero_job.client.store import Store
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from tests.supervisor.rpc.followers import FollowingClient
from tests.supervisor.rpc.subscriptions.actors import actor_of, submit


def test_actors_that_join_leave_and_are_lost_are_reported(
    follower: FollowingClient, store: Store, namespace: str
) -> None:
    follower.subscribe("actors")
    other = actor_of(namespace, "sal-2")
    recoveries = Recoveries(namespace)
    store.run(actor_of(namespace).join())
    store.run(actor_of(namespace).join())  # the answer to the first was lost
    store.run(other.join())
    store.run(other.leave())
    store.run(recoveries.recover("sal-1.here", proven_dead=True))

    told = follower.until(lambda event: event["event"] == "lost")

    assert [(event["event"], event["name"]) for event in told] == [
        ("joined", "sal-1"),
        ("joined", "sal-2"),
        ("left", "sal-2"),
        ("lost", "sal-1"),
    ]
    assert {(event["host"], event["script_type"]) for event in told} == {("here", "SAL")}


def test_events_of_actors_are_filtered_and_begin_after_a_cursor(
    follower: FollowingClient, store: Store, namespace: str
) -> None:
    store.run(actor_of(namespace).join())
    store.run(actor_of(namespace, "sal-2").join())
    follower.subscribe("actors", {"name": "sal-2", "script_type": "sal", "host": "here", "after": ""})

    event = follower.result()

    assert (event["event"], event["incarnation"]) == ("joined", "sal-2.here")


def test_metrics_come_at_intervals_and_are_those_of_stats(
    follower: FollowingClient, store: Store, operations: Operations
) -> None:
    submit(store, operations, "a")
    follower.subscribe("metrics", {"interval_s": 0.5})

    first, second = follower.result(), follower.result()
    stats = follower.call("stats")

    assert first["event"] == "metrics"
    assert first["at"] < second["at"]
    assert first["stats"].keys() == stats.keys()
    assert second["stats"]["queues"] == stats["queues"]
    assert sum(queue["waiting"] for queue in first["stats"]["queues"]) == 1
