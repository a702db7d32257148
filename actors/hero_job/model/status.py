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
        """Is this a state that nothing leaves but by an operator's retry?"""
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.FINISHED, JobStatus.ERROR, JobStatus.STOPPED})

_S = JobStatus

TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = MappingProxyType(
    {
        # start_job, or its prerequisite has failed by then; claimed although never started, when a foreign producer
        # queued it without touching its status
        _S.CREATED: frozenset(
            {_S.WAITING_FOR_PREREQUISITES, _S.SCHEDULED, _S.DISPATCHED, _S.STARTED, _S.ERROR, _S.STOPPED}
        ),
        # the last prerequisite finished; one failed; it expired
        _S.WAITING_FOR_PREREQUISITES: frozenset({_S.DISPATCHED, _S.SCHEDULED, _S.ERROR, _S.STOPPED}),
        # its time has come; it expired
        _S.SCHEDULED: frozenset({_S.DISPATCHED, _S.ERROR, _S.STOPPED}),
        # claimed by a lane; too many of its rate key; expired, or its key turned out damaged
        _S.DISPATCHED: frozenset({_S.STARTED, _S.SCHEDULED, _S.ERROR, _S.STOPPED}),
        # settled; to be stopped; to be repeated later; handed back to the queue, by recovery or unstarted by a lane
        # with a slow job; lost with its holder
        _S.STARTED: frozenset({_S.FINISHED, _S.ERROR, _S.STOPPED, _S.STOPPING, _S.SCHEDULED, _S.DISPATCHED}),
        # settled, or its holder died
        _S.STOPPING: frozenset({_S.FINISHED, _S.ERROR, _S.STOPPED}),
        _S.FINISHED: frozenset(),
        # an operator has it run again: a new life
        _S.ERROR: frozenset({_S.DISPATCHED}),
        _S.STOPPED: frozenset({_S.DISPATCHED}),
    }
)
