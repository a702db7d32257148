"""Reads the counters of a deployment: in all, and as a history by minute or by hour.

The supervisors' methods, their metrics and heroctl read it. Invariant: a bounded number of small reads, a page at a
time, so that neither the store nor an event loop is held for long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hero_job.model.errors import JobInvalid
from hero_job.model.overview.counters import JobCounts, add_fields
from hero_job.operations.flow import Flow, chunks, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is, pairs

MINUTE_S: Final = 60
HOUR_S: Final = 3600
#: How far back the minutes and the hours go, in seconds.
MINUTES_KEPT_S: Final = 86_400
HOURS_KEPT_S: Final = 30 * 86_400
#: Longest history in points.
MOST_POINTS: Final = 1_500
#: Points that are wanted if nobody says how many.
_FEW_POINTS: Final = 300
#: Hashes that are read in one round trip; reading them takes an event loop some milliseconds.
_PAGE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a deployment has counted, period by period.

    Attributes:
        now_s: The server's time, in seconds since 1970. The last period is not over yet.
        resolution_s: Length of a period.
        starts_s: Start of each period, the oldest first.
        periods: Script type in lower case -> its counts in each period. A type without any is left out.
        totals: Script type -> its counts since the deployment began.
    """

    now_s: float
    resolution_s: int
    starts_s: tuple[int, ...]
    periods: Mapping[str, tuple[JobCounts, ...]]
    totals: Mapping[str, JobCounts]


def counts(operations: Operations) -> Op[dict[str, JobCounts]]:
    """Read the counters of the deployment since it began, by script type in lower case."""
    return Op(("HGETALL", operations.keys.counts), _counts)


def resolution_for(span_s: int, resolution_s: int | None) -> int:
    """Find out how long the periods of a history are, in seconds.

    Args:
        span_s: How far back it goes.
        resolution_s: What was asked for; None for a fitting one.

    Raises:
        JobInvalid: There is no such history.
    """
    if not MINUTE_S <= span_s <= HOURS_KEPT_S:
        raise JobInvalid("span_s", f"must be from {MINUTE_S} to {HOURS_KEPT_S}, not {span_s}")
    unit = MINUTE_S if span_s <= MINUTES_KEPT_S else HOUR_S
    if resolution_s is None:
        wanted = next((r for r in (60, 300, 3600, 10_800) if span_s / r <= _FEW_POINTS), HOUR_S)
        return max(unit, wanted)
    if resolution_s < unit or resolution_s % unit:
        what = "minutes; hours for more than a day" if unit == MINUTE_S else "hours for more than a day"
        raise JobInvalid("resolution_s", f"must be a multiple of {unit} ({what}), not {resolution_s}")
    if span_s / resolution_s > MOST_POINTS:
        raise JobInvalid("resolution_s", f"gives more than {MOST_POINTS} periods; ask for longer ones")
    return resolution_s


def history(
    operations: Operations, span_s: int = HOUR_S, resolution_s: int | None = None, script_type: str | None = None
) -> Flow[History]:
    """Read what a deployment has counted, period by period, and in all.

    Args:
        operations: Of the namespace.
        span_s: How far back to go, in seconds: a day by minutes, 30 days by hours.
        resolution_s: Length of a period in seconds: a multiple of a minute, beyond a day of an hour; None for a
            fitting one.
        script_type: Only this one, in lower case; None for all.

    Raises:
        JobInvalid: There is no such history.
        StoreError: The store cannot be reached.
    """
    resolution = resolution_for(span_s, resolution_s)
    keys = operations.keys
    time_parts, totals = yield [Op(("TIME",), as_is), counts(operations)]
    raise_first_error([time_parts])
    now_s = int(time_parts[0]) + int(time_parts[1]) / 1e6
    first = int((now_s - span_s) // resolution) * resolution + resolution
    hour = span_s > MINUTES_KEPT_S or resolution % HOUR_S == 0
    unit = HOUR_S if hour else MINUTE_S
    starts = tuple(range(first, int(now_s) + 1, resolution))
    found: list[dict[str, JobCounts]] = [{} for _ in starts]
    for page in chunks(range(first, int(now_s) + 1, unit), _PAGE):
        answers = yield [Op(("HGETALL", keys.counts_of(start, hour=hour)), as_is) for start in page]
        for start, answer in zip(page, answers, strict=True):
            if isinstance(answer, list | dict):  # something else under such a key hides no other period
                add_fields(found[(start - first) // resolution], pairs(answer))
            elif getattr(answer, "code", "") != "WRONGTYPE":
                raise_first_error([answer])
    types = {t for one in found for t in one if script_type in (None, t)}
    if isinstance(totals, Exception):
        totals = {}
    return History(
        now_s=now_s,
        resolution_s=resolution,
        starts_s=starts,
        periods={t: tuple(one.get(t) or JobCounts() for one in found) for t in sorted(types)},
        totals={t: total for t, total in sorted(totals.items()) if script_type in (None, t)},
    )


def _counts(answer: Any) -> dict[str, JobCounts]:
    found: dict[str, JobCounts] = {}
    add_fields(found, pairs(answer))
    return found
