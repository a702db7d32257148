"""Subscriptions of a whole service with real actors."""

from __future__ import annotations

import os
import signal
from typing import Any

from hero_supervisor.rpc.methods import examples
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.supervisor.rpc.followers import FollowingClient, UnixFollower
from tests.supervisor.rpc.raw_client import RawClient, job

SPARE = f"{examples.ENTRY}-1"


def spare_of(client: FollowingClient) -> dict[str, Any] | None:
    """What the supervisor says of the spare actor; None between two starts."""
    (spare,) = [actor for actor in client.call("list_actors") if actor["name"] == SPARE]
    return spare if spare["pid"] and spare["incarnation"] else None


def test_a_killed_actor_is_reported_by_registry_and_supervisor_until_its_successor_is_ready(
    deployment: Deployment,
) -> None:
    with RawClient(deployment.socket) as raw:
        client = FollowingClient(UnixFollower(raw))
        # An earlier test may have ended it.
        spare = eventually(lambda: spare_of(client), what="the spare actor runs")
        assert spare is not None
        client.subscribe("actors", {"name": SPARE})

        os.kill(spare["pid"], signal.SIGKILL)

        first = spare["incarnation"]
        seen: list[tuple[str, str]] = []
        # A late `ready` of the first actor may come too.
        while not {"ready", "joined"} <= {event for event, incarnation in seen if incarnation != first}:
            result = client.result()
            seen.append((result["event"], result["incarnation"]))
    second = seen[-1][1]
    assert {("lost", first), ("ended", first), ("restarted", second), ("joined", second), ("ready", second)} <= set(
        seen
    )
    assert seen.index(("ended", first)) < seen.index(("restarted", second)) < seen.index(("ready", second))


def test_what_a_real_script_prints_is_followed_to_its_end(deployment: Deployment) -> None:
    script = "for n in 0..300 { print(`line ${n}`); } 42"
    with RawClient(deployment.socket) as raw:
        client = FollowingClient(UnixFollower(raw))
        job_id = client.call("create_job", job(script=script))
        client.subscribe("logs", {"job_id": job_id})
        client.call("start_job", [job_id])

        told = client.until(lambda event: event["event"] == "end")

    assert [event["text"] for event in told[:-1]] == [f"line {n}" for n in range(300)]
    assert told[-1]["status"] == "finished"
