"""Follows which server the sentinels of a URL have made the primary.

One watch per process and URL; it has one thread per sentinel. Invariants: an address is believed only with the highest
configuration epoch that any sentinel has told, since sentinels learn of a failover one after the other; what a sentinel
told is forgotten some seconds after it has gone.

Source: https://valkey.io/topics/sentinel/ ("Configuration epochs", "Pub/Sub messages").
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from functools import partial
from typing import Final

import hiredis

from hero_job.client.connection import StoreConnection
from hero_job.client.primary.watch import ANSWER_S, BEAT_S, PrimaryWatch, is_fresh
from hero_job.client.url import Address, Mode, StoreUrl
from hero_job.model.errors import StoreRefused, StoreUnavailable

#: How long to wait for the other sentinels, in seconds, when the first one has answered.
_OTHERS_S: Final = 0.3


class SentinelWatch(PrimaryWatch):
    """Watches the sentinels of one URL.

    Args:
        url: Names the sentinels and the service.
    """

    def __init__(self, url: StoreUrl) -> None:
        super().__init__(url)
        # Sentinel -> the epoch and the address that it told, and when. An address of None: it knows no primary.
        self._told: dict[Address, tuple[int, Address | None, float]] = {}
        self._reasons: dict[Address, str] = {}
        for number, sentinel in enumerate(url.hosts):
            self.follow(f"sentinel {number}", partial(self._listen_to, sentinel))

    def primary(self, timeout_s: float, last: Address | None) -> Address:
        """Give the address of the primary, wherever the caller was connected; see `PrimaryWatch.primary`."""
        deadline_mono = time.monotonic() + timeout_s
        with self.changed:
            while (found := self._best()) is None and len(self._told) + len(self._reasons) < len(self.url.hosts):
                if not self.changed.wait(deadline_mono - time.monotonic()):
                    break
            if found is None:
                reasons = [f"{at[0]}:{at[1]}: {self._reasons.get(at, 'no answer')}" for at in self.url.hosts]
                raise StoreUnavailable(self.url.shown, f"no sentinel names a master: {'; '.join(reasons)}")
            until_mono = time.monotonic() + _OTHERS_S
            while len(self._told) + len(self._reasons) < len(self.url.hosts):
                if not self.changed.wait(until_mono - time.monotonic()):
                    break
            return self._best() or found

    def _best(self) -> Address | None:
        fresh = [(epoch, at) for epoch, at, told_mono in self._told.values() if is_fresh(told_mono) and at]
        return max(fresh)[1] if fresh else None

    def _listen_to(self, sentinel: Address) -> None:
        try:
            with contextlib.ExitStack() as ends:
                asked = StoreConnection(_sentinel_url(self.url, sentinel), connect_timeout_s=ANSWER_S)
                ends.callback(asked.close)
                heard = StoreConnection(_sentinel_url(self.url, sentinel), connect_timeout_s=ANSWER_S)
                ends.callback(heard.close)
                heard.call("SUBSCRIBE", "+switch-master")
                while not self.ended.is_set():
                    self._note(sentinel, asked)
                    heard.discard_within(BEAT_S)
        except (StoreUnavailable, StoreRefused) as e:
            with self.changed:
                self._reasons[sentinel] = e.reason
                self.changed.notify_all()
            self.ended.wait(BEAT_S)

    def _note(self, sentinel: Address, asked: StoreConnection) -> None:
        answer = asked.call("SENTINEL", "MASTER", self.url.service)
        if isinstance(answer, hiredis.ReplyError):
            raise StoreRefused("ERR", f"knows no service '{self.url.service}'")
        facts = dict(zip(answer[::2], answer[1::2], strict=False))
        address = (str(facts["ip"]), int(facts["port"]))
        with self.changed:
            self._told[sentinel] = (int(facts.get("config-epoch", 0)), address, time.monotonic())
            self._reasons.pop(sentinel, None)
            self.changed.notify_all()
            best = self._best()
        if best is not None:
            self.tell(lambda at: at == best)


def _sentinel_url(url: StoreUrl, sentinel: Address) -> StoreUrl:
    return replace(
        url,
        mode=Mode.SINGLE,
        hosts=(sentinel,),
        db=0,
        username=url.options.get("sentinel_username"),
        password=url.options.get("sentinel_password"),
    )
