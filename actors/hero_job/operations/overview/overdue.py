"""Which running jobs take too long: how long the oldest of each script type runs, and which are past their deadline.

The metrics read it at each scrape. Invariant: three round trips and a bounded amount of work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.checks import milliseconds
from hero_job.model.fields.wire_values import parse_timeout
from hero_job.operations.flow import Flow, raise_first_error
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is

#: Lanes that are looked at.
MOST_LANES: Final = 2000
#: A job that runs for so long after its timeout should have been ended by its lane, its actor's beat, or recovery.
GRACE_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How long jobs run.

    Attributes:
        oldest_s: Script type in lower case -> for how long its oldest running job has run, in seconds.
        overdue: How many jobs are past their timeout by more than `GRACE_S`.
    """

    oldest_s: Mapping[str, float]
    overdue: int


def running(operations: Operations) -> Flow[Running]:
    """Look at the running job of each busy lane.

    Args:
        operations: Of the namespace.

    Raises:
        StoreError: The store cannot be reached.
    """
    keys = operations.keys
    actors, (time_parts,) = yield from operations.admin.actors_and(Op(("TIME",), as_is))
    raise_first_error([time_parts])
    lanes = [
        (actor.script_type.suffix, keys.claimed(actor.incarnation, lane))
        for actor in actors
        if actor.busy or actor.beat_at is None
        for lane in range(actor.lanes)
    ][:MOST_LANES]
    claimed = yield [Op(("LINDEX", key, 0), as_is) for _, key in lanes]
    held = [(suffix, job_id) for (suffix, _), job_id in zip(lanes, claimed, strict=True) if isinstance(job_id, str)]
    rows = yield [Op(("HMGET", keys.job(job_id), "status", "started_at", "timeout"), as_is) for _, job_id in held]
    now_s = int(time_parts[0]) + int(time_parts[1]) / 1e6
    oldest_s: dict[str, float] = {}
    overdue = 0
    for (suffix, _), row in zip(held, rows, strict=True):
        ran_s, timeout_s = _times(row, now_s)
        oldest_s[suffix] = max(oldest_s.get(suffix, 0.0), ran_s)
        overdue += ran_s > timeout_s + GRACE_S
    return Running(oldest_s=oldest_s, overdue=overdue)


def _times(row: Any, now_s: float) -> tuple[float, float]:
    """For how long a job has run, and may run, in seconds; 0 for one that does not run, or whose record is damaged."""
    if not isinstance(row, list) or row[0] not in {"started", "stopping"} or not row[1]:
        return 0.0, 0.0
    try:
        return max(0.0, now_s - milliseconds(row[1]) / 1000), parse_timeout(row[2])
    except (ValueError, JobInvalid):
        return 0.0, 0.0
