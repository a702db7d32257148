"""What an actor tells its supervisor of itself: memory, and what each lane does and since when. Used by `actor.py`."""

from __future__ import annotations

import os

from hero_actor.lanes.execute import timeout_of
from hero_actor.lanes.lane import Lane


def rss_bytes() -> int:
    """Resident memory of this process, in bytes.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
    """
    try:
        with open("/proc/self/statm", "rb", buffering=0) as statm:  # noqa: PTH123  pathlib costs an actor its import
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource
        import sys

        # The most it ever had, which is what other systems tell cheaply; in KiB, but on macOS in bytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def lane_report(lane: Lane, now_mono: float) -> dict[str, object]:
    """Say what a lane does, since when, and how far it is past its job's deadline, in milliseconds."""
    job = lane.batch.running
    since_mono = lane.since_mono if job is None else lane.batch.started_mono
    overdue_s = 0.0 if job is None else now_mono - since_mono - timeout_of(job)
    return {
        "state": lane.state.value,
        "job": None if job is None else job.id,
        "for_ms": int((now_mono - since_mono) * 1000),
        "overdue_ms": max(0, int(overdue_s * 1000)),
    }
