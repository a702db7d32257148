"""A real cluster for the storms: three primaries, each with a replica, and the events that hit the pair of one slot."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hero_job import StoreError
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer, free_port

#: Milliseconds after which the cluster suspects a node that says nothing.
NODE_TIMEOUT_MS = 3000


class StoreCluster:
    """Six nodes, of which two have the slot of a namespace.

    Args:
        nodes: Three primaries, then their replicas in the same order.
        namespace: In braces: the slot that the events are to hit.
    """

    def __init__(self, nodes: Sequence[ValkeyServer], namespace: str) -> None:
        self.nodes = nodes
        slot = int(str(nodes[0].command("CLUSTER", "KEYSLOT", namespace)))
        index = next(n for n in range(3) if _BOUNDS[n] <= slot < _BOUNDS[n + 1])
        self._pair = (nodes[index], nodes[index + 3])

    @property
    def url(self) -> str:
        """URL that names all nodes, those of the pair first."""
        others = [node for node in self.nodes if node not in self._pair]
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in (*self._pair, *others))

    def pair(self) -> tuple[ValkeyServer, ValkeyServer]:
        """Wait until the slot has a primary with a replica that has all its data; return both."""
        found = eventually(self._whole_pair, what="the slot has a primary and a replica")
        assert found is not None
        return found

    def _whole_pair(self) -> tuple[ValkeyServer, ValkeyServer] | None:
        for primary, replica in (self._pair, self._pair[::-1]):
            with contextlib.suppress(StoreError):
                ours, theirs = (str(node.command("INFO", "replication")) for node in (primary, replica))
                whole = "cluster_state:ok" in str(primary.command("CLUSTER", "INFO"))
                # The other primaries have heard of it: a failover needs their votes.
                known = all(self._is_primary_for(other, primary) for other in self.nodes if other not in self._pair)
                in_line = re.search(r"slave0:.*port=(\d+),state=online", ours)
                if whole and known and in_line and "role:master" in ours and "master_link_status:up" in theirs:
                    return primary, replica
        return None

    @staticmethod
    def _is_primary_for(observer: ValkeyServer, node: ValkeyServer) -> bool:
        rows = [row.split() for row in str(observer.command("CLUSTER", "NODES")).splitlines()]
        flags = next((row[2].split(",") for row in rows if f":{node.port}@" in row[1]), [])
        return "master" in flags and not {"fail", "fail?"} & set(flags)


_BOUNDS = (0, 5461, 10923, 16384)


@contextlib.contextmanager
def running_cluster(folder: Path, namespace: str) -> Iterator[StoreCluster]:
    """Start a cluster, and stop it at the end.

    Args:
        folder: Its nodes' folders go there.
        namespace: In braces: of the deployment.
    """
    with contextlib.ExitStack() as ends:
        nodes: list[ValkeyServer] = []
        for n in range(6):
            (folder / f"node{n}").mkdir()
            node = ValkeyServer(
                folder / f"node{n}",
                *("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
                *("--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--cluster-replica-validity-factor", "0"),
                *("--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0"),
                *("--shutdown-timeout", "0"),  # a stop need not wait for replicas that are gone
            )
            nodes.append(node.start())
            ends.callback(node.stop)
        bus = int(str(nodes[0].command("CONFIG", "GET", "cluster-port")).split("'")[3])
        for n, node in enumerate(nodes):
            if n < 3:
                node.command("CLUSTER", "ADDSLOTSRANGE", _BOUNDS[n], _BOUNDS[n + 1] - 1)
            if n:
                node.command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, bus)
        eventually(lambda: all(len(str(node.command("CLUSTER", "NODES")).splitlines()) == 6 for node in nodes))
        for n, node in enumerate(nodes[3:]):
            node.command("CLUSTER", "REPLICATE", str(nodes[n].command("CLUSTER", "MYID")))
        cluster = StoreCluster(nodes, namespace)
        cluster.pair()
        yield cluster
