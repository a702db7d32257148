"""Runs jobs as `Executor` does, and records the spans of those that belong to a distributed trace.

The actor uses it instead, if spans are wanted; so a lane without them does nothing for them. Imported only then.
"""

from __future__ import annotations

import time
from typing import Any

from hero_actor.lanes.execute import Executor
from hero_engine.engine import RunHandle, RunLog
from hero_engine.host.environment import TRACEPARENT
from hero_job.model.claim_types import ClaimedJob, Settlement
from hero_job.model.fields.trace_context import TraceContext
from hero_job.tracing.job_tracer import JobTracer


class TracedExecutor(Executor):
    """An executor that records spans. Thread-safe.

    Args:
        tracer: Records them.
        options: As for `Executor`.
    """

    __slots__ = ("_tracer",)

    def __init__(self, *arguments: Any, tracer: JobTracer, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tracer = tracer

    def execute(self, job: ClaimedJob, run: RunHandle, log_to: RunLog | None = None) -> Settlement:
        """Run a job to its end in the calling thread, and record its run; see `Executor.execute`."""
        options = job.options
        sent = None if options is None or not options.traceparent else TraceContext.parse(options.traceparent)
        if sent is None:
            return super().execute(job, run, log_to)
        began_ns = time.time_ns()
        settlement = super().execute(job, run, log_to)
        self._tracer.ran(job, sent, began_ns, settlement)
        return settlement

    def trace_constants(self, job: ClaimedJob, traceparent: str) -> dict[str, str]:
        """Give the script the span of its run, so that what it starts belongs to the run."""
        sent = TraceContext.parse(traceparent)
        return {} if sent is None else {TRACEPARENT: str(self._tracer.run_of(job, sent))}
