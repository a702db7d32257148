"""Actors and a client for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from tests.actor.process import ActorProcess, Client
from tests.valkey_server import ValkeyServer


class StartActor(Protocol):
    """Starts an actor of a script type and waits until it is ready."""

    def __call__(
        self, script_type: str = "osis", *flags: str, control: bool = False, url: str = "", ready: bool = True
    ) -> ActorProcess: ...


@pytest.fixture
def start_actor(valkey: ValkeyServer, namespace: str, tmp_path: Path) -> Iterator[StartActor]:
    """Start actors that end with the test."""
    actors: list[ActorProcess] = []

    def start(
        script_type: str = "osis", *flags: str, control: bool = False, url: str = "", ready: bool = True
    ) -> ActorProcess:
        actor = ActorProcess(tmp_path, url or valkey.url, namespace, script_type, flags, control=control)
        actors.append(actor)
        if ready:
            actor.wait_ready()
        return actor

    yield start
    for actor in actors:
        actor.close()


@pytest.fixture
def client(store: Store, operations: Operations) -> Client:
    """A client on the shared server."""
    return Client(store, operations)


@pytest.fixture
def own_client(own_valkey: ValkeyServer, operations: Operations) -> Iterator[Client]:
    """A client on the test's own server."""
    with Store(own_valkey.url) as store:
        yield Client(store, operations)
