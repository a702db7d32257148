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
    """What the supervisor says of the spare actor once that is ready; one that dies before it joins leaves no trace."""
    (spare,) = client.call("get_actor", {"name": SPARE})["slots"]
    return spare if spare["phase"] == "running" else None


def test_a_killed_actor_is_reported_by_registry_and_supervisor_until_its_successor_is_ready(
    deployment: Deployment,
) -> None:
    with RawClient(deployment.socket) as raw:
        client = FollowingClient(UnixFollower(raw))
        # Examples of methods, run by earlier tests, stop it and end it.
        client.call("start_actor", {"name": SPARE})
        spare = eventually(lambda: spare_of(client), what="the spare actor runs")
        assert spare is not None
        client.subscribe("actors", {"name": SPARE})

        os.kill(spare["pid"], signal.SIGKILL)

        first = spare["incarnation"]
        seen: list[tuple[str, str]] = []

        def heard(event: str, *, of_first: bool) -> bool:
            return any(told == event and (incarnation == first) is of_first for told, incarnation in seen)

        # The dead one may be told after its successor, and a late `ready` of it may come too.
        while not (
            all(heard(event, of_first=True) for event in ("lost", "ended"))
            and all(heard(event, of_first=False) for event in ("restarted", "joined", "ready"))
        ):
            result = client.result()
            seen.append((result["event"], result["incarnation"]))
    (second,) = {incarnation for _, incarnation in seen} - {first}
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
