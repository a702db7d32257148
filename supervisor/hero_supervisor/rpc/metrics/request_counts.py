"""Counts the requests of JSON-RPC of one supervisor, over all its servers, and how long they took.

The dispatchers note each request when it has ended; `/metrics` writes the families. Invariant: the number of series is
bounded, so names of methods that do not exist are not told apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from hero_supervisor.rpc.metrics.exposition import HistogramSample, counter, histogram, labels

#: Upper bounds of the buckets, in seconds. Calls that wait for jobs take as long as these.
BOUNDS_S: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)


class RequestCounts:
    """What the requests of a supervisor ended in since it started."""

    def __init__(self) -> None:
        self._ended: dict[tuple[str, str], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._total_s: dict[str, float] = {}

    def note(self, method: str, outcome: str, took_s: float) -> None:
        """Count a request that has ended.

        Args:
            method: Its name, if there is such a method, or `unknown`.
            outcome: `ok`, the code of its error, or `cancelled` if the client was gone before.
            took_s: From when it was read to its answer, in seconds.
        """
        key = (method, outcome)
        self._ended[key] = self._ended.get(key, 0) + 1
        if (buckets := self._buckets.get(method)) is None:
            buckets = self._buckets[method] = [0] * (len(BOUNDS_S) + 1)
            self._total_s[method] = 0.0
        buckets[bisect_left(BOUNDS_S, took_s)] += 1
        self._total_s[method] += took_s

    def families(self) -> Iterator[str]:
        """Write the families."""
        ended = {labels(method=method, code=outcome): count for (method, outcome), count in self._ended.items()}
        yield counter("hero_rpc_requests_total", "Requests that have ended, with `ok` or the code of the error.", ended)
        took = {
            labels(method=method): HistogramSample(buckets, round(self._total_s[method], 6))
            for method, buckets in self._buckets.items()
        }
        yield histogram(
            "hero_rpc_request_seconds", "How long requests took, with what they waited for.", BOUNDS_S, took
        )
