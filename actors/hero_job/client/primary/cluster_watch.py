"""Follows which nodes of a cluster are primaries, so that clients leave one that was replaced or has failed.

A node that was demoted sends its clients to the new primary itself. A frozen one says nothing: here others are asked,
twice a second, and what the cluster has given up is given up. One watch per process and URL; it asks at most three
nodes at a time, each in a thread. Invariants: the nodes of the URL are only where the watch begins, so it goes on when
all of them are gone; a node that does not answer is asked again when the others have been.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import hiredis

from hero_job.client.connection import StoreConnection
from hero_job.client.primary.cluster_view import NodeReport, given_up, parse_nodes
from hero_job.client.primary.watch import ANSWER_S, BEAT_S, PrimaryWatch, is_fresh
from hero_job.client.url import Address, Mode, StoreUrl
from hero_job.model.errors import StoreRefused, StoreUnavailable

#: Nodes that are asked at the same time: one that lags behind is outvoted.
_SEATS: Final = 3


class ClusterWatch(PrimaryWatch):
    """Watches the nodes of one cluster.

    Args:
        url: Names some of them.
    """

    def __init__(self, url: StoreUrl) -> None:
        super().__init__(url)
        # Node that was asked -> what it says, and when. It says nothing if it may not be asked.
        self._told: dict[Address, tuple[Sequence[NodeReport], float]] = {}
        self._reasons: dict[Address, str] = {}
        # Node -> when it was last taken by a thread; those that answer stay taken.
        self._taken_mono: dict[Address, float] = {}
        self._busy = set[Address]()
        for number in range(_SEATS):
            self.follow(f"cluster node {number}", self._ask_one)

    def primary(self, timeout_s: float, last: Address | None) -> Address:
        """Give the last address if it was not given up, or else a primary; see `PrimaryWatch.primary`.

        Any primary sends a client to the one that has its slot.
        """
        deadline_mono = time.monotonic() + timeout_s
        with self.changed:
            while not (views := self._views()) and not self._reasons.keys() >= set(self.url.hosts):
                if not self.changed.wait(deadline_mono - time.monotonic()):
                    break
            if not views:
                reasons = [f"{at[0]}:{at[1]}: {self._reasons.get(at, 'no answer')}" for at in self.url.hosts]
                raise StoreUnavailable(self.url.shown, f"no node of the cluster answers: {'; '.join(reasons)}")
        left = given_up(views.values())
        if last is not None and last not in left:
            return last
        own = [at for at, view in views.items() if at not in left and not _is_replica(view)]
        others = [at for view in views.values() for report in view if report.primary for at in report.addresses]
        return next((at for at in (*own, *others, *views) if at not in left), next(iter(views)))

    def _views(self) -> dict[Address, Sequence[NodeReport]]:
        return {at: view for at, (view, told_mono) in self._told.items() if is_fresh(told_mono)}

    def _ask_one(self) -> None:
        """Follow one node until it does not answer."""
        node = self._take()
        if node is None:
            self.ended.wait(BEAT_S)
            return
        try:
            with contextlib.closing(self._connect(node)) as asked:
                while not self.ended.is_set():
                    self._note(node, asked)
                    self.ended.wait(BEAT_S)
        except (StoreUnavailable, StoreRefused) as e:
            with self.changed:
                self._told.pop(node, None)
                self._reasons[node] = e.reason
                self.changed.notify_all()
            self.ended.wait(BEAT_S / 5)
        finally:
            with self.changed:
                self._busy.discard(node)

    def _take(self) -> Address | None:
        """Choose a node that nobody asks: one of the URL first, then primaries, then the one not taken for longest."""
        with self.changed:
            reports = [report for view, _ in self._told.values() for report in view]
            primaries = {at for report in reports if report.primary for at in report.addresses}
            # An own address may be spelled in another way than the one that was asked.
            asked = {at for view, _ in self._told.values() for one in view if one.own for at in one.addresses}
            known = {*self.url.hosts, *(report.addresses[0] for report in reports if report.addresses)}
            free = known - self._busy - asked
            if not free:
                return None
            never = 0.0
            node = min(free, key=lambda at: (self._taken_mono.get(at, never), at not in primaries, at))
            self._taken_mono[node] = time.monotonic()
            self._busy.add(node)
            return node

    def _connect(self, node: Address) -> StoreConnection:
        url = replace(self.url, mode=Mode.SINGLE, hosts=(node,), wait_replicas=0)
        return StoreConnection(url, connect_timeout_s=ANSWER_S, answer_timeout_s=ANSWER_S)

    def _note(self, node: Address, asked: StoreConnection) -> None:
        answer = asked.call("CLUSTER", "NODES")
        # A user of the store that may not ask, or no cluster: then connections are left only when they break.
        view = [] if isinstance(answer, hiredis.ReplyError) else parse_nodes(str(answer))
        with self.changed:
            self._told[node] = (view, time.monotonic())
            self._reasons.pop(node, None)
            self.changed.notify_all()
            left = given_up(self._views().values())
        self.tell(lambda at: at not in left)


def _is_replica(view: Sequence[NodeReport]) -> bool:
    return any(report.own and not report.primary for report in view)
