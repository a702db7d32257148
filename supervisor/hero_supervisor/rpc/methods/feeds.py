"""Where the results of subscriptions come from: a place in a stream, or figures at intervals.

``subscriptions`` makes one feed per subscription. All feeds that follow a stream share the store connection of
``hero_job.client.streams``. Invariants: a feed goes from reading what the stream has to hearing what is new without
missing or repeating an entry; and it reports what it cannot give, as a notice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hero_client import AsyncSupervisor
from hero_job.client.streams import PAGE, StreamUpdate
from hero_job.model.errors import JobNotFound, StoreError
from hero_job.model.views import LogLine
from hero_job.operations.events import BEGINNING, Entry, Events, JobFacts, order
from hero_supervisor.rpc.methods import notices
from hero_supervisor.rpc.methods.results import Stats, time_text

_UNKNOWN: Final = JobFacts(caller_id=None, context_id=None, script_type=None)
_PAUSE_S: Final = 1.0
# As long as the job may last.
_FOR_EVER_S: Final = 1e9


class Sink(Protocol):
    """Where results go."""

    def put(self, result: Any) -> None:
        """Send it, or end the subscription of a client that is too slow."""

    async def put_patiently(self, result: Any) -> None:
        """Send it when there is room."""

    def complete(self) -> None:
        """End the subscription when all is sent."""

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something in the background as long as the subscription lives."""


class StreamFeed:
    """A place in a stream.

    Args:
        supervisor: Whose store has the stream.
        key: Of the stream.
        sink: Where results go.
        after: Cursor to begin after; None for now.
    """

    def __init__(self, supervisor: AsyncSupervisor, key: str, sink: Sink, after: str | None) -> None:
        self._supervisor = supervisor
        self._streams = supervisor.store.streams
        self._key = key
        self._sink = sink
        self._after = after
        self._last = after or BEGINNING
        self._live = False

    async def begin(self) -> None:
        """Begin; whatever happens from here on is sent.

        Raises:
            StoreError: The store cannot be asked.
        """
        position = await self._streams.join(self._key, self)
        if self._after is None:
            self._last, self._live = position, True
        self._sink.put(notices.notice("following", self._last))
        if not self._live:
            self._sink.run(self._catch_up())

    def close(self) -> None:
        """Send nothing more."""
        self._live = False
        self._streams.leave(self._key, self)

    async def hear(self, news: StreamUpdate) -> None:
        """Take what is new in the stream."""
        if not self._live:
            return
        if news.interrupted:
            self._sink.put(notices.notice("interrupted", self._last))
        if news.resumed:
            self._last = news.cursor
            self._sink.put(notices.notice("resumed", self._last))
        if news.gap:
            self._sink.put(notices.notice("gap", self._last))
        fresh = [entry for entry in news.entries if order(entry[0]) > order(self._last)]
        if fresh:
            before, self._last = self._last, fresh[-1][0]
            for result in await self._results(fresh, before, news.cursor):
                self._sink.put(result)

    async def _results(self, entries: Sequence[Entry], before: str, page: str) -> Iterable[Any]:
        """Show entries.

        Args:
            entries: In order.
            before: Cursor of the entry before them.
            page: Names what the same entries are to others; "" for this feed alone.
        """
        raise NotImplementedError

    async def _catch_up(self, *, to_the_end: bool = False) -> None:
        """Read what the stream has, at the pace of the client, until there is nothing that the follower will not bring.

        Args:
            to_the_end: Nothing more will come: stop at the end instead.
        """
        store = self._supervisor.store
        look, away = not to_the_end, False
        while True:
            try:
                if look:
                    edges = await store.run(Events.edges(self._key))
                    if edges.gap_after(self._last):
                        await self._sink.put_patiently(notices.notice("gap", self._last))
                    if edges.was_reset(self._last):
                        self._last = BEGINNING
                position = self._last if to_the_end else self._streams.position(self._key)
                entries = await store.run(Events.entries(self._key, self._last, PAGE))
            except StoreError:
                if not away:
                    away = True
                    await self._sink.put_patiently(notices.notice("interrupted", self._last))
                await asyncio.sleep(_PAUSE_S)
                continue
            if away:
                away = False
                await self._sink.put_patiently(notices.notice("resumed", self._last))
            if entries:
                before, self._last = self._last, entries[-1][0]
                for result in await self._results(entries, before, ""):
                    await self._sink.put_patiently(result)
            elif order(position) > order(self._last):
                self._last = position  # what was between is gone
            look = len(entries) == PAGE
            if look:
                continue
            if to_the_end or order(self._streams.position(self._key)) <= order(self._last):
                self._live = not to_the_end
                return


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which job events are wanted; None lets all pass."""

    job_ids: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
    caller_id: str | None = None
    context_id: str | None = None
    script_type: str | None = None

    def may_pass(self, job_id: str, status: str) -> bool:
        """Decide by what the event itself says."""
        return (self.job_ids is None or job_id in self.job_ids) and (self.statuses is None or status in self.statuses)

    def lets_pass(self, facts: JobFacts) -> bool:
        """Decide by what the job's record says."""
        script_type = None if facts.script_type is None else facts.script_type.lower()
        return (
            self.caller_id in (None, facts.caller_id)
            and self.context_id in (None, facts.context_id)
            and self.script_type in (None, script_type)
        )


