"""Why a job does not run, in data and in a sentence. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hero_job.model.status import JobStatus


class WaitReason(StrEnum):
    """What a job waits for, or why it does not wait."""

    NOT_STARTED = "not_started"  #: start_job was not called
    DELAYED = "delayed"  #: its time has not come
    REPEATED = "repeated"  #: it failed, and will be repeated
    LATE = "late"  #: its time has come, and no supervisor has queued it
    PREREQUISITES = "prerequisites"  #: other jobs must end first
    IN_LINE = "in_line"  #: other jobs hold all places under its concurrency key
    PAUSED = "paused"  #: its queue is paused
    NO_ACTOR = "no_actor"  #: no actor serves its queue
    ACTORS_SILENT = "actors_silent"  #: the actors that serve its queue give no sign of life
    ACTORS_UNAVAILABLE = "actors_unavailable"  #: the engines of the actors that serve its queue cannot run scripts
    EXPIRED = "expired"  #: it was not started in its time, and will end
    QUEUED = "queued"  #: others are before it
    NOT_QUEUED = "not_queued"  #: its status says that it waits, but it is in no queue
    CLAIMED = "claimed"  #: a lane has taken it and will run it
    RUNNING = "running"
    STOPPING = "stopping"  #: it was asked to stop
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerequisite:
    """A job that another one waits for; its status is None if its record is gone or cannot be read."""

    job_id: str
    status: JobStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a job does not run.

    Attributes:
        job_id: The job.
        status: Where it is in its life.
        reason: What it waits for.
        text: The same in a sentence or two, with what to do about it.
        queue: Its queue: script type in lower case, and behind slashes group and instance.
        place: Its place in the list that it waits in, from 1; None if it waits in none, or too far behind.
        waiting: How many ids that list has.
        paused_since: Since when its queue is paused, ISO 8601; None if it is not.
        due_at_ms: When its time comes, in milliseconds since 1970; None if it does not wait for a time.
        expires_at_ms: When it ends unless it has started, in milliseconds since 1970; None for never.
        prerequisites: The jobs that it waits for, at most 20 of them.
        key: The concurrency key under which it waits, as its submitter chose it; None if it waits under none.
        held_by: Jobs that hold the places under the key, at most 20 of them.
        actors: Names of the actors that serve its queue and are alive, at most 20 of them.
        owner: The lane that runs it or has taken it; None if none has.
    """

    job_id: str
    status: JobStatus
    reason: WaitReason
    text: str
    queue: str
    place: int | None = None
    waiting: int | None = None
    paused_since: str | None = None
    due_at_ms: int | None = None
    expires_at_ms: int | None = None
    prerequisites: tuple[Prerequisite, ...] = ()
    key: str | None = None
    held_by: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    owner: str | None = None
