"""The method ``list_events``: pages of what the topics ``jobs`` and ``actors`` send, for clients that ask now and then.

Invariants: a page has the objects that a subscription sends, and every event of each entry that it covers, so that a
client continues after any cursor without missing or repeating one; a connection bound to a context sees only its jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads the one of typing only from Python 3.12 on

from hero_job.operations.events import Entry, entries_after
from hero_supervisor.rpc.methods.shapes import JobIds, LogCursor
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES
from hero_supervisor.rpc.subscriptions import notices
from hero_supervisor.rpc.subscriptions.feeds import FactFinder, JobFilter

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor

#: Most entries that one call reads.
MAX_ENTRIES: Final = 1000


class EventPage(TypedDict):
    """A page of events; ``more`` follow after ``cursor``; after a ``gap`` the store no longer has some before them."""

    events: list[notices.JobEvent | notices.ActorEvent]
    cursor: str
    more: bool
    gap: bool


class EventMethods:
    """The method.

    Args:
        supervisor: Whose events.
        context_id: Says which context the current connection is bound to; None for none.
    """

    def __init__(self, supervisor: AsyncSupervisor, context_id: Callable[[], str | None]) -> None:
        self._supervisor = supervisor
        self._context_id = context_id

    async def list_events(
        self,
        topic: Literal["jobs", "actors"] = "jobs",
        after: LogCursor = "",
        count: Annotated[int, Field(ge=1, le=MAX_ENTRIES, description="Most entries to read.")] = 100,
        job_ids: JobIds | None = None,
    ) -> EventPage:
        """Return past events of jobs or actors, the oldest first; `hero_subscribe` sends the same as they happen.

        Repeat with the returned cursor while there is `more`; later, with the last one, for what is new. A page may be
        empty although more follow, and has more events than `count` if jobs changed together. With job_ids, only events
        of these jobs. The record of changes has get_audit, the log of a job get_job_logs.
        """
        keys = self._supervisor.operations.keys
        stream = keys.actor_events if topic == "actors" else keys.events
        found = await self._supervisor.store.drive(entries_after(stream, after, count))
        events: list[notices.JobEvent | notices.ActorEvent] = []
        if topic == "actors":
            events += map(notices.actor_event, found.entries)
        else:
            events += await self._of_jobs(found.entries, job_ids)
        more = len(found.entries) == count
        return {"events": events, "cursor": found.cursor, "more": more, "gap": found.gap}

    async def _of_jobs(self, entries: Sequence[Entry], job_ids: Sequence[str] | None) -> Iterable[notices.JobEvent]:
        wanted = JobFilter(
            job_ids=None if job_ids is None else frozenset(job_ids),
            context_id=self._context_id(),
        )
        moves = [
            (cursor, job_id, status)
            for cursor, fields in entries
            for job_id, status in fields.items()
            if not job_id.startswith("batch:") and wanted.matches_event(job_id, status)
        ]
        facts = await FactFinder(self._supervisor).find((job_id for _, job_id, _ in moves), "")
        return [
            notices.job_event(cursor, notices.at(cursor), job_id, status, facts[job_id])
            for cursor, job_id, status in moves
            if wanted.matches_job(facts[job_id])
        ]


def register(dispatcher: Dispatcher, supervisor: AsyncSupervisor, context_id: Callable[[], str | None]) -> None:
    """Register the method.

    Args:
        dispatcher: Gets it.
        supervisor: Whose events.
        context_id: Says which context the current connection is bound to; None for none.
    """
    methods = EventMethods(supervisor, context_id)
    dispatcher.register("list_events", methods.list_events, error_codes=STORE_CODES)
