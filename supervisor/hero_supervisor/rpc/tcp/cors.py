"""Lets pages of allowed origins read the answers to their POSTs, and ask beforehand whether they may send one.

Wraps the application of ``web``; WebSockets need none of it. Invariant: a page whose origin is not allowed is told
nothing, and no cookie is ever asked for or accepted.

Source: Fetch standard, sections 3.2 and 4.8 (CORS protocol), https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A browser asks again after so long, in seconds: what the configuration allows may have changed.
_ASK_AGAIN_S: Final = 600
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": str(_ASK_AGAIN_S),
}


class Cors:
    """An application that says which pages may read it.

    Args:
        app: Answers; refuses by itself who may not ask.
        refusal: Says what is wrong with a preflight's host and origin, and logs it; None when nothing is.
        allowed: The same of any request, without a word.
    """

    def __init__(
        self, app: ASGIApp, refusal: Callable[[Request], str | None], allowed: Callable[[Request], bool]
    ) -> None:
        self._app = app
        self._refusal = refusal
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or have the request answered."""
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
            await self._app(scope, receive, _opened(send, origin))
        else:
            await self._app(scope, receive, send)

    def _preflight(self, request: Request, origin: str) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return PlainTextResponse(refusal + "\n", status_code=403)
        return Response(status_code=204, headers={**_PREFLIGHT, **_opening(origin)})


def _opening(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def _opened(send: Send, origin: str) -> Send:
    async def send_opened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_opening(origin))
            headers["Access-Control-Expose-Headers"] = "Retry-After, WWW-Authenticate"
        await send(message)

    return send_opened
