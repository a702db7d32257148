"""Turns the figures of a run into the table and the ratios of the report."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.figures.measure import Figures
from benchmarks.figures.systems import THE_THREE

#: Measured earlier on a quiet machine of the same kind; quoted only if Node is not installed.
BULLMQ_QUOTED_PER_S = 18_550
#: How many times as fast as Asynq ours is to be.
ASYNQ_AIM = 5.0


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample below which a share (0 to 1) of the samples lies, by nearest rank."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def markdown_table(measured: Sequence[Figures], ceiling_per_s: Sequence[float]) -> str:
    """Return a Markdown table with one line per system."""
    heads = ["system", "drain, jobs/s: best", "median", "submit, jobs/s: best", "median",
             "round trip, ms: p50", "p99", "burst of 50, ms: p50", "p99"]  # fmt: skip
    rows = [
        [
            f.name + (" (1)" if f.failure else ""),
            *_best_and_median(f.drain_per_s),
            *_best_and_median(f.submit_per_s),
            *_percentiles(f.round_trip_ms, 2),
            *_percentiles(f.burst_ms, 1),
        ]
        for f in measured
    ]
    if ceiling_per_s:
        rows.append(["ceiling: 64 jobs per trip, none run", *_best_and_median(ceiling_per_s), *[""] * 6])
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = [_line(heads, widths), "|" + "|".join("-" * (w + 2) for w in widths) + "|"]
    notes = [f"(1) {f.name}: {f.failure}" for f in measured if f.failure]
    return "\n".join([*lines, *(_line(row, widths) for row in rows), *notes])


def ratios(measured: Sequence[Figures], ceiling_per_s: Sequence[float]) -> list[str]:
    """Return the comparisons that the project has set itself as aims, each with its verdict."""
    ours = [f for f in measured if f.family == "hero" and f.measured]
    three = [f for f in measured if f.family in THE_THREE and f.measured]
    bullmq = [f for f in measured if f.family == "bullmq" and f.measured]
    lines = []
    for our in ours:
        best = max(our.drain_per_s)
        if three:
            fastest = max(three, key=lambda f: max(f.drain_per_s))
            lines.append(_ratio(our.name, best / max(fastest.drain_per_s), f"the fastest peer ({fastest.name})", 5.0))
        if ceiling_per_s:
            lines.append(_ratio(our.name, best / max(ceiling_per_s), "the ceiling", 0.5))
        if bullmq:
            lines.append(_ratio(our.name, best / max(bullmq[0].drain_per_s), "BullMQ with 50 concurrent jobs", 1.0))
        else:
            text = f"BullMQ with 50 concurrent jobs as measured elsewhere ({BULLMQ_QUOTED_PER_S}/s, not in this run)"
            lines.append(_ratio(our.name, best / BULLMQ_QUOTED_PER_S, text, 1.0))
        if asynq := [f for f in measured if f.family == "asynq" and f.measured]:
            fastest = max(asynq, key=lambda f: max(f.drain_per_s))
            lines.append(_ratio(our.name, best / max(fastest.drain_per_s), fastest.name, ASYNQ_AIM))
        if apalis := next((f for f in measured if f.family == "apalis" and f.measured), None):
            lines.append(_ratio(our.name, best / max(apalis.drain_per_s), apalis.name, 1.0))
    if ours:
        submit = max(max(f.submit_per_s) for f in ours)
        lines.append(f"submit, one producer in a plain loop: {_whole(submit)}/s, aim 8 000: {_verdict(submit >= 8000)}")
    return lines


def _ratio(name: str, ratio: float, of: str, aim: float) -> str:
    return f"{name}: {ratio:.2f} x {of}, aim {aim:g}: {_verdict(ratio >= aim)}"


def _verdict(reached: bool) -> str:
    return "reached" if reached else "NOT reached"


def _best_and_median(per_s: Sequence[float]) -> tuple[str, str]:
    return (_whole(max(per_s)), _whole(statistics.median(per_s))) if per_s else ("not measured", "")


def _percentiles(samples: Sequence[float], digits: int) -> tuple[str, str]:
    if not samples:
        return "", ""
    return f"{percentile(samples, 0.5):.{digits}f}", f"{percentile(samples, 0.99):.{digits}f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
