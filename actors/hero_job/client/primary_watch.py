"""Follows which server of a replicated store is the primary, so that its clients leave another one within a second.

Both stores use it for `redis+sentinel` URLs: without it, a client would ask the sentinels only when its connection
breaks, and go on writing to a primary that has been replaced, whose data is thrown away. One watch per process and URL;
it has one thread per sentinel, which ends with the last store. Invariants: an address is believed only with the highest
configuration epoch that any sentinel has told, since sentinels learn of a failover one after the other; what a sentinel
told is forgotten some seconds after it has gone; nothing here runs on the path of an operation.

Source: https://valkey.io/topics/sentinel/ ("Configuration epochs", "Pub/Sub messages").
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import hiredis

from hero_job.client.connection import StoreConnection
from hero_job.client.url import Address, Mode, StoreUrl
from hero_job.model.errors import StoreRefused, StoreUnavailable

#: Seconds between two questions to a sentinel that tells nothing.
_BEAT_S: Final = 0.5
#: What a sentinel told counts for so many seconds after it was last heard.
_FORGET_S: Final = 5.0
#: A sentinel that does not answer within this many seconds is asked on a new connection.
_ANSWER_S: Final = 2.0
#: How long to wait for the other sentinels, in seconds, when the first one has answered.
_OTHERS_S: Final = 0.3

#: Told of the primary about twice a second, in a thread of the watch.
OnPrimary = Callable[[Address], None]


class PrimaryWatch:
    """Watches the sentinels of one URL.

    Args:
        url: Names the sentinels and the service.
    """

    def __init__(self, url: StoreUrl) -> None:
        self._url = url
        self._changed = threading.Condition()
        # Sentinel -> the epoch and the address that it told, and when. An address of None: it knows no primary.
        self._told: dict[Address, tuple[int, Address | None, float]] = {}
        self._reasons: dict[Address, str] = {}
        self._listeners: list[OnPrimary] = []
        self._ended = threading.Event()
        for number, sentinel in enumerate(url.hosts):
            name = f"sentinel {number}"
            threading.Thread(target=self._follow, args=(sentinel,), name=name, daemon=True).start()

    def primary(self, timeout_s: float) -> Address:
        """Give the address of the primary.

        Args:
            timeout_s: Longest time to wait for a sentinel, in seconds.

        Raises:
            StoreUnavailable: No sentinel answers, or none knows the service; says why for each.
        """
        deadline_mono = time.monotonic() + timeout_s
        with self._changed:
            while (found := self._best()) is None and len(self._told) + len(self._reasons) < len(self._url.hosts):
                if not self._changed.wait(deadline_mono - time.monotonic()):
                    break
            if found is None:
                reasons = [f"{at[0]}:{at[1]}: {self._reasons.get(at, 'no answer')}" for at in self._url.hosts]
                raise StoreUnavailable(self._url.shown, f"no sentinel names a master: {'; '.join(reasons)}")
            until_mono = time.monotonic() + _OTHERS_S
            while len(self._told) + len(self._reasons) < len(self._url.hosts):
                if not self._changed.wait(until_mono - time.monotonic()):
                    break
            return self._best() or found

    def listen(self, listener: OnPrimary) -> None:
        """Have a listener told of the primary, again and again."""
        with self._changed:
            self._listeners.append(listener)

    def forget(self, listener: OnPrimary) -> bool:
        """Stop telling a listener; returns whether it was the last."""
        with self._changed:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)
            return not self._listeners

    def end(self) -> None:
        """End the threads, each with its next beat."""
        self._ended.set()

    def _best(self) -> Address | None:
        now_mono = time.monotonic()
        fresh = [(epoch, at) for epoch, at, told_mono in self._told.values() if now_mono - told_mono < _FORGET_S and at]
        return max(fresh)[1] if fresh else None

    def _follow(self, sentinel: Address) -> None:
        while not self._ended.is_set():
            try:
                with contextlib.ExitStack() as ends:
                    asked = StoreConnection(_sentinel_url(self._url, sentinel), connect_timeout_s=_ANSWER_S)
                    ends.callback(asked.close)
                    heard = StoreConnection(_sentinel_url(self._url, sentinel), connect_timeout_s=_ANSWER_S)
                    ends.callback(heard.close)
                    heard.call("SUBSCRIBE", "+switch-master")
                    while not self._ended.is_set():
                        self._note(sentinel, asked)
                        heard.discard_within(_BEAT_S)
            except (StoreUnavailable, StoreRefused) as e:
                with self._changed:
                    self._reasons[sentinel] = e.reason
                    self._changed.notify_all()
                self._ended.wait(_BEAT_S)

    def _note(self, sentinel: Address, asked: StoreConnection) -> None:
        answer = asked.call("SENTINEL", "MASTER", self._url.service)
        if isinstance(answer, hiredis.ReplyError):
            raise StoreRefused("ERR", f"knows no service '{self._url.service}'")
        facts = dict(zip(answer[::2], answer[1::2], strict=False))
        address = (str(facts["ip"]), int(facts["port"]))
        with self._changed:
            self._told[sentinel] = (int(facts.get("config-epoch", 0)), address, time.monotonic())
            self._reasons.pop(sentinel, None)
            self._changed.notify_all()
            best, listeners = self._best(), list(self._listeners)
        if best is not None:
            for listener in listeners:
                listener(best)


_watches: dict[tuple[int, str], PrimaryWatch] = {}
_lock = threading.Lock()


def watch_primary(url: StoreUrl, listener: OnPrimary) -> PrimaryWatch:
    """Give the watch of a URL in this process, and have a listener told of the primary.

    Args:
        url: Names the sentinels and the service.
        listener: See `PrimaryWatch.listen`.
    """
    with _lock:
        # A forked process has none of the threads of its parent.
        key = (os.getpid(), url.text)
        watch = _watches.get(key)
        if watch is None:
            watch = _watches[key] = PrimaryWatch(url)
        watch.listen(listener)
        return watch


def leave_watch(watch: PrimaryWatch, listener: OnPrimary) -> None:
    """Stop telling a listener. The watch ends with its last one."""
    with _lock:
        if watch.forget(listener):
            watch.end()
            for key in [key for key, known in _watches.items() if known is watch]:
                del _watches[key]


def _sentinel_url(url: StoreUrl, sentinel: Address) -> StoreUrl:
    return replace(
        url,
        mode=Mode.SINGLE,
        hosts=(sentinel,),
        db=0,
        username=url.options.get("sentinel_username"),
        password=url.options.get("sentinel_password"),
    )
