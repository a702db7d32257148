"""The place of a job in a distributed trace, as W3C writes it: `traceparent`. Pure.

The field of the job, the header of HTTP and the environment variable `TRACEPARENT` have the same text. Invariant: a
`TraceContext` is valid, so its text is one that every participant of a trace reads.

Source: https://www.w3.org/TR/trace-context/, sections 3.2 (traceparent) and 4.3 (what to do with an invalid one)
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.shown_values import shown

#: Characters of version 00.
LENGTH: Final = 55
_VERSION_00: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
#: A later version may have more behind a dash.
_LATER: Final = re.compile(r"(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of a trace, as those that come after it name it.

    Attributes:
        trace_id: 32 hexadecimal digits in lower case, not all 0.
        span_id: 16 of them, not all 0.
        is_sampled: Whether the spans of the trace are recorded.
    """

    trace_id: str
    span_id: str
    is_sampled: bool

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a `traceparent`; None if it is invalid, in which case W3C demands that it is ignored."""
        found = _VERSION_00.fullmatch(text) or _LATER.fullmatch(text)
        if found is None or not int(found[1], 16) or not int(found[2], 16):
            return None
        return cls(found[1], found[2], bool(int(found[3], 16) & _SAMPLED))

    def child(self, *names: str) -> Self:
        """Name a span of the same trace that everybody who knows its names can name without asking.

        So a run of a job needs no record of its span: the next attempt names it by the id of the job and the attempt.

        Args:
            names: What makes the span unique in its trace.
        """
        key = "\0".join((self.trace_id, *names)).encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(key).hexdigest()[:16]
        return type(self)(self.trace_id, digest if int(digest, 16) else "1".zfill(16), self.is_sampled)

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-0{int(self.is_sampled)}"


def check_traceparent(name: str, value: object) -> None:
    """Check a `traceparent` that a submitter has chosen.

    Raises:
        JobInvalid: It is not of version 00, or names no trace or no span.
    """
    if not isinstance(value, str) or _VERSION_00.fullmatch(value) is None or TraceContext.parse(value) is None:
        raise JobInvalid(name, f"must be a W3C traceparent, 00-TRACE-SPAN-FLAGS in lower case, not {shown(value)}")
