"""What an actor reports over its control socket, from decoded JSON to typed data.

Pure. Used by `slot.py`. Invariant: a message that lacks a field, or has one of another type, reads as if nothing were
wrong; an actor of a later version is not killed for a word that this version does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hero_supervisor.policy.events import Heartbeat, LaneReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorReport:
    """The newest figures of an actor process.

    Attributes:
        lanes: Number of its lanes.
        busy: Lanes that run a job.
        jobs: Jobs that it has run.
        rss_bytes: Its resident memory.
        unavailable: Why its engine can run nothing; empty when it can.
    """

    lanes: int = 0
    busy: int = 0
    jobs: int = 0
    rss_bytes: int = 0
    unavailable: str = ""

    def updated(self, *, busy: int, jobs: int, rss_bytes: int) -> ActorReport:
        """Give the report with the figures of a heartbeat. Those of an idle actor stay the same."""
        if (busy, jobs, rss_bytes) == (self.busy, self.jobs, self.rss_bytes):
            return self
        return replace(self, busy=busy, jobs=jobs, rss_bytes=rss_bytes)


def read_heartbeat(message: Mapping[str, object]) -> Heartbeat:
    """Read the message `beat`."""
    lanes = message.get("lanes")
    return Heartbeat(
        lanes=tuple(
            LaneReport(str(lane.get("state", "")), whole(lane.get("for_ms")), whole(lane.get("overdue_ms")))
            for lane in (lanes if isinstance(lanes, list) else ())
            if isinstance(lane, dict)
        ),
        store_up=message.get("store_up") is not False,
    )


def whole(value: object) -> int:
    """Read a whole number; 0 when it is something else."""
    return value if isinstance(value, int) else 0
