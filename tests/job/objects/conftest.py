"""Fixtures for the tests of objects: a small bench over both stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.model.objects.acl import Acl
from hero_job.operations.flow import Flow
from hero_job.operations.objects.acl_changes import AclChanges
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects
from tests.valkey_server import ValkeyServer

T = TypeVar("T")
TYPE = "hero.task"
INDEXED = ("title", "tags")

OWNER = ObjectAccess(context_id="alice", caller_id="alice")
BOB = ObjectAccess(context_id="alice", caller_id="bob")
OPERATOR = ObjectAccess(context_id="alice", caller_id=None)


class ObjectBench:
    """Runs procedures, on either store."""

    def __init__(self, namespace: str, drive: Callable[[Flow[Any]], Any]) -> None:
        self.objects = Objects(namespace)
        self.acls = AclChanges(namespace)
        self._drive = drive

    def run(self, flow: Flow[T]) -> T:
        result: T = self._drive(flow)
        return result

    def put(self, access: ObjectAccess, sid: str, title: str = "", *, base: int | None = None, **fields: Any) -> int:
        """Write an object; returns its version."""
        flow = self.objects.put(access, TYPE, sid, {"title": title, **fields}, indexed=INDEXED, base=base)
        return self.run(flow).version

    def title(self, access: ObjectAccess, sid: str) -> str:
        return str(self.run(self.objects.get(access, TYPE, sid)).fields["title"])

    def grant(self, change: Callable[[Acl], Acl], access: ObjectAccess = OWNER) -> None:
        self.run(self.acls.change(access, change))


@pytest.fixture(params=["sync", "async"])
def bench(request: pytest.FixtureRequest, namespace: str, valkey: ValkeyServer) -> Iterator[ObjectBench]:
    """Return a bench on the synchronous store, then one on the asynchronous store."""
    if request.param == "sync":
        with Store(valkey.url) as store:
            yield ObjectBench(namespace, store.drive)
        return
    with asyncio.Runner() as runner:

        async def make() -> AsyncStore:
            return AsyncStore(valkey.url)

        aio = runner.run(make())

        async def drive(flow: Flow[Any]) -> Any:
            return await aio.drive(flow)

        yield ObjectBench(namespace, lambda flow: runner.run(drive(flow)))
        runner.run(aio.aclose())
