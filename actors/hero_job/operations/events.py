"""The operations on the streams of events, as data; no I/O. One stream reports changes of jobs, the other
changes of actors.

`StreamFollower`, the RPC's subscriptions and `heroctl events` read them. The Lua scripts that move a job write its
event in the same step. The scripts that join and recover, and supervisors through `note`, write the events of actors.
Both streams are bounded. Invariant: a reader that comes too late learns from `Edges.gap_after` that entries may be
missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from hero_job.operations.flow import Flow, raise_first_error
from hero_job.protocol import lua
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Arg, Op, pairs

#: The cursor before the first entry of a stream.
BEGINNING = "0-0"
#: Approximate number of entries that the actors' stream keeps; `presence.lua` and `recover.lua` repeat it.
ACTOR_EVENTS = 1000

Entry: TypeAlias = tuple[str, dict[str, str]]
"""An entry of a stream: its cursor and its fields."""


class JobFacts(NamedTuple):
    """Fields of a job that never change, for filtering its events; None if the hash lacks the field or is gone.

    Attributes:
        caller_id: The job's caller.
        context_id: The job's context.
        script_type: The script type, as the hash spells it.
    """

    caller_id: str | None
    context_id: str | None
    script_type: str | None


class Edges(NamedTuple):
    """Both ends of a stream.

    Attributes:
        oldest: Cursor of the first entry; None if the stream is empty.
        newest: Cursor of the last entry; None if the stream is empty.
    """

    oldest: str | None
    newest: str | None

    def was_reset(self, cursor: str) -> bool:
        """Has the stream started again, with smaller cursors than this one?"""
        return self.newest is not None and order(cursor) > order(self.newest)

    def gap_after(self, cursor: str) -> bool:
        """May entries after this cursor be gone?

        If only the entry at the cursor is gone, nothing is missing. That looks the same, so it counts as a gap, too.
        """
        if cursor == BEGINNING:
            return False
        return self.oldest is None or self.was_reset(cursor) or order(self.oldest) > order(cursor)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """Entries of a stream after a cursor.

    Attributes:
        entries: In order.
        cursor: The position after them; the given one if there are none.
        gap: Entries between the given cursor and these may be gone.
    """

    entries: tuple[Entry, ...]
    cursor: str
    gap: bool


def entries_after(stream: str, after: str, count: int) -> Flow[EntryPage]:
    """Read entries of a stream, from its beginning if it has started again since the cursor.

    Args:
        stream: Its key.
        after: Cursor of the last entry already read; "" for the beginning.
        count: Most entries.
    """
    after = after or BEGINNING
    answers = yield [Events.edges(stream), Events.entries(stream, after, count)]
    raise_first_error(answers)
    edges: Edges = answers[0]
    entries: list[Entry] = answers[1]
    gap = edges.gap_after(after)
    if edges.was_reset(after):
        answers = yield [Events.entries(stream, BEGINNING, count)]
        raise_first_error(answers)
        entries = answers[0]
    if not entries:
        # A stream that is gone begins again with a smaller cursor.
        return EntryPage(entries=(), cursor=BEGINNING if gap else after, gap=gap)
    return EntryPage(entries=tuple(entries), cursor=entries[-1][0], gap=gap)


def order(cursor: str) -> tuple[int, int]:
    """Turn a cursor into a value that can be compared."""
    ms, _, number = cursor.partition("-")
    return int(ms), int(number or 0)


class Events:
    """Builds the operations of one namespace.

    Args:
        namespace: Prefix of all keys.
    """

    __slots__ = ("keys",)

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        self.keys = Keys(namespace)

    @staticmethod
    def edges(stream: str) -> Op[Edges]:
        """Read both ends of a stream.

        Args:
            stream: Its key.
        """

        def decode(answer: list[str]) -> Edges:
            return Edges(answer[0], answer[1]) if answer else Edges(None, None)

        return Op([stream], decode, lua.STREAM_EDGES, 1)

    @staticmethod
    def entries(stream: str, after: str, count: int) -> Op[list[Entry]]:
        """Read entries of a stream.

        Args:
            stream: Its key.
            after: Cursor of the last entry already read.
            count: Most entries.
        """
        return Op(("XRANGE", stream, f"({after}", "+", "COUNT", count), _entries)

    @staticmethod
    def newest(stream: str, count: int) -> Op[list[Entry]]:
        """Read the last entries of a stream, in order.

        Args:
            stream: Its key.
            count: Most entries.
        """
        return Op(("XREVRANGE", stream, "+", "-", "COUNT", count), lambda answer: _entries(answer)[::-1])

    @staticmethod
    def follow(after: Mapping[str, str], count: int, block_s: float) -> Op[dict[str, list[Entry]]]:
        """Wait until any of several streams has new entries.

        Args:
            after: Key of each stream -> cursor of the last entry already read.
            count: Most entries of each stream.
            block_s: Longest wait, in seconds.

        Returns:
            Key of each stream that has new entries -> those entries.
        """

        def decode(answer: Any) -> dict[str, list[Entry]]:
            found = answer.items() if isinstance(answer, dict) else (answer or ())
            return {stream: _entries(entries) for stream, entries in found}

        options: tuple[Arg, ...] = ("BLOCK", int(block_s * 1000), "COUNT", count)
        return Op(("XREAD", *options, "STREAMS", *after, *after.values()), decode, block_s=block_s)

    def facts(self, job_ids: Sequence[str]) -> Op[dict[str, JobFacts]]:
        """Read the facts of many jobs.

        Args:
            job_ids: The jobs; unknown ones have no facts.

        Returns:
            Job id -> its facts.
        """

        def decode(answer: list[list[str | None]]) -> dict[str, JobFacts]:
            found = {}
            for job_id, values in zip(job_ids, answer, strict=True):
                caller_id, context_id, script_type = [*values, None, None, None][:3]
                found[job_id] = JobFacts(caller_id=caller_id, context_id=context_id, script_type=script_type)
            return found

        keys = [self.keys.job(job_id) for job_id in job_ids]
        return Op(keys, decode, lua.JOB_FACTS, len(keys))

    def note(self, fields: Mapping[str, str], token: str, *, again: bool) -> Op[bool]:
        """Add to the actors' stream what a supervisor has observed about an actor.

        Args:
            fields: Name -> value of the entry.
            token: A text that only this entry has.
            again: It was sent before, and the answer was lost.

        Returns:
            False if it was there already.
        """
        flat = [part for pair in fields.items() for part in pair]
        args: tuple[Arg, ...] = (self.keys.actor_events, ACTOR_EVENTS, token, "1" if again else "", *flat)
        return Op(args, bool, lua.NOTE_ACTOR_EVENT, 1)


def _entries(answer: Sequence[Any]) -> list[Entry]:
    return [(cursor, pairs(fields)) for cursor, fields in answer]
