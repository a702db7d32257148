"""Fixtures that start actors, or single lanes, and submit jobs to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from tests.actor.lanes.lane_alone import LaneAlone, MakeLane
from tests.actor.process import ActorProcess, JobClient
from tests.valkey_server import ValkeyServer


class StartActor(Protocol):
    """Starts an actor of a script type; waits until it is ready, unless told not to. `fresh` is not forked."""

    def __call__(
        self,
        script_type: str = "osis",
        *flags: str,
        control: bool = False,
        url: str = "",
        ready: bool = True,
        fresh: bool = False,
    ) -> ActorProcess: ...


@pytest.fixture
def start_actor(valkey: ValkeyServer, namespace: str, tmp_path: Path) -> Iterator[StartActor]:
    """Return a function that starts actors; they are killed at the end of the test."""
    actors: list[ActorProcess] = []

    def start(
        script_type: str = "osis",
        *flags: str,
        control: bool = False,
        url: str = "",
        ready: bool = True,
        fresh: bool = False,
    ) -> ActorProcess:
        actor = ActorProcess(tmp_path, url or valkey.url, namespace, script_type, flags, control=control, fresh=fresh)
        actors.append(actor)
        if ready:
            actor.wait_ready()
        return actor

    yield start
    for actor in actors:
        actor.close()


@pytest.fixture
def client(store: Store, operations: Operations) -> JobClient:
    """Return a client on the shared server."""
    return JobClient(store, operations)


@pytest.fixture
def own_client(own_valkey: ValkeyServer, operations: Operations) -> Iterator[JobClient]:
    """Return a client on the server of this test alone."""
    with Store(own_valkey.url) as store:
        yield JobClient(store, operations)


@pytest.fixture
def make_lane(valkey: ValkeyServer, namespace: str) -> Iterator[MakeLane]:
    """Return a maker of lanes that have not started; they end with the test."""
    with ExitStack() as lanes:
        yield lambda url=valkey.url, **options: lanes.enter_context(LaneAlone(url, namespace, **options))
