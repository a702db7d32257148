"""Sends spans to a receiver of OTLP over HTTP. The only module that imports OpenTelemetry, and only when it is on.

The variables of OpenTelemetry configure it, and its SDK reads them: where to, with which headers and certificate, in
which batches, as which service. Invariant: nothing here delays a job or ends a process. What the receiver does not take
in time is dropped, and the log says so once per outage.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from hero_job.model.fields.trace_context import TraceContext

log = logging.getLogger(__name__)

#: How long a process that ends waits for the receiver, in seconds.
_CLOSE_S: Final = 2.0


class SpanKind(StrEnum):
    """The part that a span has in a trace."""

    PRODUCER = "PRODUCER"
    CLIENT = "CLIENT"
    CONSUMER = "CONSUMER"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpan:
    """Something that has happened to a job.

    Attributes:
        name: An operation and where it was done, of few different values.
        kind: Its part in the trace.
        context: Its own name.
        parent: The span that it belongs to; None for the first span of a trace.
        began_ns: Nanoseconds since 1970.
        ended_ns: The same.
        attributes: What is known of it.
        links: Other spans that led to it, each with why.
        error: What went wrong; "" if nothing did.
    """

    name: str
    kind: SpanKind
    context: TraceContext
    parent: TraceContext | None
    began_ns: int
    ended_ns: int
    attributes: Mapping[str, str | int]
    links: Sequence[tuple[TraceContext, str]] = ()
    error: str = ""


class SpanExport:
    """Sends spans in the background. Thread-safe.

    Args:
        service: The name of the service, unless `OTEL_SERVICE_NAME` has another one.

    Raises:
        ImportError: The extra `otel` is not installed.
        ValueError: A variable of OpenTelemetry has a value that its SDK refuses.
    """

    def __init__(self, service: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        # Its own messages have a traceback for each attempt that fails; `_Told` says the same in one line per outage.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        named = Resource.create()
        if str(named.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            named = named.merge(Resource({SERVICE_NAME: service}))
        self._resource = named
        # Only its sampler is used: the provider makes spans when something begins, and ours are made when it has ended.
        self._sampler = TracerProvider(resource=named, shutdown_on_exit=False).sampler
        exporter: Any = _Told(OTLPSpanExporter())
        self._processor = BatchSpanProcessor(exporter)

    @classmethod
    def load(cls, service: str) -> Self | None:
        """Make it as the environment says; None, with a line in the log, if that cannot be done."""
        try:
            return cls(service)
        except ImportError as e:
            remedy = "pip install 'hero-runtime[otel]', or unset OTEL_EXPORTER_OTLP_ENDPOINT"
            log.warning("traces.unavailable", extra={"missing": e.name, "remedy": remedy})
        except ValueError as e:
            log.warning("traces.unavailable", extra={"reason": str(e), "remedy": "repair the variables OTEL_*"})
        return None

    def samples(self, trace_id: str, name: str) -> bool:
        """Decide whether a trace that begins here is recorded, as `OTEL_TRACES_SAMPLER` says.

        Args:
            trace_id: Of the new trace.
            name: Of its first span.
        """
        from opentelemetry.sdk.trace.sampling import Decision

        return self._sampler.should_sample(None, int(trace_id, 16), name).decision is Decision.RECORD_AND_SAMPLE

    def send(self, span: JobSpan) -> None:
        """Send a span some time later; one that is not to be recorded is ignored."""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import ReadableSpan

        if not span.context.is_sampled:
            return
        status = trace.StatusCode.ERROR if span.error else trace.StatusCode.UNSET
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_span_context(span.context),
                parent=None if span.parent is None else _span_context(span.parent),
                resource=self._resource,
                attributes=span.attributes,
                links=[trace.Link(_span_context(other), {"hero.link": why}) for other, why in span.links],
                kind=trace.SpanKind[span.kind.value],
                status=trace.Status(status, span.error or None),
                start_time=min(span.began_ns, span.ended_ns),
                end_time=span.ended_ns,
                instrumentation_scope=_scope(),
            )
        )

    def close(self) -> None:
        """Send what is left, if the receiver takes it within two seconds. Blocks for that long."""
        # A daemon thread: the receiver may take its time, and the process must not wait for that.
        closing = threading.Thread(target=self._processor.shutdown, name="traces-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)


class _Told:
    """Passes spans on to an exporter, and says when the receiver does not take them."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self._dropped = 0

    def export(self, spans: Sequence[Any]) -> Any:
        """Send spans; the thread of the batches calls this."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._dropped:
                log.info("traces.sent_again", extra={"dropped": self._dropped})
            self._dropped = 0
            return result
        if not self._dropped:
            log.warning("traces.not_sent", extra={"next": "spans are dropped until the receiver takes them"})
        self._dropped += len(spans)
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Do what the exporter does."""
        return bool(self._exporter.force_flush(timeout_millis))


def _span_context(context: TraceContext) -> Any:
    from opentelemetry import trace

    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if context.is_sampled else trace.TraceFlags.DEFAULT)
    return trace.SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=flags)


def _scope() -> Any:
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return InstrumentationScope("hero-runtime")
