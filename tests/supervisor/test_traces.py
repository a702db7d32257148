"""Traces of jobs from submission to run, as a receiver of OTLP gets them from a supervisor and its actors."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from hero_job.model.builder import JobBuilder
from hero_job.model.fields.trace_context import TraceContext
from hero_job.model.job import ScriptType
from hero_job.model.signing import sign_job
from tests.otlp_receiver import OtlpReceiver, ReceivedSpan
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.supervisor_process import SupervisorProcess
from tests.valkey_server import free_port

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
CONFIG = """
[rpc]
unix_socket = "hero.ipc"
port = {port}
[[actors]]
type = "sal"
lanes = 2
[actors.allow]
jobs = true
run = ["env"]
net = ["{receiver}"]
[[actors]]
type = "python"
[actors.env]
HERO_ALLOW_COMMANDS = "env"
HERO_ALLOW_HTTP = "{receiver}"
"""


class Traced:
    """A deployment whose spans a receiver gets."""

    def __init__(self, supervisor: SupervisorProcess, receiver: OtlpReceiver, port: int) -> None:
        self.supervisor = supervisor
        self.port = port
        self.receiver = receiver
        self.socket = supervisor.folder / "hero.ipc"

    def call(self, method: str, **params: Any) -> Any:
        with RawClient(self.socket) as client:
            return client.call(method, params)

    def post(
        self, method: str, params: Mapping[str, Any], headers: Mapping[str, str], *, over_tcp: bool = False
    ) -> Any:
        """Call by HTTP over the Unix socket, or the TCP port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        if not over_tcp:
            connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.sock.connect(str(self.socket))
        try:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            connection.request("POST", "/rpc", body, {"Content-Type": "application/json", **headers})
            return json.loads(connection.getresponse().read())["result"]
        finally:
            connection.close()

    def spans(self, *wanted: tuple[str, str]) -> list[ReceivedSpan]:
        """Wait for the spans with these names and jobs."""

        def is_it(name: str, job: str) -> Callable[[ReceivedSpan], bool]:
            return lambda span: (span.name, span.job) == (name, job)

        return self.receiver.wait_for(*(is_it(name, job) for name, job in wanted))


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    with OtlpReceiver() as receiver:
        place, port = receiver.url.removeprefix("http://"), free_port()
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret-key",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        supervisor = SupervisorProcess(folder, CONFIG.format(receiver=place, port=port), environ=environ)
        try:
            supervisor.wait_ready()
            yield Traced(supervisor, receiver, port)
        finally:
            supervisor.clean_up()


def job(script: str, **fields: Any) -> dict[str, Any]:
    return {"caller_id": "a", "context_id": "c", "script_type": "sal", "script": script, **fields}


def test_a_job_has_a_span_when_it_is_sent_for_its_time_in_the_queue_and_for_its_run(traced: Traced) -> None:
    assert traced.call("run_job", **job("1 + 1", id="plain", traceparent=PARENT)) == "2"

    sent, queued, run = traced.spans(("send sal", "plain"), ("queue sal", "plain"), ("process sal", "plain"))

    assert {span.trace_id for span in (sent, queued, run)} == {TRACE}
    assert sent.parent_id == "00f067aa0ba902b7"
    assert queued.parent_id == run.parent_id == sent.span_id
    assert (sent.kind, queued.kind, run.kind) == ("PRODUCER", "CLIENT", "CONSUMER")
    assert (sent.service, run.service) == ("hero-supervisor", "hero-actor-sal")
    assert not run.failed
    assert run.links == []
    assert run.began_ns <= run.ended_ns
    assert queued.began_ns <= queued.ended_ns <= run.ended_ns
    assert run.attributes == {
        "messaging.system": "hero",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "sal",
        "messaging.message.id": "plain",
        "messaging.client.id": run.attributes["messaging.client.id"],
        "hero.caller_id": "a",
        "hero.context_id": "c",
        "hero.attempt": 1,
    }
    assert traced.call("get_job", job_id="plain")["traceparent"] == f"00-{TRACE}-{sent.span_id}-01"
    assert traced.receiver.headers["api-key"] == "secret-key"


def test_a_job_without_a_trace_begins_one(traced: Traced) -> None:
    traced.call("run_job", **job("1", id="root"))

    sent, run = traced.spans(("send sal", "root"), ("process sal", "root"))
    assert sent.parent_id == ""
    assert run.trace_id == sent.trace_id != TRACE


