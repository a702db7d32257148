"""Jobs and the contract in Redis: what a job is, how it is stored, queued, claimed, settled and recovered.

The one package that speaks to Redis. Programs that submit jobs need `JobBuilder` and what `hero_supervisor` exports;
everything here imports lightly.
"""

from __future__ import annotations

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
