"""Lets pages of allowed origins send POSTs and read the answers, by the headers of the CORS protocol.

It wraps the application; WebSockets need none of this. Invariant: a page of another origin gets no CORS header, and
cookies are never allowed.

Source: Fetch standard, sections 3.2 and 4.8 (CORS protocol), https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Seconds after which a browser asks again, because the configuration may have changed.
_MAX_AGE_S: Final = 600
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": str(_MAX_AGE_S),
}


class Cors:
    """An application that adds the CORS headers.

    Args:
        app: Answers the requests, and refuses those that are not allowed.
        refusal: Returns what is wrong with the host or origin of a preflight, and logs it; None if nothing is.
        allowed: Whether host and origin of a request are allowed; logs nothing.
    """

    def __init__(
        self, app: ASGIApp, refusal: Callable[[Request], str | None], allowed: Callable[[Request], bool]
    ) -> None:
        self._app = app
        self._refusal = refusal
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or pass the request to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        origin = request.headers.get("origin")
        if origin is None:
            await self._app(scope, receive, send)
        elif request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            await self._preflight(request, origin)(scope, receive, send)
        elif self._allowed(request):
            await self._app(scope, receive, _with_headers(send, origin))
        else:
            await self._app(scope, receive, send)

    def _preflight(self, request: Request, origin: str) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return PlainTextResponse(refusal + "\n", status_code=403)
        return Response(status_code=204, headers={**_PREFLIGHT, **_allowing(origin)})


def _allowing(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def _with_headers(send: Send, origin: str) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_allowing(origin))
            headers["Access-Control-Expose-Headers"] = "Retry-After, WWW-Authenticate"
        await send(message)

    return send_with_headers
