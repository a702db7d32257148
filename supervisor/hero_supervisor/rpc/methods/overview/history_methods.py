"""The method that tells what a deployment has counted: starts and ends of jobs, retries, waiting and running times."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.errors import JobInvalid
from hero_job.model.job import ScriptType
from hero_job.model.overview.counters import BOUNDS_S, Durations, JobCounts
from hero_job.operations.overview.history import HOUR_S, HOURS_KEPT_S, MINUTE_S, History
from hero_supervisor.rpc.methods.shapes import Word
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

_Span = Annotated[int, Field(ge=MINUTE_S, le=HOURS_KEPT_S, description="How far back to go, in seconds.")]
_Resolution = Annotated[
    int | None,
    Field(
        ge=MINUTE_S,
        le=HOURS_KEPT_S,
        description="Length of a period in seconds: a multiple of 60; if span_s is more than a day, of 3600.",
    ),
]
_Type = Annotated[Word | None, Field(description="Only this script type.")]

_OF: Final = {script_type.suffix: script_type.value for script_type in ScriptType}


class DurationTotals(TypedDict):
    """How long something took: how often, the sum, and how many in each bucket; see ``bounds_s``."""

    count: int
    sum_s: float
    buckets: list[int]


class CountTotals(TypedDict):
    """What was counted of a script type since the deployment began."""

    script_type: str
    started: int
    finished: int
    stopped: int
    failed: int
    errors: dict[str, int]
    retries: int
    redeliveries: int
    lost: int
    wait: DurationTotals
    run: DurationTotals


class DurationSeries(TypedDict):
    """How long something took, with one entry per period."""

    count: list[int]
    sum_s: list[float]
    buckets: list[list[int]]


class CountSeries(TypedDict):
    """What was counted of a script type, with one entry per period; ``errors`` has such a list per kind of error."""

    script_type: str
    started: list[int]
    finished: list[int]
    stopped: list[int]
    failed: list[int]
    errors: dict[str, list[int]]
    retries: list[int]
    redeliveries: list[int]
    lost: list[int]
    wait: DurationSeries
    run: DurationSeries


class HistoryView(TypedDict):
    """Counters by period and in all. All times are of the store's clock, in ms since 1970.

    ``times_ms`` has the start of each period, the oldest first; the last one is not over. Each list of ``series`` has
    one entry per period. ``bounds_s`` has the upper bounds of the buckets but for the last bucket, which has none.
    """

    now_ms: int
    resolution_s: int
    times_ms: list[int]
    bounds_s: list[float]
    series: list[CountSeries]
    totals: list[CountTotals]


class HistoryMethods:
    """The method on the counters.

    Args:
        supervisor: Whose deployment.
    """

    def __init__(self, supervisor: AsyncSupervisor) -> None:
        self._supervisor = supervisor

    async def get_history(
        self, span_s: _Span = HOUR_S, resolution_s: _Resolution = None, script_type: _Type = None
    ) -> HistoryView:
        """Return what the deployment has counted per script type: by period, and since it began.

        Counted are runs that started, jobs that ended (`finished`, `stopped`, `failed`, `errors` by kind), `retries`,
        `redeliveries`, `lost` jobs, and as histograms how long jobs waited and ran. There is a history of a day by
        minutes, and of 30 days by hours; without `resolution_s` it has some 300 periods at most. A script type of which
        nothing was counted is left out. Damaged jobs have the script type `unknown`.
        """
        only = None if script_type is None else _suffix(script_type)
        found = await self._supervisor.get_history(span_s, resolution_s, only)
        series: list[CountSeries] = []
        for suffix, periods in found.periods.items():
            made: dict[str, Any] = {}
            for name, values in _fields(shown_type(suffix), periods):
                made[name] = values
                await asyncio.sleep(0)  # each takes some milliseconds of a long history
            series.append(cast("CountSeries", made))
        return history_view(found, series)


def history_view(found: History, series: list[CountSeries] | None = None) -> HistoryView:
    """Build the view of a history.

    Args:
        found: The history.
        series: Its series, if they are built already.
    """
    if series is None:
        series = [_series(shown_type(suffix), periods) for suffix, periods in found.periods.items()]
    return {
        "now_ms": int(found.now_s * 1000),
        "resolution_s": found.resolution_s,
        "times_ms": [start * 1000 for start in found.starts_s],
        "bounds_s": list(BOUNDS_S),
        "series": series,
        "totals": [_totals(shown_type(suffix), counts) for suffix, counts in found.totals.items()],
    }


def shown_type(suffix: str) -> str:
    """Name a script type as other methods do; ``unknown`` is that of damaged jobs."""
    return _OF.get(suffix, suffix)


def _suffix(script_type: str) -> str:
    try:
        return ScriptType.parse(script_type).suffix
    except JobInvalid:
        if script_type == "unknown":
            return script_type
        raise


def _series(script_type: str, periods: Sequence[JobCounts]) -> CountSeries:
    return cast("CountSeries", dict(_fields(script_type, periods)))


def _fields(script_type: str, periods: Sequence[JobCounts]) -> Iterator[tuple[str, Any]]:
    """Build the fields of a series one after the other, so that the event loop may do something else between them."""
    yield "script_type", script_type
    for name in ("started", "finished", "stopped", "failed"):
        yield name, [getattr(counts, name) for counts in periods]
    kinds = sorted({kind for counts in periods for kind in counts.errors})
    yield "errors", {kind: [counts.errors.get(kind, 0) for counts in periods] for kind in kinds}
    for name in ("retries", "redeliveries", "lost"):
        yield name, [getattr(counts, name) for counts in periods]
    yield "wait", _durations([counts.wait for counts in periods])
    yield "run", _durations([counts.run for counts in periods])


def _durations(periods: Sequence[Durations]) -> DurationSeries:
    return {
        "count": [sum(one.buckets) for one in periods],
        "sum_s": [one.sum_us / 1e6 for one in periods],
        "buckets": [one.buckets for one in periods],
    }


def _totals(script_type: str, counts: JobCounts) -> CountTotals:
    return {
        "script_type": script_type,
        "started": counts.started,
        "finished": counts.finished,
        "stopped": counts.stopped,
        "failed": counts.failed,
        "errors": dict(sorted(counts.errors.items())),
        "retries": counts.retries,
        "redeliveries": counts.redeliveries,
        "lost": counts.lost,
        "wait": _duration_totals(counts.wait),
        "run": _duration_totals(counts.run),
    }


def _duration_totals(one: Durations) -> DurationTotals:
    return {"count": sum(one.buckets), "sum_s": one.sum_us / 1e6, "buckets": one.buckets}


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor) -> None:
    """Register the method on the counters."""
    dispatcher.register("get_history", HistoryMethods(supervisor).get_history, error_codes=STORE_CODES)
