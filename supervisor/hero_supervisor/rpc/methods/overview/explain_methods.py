"""The methods about one job that does not run, or ran more than once: why it waits, and its attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.model.overview.attempts import JobAttempt
from hero_job.model.overview.explanation import Explanation, WaitReason
from hero_supervisor.rpc.methods.results import time_text
from hero_supervisor.rpc.methods.shapes import JobId
from hero_supervisor.rpc.methods.view import view_of
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import JOB_CODES

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_supervisor.fleet.fleet import Fleet

_NOBODY: Final = (WaitReason.NO_ACTOR, WaitReason.ACTORS_SILENT, WaitReason.QUEUED)


class PrerequisiteView(TypedDict):
    """A job that another one waits for; ``status`` is null if its record is gone."""

    job_id: str
    status: str | None


class HeldActor(TypedDict):
    """A process of this supervisor that would serve the queue and does not run; ``why`` says how it ended."""

    slot: str
    phase: str
    why: str


class JobExplanation(TypedDict):
    """Why a job does not run: ``text`` in a sentence, ``reason`` as a word, the rest as data."""

    job_id: str
    status: str
    reason: str
    text: str
    queue: str
    place: int | None
    waiting: int | None
    paused_since: str | None
    due_at: str | None
    expires_at: str | None
    prerequisites: list[PrerequisiteView]
    key: str | None
    held_by: list[str]
    actors: list[str]
    held_actors: list[HeldActor]
    owner: str | None


class AttemptView(TypedDict):
    """One attempt of a job; ``ended_at`` is null while it runs."""

    attempt: int
    owner: str
    started_at: str
    ended_at: str | None
    outcome: str
    error_kind: str | None
    error: str | None


class ExplainMethods:
    """The methods about one job.

    Args:
        supervisor: Whose jobs.
        fleet: The actors of this supervisor; None if it has none.
    """

    def __init__(self, supervisor: AsyncSupervisor, fleet: Fleet | None) -> None:
        self._supervisor = supervisor
        self._fleet = fleet

    async def explain_job(self, job_id: JobId) -> JobExplanation:
        """Say why a job does not run: its place in the queue, a pause, its time, other jobs, a key, missing actors.

        `reason` is one of not_started, delayed, repeated, late, prerequisites, in_line, paused, no_actor,
        actors_silent, actors_unavailable, expired, queued, not_queued, claimed, running, stopping, ended. `held_actors`
        has the processes of this supervisor that serve the script type and do not run.
        """
        found = await self._supervisor.explain_job(job_id)
        held = self._held(found) if found.reason in _NOBODY else []
        text = found.text
        if held and found.reason is not WaitReason.QUEUED:
            text += f" {held[0]['slot']} is {held[0]['phase']}: {held[0]['why']}."
        return explanation_view(found, text, held)

    async def get_job_attempts(self, job_id: JobId) -> list[AttemptView]:
        """Return the newest ten attempts of a job, the oldest first: who ran it, when, and how it ended."""
        return [attempt_view(attempt) for attempt in await self._supervisor.get_job_attempts(job_id)]

    def _held(self, found: Explanation) -> list[HeldActor]:
        if self._fleet is None:
            return []
        suffix = found.queue.partition("/")[0]
        return [
            {"slot": child.slot, "phase": "held" if child.held else child.phase.value, "why": child.last_exit}
            for child in self._fleet.children()
            if child.script_type == suffix and (child.held or child.pid is None)
        ]


def explanation_view(found: Explanation, text: str, held: list[HeldActor]) -> JobExplanation:
    """Build the view of an explanation."""
    return view_of(
        JobExplanation,
        found,
        status=found.status.value,
        reason=found.reason.value,
        text=text,
        due_at=_time(found.due_at_ms),
        expires_at=_time(found.expires_at_ms),
        prerequisites=[
            {"job_id": p.job_id, "status": None if p.status is None else p.status.value} for p in found.prerequisites
        ],
        held_by=list(found.held_by),
        actors=list(found.actors),
        held_actors=held,
    )


def attempt_view(attempt: JobAttempt) -> AttemptView:
    """Build the view of an attempt."""
    return view_of(AttemptView, attempt)


def _time(at_ms: int | None) -> str | None:
    try:
        return None if at_ms is None else time_text(at_ms)
    except (ValueError, OverflowError):
        return None


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, fleet: Fleet | None) -> None:
    """Register the methods about one job."""
    methods = ExplainMethods(supervisor, fleet)
    dispatcher.register("explain_job", methods.explain_job, error_codes=JOB_CODES)
    dispatcher.register("get_job_attempts", methods.get_job_attempts, error_codes=JOB_CODES)
