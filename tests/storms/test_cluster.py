"""Failovers of a cluster under load: planned, a killed primary, a frozen one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from hero_job import StoreError
from hero_job.client import async_store, connection
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from tests.eventually import eventually, eventually_async
from tests.job.client.test_topologies import actor
from tests.job.conftest import MakeJob, make_job
from tests.storms.conftest import ROUNDS
from tests.storms.store_cluster import StoreCluster, running_cluster
from tests.storms.submitters import Submitters
from tests.valkey_server import ValkeyServer

__all__ = ["make_job"]

_NAMESPACE = "{storm}"
_EVENTS = ("planned", "killed", "frozen")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCluster]:
    """Give a cluster to all tests of this module; each leaves it with a primary and a replica for the slot."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), _NAMESPACE) as made:
        yield made


def hit(event: str, old: ValkeyServer, new: ValkeyServer) -> None:
    """Let an event happen, and wait until the replica is the primary."""
    if event == "killed":
        old.kill()
    elif event == "frozen":
        old.freeze()

    def promoted() -> bool:
        if event == "planned" and not new.is_primary():
            with contextlib.suppress(StoreError):  # one that has begun already, or is over
                new.command("CLUSTER", "FAILOVER")
        return new.is_primary()

    eventually(promoted, every_s=0.1, what="the replica is promoted")


def heal(event: str, old: ValkeyServer) -> None:
    """Let the old primary come back."""
    if event == "killed":
        old.start()
    elif event == "frozen":
        old.thaw()


def test_nothing_that_a_replica_has_is_lost_and_other_losses_precede_the_switch(
    cluster: StoreCluster, make_job: MakeJob
) -> None:
    confirmed = Submitters(f"{cluster.url}?wait_replicas=1", _NAMESPACE, make_job)
    plain = Submitters(cluster.url, _NAMESPACE, make_job)
    with confirmed.submitting(), plain.submitting():
        for event in _EVENTS * ROUNDS:
            old, new = cluster.pair()
            confirmed.go_on(f"before: {event}")
            plain.go_on(f"before: {event}")
            hit(event, old, new)
            seen_mono = time.monotonic()
            plain.go_on(f"after: {event}")  # those who wait for no replica go on before there is one
            heal(event, old)
            confirmed.go_on(f"with a replica, after: {event}")
            late = [at for at in plain.lost(cluster.url) if at > seen_mono]
            assert not late, f"{event}: {len(late)} jobs were sent after the switch, acknowledged, and are gone"
    cluster.pair()
    assert not confirmed.lost(cluster.url)
    print(
        f"confirmed: {sum(map(len, confirmed.acknowledged))} acknowledged, 0 lost;"
        f" plain: {sum(map(len, plain.acknowledged))} acknowledged, {len(plain.lost(cluster.url))} lost,"
        f" longest pause {plain.longest_gap_s():.1f} s"
    )


def test_blocked_lane_and_follower_of_a_frozen_node_go_on_when_the_cluster_has_given_it_up(
    cluster: StoreCluster, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = cluster.pair()
    namespace = f"{_NAMESPACE}blocked"  # in the same slot
    operations, job, first = Operations(namespace), make_job(), make_job()
    # Nothing but the news of the cluster ends a wait.
    monkeypatch.setattr(connection, "ANSWER_TIMEOUT_S", 3600.0)
    monkeypatch.setattr(async_store, "ANSWER_TIMEOUT_S", 3600.0)
    taken: list[str] = []
    claims = actor(namespace)

    def lane() -> None:
        with Store(cluster.url) as store:
            while job.id not in taken:
                with contextlib.suppress(StoreError):
                    taken.extend(filter(None, [store.run(claims.take(0))]))

    async def submit_when_it_is_left() -> None:
        async with AsyncStore(cluster.url) as store:
            await store.run(operations.create(first, start=True))
            await eventually_async(lambda: first.id in taken)
            old.freeze()
            while True:
                with contextlib.suppress(StoreError):
                    await store.run(operations.create(job, start=True))
                    return
                await asyncio.sleep(0.05)

    with Store(cluster.url) as store:
        store.run(claims.join())
    thread = threading.Thread(target=lane)
    thread.start()
    try:
        asyncio.run(submit_when_it_is_left())
    finally:
        thread.join(120)
        old.thaw()
    assert job.id in taken
    assert new.is_primary()
    cluster.pair()
