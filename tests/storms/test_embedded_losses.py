"""What the embedded store has on its disk when it acknowledges a job, with `always` and with `everysec`."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from hero_supervisor.store.embedded import EmbeddedStore
from tests.eventually import eventually
from tests.job.conftest import MakeJob, make_job

__all__ = ["make_job"]


def synced(store: Store, wait_ms: int) -> bool:
    """Is all that this connection has written synced to the disk? 1 of the WAITAOF answer is the server's own file."""
    return store.run(Op(("WAITAOF", 0 if wait_ms == 0 else 1, 0, wait_ms), lambda answer: bool(answer[0] == 1)))


@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
def test_a_killed_store_has_every_job_that_was_synced(tmp_path: Path, make_job: MakeJob, appendfsync: str) -> None:
    operations, acknowledged = Operations(), list[str]()
    embedded = EmbeddedStore(dir=tmp_path / "store", appendfsync=appendfsync)
    embedded.start()
    try:
        for _ in range(2):
            with Store(embedded.url) as store:
                for _ in range(100):
                    acknowledged.append(store.run(operations.create(make_job(), start=True)))
                if appendfsync == "everysec":
                    # While a sync runs, the server writes nothing for up to two seconds.
                    eventually(functools.partial(synced, store, 1000), what="all is on the disk")
            embedded.kill()
            embedded.stop()
            embedded.start()
            with Store(embedded.url) as store:
                there = store.run_many([Op(("EXISTS", operations.keys.job(job)), int) for job in acknowledged])
            assert set(there) == {1}
    finally:
        embedded.stop()


def test_always_has_each_job_on_the_disk_before_it_is_acknowledged(tmp_path: Path, make_job: MakeJob) -> None:
    with EmbeddedStore(dir=tmp_path / "store", appendfsync="always") as embedded, Store(embedded.url) as store:
        for _ in range(100):
            store.run(Operations().create(make_job(), start=True))
            assert synced(store, 0)


def test_everysec_has_each_job_on_the_disk_some_time_after_it_is_acknowledged(
    tmp_path: Path, make_job: MakeJob
) -> None:
    with EmbeddedStore(dir=tmp_path / "store", appendfsync="everysec") as embedded, Store(embedded.url) as store:
        immediately = []
        for _ in range(100):
            store.run(Operations().create(make_job(), start=True))
            immediately.append(synced(store, 0))
        assert not all(immediately), "a power failure would lose some"
        eventually(lambda: synced(store, 1000), what="what was acknowledged is synced without another write")
