"""The feeds of jobs, actors and logs: what each reads from its stream and which results it makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hero_client import AsyncSupervisor
from hero_job.model.errors import JobNotFound, StoreError
from hero_job.model.views import LogLine
from hero_job.operations.events import Entry, Events, JobFacts, order
from hero_supervisor.rpc.subscriptions import notices
from hero_supervisor.rpc.subscriptions.stream_feed import PAUSE_S, StreamFeed
from hero_supervisor.rpc.subscriptions.subscription import Subscription

_UNKNOWN: Final = JobFacts(caller_id=None, context_id=None, script_type=None)
# The job's own timeout bounds this wait.
_NO_LIMIT_S: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which job events are sent; None matches all."""

    job_ids: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
    caller_id: str | None = None
    context_id: str | None = None
    script_type: str | None = None

    def matches_event(self, job_id: str, status: str) -> bool:
        """Whether the event itself matches."""
        return (self.job_ids is None or job_id in self.job_ids) and (self.statuses is None or status in self.statuses)

    def matches_job(self, facts: JobFacts) -> bool:
        """Whether the record of the job matches."""
        script_type = None if facts.script_type is None else facts.script_type.lower()
        return (
            self.caller_id in (None, facts.caller_id)
            and self.context_id in (None, facts.context_id)
            and self.script_type in (None, script_type)
        )


class FactFinder:
    """Looks up the jobs that events are about; the jobs of one page of events are read once for all feeds."""

    def __init__(self, supervisor: AsyncSupervisor) -> None:
        self._store = supervisor.store
        self._events = Events(supervisor.operations.keys.namespace)
        self._page = ""
        self._known: dict[str, JobFacts] = {}

    async def find(self, job_ids: Iterable[str], page: str) -> dict[str, JobFacts]:
        """Look up jobs.

        Args:
            job_ids: Ids of the jobs.
            page: Calls with the same page share their answers; "" shares nothing. Answers are kept no longer, because
                another job may take the id of a deleted one.
        """
        if page != self._page:
            self._page, self._known = page, {}
        known = self._known if page else {}
        missing = [job_id for job_id in dict.fromkeys(job_ids) if job_id not in known]
        for first in range(0, len(missing), 1000):
            part = missing[first : first + 1000]
            try:
                found = await self._store.run(self._events.facts(part))
            except StoreError:
                found = dict.fromkeys(part, _UNKNOWN)  # the event is still sent, without the facts
            known.update(found)
        return known


class JobFeed(StreamFeed):
    """The feed of jobs that change their status.

    Args:
        supervisor: Whose jobs.
        subscription: Gets the results.
        after: Cursor to begin after; None to begin with what happens next.
        wanted: Selects events.
        finder: Looks jobs up.
    """

    def __init__(
        self,
        supervisor: AsyncSupervisor,
        subscription: Subscription,
        after: str | None,
        wanted: JobFilter,
        finder: FactFinder,
    ) -> None:
        super().__init__(supervisor, supervisor.operations.keys.events, subscription, after)
        self._wanted = wanted
        self._finder = finder

    async def _results(self, entries: Sequence[Entry], before: str, page: str) -> Iterable[Any]:
        moves = [
            (cursor, [(job_id, status) for job_id, status in fields.items() if self._may_match(job_id, status)])
            for cursor, fields in entries
        ]
        facts = await self._finder.find((job_id for _, moved in moves for job_id, _ in moved), page)
        results: list[notices.JobEvent] = []
        for cursor, moved in moves:
            matching = [(job_id, status) for job_id, status in moved if self._wanted.matches_job(facts[job_id])]
            for job_id, status in matching:
                # One entry can hold several events, and a cursor cannot point between them. Until the last of them it
                # points before the entry: a client that comes back gets some events twice and misses none.
                resume = cursor if (job_id, status) == matching[-1] else before
                results.append(notices.job_event(resume, notices.at(cursor), job_id, status, facts[job_id]))
            before = cursor
        return results

    def _may_match(self, job_id: str, status: str) -> bool:
        return not job_id.startswith("batch:") and self._wanted.matches_event(job_id, status)


class ActorFeed(StreamFeed):
    """The feed of actors that come and go.

    Args:
        supervisor: Whose actors.
        subscription: Gets the results.
        after: Cursor to begin after; None to begin with what happens next.
        wanted: Selects events.
    """

    def __init__(
        self,
        supervisor: AsyncSupervisor,
        subscription: Subscription,
        after: str | None,
        wanted: Callable[[notices.ActorEvent], bool],
    ) -> None:
        super().__init__(supervisor, supervisor.operations.keys.actor_events, subscription, after)
        self._wanted = wanted

    async def _results(self, entries: Sequence[Entry], before: str, page: str) -> Iterable[Any]:
        return filter(self._wanted, map(notices.actor_event, entries))


class AuditFeed(StreamFeed):
    """The feed of what requests have changed.

    Args:
        supervisor: Whose store has the record.
        subscription: Gets the results.
        after: Cursor to begin after; None to begin with what happens next.
    """

    def __init__(self, supervisor: AsyncSupervisor, subscription: Subscription, after: str | None) -> None:
        super().__init__(supervisor, supervisor.operations.keys.audit, subscription, after)

    async def _results(self, entries: Sequence[Entry], before: str, page: str) -> Iterable[Any]:
        return map(notices.audit_event, entries)


class LogFeed(StreamFeed):
    """The feed of one job's log; it ends when the job has ended.

    Args:
        supervisor: Whose job.
        subscription: Gets the results.
        after: Cursor of the last line that the client has; "" for none.
        job_id: Id of the job.
    """

    def __init__(self, supervisor: AsyncSupervisor, subscription: Subscription, after: str, job_id: str) -> None:
        super().__init__(supervisor, supervisor.operations.keys.log(job_id), subscription, after)
        self._job_id = job_id

    async def _results(self, entries: Sequence[Entry], before: str, page: str) -> Iterable[Any]:
        return [
            notices.log_event(
                LogLine(
                    cursor=cursor,
                    at_ms=order(cursor)[0],
                    level=fields.get("level", ""),
                    text=fields.get("text", ""),
                )
            )
            for cursor, fields in entries
        ]

    async def _catch_up(self, *, to_the_end: bool = False) -> None:
        await super()._catch_up(to_the_end=to_the_end)
        supervisor = self._supervisor
        status: str | None = None
        while True:
            try:
                reply = await supervisor.store.wait_reply(supervisor.operations, self._job_id, _NO_LIMIT_S)
                status = reply.status.value
            except JobNotFound:
                pass  # deleted together with its log
            except StoreError:
                await asyncio.sleep(PAUSE_S)
                continue
            break
        self.close()
        # Lanes write the log before the result, so all lines are there now.
        await super()._catch_up(to_the_end=True)
        end: notices.LogEnd = {"event": "end", "cursor": self._last, "job_id": self._job_id, "status": status}
        await self._subscription.put_patiently(end)
        self._subscription.complete()
