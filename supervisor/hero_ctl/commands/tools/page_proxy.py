"""Shows the web page of a supervisor that has only a Unix socket: files from here, calls passed on to the socket.

`heroctl ui` runs it on a port of the loopback address. Invariants: a connection is passed on only after its first
message has brought the token of this run, so that no other user of this machine gets the rights of the socket; what
passes is not changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import socket
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hero_supervisor.page.files import page_file, page_routes
from hero_supervisor.rpc.tcp.origin_checks import problem_of

#: Longest line of either side; answers to batches may have 25 MiB.
_MAX_BYTES: Final = 64 * 1024 * 1024
_POLICY_VIOLATION: Final = 1008
_AWAY: Final = 1001


@dataclass(frozen=True, slots=True, kw_only=True)
class PageProxy:
    """The page on a port of the loopback address.

    Attributes:
        path: The Unix socket of the supervisor.
        token: What the first message of a connection must bring.
        upstream_token: What the supervisor asks for on its socket; empty if it does not.
    """

    path: str
    token: str
    upstream_token: str = ""

    def serve(self, listener: socket.socket) -> None:
        """Serve until interrupted.

        Args:
            listener: Listens on a port of the loopback address.
        """
        routes = [
            Route("/", self._index, methods=["GET"]),
            *page_routes(_refusal),
            WebSocketRoute("/", self._websocket),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), ws="websockets-sansio", ws_max_size=_MAX_BYTES, ws_per_message_deflate=False,
            lifespan="off", log_config=None, access_log=False, proxy_headers=False, server_header=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listener])

    async def _index(self, request: Request) -> Response:
        refusal = _refusal(request)
        return page_file(request) if refusal is None else PlainTextResponse(refusal + "\n", status_code=403)

    async def _websocket(self, page: WebSocket) -> None:
        if _refusal(page) is not None:
            await page.close(_POLICY_VIOLATION)
            return
        await page.accept()
        with contextlib.suppress(WebSocketDisconnect):
            request = await _receive(page)
            if not self._brings_token(request):
                error = {
                    "code": -32001,
                    "message": "the token is not that of this heroctl ui; open the printed address",
                }
                await page.send_text(json.dumps({"jsonrpc": "2.0", "id": _id_of(request), "error": error}))
                await page.close(_POLICY_VIOLATION)
                return
            try:
                reader, writer = await asyncio.open_unix_connection(self.path, limit=_MAX_BYTES)
            except OSError as e:
                await page.close(_AWAY, f"the supervisor's socket cannot be reached: {e.strerror or e}"[:120])
                return
            try:
                if self.upstream_token:
                    first = {
                        "jsonrpc": "2.0",
                        "id": 0,
                        "method": "authenticate",
                        "params": {"token": self.upstream_token},
                    }
                    writer.write(json.dumps(first).encode() + b"\n")
                    await reader.readline()  # if it is refused, so is everything after it, with the reason
                await page.send_text(json.dumps({"jsonrpc": "2.0", "id": _id_of(request), "result": True}))
                await _pass_on(page, reader, writer)
            finally:
                writer.close()

    def _brings_token(self, request: Any) -> bool:
        if not isinstance(request, dict) or request.get("method") != "authenticate":
            return False
        params = request.get("params")
        given = params.get("token") if isinstance(params, dict) else None
        return isinstance(given, str) and hmac.compare_digest(given.encode(), self.token.encode())


async def _pass_on(page: WebSocket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass messages on in both directions until one side ends."""

    async def to_supervisor() -> None:
        while True:
            # A line feed between the tokens of a message would be allowed; none is needed.
            writer.write((await page.receive_text()).replace("\n", " ").encode() + b"\n")
            await writer.drain()

    async def to_page() -> None:
        while line := await reader.readline():
            await page.send_text(line.decode().rstrip("\n"))
        await page.close(_AWAY)

    directions = {asyncio.create_task(to_supervisor()), asyncio.create_task(to_page())}
    _, others = await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    for outcome in await asyncio.gather(*directions, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect | OSError):
            raise outcome


async def _receive(page: WebSocket) -> Any:
    text = await page.receive_text()
    try:
        return json.loads(text)
    except ValueError:
        return None


def _id_of(request: Any) -> Any:
    return request.get("id") if isinstance(request, dict) else None


def _refusal(peer: Request | WebSocket) -> str | None:
    problem = problem_of(peer.headers.get("host"), peer.headers.getlist("origin"), (), ())
    return None if problem is None else problem.text
