"""The states of a job and the one table of their transitions.

Every Lua script that writes a status names its transitions in its header; a test holds this table, those headers, the
scripts' behaviour and the diagram in ARCHITECTURE.md together.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class JobStatus(StrEnum):
    """Where a job is in its life. The values are what Redis and the wire carry.

    Source: state names of the Rust system; terminal states end a job for good.
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
        """Is this a state that nothing leaves?"""
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.FINISHED, JobStatus.ERROR, JobStatus.STOPPED})

_S = JobStatus

TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = MappingProxyType(
    {
        # start_job; claimed although never started, when a foreign producer queued it without touching its status
        _S.CREATED: frozenset({_S.DISPATCHED, _S.STARTED}),
        # Known, since other programs write them; nothing of this version leads into or out of them.
        _S.WAITING_FOR_PREREQUISITES: frozenset(),
        _S.SCHEDULED: frozenset(),
        # claimed by a lane; in error when its key turns out damaged
        _S.DISPATCHED: frozenset({_S.STARTED, _S.ERROR}),
        # settled; handed back to the queue, by recovery or unstarted by a lane with a slow job; lost with its holder
        _S.STARTED: frozenset({_S.FINISHED, _S.ERROR, _S.STOPPED, _S.DISPATCHED}),
        # settled, or its holder died
        _S.STOPPING: frozenset({_S.FINISHED, _S.ERROR, _S.STOPPED}),
        _S.FINISHED: frozenset(),
        _S.ERROR: frozenset(),
        _S.STOPPED: frozenset(),
    }
)
