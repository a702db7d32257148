"""The watches of this process: one for each URL, which all its stores share.

`Store` and `AsyncPrimary` call it. Invariant: a watch lives while it has a listener.
"""

from __future__ import annotations

import os
import threading

from hero_job.client.primary.cluster_watch import ClusterWatch
from hero_job.client.primary.sentinel_watch import SentinelWatch
from hero_job.client.primary.watch import OnNews, PrimaryWatch
from hero_job.client.url import Mode, StoreUrl

_watches: dict[tuple[int, str], PrimaryWatch] = {}
_lock = threading.Lock()


def watch_primary(url: StoreUrl, listener: OnNews) -> PrimaryWatch:
    """Give the watch of a URL in this process, and have a listener told which connections may go on.

    Args:
        url: Names sentinels, or nodes of a cluster.
        listener: See `PrimaryWatch.listen`.
    """
    with _lock:
        # A forked process has none of the threads of its parent.
        key = (os.getpid(), url.text)
        watch = _watches.get(key)
        if watch is None:
            watch = _watches[key] = ClusterWatch(url) if url.mode is Mode.CLUSTER else SentinelWatch(url)
        watch.listen(listener)
        return watch


def leave_watch(watch: PrimaryWatch, listener: OnNews) -> None:
    """Stop telling a listener. The watch ends with its last one."""
    with _lock:
        if watch.forget(listener):
            watch.end()
            for key in [key for key, known in _watches.items() if known is watch]:
                del _watches[key]
