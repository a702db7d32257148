"""What is concluded from what the nodes of a cluster say of each other, also when they disagree."""

from __future__ import annotations

import pytest

from hero_job.client.primary.cluster_view import given_up, parse_nodes

ONE, TWO, THREE = ("127.0.0.1", 7001), ("127.0.0.1", 7002), ("127.0.0.1", 7003)
#: Before a failover: one has the slots, two is its replica; three has other slots.
BEFORE = {1: "master 1 0-5460", 2: "slave 1", 3: "master 3 5461-16383"}
AFTER = {1: "slave 7", 2: "master 7 0-5460", 3: "master 3 5461-16383"}
FAILED = {1: "master,fail 1", 2: "master 7 0-5460", 3: "master 3 5461-16383"}
SUSPECTED = {1: "master,fail? 1 0-5460", 2: "slave 1", 3: "master 3 5461-16383"}
NO_SUCCESSOR = {1: "master,fail 1 0-5460", 2: "slave,fail 1", 3: "master 3 5461-16383"}


def nodes_text(rows: dict[int, str], of: int = 0) -> str:
    """Write what a node says, as CLUSTER NODES does."""
    lines = []
    for n, row in rows.items():
        flags, epoch, *slots = row.split()
        own = "myself," if n == of else ""
        lines.append(f"id{n} 127.0.0.1:700{n}@1700{n} {own}{flags} - 0 0 {epoch} connected {' '.join(slots)}".strip())
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        pytest.param([BEFORE] * 3, {TWO}, id="nobody is connected to a replica"),
        pytest.param([AFTER] * 3, {ONE}, id="a demoted primary is left"),
        pytest.param([BEFORE, AFTER], {ONE}, id="the highest epoch counts, also against a node that lags behind"),
        pytest.param([FAILED] * 2, {ONE}, id="a failed one without slots is left"),
        pytest.param([BEFORE, FAILED], {ONE}, id="a frozen one does not know yet that it has been replaced"),
        pytest.param([SUSPECTED] * 3, {TWO}, id="a suspicion is no failure"),
        pytest.param([NO_SUCCESSOR, NO_SUCCESSOR, BEFORE], {ONE, TWO}, id="a failed one without a successor is left"),
        pytest.param([NO_SUCCESSOR, BEFORE, BEFORE], {TWO}, id="one node that is cut off does not decide"),
        pytest.param([], set(), id="nothing is known"),
    ],
)
def test_nodes_that_have_been_given_up(said: list[dict[int, str]], left: set[object]) -> None:
    assert given_up([parse_nodes(nodes_text(rows)) for rows in said]) == left


def test_both_names_of_a_node_and_what_is_unknown() -> None:
    (named, bare, six) = parse_nodes(
        "a 10.0.0.1:6379@16379,one.example,shard-id=x myself,master - 0 0 1 connected 0-5 [6->-b]\n"
        "b 10.0.0.2:6379@16379, master - 0 0 2 connected [6-<-a]\n"
        "c fd00::1:6379@16379 slave a 0 0 1 connected\n"
        "d :0@0 noaddr,handshake\n"
        "vars currentEpoch 8 lastVoteEpoch 0"
    )
    assert named.addresses == (("10.0.0.1", 6379), ("one.example", 6379))
    assert (named.own, named.primary) == (True, True)
    assert (bare.own, bare.primary) == (False, False), "a slot that is on its way is none yet"
    assert six.addresses == (("fd00::1", 6379),)
    assert given_up([[named, bare, six]]) == {("10.0.0.2", 6379), ("fd00::1", 6379)}
    assert THREE not in given_up([parse_nodes("")])
