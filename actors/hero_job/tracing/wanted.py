"""Decides whether a process records spans. Every actor and supervisor asks it at its start, so it imports nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hero_job.tracing.job_tracer import JobTracer

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a receiver of spans and does not switch them off."""
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and any(environ.get(name) for name in _ENDPOINTS)


def new_tracer(environ: Mapping[str, str], service: str, client: str) -> JobTracer | None:
    """Make the tracer that the environment asks for.

    Args:
        environ: The variables of the process.
        service: The name of the service, unless `OTEL_SERVICE_NAME` has another one.
        client: Who records the spans: an incarnation of an actor, or a supervisor.

    Returns:
        The tracer; None if the environment asks for none, or the extra `otel` is missing, which the log says.
    """
    if not is_wanted(environ):
        return None
    from hero_job.tracing.job_tracer import JobTracer

    return JobTracer.load(service, client)
