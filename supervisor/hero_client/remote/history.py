"""Reads the counters of a deployment as a supervisor tells them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hero_job.model.overview.counters import Durations, JobCounts
from hero_job.operations.overview.history import History


def history_of(answer: Mapping[str, Any]) -> History:
    """Read the result of the method `get_history`.

    Args:
        answer: The result.
    """
    starts = tuple(at_ms // 1000 for at_ms in answer["times_ms"])
    return History(
        now_s=answer["now_ms"] / 1000,
        resolution_s=answer["resolution_s"],
        starts_s=starts,
        periods={_suffix(one): tuple(_counts(_at(one, n)) for n in range(len(starts))) for one in answer["series"]},
        totals={_suffix(one): _counts(one) for one in answer["totals"]},
    )


def _suffix(one: Mapping[str, Any]) -> str:
    return str(one["script_type"]).lower()


def _at(one: Mapping[str, Any], n: int) -> dict[str, Any]:
    """Take period `n` out of lists that have one entry per period."""
    return {
        name: _at(value, n) if isinstance(value, dict) else value[n]
        for name, value in one.items()
        if name != "script_type"
    }


def _counts(one: Mapping[str, Any]) -> JobCounts:
    return JobCounts(
        started=one["started"],
        finished=one["finished"],
        stopped=one["stopped"],
        errors={kind: count for kind, count in one["errors"].items() if count},
        retries=one["retries"],
        redeliveries=one["redeliveries"],
        wait=_durations(one["wait"]),
        run=_durations(one["run"]),
    )


def _durations(one: Mapping[str, Any]) -> Durations:
    return Durations(list(one["buckets"]), round(one["sum_s"] * 1e6))
