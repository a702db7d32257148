"""The actions `http.*`. They are off until `HERO_ALLOW_HTTP` names a host; every redirect is checked against that list
too.

The submitter of a job chooses its environment, so nothing from the environment is used: no proxy, no certificate file,
no key log. Certificates are always verified.
"""

from __future__ import annotations

import http.client
import ssl
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from hero_engine.heroscript_engine import Context, action
from hero_engine.host.allowed import host_allowed, not_allowed

#: A longer response is an error.
MAX_BODY_BYTES = 8 * 1024 * 1024
_MAX_REDIRECTS = 5
_READ_BYTES = 64 * 1024
_PORTS = {"http": 80, "https": 443}
#: Statuses that redirect to another address. Source: RFC 9110, section 15.4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TAIL_CHARS = 500
#: Headers that must not be sent to another host than the one they are meant for.
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


class HttpFailed(Exception):
    """A request got no response, or one that reports an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None


@action("http.get", "http.head")
def get(
    ctx: Context,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    timeout: float = 30,
    redirects: bool = True,
    raise_error: bool = True,
) -> dict[str, object]:
    """Get what is at an address. The result has `status`, `headers` and `body`."""
    request = _Request(method=ctx.action.name.upper(), url=url, headers=headers or {})
    return _send(ctx, request, timeout, redirects, raise_error)


@action("http.delete", "http.patch", "http.post", "http.put")
def send(
    ctx: Context,
    url: str,
    *,
    body: str = "",
    content_type: str = "text/plain; charset=utf-8",
    headers: dict[str, str] | None = None,
    timeout: float = 30,
    redirects: bool = True,
    raise_error: bool = True,
) -> dict[str, object]:
    """Send a text to an address. The name of the action is the method."""
    all_headers = dict(headers or {})
    if body and "content-type" not in map(str.lower, all_headers):
        all_headers["Content-Type"] = content_type
    method = ctx.action.name.upper()
    payload = None if method == "DELETE" and not body else body.encode()
    request = _Request(method=method, url=url, headers=all_headers, body=payload)
    return _send(ctx, request, timeout, redirects, raise_error)


def _send(ctx: Context, request: _Request, timeout_s: float, follow: bool, raise_error: bool) -> dict[str, object]:
    deadline_mono = time.monotonic() + min(timeout_s, ctx.remaining_s)
    for _ in range(_MAX_REDIRECTS + 1):
        try:
            answer, body = _exchange(ctx, request, deadline_mono)
        except (OSError, http.client.HTTPException) as e:
            said = f"did not end within {timeout_s:g} s" if isinstance(e, TimeoutError) else f"{type(e).__name__}: {e}"
            raise HttpFailed(f"{request.method} {request.url}: {said}") from e
        location = answer.headers.get("Location")
        if not (follow and answer.status in _REDIRECTS and location):
            return _result(request, answer, body, raise_error)
        request = _redirected(request, answer.status, location)
    raise HttpFailed(f"{request.method} {request.url}: more than {_MAX_REDIRECTS} redirects")


def _exchange(ctx: Context, request: _Request, deadline_mono: float) -> tuple[http.client.HTTPResponse, bytes]:
    parts = urlsplit(request.url)
    host = parts.hostname
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise HttpFailed(f"{request.url:.200} is not an http or https address without a user name")
    default_port = _PORTS[parts.scheme]
    port = parts.port or default_port
    if not host_allowed(ctx.settings.http, host, port, default_port):
        raise not_allowed(f"{host}:{port}", "HERO_ALLOW_HTTP", ctx.settings.http)
    if any(name.lower() == "host" for name in request.headers):
        raise PermissionError("the header Host comes from the address and cannot be set")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = _tls(ctx.settings.http_ca_file)
        connection = http.client.HTTPSConnection(host, port, timeout=_left_s(deadline_mono), context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_left_s(deadline_mono))
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(request.method, target, request.body, {"User-Agent": "hero-runtime", **request.headers})
        answer = connection.getresponse()
        return answer, _read_body(answer, connection, request, deadline_mono)
    finally:
        connection.close()


def _read_body(
    answer: http.client.HTTPResponse, connection: http.client.HTTPConnection, request: _Request, deadline_mono: float
) -> bytes:
    body = bytearray()
    expected = answer.length  # None if the response does not state it
    # In pieces, because a socket's timeout only limits silence, and a response can trickle in forever.
    while expected is None or len(body) < expected:
        left_s = _left_s(deadline_mono)
        if connection.sock is not None:  # None if the connection closes after this response
            connection.sock.settimeout(left_s)
        piece = answer.read1(_READ_BYTES)
        if not piece:
            break
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise HttpFailed(f"{request.method} {request.url}: the response has more than {MAX_BODY_BYTES} bytes")
    if expected is not None and len(body) < expected and request.method != "HEAD":
        raise http.client.IncompleteRead(bytes(body), expected - len(body))
    return bytes(body)


def _redirected(request: _Request, status: int, location: str) -> _Request:
    url = urljoin(request.url, location)
    headers = request.headers
    if urlsplit(url)[:2] != urlsplit(request.url)[:2]:
        headers = {name: text for name, text in headers.items() if name.lower() not in _SECRET_HEADERS}
    # These become GET in every client. Source: RFC 9110, section 15.4
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        headers = {name: text for name, text in headers.items() if not name.lower().startswith("content-")}
        return _Request(method="HEAD" if request.method == "HEAD" else "GET", url=url, headers=headers)
    return replace(request, url=url, headers=headers)


def _result(request: _Request, answer: http.client.HTTPResponse, body: bytes, raise_error: bool) -> dict[str, object]:
    try:
        text = body.decode(answer.headers.get_content_charset("utf-8"), "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    if raise_error and answer.status >= 400:
        raise HttpFailed(f"{request.method} {request.url}: {answer.status} {answer.reason}: {text[:_TAIL_CHARS]}")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return {"status": answer.status, "headers": headers, "body": text}


def _tls(ca_file: str) -> ssl.SSLContext:
    # Not create_default_context, which reads SSLKEYLOGFILE and SSL_CERT_FILE from the environment. This context
    # verifies certificates and host names too. Source:
    # https://docs.python.org/3/library/ssl.html#ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(ca_file)
        return context
    paths = ssl.get_default_verify_paths()
    for name, path in (("cafile", paths.openssl_cafile), ("capath", paths.openssl_capath)):
        if Path(path).exists():
            context.load_verify_locations(**{name: path})
    return context


def _left_s(deadline_mono: float) -> float:
    left_s = deadline_mono - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
