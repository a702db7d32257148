"""Gives new jobs the trace that they belong to, and records their submission if spans are wanted.

The servers of the RPC use it, and the actors for jobs that scripts create. It loads nothing of OpenTelemetry.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hero_job.model.fields.trace_context import TraceContext
from hero_job.model.job import Job

if TYPE_CHECKING:
    from hero_job.tracing.job_tracer import JobTracer

#: The SDK keeps so many links of a span by default.
_MOST_LINKS: Final = 128


class Sending:
    """The spans of one submission of jobs. `sending` makes it.

    Args:
        tracer: Records them; None if spans are off, in which case jobs only get the trace of their submitter.
        parent: The span of the submitter; None if it has told none.
        is_start: The jobs are put on their queues, too.
        is_batch: There may be many jobs: each has a span of its creation, below the span of the submission.
    """

    def __init__(
        self, tracer: JobTracer | None, parent: TraceContext | None, *, is_start: bool = True, is_batch: bool = False
    ) -> None:
        self._tracer = tracer
        self._parent = parent
        self._operation = "send" if is_start else "create"
        self._began_ns = time.time_ns()
        self._batch = tracer.child_of(parent, "send") if tracer is not None and is_batch else None
        self._links: list[TraceContext] = []
        self._jobs = 0
        self._last: tuple[Job, TraceContext, TraceContext | None] | None = None

    def add(self, job: Job) -> Job:
        """Return the job with the trace that it belongs to. One that is signed stays as its submitter has made it."""
        own = None if job.traceparent is None else TraceContext.parse(job.traceparent)
        if job.signatures and own is None:
            return job
        parent = own or self._batch or self._parent
        tracer = self._tracer
        if tracer is None:
            return job if parent is None or own is not None else replace(job, traceparent=str(parent))
        operation = self._operation if self._batch is None else "create"
        context = tracer.child_of(parent, f"{operation} {job.script_type.suffix}")
        if not job.signatures:
            job = replace(job, traceparent=str(context))
        self._jobs += 1
        if self._batch is None:
            self._last = (job, context, parent)
        else:
            tracer.sent(job, context, parent, time.time_ns(), operation="create")
            if len(self._links) < _MOST_LINKS:
                self._links.append(context)
        return job

    def end(self, error: str = "") -> None:
        """Record that the submission has ended.

        Args:
            error: The type of the exception that ended it; "" for success.
        """
        tracer = self._tracer
        if tracer is None:
            return
        if self._last is not None:
            job, context, parent = self._last
            tracer.sent(job, context, parent, self._began_ns, operation=self._operation, error=error)
        elif self._batch is not None:
            tracer.sent_many(
                self._batch, self._parent, self._began_ns, count=self._jobs, created=self._links, error=error
            )


@contextlib.contextmanager
def sending(
    tracer: JobTracer | None, parent: TraceContext | None, *, is_start: bool = True, is_batch: bool = False
) -> Iterator[Sending]:
    """Record a submission of jobs; see `Sending`."""
    spans = Sending(tracer, parent, is_start=is_start, is_batch=is_batch)
    try:
        yield spans
    except BaseException as e:
        spans.end(type(e).__name__)
        raise
    spans.end()
