"""The states of a job and the table of all transitions between them.

The table is the only one in Python. Every Lua script that writes a status lists its transitions in its header; a test
compares the table with those headers, with the scripts' behaviour, and with the diagram in ARCHITECTURE.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class JobStatus(StrEnum):
    """Where a job is in its life. Redis and the wire carry these values.

    Source: state names of the Rust system.
    """

    CREATED = "created"
    WAITING_FOR_PREREQUISITES = "waiting_for_prerequisites"
    SCHEDULED = "scheduled"
    DISPATCHED = "dispatched"
    STARTED = "started"
    STOPPING = "stopping"
    FINISHED = "finished"
    ERROR = "error"
    STOPPED = "stopped"

    @property
    def terminal(self) -> bool:
        """Has the job ended? Only an operator's retry leaves a terminal state."""
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.FINISHED, JobStatus.ERROR, JobStatus.STOPPED})

_S = JobStatus

TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = MappingProxyType(
    {
        # start_job: the job goes on its way, or ends because a prerequisite has failed. Claimed without a start: a
        # foreign producer queued the job and left its status alone.
        _S.CREATED: frozenset(
            {_S.WAITING_FOR_PREREQUISITES, _S.SCHEDULED, _S.DISPATCHED, _S.STARTED, _S.ERROR, _S.STOPPED}
        ),
        # The last prerequisite finished, one failed, or the job expired.
        _S.WAITING_FOR_PREREQUISITES: frozenset({_S.DISPATCHED, _S.SCHEDULED, _S.ERROR, _S.STOPPED}),
        # Its time has come, or it expired.
        _S.SCHEDULED: frozenset({_S.DISPATCHED, _S.ERROR, _S.STOPPED}),
        # Claimed by a lane; held back by its rate key; expired, or its key turned out to be damaged.
        _S.DISPATCHED: frozenset({_S.STARTED, _S.SCHEDULED, _S.ERROR, _S.STOPPED}),
        # Settled; asked to stop; to be repeated later; handed back to the queue by recovery, or unstarted by a lane
        # with a slow job; lost with its holder.
        _S.STARTED: frozenset({_S.FINISHED, _S.ERROR, _S.STOPPED, _S.STOPPING, _S.SCHEDULED, _S.DISPATCHED}),
        # Settled, or its holder died.
        _S.STOPPING: frozenset({_S.FINISHED, _S.ERROR, _S.STOPPED}),
        _S.FINISHED: frozenset(),
        # An operator retries the job.
        _S.ERROR: frozenset({_S.DISPATCHED}),
        _S.STOPPED: frozenset({_S.DISPATCHED}),
    }
)
