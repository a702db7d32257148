"""Spans and their receiver: when they are wanted, which traces are sampled, and what happens without either."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from hero_job.model.builder import JobBuilder
from hero_job.model.fields.trace_context import TraceContext
from hero_job.model.job import Job
from hero_job.tracing.sending import sending
from hero_job.tracing.wanted import is_wanted, new_tracer
from tests.eventually import eventually
from tests.otlp_receiver import OtlpReceiver

PARENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)


def a_job() -> Job:
    return JobBuilder().caller_id("a").context_id("c").script_type("sal").script("1").id("j").build()


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://h"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_SDK_DISABLED": "false"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_say_whether_spans_are_wanted(environ: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environ) is wanted


def test_without_a_receiver_a_job_keeps_or_gets_the_span_of_its_submitter() -> None:
    other = str(TraceContext("a" * 32, "b" * 16, False))
    with sending(None, PARENT) as spans:
        assert spans.add(a_job()).traceparent == str(PARENT)
        own = JobBuilder().caller_id("a").context_id("c").script_type("sal").script("1").traceparent(other).build()
        assert spans.add(own) is own
    with sending(None, None) as spans:
        job = a_job()
        assert spans.add(job) is job


@pytest.mark.parametrize(("sampler", "is_sampled"), [("always_on", True), ("always_off", False), ("", True)])
def test_the_sampler_decides_on_new_traces_and_not_on_those_of_others(
    sampler: str, is_sampled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        if sampler:
            monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
        tracer = new_tracer({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}, "default", "me")
        assert tracer is not None
        with sending(tracer, None) as spans:
            assert spans.add(a_job()).traceparent.endswith(f"0{int(is_sampled)}")  # type: ignore[union-attr]
        with pytest.raises(KeyError), sending(tracer, PARENT) as spans:
            spans.add(a_job())
            raise KeyError
        tracer.close()

        # A process that ends waits for the receiver, but not for ever, so it may be slower than that.
        eventually(lambda: len(receiver.spans) == 1 + is_sampled, what="all spans")
        failed = next(span for span in receiver.spans if span.trace_id == PARENT.trace_id)
        assert (failed.failed, failed.attributes["error.type"]) == (True, "KeyError")
        assert {span.service for span in receiver.spans} == {"mine"}
        assert {span.attributes["messaging.client.id"] for span in receiver.spans} == {"me"}


def test_a_receiver_that_is_away_is_told_once_and_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with OtlpReceiver() as receiver:
        url = receiver.url
    for name, value in {"ENDPOINT": url, "TIMEOUT": "1"}.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    tracer = new_tracer({"OTEL_EXPORTER_OTLP_ENDPOINT": url}, "service", "me")
    assert tracer is not None

    with caplog.at_level(logging.INFO):
        with sending(tracer, PARENT) as spans:
            spans.add(a_job())
        eventually(lambda: "traces.not_sent" in caplog.messages, what="it is said that the receiver is away")
        with sending(tracer, PARENT) as spans:
            spans.add(a_job())
        tracer.close()
    assert caplog.messages == ["traces.not_sent"]


def test_a_missing_extra_is_said_with_what_to_do_and_jobs_go_on() -> None:
    code = (
        "import sys, logging; sys.modules['opentelemetry'] = None\n"
        "from hero_config.logs import setup; setup.configure('info', 'text')\n"
        "from hero_job.tracing.wanted import new_tracer\n"
        "assert new_tracer({'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:9'}, 's', 'c') is None\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "traces.unavailable" in run.stdout + run.stderr
    assert "hero-runtime[otel]" in run.stdout + run.stderr


def test_redis_py_does_not_load_opentelemetry_and_programs_that_use_it_can() -> None:
    code = (
        "import sys, hero_job.client.async_store\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
        "import opentelemetry.sdk.trace\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
