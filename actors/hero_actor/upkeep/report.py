"""The figures that an actor reports to its supervisor: its memory, and what each lane is doing.

Called by the main thread, which must be able to report while the store is unreachable: nothing here does any I/O
besides reading /proc.
"""

from __future__ import annotations

import os

from hero_actor.lanes.execute import timeout_of
from hero_actor.lanes.lane import Lane


def rss_bytes() -> int:
    """Return the resident memory of this process, in bytes.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
    """
    try:
        with open("/proc/self/statm", "rb", buffering=0) as statm:  # noqa: PTH123  pathlib costs memory
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource
        import sys

        # Without /proc only the peak is cheap to read. It is in KiB, on macOS in bytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def lane_report(lane: Lane, now_mono: float) -> dict[str, object]:
    """Describe a lane: its state, since when, its job, and how far that is past its deadline (0 before it)."""
    job = lane.batch.running
    since_mono = lane.since_mono if job is None else lane.batch.started_mono
    overdue_s = 0.0 if job is None else now_mono - since_mono - timeout_of(job)
    return {
        "state": lane.state.value,
        "job": None if job is None else job.id,
        "for_ms": int((now_mono - since_mono) * 1000),
        "overdue_ms": max(0, int(overdue_s * 1000)),
    }
