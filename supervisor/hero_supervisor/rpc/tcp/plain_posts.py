"""Recognises the POSTs that need nothing of HTTP but a length, so that they are answered without h11 and Starlette.

Nearly every request of a program is such a POST, and all layers of an application cost several times what the call in
it does. ``HttpConnection`` asks here first. Invariant: only a request that would be answered in the same way, byte for
byte, is taken; all that is unusual, or has to be refused, is left to the application (`app.py`).

Source: RFC 9112, sections 3 and 5, of which this reads a strict subset.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hero_job.model.fields.trace_context import TraceContext
from hero_supervisor.rpc.auth.gate import Gate
from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import RpcSession

#: h11 refuses longer ones.
_MAX_HEAD_BYTES: Final = 16 * 1024
#: A body that is longer is collected by the application, which gives others their turn meanwhile.
MAX_BODY_BYTES: Final = 64 * 1024
_MAX_LENGTH_DIGITS: Final = 8
_END: Final = b"\r\n\r\n"
# Possessive quantifiers, so that hostile input costs no more than honest input.
_HEAD: Final = re.compile(rb"POST /(?:rpc)?+ HTTP/1\.1\r\n((?:[A-Za-z-]++:[\x20-\x7e]*+\r\n)++)\r\n").fullmatch
#: Headers of clients and proxies that change nothing here. One that is not in either set may mean something.
_IGNORED: Final = frozenset(
    {b"accept", b"accept-encoding", b"accept-language", b"baggage", b"cache-control", b"content-type", b"pragma"}
    | {b"sec-fetch-mode", b"tracestate", b"user-agent"}
    | {b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"x-request-id"}
)
_READ: Final = frozenset({b"host", b"content-length", b"connection", b"authorization", b"traceparent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PostHead:
    """The head of a POST that is taken.

    Attributes:
        text: Its bytes, with the empty line.
        body_bytes: Length of the body.
        token: The bearer token; "" if there is none.
        traceparent: The trace that its jobs belong to.
    """

    text: bytes
    body_bytes: int
    token: str
    traceparent: TraceContext | None


class PlainPosts:
    """Says which requests of a server are taken.

    Args:
        gate: Knows who may do what.
        host_allowed: Whether the port may be reached under the name in the header Host.
        max_message_bytes: Longest body.
    """

    def __init__(self, gate: Gate, host_allowed: Callable[[str], bool], max_message_bytes: int) -> None:
        self._gate = gate
        self._host_allowed = host_allowed
        self._max_body_bytes = min(max_message_bytes, MAX_BODY_BYTES)

    def head(self, data: bytes, last: PostHead | None) -> PostHead | None:
        """Read the head at the beginning of some data.

        Args:
            data: What the client has sent since its last request was answered.
            last: The head before on this connection. A client mostly sends the same again.

        Returns:
            The head; None if it is not taken.
        """
        if last is not None and data.startswith(last.text):
            return last
        end = data.find(_END, 0, _MAX_HEAD_BYTES)
        if end < 0:
            return None
        text = data[: end + len(_END)]
        lines = _HEAD(text)
        return None if lines is None else self._parse(text, lines[1])

    def session(self, head: PostHead, peer: str) -> RpcSession | None:
        """Make the session of a request; None if it has to be refused, or its token looked up.

        Args:
            head: Its head.
            peer: Address of the client.
        """
        session = RpcSession(self._gate, peer)
        if not self._gate.open_to_all:
            holder = self._gate.tokens.holder(head.token, time.time()) if head.token else None
            if holder is None or holder.scope is Scope.NONE:
                return None
            session.hold(holder)
        session.traceparent = head.traceparent
        return session

    def _parse(self, text: bytes, lines: bytes) -> PostHead | None:
        found: dict[bytes, bytes] = {}
        for line in lines.splitlines():
            name, _, value = line.partition(b":")
            name = name.lower()
            if name in _IGNORED:
                continue
            if name not in _READ or name in found:
                return None
            found[name] = value.strip(b" ")
        length = found.get(b"content-length", b"")
        if not length.isdigit() or len(length) > _MAX_LENGTH_DIGITS or int(length) > self._max_body_bytes:
            return None
        if found.get(b"connection", b"keep-alive").lower() != b"keep-alive":
            return None
        if not self._host_allowed(found.get(b"host", b"").decode()):
            return None
        scheme, _, token = found.get(b"authorization", b"").decode().partition(" ")
        return PostHead(
            text=text,
            body_bytes=int(length),
            token=token.strip() if scheme.lower() == "bearer" else "",
            traceparent=TraceContext.parse(found.get(b"traceparent", b"").decode()),
        )


def response(body: bytes | None) -> bytes:
    """Write the response as the application does. A message that needs no answer gets an empty body."""
    body = body or b""
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\ncontent-type: application/json\r\n\r\n%b" % (len(body), body)
