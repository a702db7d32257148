"""Jobs and actors that the tests of subscriptions write to the store."""

from __future__ import annotations

from typing import Any

from hero_job import Job
from hero_job.client.store import Store
from hero_job.model.job import ScriptType
from hero_job.operations.actor_operations import ActorEntry, ActorOperations
from hero_job.operations.operations import Operations
from tests.supervisor.rpc.transports import job

#: Of one connection to a `pushing_server`.
MAX_SUBSCRIPTIONS = 4


def actor_of(namespace: str, name: str = "sal-1") -> ActorOperations:
    """Make the operations of an actor that has not joined."""
    entry = ActorEntry(
        incarnation=f"{name}.here", name=name, script_type=ScriptType.SAL, host="here", pid=1, lanes=1, engine="rhai",
        engine_version="1", group=None, instance=None,
    )  # fmt: skip
    return ActorOperations(entry, namespace, lease_s=60)


def submit(store: Store, operations: Operations, job_id: str, **fields: Any) -> str:
    """Create and start a job; return its id."""
    return store.run(operations.create(Job.from_fields(job(id=job_id, **fields)), start=True))
