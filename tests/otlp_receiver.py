"""A receiver of OTLP over HTTP for tests: keeps the spans that it is sent, as the protocol describes them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.eventually import eventually

_KINDS = ("", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """One span, decoded."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    began_ns: int
    ended_ns: int
    failed: bool
    attributes: dict[str, Any]
    links: list[tuple[str, str, str]]
    service: str

    @property
    def job(self) -> object:
        return self.attributes.get("messaging.message.id")


class OtlpReceiver:
    """An HTTP server on a free port. Use it as a context.

    Attributes:
        spans: All that have come.
        headers: The headers of the last request.
        other_requests: Path and headers of each request that is no export.
    """

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.headers: dict[str, str] = {}
        self.other_requests: list[tuple[str, dict[str, str]]] = []
        receiver = self

        class Requests(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                self._answer()

            def do_GET(self) -> None:
                receiver.other_requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                self._answer()

            def _answer(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        assert path == "/v1/traces", path
        self.headers = headers
        request = ExportTraceServiceRequest()
        request.ParseFromString(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)
        for resource in request.resource_spans:
            service = _attributes(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                assert scope.scope.name == "hero-runtime"
                self.spans += [_received(span, service) for span in scope.spans]

    def wait_for(self, *wanted: Callable[[ReceivedSpan], bool]) -> list[ReceivedSpan]:
        """Wait until there is a span for each condition, and return these."""

        def found() -> list[ReceivedSpan] | None:
            spans = [next((span for span in self.spans if condition(span)), None) for condition in wanted]
            return None if None in spans else [span for span in spans if span is not None]

        spans = eventually(found, what="spans of these kinds")
        assert spans is not None
        return spans

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _received(span: Any, service: str) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        kind=_KINDS[span.kind],
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        failed=span.status.code == 2,
        attributes=_attributes(span.attributes),
        links=[
            (link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes)["hero.link"]) for link in span.links
        ],
        service=service,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
