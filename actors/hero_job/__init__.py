"""Jobs and the contract in Redis: what a job is, how it is stored, queued, claimed, settled and recovered.

The only package that talks to Redis, for clients, supervisors and actors alike. `model` is pure data; `protocol` has
the keys, the Lua scripts and the encoding; `operations` has what can be done, as data; `client` carries it to the
server. Programs that submit jobs need `JobBuilder` and the names that `hero_client` exports. Everything here imports
fast.
"""

from __future__ import annotations

from hero_job import old_paths
from hero_job.model.builder import JobBuilder
from hero_job.model.errors import (
    HeroJobError,
    JobConflict,
    JobDamaged,
    JobFailed,
    JobInvalid,
    JobNotFound,
    JobStateError,
    StoreError,
    StoreRefused,
    StoreUnavailable,
    StoreUrlInvalid,
    WaitTimeout,
)
from hero_job.model.job import Job, JobLimits, Priority, ScriptType
from hero_job.model.status import TRANSITIONS, JobStatus
from hero_job.model.views import ActorPresence, BatchStatus, DeadJob, JobPage, JobRecord, LogLine, QueueStatus, Reply

old_paths.install()

__all__ = [
    "TRANSITIONS",
    "ActorPresence",
    "BatchStatus",
    "DeadJob",
    "HeroJobError",
    "Job",
    "JobBuilder",
    "JobConflict",
    "JobDamaged",
    "JobFailed",
    "JobInvalid",
    "JobLimits",
    "JobNotFound",
    "JobPage",
    "JobRecord",
    "JobStateError",
    "JobStatus",
    "LogLine",
    "Priority",
    "QueueStatus",
    "Reply",
    "ScriptType",
    "StoreError",
    "StoreRefused",
    "StoreUnavailable",
    "StoreUrlInvalid",
    "WaitTimeout",
]
