"""Compares the figures of two sets of runs, and writes them as a table with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Series:
    """A figure in all runs.

    Attributes:
        benchmark: Which benchmark measures it.
        name: What is measured.
        unit: In what.
        more_is_better: Whether a larger value is a better one.
        values: Of each round, in the order of the rounds.
        other: The same of what it is compared with.
    """

    benchmark: str
    name: str
    unit: str
    more_is_better: bool
    values: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)

    def ratios(self, *, paired: bool) -> list[float]:
        """Divide this by the other: round by round, or the medians if the rounds were not run together."""
        if not self.values or not self.other:
            return []
        if paired:
            return [mine / other for mine, other in zip(self.values, self.other, strict=False) if other]
        other = statistics.median(self.other)
        return [statistics.median(self.values) / other] if other else []

    def verdict(self, *, paired: bool) -> str:
        """Say `better` or `worse` only where the runs leave no doubt, and `not told apart` otherwise.

        Paired rounds leave none if there are three or more and all point the same way. Sets that were not run together
        leave none if they do not overlap.
        """
        ratios = self.ratios(paired=paired)
        if not ratios:
            return ""
        if paired:
            higher, lower = all(r > 1 for r in ratios), all(r < 1 for r in ratios)
            enough = len(ratios) >= 3
        else:
            higher, lower = min(self.values) > max(self.other), max(self.values) < min(self.other)
            enough = len(self.values) >= 3 and len(self.other) >= 3
        if not enough or not (higher or lower):
            return "not told apart"
        return "better" if higher == self.more_is_better else "worse"


def markdown(series: Sequence[Series], *, other: str, paired: bool) -> str:
    """Write a table with a line for each figure: median, least and greatest, and how they compare.

    Args:
        series: The figures.
        other: Name of what they are compared with; empty for nothing.
        paired: Whether both were run together, in turns.
    """
    heads = ["benchmark", "figure", "unit", "median", "least to greatest"]
    if other:
        heads += [f"{other}: median", "least to greatest", "ratio", "verdict"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for each in series:
        cells = [each.benchmark, each.name, each.unit, *_spread(each.values)]
        if other:
            cells += [*_spread(each.other), _ratio(each.ratios(paired=paired)), each.verdict(paired=paired)]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines)


def take_other(series: Sequence[Series], report: dict[str, Any]) -> None:
    """Add the values of an earlier report, by the names of benchmark and figure."""
    earlier = {(each["benchmark"], each["name"]): each["values"] for each in report["figures"]}
    for each in series:
        each.other = list(earlier.get((each.benchmark, each.name), []))


def _spread(values: Sequence[float]) -> tuple[str, str]:
    if not values:
        return "", ""
    return _number(statistics.median(values)), f"{_number(min(values))} to {_number(max(values))}"


def _ratio(ratios: Sequence[float]) -> str:
    if not ratios:
        return ""
    median = f"{statistics.median(ratios):.2f}"
    return median if len(ratios) == 1 else f"{median} ({min(ratios):.2f} to {max(ratios):.2f})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
