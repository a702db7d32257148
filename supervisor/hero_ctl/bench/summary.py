"""The result of a bench: jobs per second and latency percentiles. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hero_ctl.exits import CtlExitCode

_PERCENTILES: Final = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "max": 1.0}


@dataclass(slots=True, kw_only=True)
class ProducerReport:
    """What one producer has measured: filled by the producer, sent to the bench at its end.

    Attributes:
        latencies_ms: One value per finished job: milliseconds from submission to result.
        first_mono: When it submitted its first job, by the machine's monotonic clock; 0 if it submitted none.
        last_mono: When its last result came.
        failed: Jobs that failed, or gave no result in time.
        trouble: Why it gave up early; empty if it did not.
        store_trouble: Whether the store was the reason.
    """

    latencies_ms: array[float] = field(default_factory=lambda: array("d"))
    first_mono: float = 0.0
    last_mono: float = 0.0
    failed: int = 0
    trouble: str = ""
    store_trouble: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSummary:
    """The figures of a bench.

    Attributes:
        wanted: Jobs that were planned.
        finished: Jobs that gave a result.
        failed: Jobs that failed, or gave no result in time.
        seconds: From the first submission to the last result.
        latency_ms: Percentiles by name, p50, p90, p99 and max; empty if no job finished.
        interrupted: Whether it was ended early by the user.
        trouble: Why producers gave up.
        store_trouble: Whether the store was the reason.
    """

    wanted: int
    finished: int
    failed: int
    seconds: float
    latency_ms: dict[str, float]
    interrupted: bool
    trouble: tuple[str, ...]
    store_trouble: bool

    @property
    def jobs_per_s(self) -> float:
        """Finished jobs per second."""
        return self.finished / self.seconds if self.seconds else 0.0

    @property
    def exit_code(self) -> CtlExitCode:
        """Exit code of the command."""
        if self.interrupted:
            return CtlExitCode.INTERRUPTED
        if self.store_trouble:
            return CtlExitCode.STORE
        return CtlExitCode.FINISHED if self.finished == self.wanted else CtlExitCode.FAILED

    def as_text(self) -> str:
        """Write the figures for a person."""
        lines = [
            f"{self.finished} of {self.wanted} jobs finished in {self.seconds:.2f} s: {self.jobs_per_s:,.0f} jobs/s"
        ]
        if self.latency_ms:
            lines.append("latency, ms: " + "  ".join(f"{name} {value:.2f}" for name, value in self.latency_ms.items()))
        if self.failed:
            lines.append(f"failed: {self.failed}")
        if self.interrupted:
            lines.append("interrupted: these are the figures until then")
        lines += [f"trouble: {trouble}" for trouble in self.trouble]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Give the figures for a program."""
        return {
            "wanted": self.wanted,
            "finished": self.finished,
            "failed": self.failed,
            "seconds": round(self.seconds, 6),
            "jobs_per_s": round(self.jobs_per_s, 1),
            "latency_ms": {name: round(self.latency_ms[name], 4) if self.latency_ms else None for name in _PERCENTILES},
            "interrupted": self.interrupted,
            "trouble": list(self.trouble),
        }


def summarize(wanted: int, reports: Sequence[ProducerReport], *, interrupted: bool) -> BenchSummary:
    """Combine the reports of all producers."""
    latencies = sorted(value for one in reports for value in one.latencies_ms)
    firsts = [one.first_mono for one in reports if one.first_mono]
    lasts = [one.last_mono for one in reports if one.last_mono]
    return BenchSummary(
        wanted=wanted,
        finished=len(latencies),
        failed=sum(one.failed for one in reports),
        seconds=max(lasts) - min(firsts) if firsts and lasts else 0.0,
        latency_ms={name: percentile(latencies, share) for name, share in _PERCENTILES.items()} if latencies else {},
        interrupted=interrupted,
        trouble=tuple(sorted({one.trouble for one in reports if one.trouble})),
        store_trouble=any(one.store_trouble for one in reports),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Find a percentile by nearest rank.

    Args:
        ordered: Values in ascending order.
        share: Which percentile, from 0 to 1.

    Returns:
        The value; 0 if there are no values.
    """
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
