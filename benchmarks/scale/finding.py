"""One figure of the benchmark of scale, as a line and for `benchmarks.run_all`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.figures.record import record


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure.

    Attributes:
        what: What was measured.
        value: How much.
        unit: In what.
        more_is_better: Whether a larger value is a better one.
    """

    what: str
    value: float
    unit: str
    more_is_better: bool = False

    def show(self) -> None:
        """Print it, and write it down."""
        print(f"  {self.what:<72}{self.value:>14,.2f} {self.unit}", flush=True)
        record(self.what, self.value, self.unit, more_is_better=self.more_is_better)


def timed(act: Callable[[], object]) -> float:
    """Return how long something takes, in seconds."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
