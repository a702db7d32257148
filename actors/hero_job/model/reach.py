"""What a submitter may name in a new job: its id, other jobs, batches and keys. Pure.

The RPC makes a `Reach` for each job of a client, an actor for each job that a script creates; `Operations.create`
applies it and gives the rest of it to `create.lua`, which decides with the jobs before its eyes. Invariant: a
submitter that is bound to a caller reaches through no field a job, a batch or a key of somebody else. Programs that use
Redis themselves have no reach, so they may name everything.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.names import scoped_name
from hero_job.model.job import Job

# The id of a schedule's tick; see `Schedule.job_at`.
_TICK: Final = re.compile(r".*@[0-9]+-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_KEYS: Final = ("unique_key", "concurrency_key", "rate_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the submitter of one job may name.

    Attributes:
        caller_id: The only caller whose jobs, batches and keys it reaches; None for those of all.
        context_id: The only context of that caller; None for all of them.
        signed_inputs: The prerequisites of the job must be signed by their callers.
        guards_signed: Only a job that its caller has signed may be added to the prerequisites of a signed job.
    """

    caller_id: str | None = None
    context_id: str | None = None
    signed_inputs: bool = False
    guards_signed: bool = False

    def scoped(self, job: Job) -> Job:
        """Return the job as it is stored: its keys are those of the submitter's own space.

        Args:
            job: As the submitter described it.

        Raises:
            JobInvalid: Its id is one that only a schedule may create.
        """
        if self.caller_id is None:
            return job
        if _TICK.fullmatch(job.id):
            raise JobInvalid("id", "must not end like the id of a schedule's tick, '@' and a time")
        changes: dict[str, Any] = {}
        for name in _KEYS:
            key = getattr(job, name)
            if key is not None:
                changes[name] = scoped_name(key, self.caller_id, self.context_id)
        return dataclasses.replace(job, **changes) if changes else job

    def argument(self) -> str:
        """Return it as `create.lua` reads it."""
        caller_id = False if self.caller_id is None else self.caller_id
        context_id = False if self.context_id is None else self.context_id
        return orjson.dumps([caller_id, context_id, self.signed_inputs, self.guards_signed]).decode()
