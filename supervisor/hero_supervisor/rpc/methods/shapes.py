"""The objects that travel as parameters and results about single jobs, actors and the service, as types. Pure.

Methods return them and ``rpc.discover`` describes them. Names are snake_case, as in the job's hash in Redis; times are
ISO 8601 in UTC, durations are in seconds.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.fields.limits import MAX_ID, MAX_IDS, MAX_NAME, MAX_PATH, MAX_WORD
from hero_job.model.views import ActorPresence
from hero_supervisor.rpc.methods.job_shapes import JobView
from hero_supervisor.rpc.methods.view import view_of

JobId: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_ID, description="Id of a job.")]
BatchId: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_ID, description="Id of a batch.")]
JobIds: TypeAlias = Annotated[list[JobId], Field(fail_fast=True, max_length=MAX_IDS)]
#: A caller or a context.
Owner: TypeAlias = Annotated[str, Field(max_length=MAX_NAME)]
#: A text that only certain values match: a script type, a status, a name that we gave.
Word: TypeAlias = Annotated[str, Field(max_length=MAX_WORD)]
#: Ignored, or compared with what we know.
Secret: TypeAlias = Annotated[str, Field(max_length=MAX_PATH)]
LogCursor: TypeAlias = Annotated[str, Field(pattern=r"^([0-9]{1,19}-[0-9]{1,19})?$", max_length=39)]

#: Jobs that are read in one round trip: reading so many takes some 10 ms of the event loop.
JOBS_PER_READ: Final = 200


class DamagedJob(TypedDict):
    """A key in the store that cannot be read as a job."""

    id: str
    reason: str


class JobList(TypedDict):
    """One page of jobs, the newest move first; an empty cursor means that it is the last page."""

    jobs: list[JobView]
    damaged: list[DamagedJob]
    cursor: str


class Started(TypedDict):
    """The job is on its queue."""

    success: bool


class PlayResult(TypedDict):
    """The output of a script."""

    output: str


class ActorView(TypedDict):
    """An actor process, as it describes itself; ``beat_at`` is null if it has been silent for too long.

    ``unavailable`` says why its engine cannot run jobs and what to do about it; it is null if the engine can.
    """

    incarnation: str
    name: str
    script_type: str
    host: str
    pid: int | None
    lanes: int
    busy: int
    jobs: int
    engine: str
    engine_version: str
    group: str | None
    instance: str | None
    started_at: str | None
    beat_at: str | None
    unavailable: str | None


class Health(TypedDict):
    """The health of the service: ``status`` is "ok" or "degraded", ``problem`` says why it is degraded.

    ``warnings`` has the settings of the store that may lose jobs, each with what it does and what to do.
    """

    status: str
    problem: str | None
    warnings: list[str]
    uptime_s: float


class Version(TypedDict):
    """The version of the runtime, and the OpenRPC version of the document that ``rpc.discover`` returns."""

    name: str
    version: str
    openrpc: str


def actor_view(actor: ActorPresence) -> ActorView:
    """Build the view of an actor."""
    return view_of(ActorView, actor, script_type=actor.script_type.value)
