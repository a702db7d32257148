"""What a bench found: jobs a second and latency percentiles."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hero_ctl.exits import Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """What one producer reports at its end.

    Attributes:
        latencies_ms: One value a finished job, milliseconds from submission to result.
        first_mono: When it submitted its first job, by the machine's monotonic clock; 0 if none.
        last_mono: When its last result came.
        failed: Jobs that ended without a result, or of which none came in time.
        trouble: Why it gave up early; empty if it did not.
        store_trouble: Whether that was the store.
    """

    latencies_ms: array[float] = field(default_factory=lambda: array("d"))
    first_mono: float = 0.0
    last_mono: float = 0.0
    failed: int = 0
    trouble: str = ""
    store_trouble: bool = False

    @classmethod
    def nothing(cls, trouble: str) -> Produced:
        """The report of a producer that gave none."""
        return cls(trouble=trouble)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a bench.

    Attributes:
        wanted: Jobs that were to be run.
        finished: Jobs that gave a result.
        failed: Jobs that did not.
        seconds: From the first submission to the last result.
        p50_ms: Half of the latencies are at most this; and so on.
        interrupted: Whether it was ended early by the user.
        trouble: Why producers gave up.
        store_trouble: Whether that was the store.
    """

    wanted: int
    finished: int
    failed: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    interrupted: bool
    trouble: tuple[str, ...]
    store_trouble: bool

    @property
    def jobs_per_s(self) -> float:
        """Finished jobs a second."""
        return self.finished / self.seconds if self.seconds else 0.0

    @property
    def exit(self) -> Exit:
        """Exit code of the command."""
        if self.interrupted:
            return Exit.INTERRUPTED
        if self.store_trouble:
            return Exit.STORE
        return Exit.FINISHED if self.finished == self.wanted else Exit.FAILED

    def as_text(self) -> str:
        """Lines for a person."""
        lines = [
            f"{self.finished} of {self.wanted} jobs finished in {self.seconds:.2f} s: {self.jobs_per_s:,.0f} jobs/s"
        ]
        if self.finished:
            figures = (("p50", self.p50_ms), ("p90", self.p90_ms), ("p99", self.p99_ms), ("max", self.max_ms))
            lines.append("latency, ms: " + "  ".join(f"{name} {value:.2f}" for name, value in figures))
        if self.failed:
            lines.append(f"failed: {self.failed}")
        if self.interrupted:
            lines.append("interrupted: these are the figures until then")
        lines += [f"trouble: {trouble}" for trouble in self.trouble]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "wanted": self.wanted,
            "finished": self.finished,
            "failed": self.failed,
            "seconds": round(self.seconds, 6),
            "jobs_per_s": round(self.jobs_per_s, 1),
            "latency_ms": {
                name: round(value, 4) if self.finished else None
                for name, value in (
                    ("p50", self.p50_ms),
                    ("p90", self.p90_ms),
                    ("p99", self.p99_ms),
                    ("max", self.max_ms),
                )
            },
            "interrupted": self.interrupted,
            "trouble": list(self.trouble),
        }


def summarize(wanted: int, produced: Sequence[Produced], *, interrupted: bool) -> Summary:
    """Put the reports of all producers together."""
    latencies = sorted(value for one in produced for value in one.latencies_ms)
    firsts = [one.first_mono for one in produced if one.first_mono]
    lasts = [one.last_mono for one in produced if one.last_mono]
    return Summary(
        wanted=wanted,
        finished=len(latencies),
        failed=sum(one.failed for one in produced),
        seconds=max(lasts) - min(firsts) if firsts and lasts else 0.0,
        p50_ms=percentile(latencies, 0.50),
        p90_ms=percentile(latencies, 0.90),
        p99_ms=percentile(latencies, 0.99),
        max_ms=latencies[-1] if latencies else 0.0,
        interrupted=interrupted,
        trouble=tuple(sorted({one.trouble for one in produced if one.trouble})),
        store_trouble=any(one.store_trouble for one in produced),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of an ordered sequence does not exceed, by nearest rank; 0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
