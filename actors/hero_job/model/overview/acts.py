"""Acts on many jobs, and the record of what was changed by whom. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActKind(StrEnum):
    """What is done to each job."""

    STOP = "stop"
    RETRY = "retry"
    DELETE = "delete"


class ActState(StrEnum):
    """Where an act on many jobs is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  #: the store failed for too long
    INTERRUPTED = "interrupted"  #: its supervisor has ended; start it again for the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAct:
    """An act on many jobs and how far it has come.

    Attributes:
        act_id: Its id.
        kind: What is done to each job.
        reason: Why, as its author said.
        who: Who asked for it; "" if the connection has no name.
        selects: The ids or the filter, as JSON.
        state: Where it is.
        done: Jobs that it was done to.
        refused: Jobs that it could not be done to.
        problems: The first of these, each with the reason.
        walked: Ids, or keys of the store, that were looked at.
        total: How many there are.
        started_ms: When it began, by the store's clock, in milliseconds since 1970.
        updated_ms: When it last told how far it is.
    """

    act_id: str
    kind: ActKind
    reason: str
    who: str
    selects: str
    started_ms: int
    updated_ms: int
    state: ActState = ActState.RUNNING
    done: int = 0
    refused: int = 0
    problems: tuple[tuple[str, str], ...] = ()
    walked: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Somebody has changed something.

    Attributes:
        cursor: Its place in the record.
        at_ms: When, in milliseconds since 1970.
        who: Name of the token, user or key; "" if the connection has none.
        scope: What that may do.
        by: How it has authenticated: token, signature or peer; "" if it has not.
        peer: Address, or user of the host.
        method: The RPC method.
        params: Its parameters as JSON, without secrets and scripts, cut.
        outcome: `ok`, or the kind of the error.
    """

    cursor: str
    at_ms: int
    who: str
    scope: str
    by: str
    peer: str
    method: str
    params: str
    outcome: str
