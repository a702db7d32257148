"""The operations on the streams that tell what happens: jobs that move, actors that come and go. Data, no I/O.

Entries of the event stream are written by the Lua scripts that move jobs, in the same step; those of the actors' stream
by the scripts that join and recover, and by supervisors through `note`. Both streams are bounded: who reads too late
finds a gap, and `Edges.gap_after` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hero_job.protocol import lua
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Arg, Op, pairs

#: Cursor before the first entry of any stream.
BEGINNING = "0-0"
#: About how many entries the actors' stream keeps; `presence.lua` and `recover.lua` say the same.
ACTOR_EVENTS = 1000

Entry: TypeAlias = tuple[str, dict[str, str]]
"""An entry of a stream: its cursor and its fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What of a job never changes, for who looks at its events; None where its hash lacks it, or is gone.

    Attributes:
        caller_id: Who asked.
        context_id: For which context.
        script_type: As it is written in the hash.
    """

    caller_id: str | None
    context_id: str | None
    script_type: str | None


@dataclass(frozen=True, slots=True)
class Edges:
    """What a stream holds.

    Attributes:
        oldest: Cursor of its first entry; None when it is empty.
        newest: Cursor of its last entry; None when it is empty.
    """

    oldest: str | None
    newest: str | None

    def was_reset(self, cursor: str) -> bool:
        """Has the stream begun anew, with smaller cursors than this one?"""
        return self.newest is not None and order(cursor) > order(self.newest)

    def gap_after(self, cursor: str) -> bool:
        """May entries after this cursor be gone?

        What was read last may itself be the entry that is gone. Nothing tells that apart, so it is told as a gap too.
        """
        if cursor == BEGINNING:
            return False
        return self.oldest is None or self.was_reset(cursor) or order(self.oldest) > order(cursor)


def order(cursor: str) -> tuple[int, int]:
    """Make cursors comparable."""
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
        """Look at both ends of a stream.

        Args:
            stream: Its key.
        """

        def decode(answer: list[str]) -> Edges:
            return Edges(answer[0], answer[1]) if answer else Edges(None, None)

        return Op([stream], decode, lua.STREAM_EDGES, 1)

    @staticmethod
    def entries(stream: str, after: str, count: int) -> Op[list[Entry]]:
        """Read what a stream holds.

        Args:
            stream: Its key.
            after: Cursor of the last entry already read.
            count: Most entries.
        """
        return Op(("XRANGE", stream, f"({after}", "+", "COUNT", count), _entries)

    @staticmethod
    def follow(after: Mapping[str, str], count: int, block_s: float) -> Op[dict[str, list[Entry]]]:
        """Wait for new entries of any of some streams.

        Args:
            after: Key of each stream, with the cursor of the last entry already read.
            count: Most entries of each stream.
            block_s: Longest wait, in seconds.

        Returns:
            The new entries of those streams that have some.
        """

        def decode(answer: Any) -> dict[str, list[Entry]]:
            found = answer.items() if isinstance(answer, dict) else (answer or ())
            return {stream: _entries(entries) for stream, entries in found}

        options: tuple[Arg, ...] = ("BLOCK", int(block_s * 1000), "COUNT", count)
        return Op(("XREAD", *options, "STREAMS", *after, *after.values()), decode, block_s=block_s)

    def facts(self, job_ids: Sequence[str]) -> Op[dict[str, JobFacts]]:
        """Read of many jobs what never changes."""

        def decode(answer: list[list[str | None]]) -> dict[str, JobFacts]:
            found = {}
            for job_id, values in zip(job_ids, answer, strict=True):
                caller_id, context_id, script_type = [*values, None, None, None][:3]
                found[job_id] = JobFacts(caller_id=caller_id, context_id=context_id, script_type=script_type)
            return found

        keys = [self.keys.job(job_id) for job_id in job_ids]
        return Op(keys, decode, lua.JOB_FACTS, len(keys))

    def note(self, fields: Mapping[str, str]) -> Op[None]:
        """Add to the actors' stream what a supervisor knows of an actor."""
        flat = [part for pair in fields.items() for part in pair]
        args: tuple[Arg, ...] = ("XADD", self.keys.actor_events, "MAXLEN", "~", ACTOR_EVENTS, "*", *flat)
        return Op(args, lambda _answer: None)


def _entries(answer: Sequence[Any]) -> list[Entry]:
    return [(cursor, pairs(fields)) for cursor, fields in answer]
