"""Servers that can push, a client that follows, and an actor of one lane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_job.client.store import Store
from tests.job.lane import Lane
from tests.supervisor.rpc.followers import FollowingClient, follower_of
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.subscriptions.actors import MAX_SUBSCRIPTIONS, actor_of
from tests.valkey_server import ValkeyServer


@pytest.fixture(params=["unix", "websocket"])
def pushing_server(
    request: pytest.FixtureRequest, valkey: ValkeyServer, namespace: str, socket_path: Path
) -> Iterator[RunningServer]:
    """A server of each transport that can push."""
    path = socket_path if request.param == "unix" else None
    server = RunningServer(valkey.url, namespace, path, max_subscriptions=MAX_SUBSCRIPTIONS).start()
    yield server
    server.stop()


@pytest.fixture
def follower(pushing_server: RunningServer) -> Iterator[FollowingClient]:
    """A connection to it."""
    with follower_of(pushing_server) as client:
        yield client


@pytest.fixture
def lane(store: Store, namespace: str) -> Lane:
    """An actor for SAL with one lane, which has joined."""
    lane = Lane(store, actor_of(namespace))
    assert store.run(lane.actor.join())
    return lane