class FactFinder:
    """Looks up jobs for the feeds of one service; those of one page of events once for all of them."""

    def __init__(self, supervisor: AsyncSupervisor) -> None:
        self._store = supervisor.store
        self._events = Events(supervisor.operations.keys.namespace)
        self._page = ""
        self._known: dict[str, JobFacts] = {}

    async def find(self, job_ids: Iterable[str], page: str) -> dict[str, JobFacts]:
        """Look up jobs.

        Args:
            job_ids: Which.
            page: Same page, same answer; "" for none. No longer: a deleted job's id may become another's.
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
                found = dict.fromkeys(part, _UNKNOWN)  # the event itself is known, and is worth telling
            known.update(found)
        return known


class JobFeed(StreamFeed):
    """Jobs that move.

    Args:
        supervisor: Whose jobs.
        sink: Where results go.
        after: Cursor to begin after; None for now.
        wanted: Which of them.
        finder: Looks them up.
    """

    def __init__(
        self, supervisor: AsyncSupervisor, sink: Sink, after: str | None, wanted: JobFilter, finder: FactFinder
    ) -> None:
        super().__init__(supervisor, supervisor.operations.keys.events, sink, after)
        self._wanted = wanted
        self._finder = finder

    async def _results(self, entries: Sequence[Entry], before: str, page: str) -> Iterable[Any]:
        moves = [
            (cursor, [(job_id, status) for job_id, status in fields.items() if self._may_pass(job_id, status)])
            for cursor, fields in entries
        ]
        facts = await self._finder.find((job_id for _, moved in moves for job_id, _ in moved), page)
        results: list[notices.JobEvent] = []
        for cursor, moved in moves:
            passing = [(job_id, status) for job_id, status in moved if self._wanted.lets_pass(facts[job_id])]
            for job_id, status in passing:
                # To go on after one of several is to go on before all: better twice than never.
                resume = cursor if (job_id, status) == passing[-1] else before
                results.append(notices.job_event(resume, notices.at(cursor), job_id, status, facts[job_id]))
            before = cursor
        return results

    def _may_pass(self, job_id: str, status: str) -> bool:
        return not job_id.startswith("batch:") and self._wanted.may_pass(job_id, status)


class ActorFeed(StreamFeed):
    """Actors that come and go.

    Args:
        supervisor: Whose actors.
        sink: Where results go.
        after: Cursor to begin after; None for now.
        wanted: Says whether an event is wanted.
    """

    def __init__(
        self,
        supervisor: AsyncSupervisor,
        sink: Sink,
        after: str | None,
        wanted: Callable[[notices.ActorEvent], bool],
    ) -> None:
        super().__init__(supervisor, supervisor.operations.keys.actor_events, sink, after)
        self._wanted = wanted

    async def _results(self, entries: Sequence[Entry], before: str, page: str) -> Iterable[Any]:
        return filter(self._wanted, map(notices.actor_event, entries))


class LogFeed(StreamFeed):
    """One job's log, up to the job's end.

    Args:
        supervisor: Whose job.
        sink: Where results go.
        after: Cursor of the last line that is known already; "" for none.
        job_id: The job.
    """

    def __init__(self, supervisor: AsyncSupervisor, sink: Sink, after: str, job_id: str) -> None:
        super().__init__(supervisor, supervisor.operations.keys.log(job_id), sink, after)
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
                reply = await supervisor.store.wait_reply(supervisor.operations, self._job_id, _FOR_EVER_S)
                status = reply.status.value
            except JobNotFound:
                pass  # deleted, with its log
            except StoreError:
                await asyncio.sleep(_PAUSE_S)
                continue
            break
        self.close()
        # A lane writes the last lines before the result.
        await super()._catch_up(to_the_end=True)
        end: notices.LogEnd = {"event": "end", "cursor": self._last, "job_id": self._job_id, "status": status}
        await self._sink.put_patiently(end)
        self._sink.complete()


class Snapshots:
    """The figures, read once for all that ask at about the same time.

    Args:
        read: Reads them.
    """

    #: Figures of so long ago, in seconds, are as good as new ones.
    FRESH_S: Final = 0.4

    def __init__(self, read: Callable[[], Awaitable[Stats]]) -> None:
        self._read = read
        self._lock = asyncio.Lock()
        self._taken_mono = -1.0
        self._last: Stats

    async def take(self) -> Stats:
        """Give the figures.

        Raises:
            StoreError: The store cannot be asked.
        """
        async with self._lock:
            if self._taken_mono < 0 or time.monotonic() - self._taken_mono > self.FRESH_S:
                self._last = await self._read()
                self._taken_mono = time.monotonic()
            return self._last


class MetricsFeed:
    """Figures at intervals.

    Args:
        snapshots: Has them.
        sink: Where they go.
        interval_s: From one to the next, in seconds.
    """

    def __init__(self, snapshots: Snapshots, sink: Sink, interval_s: float) -> None:
        self._snapshots = snapshots
        self._sink = sink
        self._interval_s = interval_s

    async def begin(self) -> None:
        """Begin with the figures of now."""
        self._sink.run(self._go_on())

    def close(self) -> None:
        """Nothing is held."""

    async def _go_on(self) -> None:
        away = False
        due_mono = time.monotonic()
        while True:
            try:
                stats = await self._snapshots.take()
            except StoreError:
                if not away:
                    self._sink.put(notices.notice("interrupted", None))
                away = True
            else:
                if away:
                    self._sink.put(notices.notice("resumed", None))
                away = False
                event: notices.MetricsEvent = {"event": "metrics", "at": time_text(_now_ms()), "stats": stats}
                self._sink.put(event)
            due_mono = max(due_mono + self._interval_s, time.monotonic())
            await asyncio.sleep(due_mono - time.monotonic())


def _now_ms() -> int:
    return int(time.time() * 1000)