def test_a_job_of_a_trace_that_is_not_recorded_has_no_spans(traced: Traced) -> None:
    quiet = f"00-{'a' * 32}-{'b' * 16}-00"
    script = "TRACEPARENT"
    seen = traced.call("run_job", **job(script, id="quiet", traceparent=quiet))
    traced.call("run_job", **job("1", id="after-quiet"))

    # The same lane or another one: its spans come later than those of the job before it would.
    traced.spans(("process sal", "after-quiet"), ("send sal", "after-quiet"))
    assert seen.startswith(f"00-{'a' * 32}-")
    assert seen.endswith("-00")
    assert not [span for span in traced.receiver.spans if span.trace_id == "a" * 32]


def test_a_run_that_fails_says_with_which_kind(traced: Traced) -> None:
    job_id = traced.call("create_job", **job("throw 1", id="fails", traceparent=PARENT))
    traced.call("start_job", job_id=job_id)

    created, run = traced.spans(("create sal", "fails"), ("process sal", "fails"))
    assert run.failed
    assert run.attributes["error.type"] == traced.call("get_job", job_id="fails")["error_kind"]
    assert run.parent_id == created.span_id


def test_a_retry_links_to_the_run_before_it(traced: Traced) -> None:
    job_id = traced.call("create_job", **job("throw 1", id="again", retries=1, traceparent=PARENT))
    traced.call("start_job", job_id=job_id)

    def attempt(number: int) -> Callable[[ReceivedSpan], bool]:
        return lambda span: (
            (span.name, span.job, span.attributes.get("hero.attempt")) == ("process sal", "again", number)
        )

    first, second = traced.receiver.wait_for(attempt(1), attempt(2))
    assert second.links == [(TRACE, first.span_id, "retry")]
    assert first.parent_id == second.parent_id


def test_a_run_links_to_the_jobs_that_it_waited_for(traced: Traced) -> None:
    traced.call("run_job", **job("1", id="before"))
    traced.call("run_job", **job("2", id="behind", prerequisites=["before"]))

    sent, run = traced.spans(("send sal", "before"), ("process sal", "behind"))
    assert run.trace_id != sent.trace_id
    assert run.links == [(sent.trace_id, sent.span_id, "prerequisite")]


def test_the_jobs_of_a_batch_belong_to_the_span_of_its_submission(traced: Traced) -> None:
    jobs = [job("1", id="batch-1"), job("2", id="batch-2")]
    traced.post("run_jobs", {"jobs": jobs}, {"traceparent": PARENT.replace("00f0", "00f1")})

    first, second, run = traced.spans(("create sal", "batch-1"), ("create sal", "batch-2"), ("process sal", "batch-2"))
    (batch,) = traced.receiver.wait_for(lambda span: span.name == "send" and span.span_id == first.parent_id)
    assert batch.attributes["messaging.batch.message_count"] == 2
    assert batch.parent_id == "00f167aa0ba902b7"
    assert batch.links == [(TRACE, first.span_id, "batch"), (TRACE, second.span_id, "batch")]
    assert second.parent_id == batch.span_id
    assert run.parent_id == second.span_id


def test_a_job_that_a_script_makes_belongs_to_the_run_of_the_script(traced: Traced) -> None:
    script = "job_submit(#{script: `3`, script_type: `sal`, id: `child`}); job_create(`4`, `sal`, #{id: `unstarted`})"
    traced.call("run_job", **job(script, id="parent", traceparent=PARENT))

    parent, created, run = traced.spans(("process sal", "parent"), ("send sal", "child"), ("process sal", "child"))
    assert created.parent_id == parent.span_id
    assert run.parent_id == created.span_id
    assert run.trace_id == TRACE


@pytest.mark.parametrize("over_tcp", [False, True], ids=["unix", "tcp"])
def test_a_header_of_http_makes_the_jobs_of_a_request_part_of_its_trace(traced: Traced, over_tcp: bool) -> None:
    header, invalid = f"header-{over_tcp}", f"invalid-header-{over_tcp}"
    traced.post("run_job", job("1", id=header), {"traceparent": PARENT}, over_tcp=over_tcp)
    traced.post("run_job", job("1", id=invalid), {"traceparent": "00-nonsense"}, over_tcp=over_tcp)

    sent, other = traced.spans(("send sal", header), ("send sal", invalid))
    assert traced.call("get_job", job_id=header)["traceparent"] == f"00-{TRACE}-{sent.span_id}-01"
    assert (sent.trace_id, sent.parent_id) == (TRACE, "00f067aa0ba902b7")
    assert other.parent_id == ""


