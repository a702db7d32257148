"""What `min-replicas-to-write` of the server keeps in a failover, without `wait_replicas` of ours."""

from __future__ import annotations

import time

from tests.eventually import eventually
from tests.job.client.test_topologies import Sentinels, sentinels
from tests.job.conftest import MakeJob, make_job
from tests.storms.submitters import Submitters
from tests.storms.test_failover import fail_over, keep_as_primary
from tests.valkey_server import ValkeyServer

__all__ = ["make_job", "sentinels"]


def guard(server: ValkeyServer) -> None:
    """Have a server refuse writes while no replica follows."""
    server.command("CONFIG", "SET", "min-replicas-to-write", 1)
    server.command("CONFIG", "SET", "min-replicas-max-lag", 1)


def test_nothing_acknowledged_after_the_promotion_is_lost_when_the_old_primary_needs_a_replica(
    sentinels: Sentinels, namespace: str, make_job: MakeJob
) -> None:
    url, old, new = sentinels.url, sentinels.master, sentinels.replica
    keep_as_primary(old)  # it never learns that it has been replaced
    guard(old)
    submitters = Submitters(url, namespace, make_job)
    with submitters.submitting():
        submitters.go_on("by the old primary", 50)
        fail_over(url)
        eventually(new.is_primary)
        seen_mono = time.monotonic()
        submitters.go_on("by the new primary", 50)
    assert old.is_primary()
    lost = submitters.lost(new.url)
    assert not [at for at in lost if at > seen_mono]
    print(
        f"{sum(map(len, submitters.acknowledged))} acknowledged, {len(lost)} lost,"
        f" longest pause {submitters.longest_gap_s():.1f} s"
    )
