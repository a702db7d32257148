"""Writes families of metrics in Prometheus' text format. Pure.

Written by hand, because so few kinds need no library.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

#: Labels as text, "" for none -> value.
Samples: TypeAlias = Mapping[str, float]


class HistogramSample(NamedTuple):
    """One series of a histogram: how many were in each bucket, and the sum of all."""

    buckets: Sequence[int]
    total: float


def labels(**values: str) -> str:
    """Write labels; their values may be any text."""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items()) + "}"


def gauge(name: str, text: str, samples: Samples) -> str:
    """Write a family whose values rise and fall."""
    return _family(name, "gauge", text, (f"{name}{label} {value}" for label, value in samples.items()))


def counter(name: str, text: str, samples: Samples) -> str:
    """Write a family whose values only rise; the name ends in `_total`."""
    return _family(name, "counter", text, (f"{name}{label} {value}" for label, value in samples.items()))


def histogram(name: str, text: str, bounds: Sequence[float], samples: Mapping[str, HistogramSample]) -> str:
    """Write a family of histograms.

    Args:
        name: Its name.
        text: What it tells.
        bounds: Upper bounds of all buckets but the last.
        samples: Labels -> its series.
    """
    lines: list[str] = []
    for label, sample in samples.items():
        count = 0
        for bound, more in zip((*(f"{bound:g}" for bound in bounds), "+Inf"), sample.buckets, strict=True):
            count += more
            lines.append(f"{name}_bucket{_with(label, 'le', bound)} {count}")
        lines += [f"{name}_sum{label} {sample.total}", f"{name}_count{label} {count}"]
    return _family(name, "histogram", text, lines)


def _family(name: str, kind: str, text: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# HELP {name} {text}", f"# TYPE {name} {kind}", *lines]) + "\n"


def _with(label: str, name: str, value: str) -> str:
    one = f'{name}="{value}"'
    return f"{label[:-1]},{one}}}" if label else f"{{{one}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
