"""What the nodes of a cluster say of each other: reads CLUSTER NODES, and judges which nodes are given up. Pure.

Invariants: of a node counts what is said with its highest configuration epoch, because nodes learn of a failover one
after the other, and a node that was frozen still takes itself for the primary; an address of which nobody says
anything is not given up, since a URL may name a node as the cluster does not.

Source: https://valkey.io/commands/cluster-nodes/
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hero_job.client.url import Address


class NodeReport(NamedTuple):
    """What one node says of one node.

    Attributes:
        node_id: Of whom it is said.
        addresses: Its address, by number and perhaps by name.
        own: It says so of itself.
        epoch: Configuration epoch of the node; of its primary, if it is a replica.
        primary: It has slots, and the cluster does not count it as failed. A suspicion (`fail?`) is no failure.
    """

    node_id: str
    addresses: tuple[Address, ...]
    own: bool
    epoch: int
    primary: bool


def parse_nodes(text: str) -> list[NodeReport]:
    """Read the answer to CLUSTER NODES. A line that cannot be read says nothing."""
    return [report for line in text.splitlines() if (report := _parse(line.split())) is not None]


def _parse(words: Sequence[str]) -> NodeReport | None:
    if len(words) < 8 or not words[6].isdecimal():
        return None
    place, _, names = words[1].partition(",")
    host, _, port = place.partition("@")[0].rpartition(":")
    if not port.isdecimal():
        return None
    flags = words[2].split(",")
    # A slot in brackets is on its way from or to the node.
    has_slots = any(not word.startswith("[") for word in words[8:])
    hosts = [name for name in (host, names.partition(",")[0]) if name]
    return NodeReport(
        node_id=words[0],
        addresses=tuple((name, int(port)) for name in hosts),
        own="myself" in flags,
        epoch=int(words[6]),
        primary="master" in flags and "fail" not in flags and has_slots,
    )


def given_up(views: Iterable[Sequence[NodeReport]]) -> frozenset[Address]:
    """Judge to which addresses nobody should be connected.

    Args:
        views: What each node that was asked says of all nodes.

    Returns:
        The addresses of replicas, of nodes that have failed, and of those that have no slots. With equal epochs the
        majority of the views decides, and if it is divided, the node is given up: the next one says where to go.
    """
    said: defaultdict[str, list[NodeReport]] = defaultdict(list)
    for view in views:
        for report in view:
            said[report.node_id].append(report)
    left, kept = set[Address](), set[Address]()
    for reports in said.values():
        newest = max(report.epoch for report in reports)
        votes = [report for report in reports if report.epoch == newest]
        stays = 2 * sum(report.primary for report in votes) > len(votes)
        (kept if stays else left).update(address for report in votes for address in report.addresses)
    return frozenset(left - kept)
