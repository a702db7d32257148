"""Which spans jobs have: one when a job is sent, one for its time in the queue, one for each run of it.

`sending.py` uses it where jobs are created, the lanes where they run. A run names its span by
the id of the job and the attempt, so a retry links to the run before it, and nothing of that is stored.

Source: the semantic conventions of OpenTelemetry for messaging, 1.38 (in development):
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Self

from hero_job.model.claim_types import ClaimedJob, Settlement
from hero_job.model.fields.trace_context import TraceContext
from hero_job.model.job import Job
from hero_job.model.status import JobStatus
from hero_job.tracing.span_export import JobSpan, SpanExport, SpanKind

SYSTEM: Final = "hero"
#: The SDK keeps so many links of a span by default.
MOST_LINKS: Final = 128


class JobTracer:
    """Records the spans of jobs. Thread-safe.

    Args:
        export: Where they go.
        client: Who records them, as `messaging.client.id`: an incarnation of an actor, or a supervisor.
    """

    def __init__(self, export: SpanExport, client: str) -> None:
        self._export = export
        self._client = client

    @classmethod
    def load(cls, service: str, client: str) -> Self | None:
        """Make it as the environment says; None if that cannot be done."""
        export = SpanExport.load(service)
        return None if export is None else cls(export, client)

    def close(self) -> None:
        """Send what is left; takes two seconds at most."""
        self._export.close()

    def child_of(self, parent: TraceContext | None, name: str) -> TraceContext:
        """Name a new span: one of the trace of its parent, or the first one of a new trace.

        Args:
            parent: The span that it belongs to; None for none.
            name: Its name, for the sampler.
        """
        span_id = _random_digits(16)
        if parent is not None:
            return replace(parent, span_id=span_id)
        trace_id = _random_digits(32)
        return TraceContext(trace_id, span_id, self._export.samples(trace_id, name))

    def sent(
        self,
        job: Job,
        context: TraceContext,
        parent: TraceContext | None,
        began_ns: int,
        *,
        operation: str,
        error: str = "",
    ) -> None:
        """Record that a job was created, or sent to its queue, just now."""
        destination = job.script_type.suffix
        attributes = self._attributes(operation, operation, destination, job.id)
        attributes |= {"hero.caller_id": job.caller_id, "hero.context_id": job.context_id}
        if error:
            attributes["error.type"] = error
        name = f"{operation} {destination}"
        self._record(name, SpanKind.PRODUCER, context, parent, began_ns=began_ns, attributes=attributes, error=error)

    def sent_many(
        self,
        context: TraceContext,
        parent: TraceContext | None,
        began_ns: int,
        *,
        count: int,
        created: Sequence[TraceContext],
        error: str,
    ) -> None:
        """Record that jobs were sent together, just now.

        Args:
            context: The span of that.
            parent: The span of the submitter.
            began_ns: When it began, in nanoseconds since 1970.
            count: How many jobs.
            created: The spans of their creation, or of the first ones.
            error: The type of the exception that ended it; "" for success.
        """
        attributes: dict[str, str | int] = {
            "messaging.system": SYSTEM,
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.client.id": self._client,
            "messaging.batch.message_count": count,
        }
        if error:
            attributes["error.type"] = error
        links = [(one, "batch") for one in created]
        kind = SpanKind.PRODUCER
        self._record("send", kind, context, parent, began_ns=began_ns, attributes=attributes, links=links, error=error)

    def _record(
        self,
        name: str,
        kind: SpanKind,
        context: TraceContext,
        parent: TraceContext | None,
        *,
        began_ns: int,
        attributes: Mapping[str, str | int],
        ended_ns: int = 0,
        links: list[tuple[TraceContext, str]] | None = None,
        error: str = "",
    ) -> None:
        """Record a span; see `JobSpan`. Without an end, it ends now."""
        self._export.send(
            JobSpan(
                name=name,
                kind=kind,
                context=context,
                parent=parent,
                began_ns=began_ns,
                ended_ns=ended_ns or time.time_ns(),
                attributes=attributes,
                links=(links or [])[:MOST_LINKS],
                error=error,
            )
        )

    def run_of(self, job: ClaimedJob, sent: TraceContext) -> TraceContext:
        """Name the span of a run.

        Args:
            job: The claimed job.
            sent: The span in which the job was sent.
        """
        return sent.child("run", job.id, job.attempt)

    def ran(self, job: ClaimedJob, sent: TraceContext, began_ns: int, settlement: Settlement) -> None:
        """Record the time of a job in its queue, and its run, which has ended just now.

        Args:
            job: The claimed job.
            sent: The span in which the job was sent.
            began_ns: When the run began, in nanoseconds since 1970.
            settlement: How it ended.
        """
        if not sent.is_sampled:
            return
        ended_ns = time.time_ns()
        destination = (job.script_type or "").lower()
        queued_ns = _nanoseconds(job.queued_at)
        if queued_ns is not None:
            self._record(
                f"queue {destination}",
                SpanKind.CLIENT,
                sent.child("queue", job.id, job.attempt),
                sent,
                began_ns=queued_ns,
                attributes=self._attributes("queue", "receive", destination, job.id),
                ended_ns=max(began_ns, queued_ns),  # the clock of the store may be ahead of ours
            )
        attributes = self._attributes("process", "process", destination, job.id)
        attributes |= {"hero.caller_id": job.caller_id or "", "hero.context_id": job.context_id or ""}
        if job.attempt.isdecimal():
            attributes["hero.attempt"] = int(job.attempt)
        error = ""
        if settlement.status is not JobStatus.FINISHED:
            attributes["error.type"] = error = settlement.error_kind or "_OTHER"
        self._record(
            f"process {destination}",
            SpanKind.CONSUMER,
            self.run_of(job, sent),
            sent,
            began_ns=began_ns,
            attributes=attributes,
            ended_ns=ended_ns,
            links=list(_causes(job, sent)),
            error=error,
        )

    def _attributes(self, name: str, kind: str, destination: str, job_id: str) -> dict[str, str | int]:
        return {
            "messaging.system": SYSTEM,
            "messaging.operation.name": name,
            "messaging.operation.type": kind,
            "messaging.destination.name": destination,
            "messaging.client.id": self._client,
            "messaging.message.id": job_id,
        }


def _causes(job: ClaimedJob, sent: TraceContext) -> Iterator[tuple[TraceContext, str]]:
    """Name the spans that led to a run, beside that of its submitter."""
    if job.attempt.isdecimal() and int(job.attempt) > 1:
        yield sent.child("run", job.id, str(int(job.attempt) - 1)), "retry"
    for text in job.options.traces if job.options is not None else ():
        if (prerequisite := TraceContext.parse(text)) is not None:
            yield prerequisite, "prerequisite"


def _random_digits(count: int) -> str:
    while True:
        digits = secrets.token_hex(count // 2)
        if int(digits, 16):
            return digits


def _nanoseconds(text: str | None) -> int | None:
    """Read a time of the store; None for one of another program that cannot be read."""
    try:
        return round(datetime.fromisoformat(text or "").timestamp() * 1000) * 1_000_000
    except (ValueError, OverflowError):
        return None
