"""Which nodes of a cluster are asked, and again."""

from __future__ import annotations

import contextlib

import pytest

from hero_job.client.primary.cluster_watch import ClusterWatch
from hero_job.client.url import parse_url
from hero_job.model.errors import StoreUnavailable
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def test_a_node_that_did_not_answer_is_asked_again(own_valkey: ValkeyServer) -> None:
    own_valkey.stop()
    node = ("127.0.0.1", own_valkey.port)
    watch = ClusterWatch(parse_url(f"redis+cluster://127.0.0.1:{own_valkey.port}"))
    try:
        with pytest.raises(StoreUnavailable, match=f"no node of the cluster answers: 127.0.0.1:{own_valkey.port}: "):
            watch.primary(30, None)

        own_valkey.start()

        def found() -> bool:
            with contextlib.suppress(StoreUnavailable):
                return watch.primary(1, None) == node
            return False

        eventually(found)
    finally:
        watch.end()
