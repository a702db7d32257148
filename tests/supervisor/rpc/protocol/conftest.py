"""Fixtures for the tests of the dispatcher."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from tests.supervisor.rpc.protocol.calls import Calls


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def dispatcher(calls: Calls) -> Dispatcher:
    dispatcher = Dispatcher(max_batch=300)
    for name in (
        "subtract",
        "update",
        "foobar",
        "sum",
        "notify_hello",
        "get_data",
        "typed",
        "broken",
        "unencodable",
        "wait",
    ):
        dispatcher.register(name, getattr(calls, name))
    return dispatcher


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner
