"""A fixture that makes lanes in the process of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.actor.lanes.lane_alone import LaneAlone
from tests.valkey_server import ValkeyServer

MakeLane = Callable[..., LaneAlone]


@pytest.fixture
def make_lane(valkey: ValkeyServer, namespace: str) -> Iterator[MakeLane]:
    """Return a maker of lanes that have not started; they end with the test."""
    with ExitStack() as lanes:
        yield lambda url=valkey.url, **options: lanes.enter_context(LaneAlone(url, namespace, **options))
