"""HTTP for scripts of every language: one request with its redirects, over connections that the process keeps.

Each hop is checked at the address that is connected to, also when a kept connection is used. Nothing comes from the
environment of the job or the service: no proxy, no certificate file, no key log. Certificates are always verified.

Source: RFC 9110, RFC 9112
"""

from __future__ import annotations

import atexit
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any, cast
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from hero_engine.host.call import Call
from hero_engine.host.network.reach import AddressRefused, NetworkReach
from hero_engine.host.network.stream import Stream, connect, trust

_PORTS = {"http": 80, "https": 443}
_READ_BYTES = 64 * 1024
#: Statuses that redirect to another address. Source: RFC 9110, section 15.4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Methods that may be sent again. Source: RFC 9110, section 9.2.2
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
#: Headers that must not be sent to another host than the one they are meant for.
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
#: Headers that follow from the request itself; another value would let it pass for another request.
_OWN_HEADERS = frozenset(
    {"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
)
#: By it the server continues the trace of the job. Source: https://www.w3.org/TR/trace-context/
_TRACEPARENT = "traceparent"
#: Source: RFC 9110, section 5.6.2
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Characters of a path or query that stay as they are. Source: RFC 3986
_AS_IS = "/%:@!$&'()*+,;=-._~?[]"
#: How long a connection is kept that nobody uses, in seconds, and how many.
_KEEP_S = 30.0
_MAX_KEPT = 64


class WebFailed(Exception):
    """A request got no answer.

    Args:
        request: Its method and address.
        reason: Why.
    """

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(request, reason)
        self.request = request
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.request}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """What is sent.

    Attributes:
        method: GET and the like, in upper case.
        url: An http or https address without a user name.
        headers: Headers.
        body: The body; None for none.
        file: A file that is sent instead, from its beginning to `file_bytes`.
        file_bytes: Its size, in bytes.
        follow: Follow redirects, `max_redirects` at most.
        timeout_s: Longest time for everything, in seconds.
        max_bytes: Longest body of an answer, in bytes.
        max_redirects: See `follow`.
        ca_file: Certificate authorities; "" for the system's.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    file: IO[bytes] | None = None
    file_bytes: int = 0
    follow: bool = True
    timeout_s: float = 30.0
    max_bytes: int = 8 << 20
    max_redirects: int = 5
    ca_file: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.url:.200}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAnswer:
    """What came back.

    Attributes:
        status: The status code.
        reason: The words behind it.
        headers: Headers, with names in lower case.
        body: The body; empty if it was given to `sink`.
        text: The body as text, by the character set that the answer names.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    charset: str

    @property
    def text(self) -> str:
        try:
            return self.body.decode(self.charset, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")


class _Connection(http.client.HTTPConnection):
    """Speaks HTTP over a `Stream`.

    Args:
        stream: The connection.
        place: Scheme, host, port and certificate authorities.
    """

    blocksize = _READ_BYTES

    def __init__(self, stream: Stream, place: tuple[str, str, int, str]) -> None:
        scheme, host, port, _ = place
        super().__init__(host, port)
        self.default_port = _PORTS[scheme]  # for the header Host
        self.auto_open = 0
        self.sock = cast("Any", stream)
        self.stream = stream
        self.place = place
        self.idle_since_mono = 0.0

    def close(self) -> None:
        """Leave the stream open: `getresponse` calls this while the response, whose end closes it, is still to come."""
        self.sock = None
        super().close()


_kept: list[_Connection] = []
_lock = threading.Lock()


def failure_in_words(error: Exception) -> str:
    """Say why there is no answer, without names of Python's classes.

    Args:
        error: What the connection or the reading of the answer has raised.
    """
    match error:
        case http.client.IncompleteRead():
            more = f", {error.expected} more were promised" if error.expected else ""
            return f"the answer ended after {len(error.partial)} bytes{more}"
        case http.client.RemoteDisconnected() | ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return "the server closed the connection"
        case ConnectionRefusedError():
            return "the connection was refused: nothing listens there"
        case TimeoutError():
            return "there was no answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate cannot be trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or 'the server does not speak it').lower().replace('_', ' ')}"
        case socket.gaierror():
            return f"the host cannot be found: {error.strerror}"
        case OSError():
            return error.strerror or str(error) or "the connection failed"
        case http.client.HTTPException():
            return f"the answer is not HTTP: {' '.join(str(error).split())[:200]}"
    return str(error)


def send(
    call: Call, reach: NetworkReach, request: WebRequest, sink: Callable[[bytes], object] | None = None
) -> WebAnswer:
    """Send a request and read the answer.

    Args:
        call: The run.
        reach: Where it may connect to; each redirect is checked as well.
        request: What is sent.
        sink: Takes the pieces of the body, if its status is in the two hundreds; None to collect them.

    Raises:
        WebFailed: There is no answer.
        AddressRefused: The operator does not allow the address, or one that it redirects to.
        CallEnded: The run must end.
    """
    until_mono = time.monotonic() + request.timeout_s
    first = request
    for _ in range(request.max_redirects + 1):
        try:
            answer = _exchange(call, reach, request, until_mono, sink)
        except (AddressRefused, WebFailed):
            raise
        except (OSError, http.client.HTTPException, ValueError) as e:
            late = isinstance(e, TimeoutError) and time.monotonic() >= until_mono
            said = f"did not end within {first.timeout_s:g} s" if late else failure_in_words(e)
            raise WebFailed(str(request), said) from e
        location = answer.headers.get("location")
        if not (request.follow and answer.status in _REDIRECTS and location):
            return answer
        request = _redirected(request, answer.status, location)
    raise WebFailed(str(first), f"more than {first.max_redirects} redirects")


def _exchange(
    call: Call, reach: NetworkReach, request: WebRequest, until_mono: float, sink: Callable[[bytes], object] | None
) -> WebAnswer:
    parts, place = _place(request)
    if not all(map(_TOKEN.fullmatch, request.headers)):
        raise WebFailed(str(request), "Invalid header name")
    own = next((name for name in request.headers if name.lower() in _OWN_HEADERS), None)
    if own is not None:
        raise WebFailed(str(request), f"the header {own.title()} comes from the request itself and cannot be set")
    target = quote(parts.path or "/", safe=_AS_IS) + (f"?{quote(parts.query, safe=_AS_IS)}" if parts.query else "")
    headers = {"User-Agent": "hero-runtime", "Accept-Encoding": "identity", **request.headers}
    if call.asker.traceparent and _TRACEPARENT not in map(str.lower, request.headers):
        headers[_TRACEPARENT] = call.asker.traceparent
    body: bytes | IO[bytes] | None = request.body
    if request.file is not None:
        request.file.seek(0)
        body, headers["Content-Length"] = request.file, str(request.file_bytes)
    connection = _take(call, reach, place, until_mono)
    while True:
        is_used = connection is not None
        if connection is None:
            stream = connect(call, reach, place[1], place[2], until_mono)
            connection = _Connection(stream, place)
        try:
            if not is_used and place[0] == "https":
                connection.stream.encrypt(trust(request.ca_file), place[1])
            connection.request(request.method, target, body, headers)
            response = connection.getresponse()
            answer = _read(response, request, sink)
        except (ConnectionError, http.client.RemoteDisconnected):
            connection.stream.close()
            # The server may have closed a kept connection just when it was used.
            if not is_used or request.method not in _REPEATABLE or request.file is not None:
                raise
            connection = None
            continue
        except BaseException:
            connection.stream.close()
            raise
        is_whole = response.length == 0 or response.isclosed()
        response.close()
        if response.will_close or not is_whole:
            connection.stream.close()
        else:
            _keep(connection)
        return answer


def _read(response: http.client.HTTPResponse, request: WebRequest, sink: Callable[[bytes], object] | None) -> WebAnswer:
    body = bytearray()
    expected, size = response.length, 0  # None if the response does not state it
    sink = sink if sink is not None and 200 <= response.status < 300 else body.extend
    while piece := response.read1(_READ_BYTES):
        size += len(piece)
        if size > request.max_bytes:
            raise WebFailed(str(request), f"the response has more than {request.max_bytes} bytes")
        sink(piece)
    if expected is not None and size < expected and request.method != "HEAD":
        raise http.client.IncompleteRead(bytes(body), expected - size)
    return WebAnswer(
        status=response.status,
        reason=response.reason,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=bytes(body),
        charset=response.headers.get_content_charset("utf-8"),
    )


def _place(request: WebRequest) -> tuple[SplitResult, tuple[str, str, int, str]]:
    no_address = WebFailed(f"{request.url:.200}", "it is not an http or https address without a user name")
    try:
        parts = urlsplit(request.url)
        host = (parts.hostname or "").encode("idna" if not (parts.hostname or "").isascii() else "ascii").decode()
        port = parts.port
    except ValueError as e:  # also UnicodeError
        raise no_address from e
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise no_address
    port = _PORTS[parts.scheme] if port is None else port
    return parts, (parts.scheme, host, port, request.ca_file)


def _redirected(request: WebRequest, status: int, location: str) -> WebRequest:
    try:
        url = urljoin(request.url, location)
        moved = urlsplit(url)[:2] != urlsplit(request.url)[:2]
    except ValueError:
        raise WebFailed(str(request), f"it redirects to {location!r:.200}, which is no address") from None
    headers = request.headers
    if moved:
        headers = {name: text for name, text in headers.items() if name.lower() not in _SECRET_HEADERS}
    # These become GET in every client. Source: RFC 9110, section 15.4
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        headers = {name: text for name, text in headers.items() if not name.lower().startswith("content-")}
        method = "HEAD" if request.method == "HEAD" else "GET"
        return replace(request, method=method, url=url, headers=headers, body=None, file=None)
    return replace(request, url=url, headers=headers)


def _take(call: Call, reach: NetworkReach, place: tuple[str, str, int, str], until_mono: float) -> _Connection | None:
    """Take a kept connection to a place, if there is one that this run may use."""
    oldest_mono = time.monotonic() - _KEEP_S
    with _lock:
        old = [kept for kept in _kept if kept.idle_since_mono < oldest_mono]
        fitting = [
            kept
            for kept in _kept
            if kept not in old
            and kept.place == place
            and reach.admits(place[1].rstrip("."), place[2], kept.stream.address)
        ]
        taken = fitting[-1] if fitting else None
        _kept[:] = [kept for kept in _kept if kept not in old and kept is not taken]
    for kept in old:
        kept.stream.close()
    if taken is None:
        return None
    if not taken.stream.is_silent:
        taken.stream.close()
        return _take(call, reach, place, until_mono)
    taken.stream.call, taken.stream.until_mono = call, until_mono
    return taken


@atexit.register
def close_kept() -> None:
    """Close the connections that are kept."""
    with _lock:
        kept, _kept[:] = _kept[:], []
    for connection in kept:
        connection.stream.close()


def _keep(connection: _Connection) -> None:
    connection.idle_since_mono = time.monotonic()
    with _lock:
        _kept.append(connection)
        surplus = _kept[:-_MAX_KEPT]
        del _kept[:-_MAX_KEPT]
    for old in surplus:
        old.stream.close()
