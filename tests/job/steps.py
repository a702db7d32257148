"""Steps that many tests of the store share: submitting, settling, and looking at a claimed list."""

from __future__ import annotations

from collections.abc import Sequence

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.model.claim_types import ClaimedJob, Settlement
from hero_job.operations.actor_operations import ActorOperations
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.job.conftest import MakeJob


def submit(store: Store, operations: Operations, make_job: MakeJob, **fields: object) -> str:
    """Create and start a job; return its id."""
    return store.run(operations.create(make_job(**fields), start=True))


def submit_many(store: Store, operations: Operations, make_job: MakeJob, count: int, **fields: object) -> list[str]:
    """Create and start `count` equal jobs; return their ids in order."""
    return [submit(store, operations, make_job, **fields) for _ in range(count)]


def finished(claimed: Sequence[ClaimedJob], output: str = "42") -> list[Settlement]:
    """Settlements of jobs that have finished."""
    return [Settlement(job.id, job.attempt, JobStatus.FINISHED, output) for job in claimed]


def claimed_ids(store: Store, actor: ActorOperations, lane: int = 0) -> list[str]:
    """Ids in the claimed list of a lane, in order."""
    return store.run(Op(("LRANGE", actor.keys.claimed(actor.entry.incarnation, lane), 0, -1), list))
