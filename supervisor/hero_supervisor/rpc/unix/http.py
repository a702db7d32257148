"""HTTP over the Unix socket, for `curl --unix-socket` and other programs that speak only HTTP. Its only I/O is `write`.

``UnixConnection`` uses it when a client begins with an HTTP request. It reads requests and wraps answers; limits,
sessions and flow control stay with the connection. Invariant: requests are answered one after another, as HTTP/1.1
demands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import h11

from hero_supervisor.rpc.protocol.framer import Oversized, Unframed

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"
_PATHS: Final = frozenset({b"/", b"/rpc"})
_PAGES: Final = frozenset({b"/metrics", b"/healthz"})
_MAX_HEAD_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """The body of a POST, and the bearer token and the traceparent that came with it."""

    message: bytes
    token: str
    traceparent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPosted:
    """A request that is not a POST to the right path; its client is told what to do instead."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """A GET of one of the pages about the service."""

    path: str
    token: str


HttpFrame: TypeAlias = Posted | Got | NotPosted | Oversized | Unframed


class UnixHttp:
    """The HTTP side of one connection.

    Args:
        max_message_bytes: Longest body.
        write: Sends bytes to the client.
    """

    def __init__(self, max_message_bytes: int, write: Callable[[bytes], None]) -> None:
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._max_bytes = max_message_bytes
        self._write = write
        self._request: h11.Request | None = None
        self._body = bytearray()

    @property
    def ended(self) -> bool:
        """Whether the connection takes no further request."""
        return self._http.our_state is not h11.IDLE and self._http.our_state is not h11.SEND_RESPONSE

    def feed(self, data: bytes) -> HttpFrame | None:
        """Take bytes from the client and return the next request if it is complete.

        Args:
            data: May be empty, to ask for a request in the bytes that came before.
        """
        try:
            if data:
                self._http.receive_data(data)
            return self._next()
        except h11.RemoteProtocolError as e:
            return Unframed(reason=f"not HTTP/1.1: {e}", fatal=True)

    def respond(self, body: bytes | None, status: int = 200, content_type: bytes = JSON) -> None:
        """Answer the request that `feed` returned last.

        Args:
            body: Body of the response; None for an empty one.
            status: Status of the response.
            content_type: Type of the body.
        """
        headers = [(b"Content-Length", b"%d" % len(body or b"")), (b"Content-Type", content_type)]
        if self._http.their_state in (h11.SEND_BODY, h11.ERROR):  # nobody reads the rest of this request
            headers.append((b"Connection", b"close"))
        if status == 405:
            headers.append((b"Allow", b"GET" if self._is_page else b"POST"))
        response = h11.Response(status_code=status, headers=headers)
        parts = [self._http.send(response)]
        # The answer to a HEAD has the headers of a body, and none.
        if body and not (self._request is not None and self._request.method == b"HEAD"):
            parts.append(self._http.send(h11.Data(data=body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        self._write(b"".join(part for part in parts if part))
        self._request = None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()

    @property
    def _is_page(self) -> bool:
        return self._request is not None and _path(self._request) in _PAGES

    def _next(self) -> HttpFrame | None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                if {b"content-length", b"transfer-encoding"} <= {name for name, _ in event.headers}:
                    # A proxy may have read the other one, and so take our client's body for a request.
                    return Unframed(reason="a request has either Content-Length or Transfer-Encoding", fatal=True)
                self._request = event
                self._body.clear()
                if (refused := _refusal(event)) is not None:
                    return refused
                if self._http.they_are_waiting_for_100_continue:
                    told = self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
                    self._write(told or b"")
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > self._max_bytes:
                    return Oversized(max_bytes=self._max_bytes)
            elif isinstance(event, h11.EndOfMessage):
                assert self._request is not None
                if self._is_page:
                    return Got(path=_path(self._request).decode(), token=_token(self._request))
                traceparent = _header(self._request, b"traceparent")
                return Posted(message=bytes(self._body), token=_token(self._request), traceparent=traceparent)
            else:  # NEED_DATA, PAUSED, or ConnectionClosed
                return None


def _refusal(request: h11.Request) -> NotPosted | None:
    if _path(request) in _PAGES:
        return None if request.method == b"GET" else NotPosted(status=405, text="send a GET\n")
    if _path(request) not in _PATHS:
        return NotPosted(status=404, text="this path does not exist; POST JSON-RPC to / or /rpc\n")
    if request.method != b"POST":
        return NotPosted(status=405, text="send JSON-RPC as a POST\n")
    return None


def _path(request: h11.Request) -> bytes:
    return bytes(request.target).partition(b"?")[0]


def _token(request: h11.Request) -> str:
    scheme, _, token = _header(request, b"authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _header(request: h11.Request, wanted: bytes) -> str:
    return next((bytes(value).decode("latin-1") for name, value in request.headers if name == wanted), "")