def test_a_signed_job_keeps_the_trace_that_its_submitter_has_signed(traced: Traced) -> None:
    builder = JobBuilder().caller_id("a").context_id("c").script_type("sal").script("1").traceparent(PARENT)
    signed = sign_job(builder.id("signed").build(), bytes(range(1, 33)))
    signatures = [{"public_key": s.public_key, "signature": s.signature} for s in signed.signatures]
    given = job("1", id="signed", timeout=signed.timeout, traceparent=PARENT, signatures=signatures)
    traced.call("run_job", **given)

    sent, run = traced.spans(("send sal", "signed"), ("process sal", "signed"))
    assert sent.parent_id == run.parent_id == "00f067aa0ba902b7"
    assert traced.call("get_job", job_id="signed")["traceparent"] == PARENT


def test_a_job_that_is_sent_twice_is_one_job_although_each_request_has_a_span(traced: Traced) -> None:
    given = job("1", id="twice")

    assert traced.call("run_job", **given) == traced.call("run_job", **given) == "1"

    first, second = [span for span in traced.receiver.wait_for(*_both("twice")) if span.name == "send sal"]
    (run,) = traced.spans(("process sal", "twice"))
    assert run.parent_id in {first.span_id, second.span_id}


def _both(job_id: str) -> list[Callable[[ReceivedSpan], bool]]:
    seen: list[str] = []

    def another(span: ReceivedSpan) -> bool:
        if (span.name, span.job) != ("send sal", job_id) or span.span_id in seen:
            return False
        seen.append(span.span_id)
        return True

    def is_first(span: ReceivedSpan) -> bool:
        seen.clear()
        return another(span)

    return [is_first, another]


def run_context(traced: Traced, job_id: str, queue: str) -> str:
    (run,) = traced.spans((f"process {queue}", job_id))
    return str(TraceContext(run.trace_id, run.span_id, True))


def test_programs_of_a_rhai_script_and_its_http_requests_join_its_run(traced: Traced) -> None:
    script = (
        "let seen = run(`env`).silent().execute().stdout;"
        f"http_get(`{traced.receiver.url}/rhai`);"
        f"http_request(#{{url: `{traced.receiver.url}/own`, headers: #{{Traceparent: `mine`}}}});"
        "[TRACEPARENT, seen]"
    )
    constant, seen = json.loads(traced.call("run_job", **job(script, id="joins", traceparent=PARENT)))

    own = run_context(traced, "joins", "sal")
    assert constant == own
    assert f"TRACEPARENT={own}" in seen.splitlines()
    assert "secret-key" not in seen
    requests = dict(traced.receiver.other_requests)
    assert requests["/rhai"]["traceparent"] == own
    assert requests["/own"]["traceparent"] == "mine"


def test_programs_of_a_heroscript_and_its_http_requests_join_its_run(traced: Traced) -> None:
    script = f"!!http.get url:'{traced.receiver.url}/heroscript'\n!!osal.exec cmd:'env'"
    given = job(script, id="python", script_type="python", traceparent=PARENT)
    traced.call("run_job", **given)

    own = run_context(traced, "python", "python")
    seen = [line["text"] for line in traced.call("get_job_logs", job_id="python")["lines"]]
    assert f"TRACEPARENT={own}" in seen
    assert "secret-key" not in "".join(seen)
    assert dict(traced.receiver.other_requests)["/heroscript"]["traceparent"] == own


def test_a_job_of_no_trace_gives_its_programs_none(traced: Traced) -> None:
    # Submitted to the store itself: no supervisor has seen it.
    job_id = traced.supervisor.submit("is_def_var(`TRACEPARENT`)", ScriptType.SAL)

    assert traced.supervisor.reply(job_id).output == "false"


def test_nothing_of_opentelemetry_is_loaded_unless_it_is_on() -> None:
    code = (
        "import os, sys\n"
        "from hero_actor.lanes.execute import Executor\n"
        "from hero_actor.lanes.script_access import ScriptAccess\n"
        "from hero_supervisor.service import Service\n"
        "from hero_job.tracing.wanted import new_tracer\n"
        "off = [{}, {'OTEL_EXPORTER_OTLP_ENDPOINT': ''},"
        " {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:9', 'OTEL_SDK_DISABLED': 'true'},"
        " {'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT': 'http://127.0.0.1:9', 'OTEL_TRACES_EXPORTER': 'none'}]\n"
        "assert [new_tracer(environ, 's', 'c') for environ in off] == [None] * 4\n"
        "print([name for name in sys.modules if 'opentelemetry' in name or name == 'hero_job.tracing.job_tracer'])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("[]\n", "")
