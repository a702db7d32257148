"""JSON-RPC over one WebSocket: each text frame is a message, and so is each answer.

The application makes one ``RpcSocket`` for each WebSocket. As on the Unix socket, requests run concurrently and are
answered as they become ready. Invariants: while the limits of ``flow_control`` are reached, nothing is read; a client
that has not authenticated is served one small message at a time, for a few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import RpcSession
from hero_supervisor.rpc.protocol import push, wire
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.push import PushChannel
from hero_supervisor.rpc.tcp.uvicorn_protocol import flow_of

# Limits of a client that has not authenticated.
AUTHENTICATE_WITHIN_S: Final = 10.0
MAX_UNAUTHENTICATED_BYTES: Final = 16 * 1024
SUBPROTOCOL: Final = "jsonrpc"

# Close codes, https://www.iana.org/assignments/websocket/websocket.xhtml
_POLICY_VIOLATION: Final = 1008
_SERVICE_RESTART: Final = 1012


class RpcSocket:
    """One client.

    Args:
        websocket: Not accepted yet.
        session: What the client may do.
        dispatcher: Answers the messages.
    """

    def __init__(self, websocket: WebSocket, session: RpcSession, dispatcher: Dispatcher) -> None:
        self._websocket = websocket
        self._session = session
        self._dispatcher = dispatcher
        self._flow = flow_of(websocket.scope)
        self._flow.on_change = self._update
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._reader: asyncio.Task[int | None] | None = None
        self._finishing = False
        self._session_ended = False
        self._closing = False
        session.on_end = self._end_session
        self._channel = PushChannel("websocket", self._send, context_id=session.bindings.get("context_id"))
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Serve until the client leaves or the server finishes."""
        try:
            # Before the client knows that it is accepted: its first message may be a long one.
            self._trust_the_authenticated()
            offered = self._websocket.scope["subprotocols"]
            await self._websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
            self._reader = asyncio.create_task(self._read())
            if self._finishing or self._session_ended:
                self._reader.cancel()
            await self._wait_while_connected(self._reader)
            if not self._reader.done():
                self._reader.cancel()
                return
            if self._session_ended:
                code: int | None = _POLICY_VIOLATION
            else:
                code = _SERVICE_RESTART if self._reader.cancelled() else self._reader.result()
            if self._finishing and self._flow.requests:
                await self._wait_while_connected(asyncio.gather(*self._flow.requests, return_exceptions=True))
            if code is not None:
                self._closing = True
                await self._websocket.close(code)
        except (WebSocketDisconnect, OSError):
            pass  # the client has left
        finally:
            self._channel.close()
            await self._flow.leave_behind()
            if not self._done.done():
                self._done.set_result(None)

    def finish(self) -> asyncio.Future[None]:
        """Read nothing more, answer all requests, then close; the future is done when the connection has ended."""
        self._finishing = True
        if self._reader is not None:
            self._reader.cancel()
        if self._channel.pushes:
            self._flow.begin(self._channel.finish(wire.shutting_down()))
        return self._done

    def _end_session(self) -> None:
        """Close, because the token no longer counts."""
        self._session_ended = True
        if self._reader is not None:
            self._reader.cancel()

    async def _wait_while_connected(self, future: asyncio.Future[Any]) -> None:
        # While nothing is read, only the flow control sees that the client has gone.
        waited: list[asyncio.Future[Any]] = [future, self._flow.lost]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)

    async def _read(self) -> int | None:
        """Begin requests as they arrive; return the code to close with, or None if the client has left."""
        deadline = asyncio.get_running_loop().time() + AUTHENTICATE_WITHIN_S
        while True:
            await self._may_read.wait()
            unauthenticated = self._session.scope is Scope.NONE
            try:
                async with asyncio.timeout_at(deadline if unauthenticated else None):
                    message = await self._websocket.receive()
            except TimeoutError:
                return _POLICY_VIOLATION
            if message["type"] == "websocket.disconnect":
                return None
            # Most clients send text frames; web3.py sends its JSON in binary ones.
            text = message.get("text")
            data: bytes = message["bytes"] if text is None else text.encode()
            if unauthenticated and len(data) > MAX_UNAUTHENTICATED_BYTES:
                return _POLICY_VIOLATION
            task = self._flow.begin(self._answer(data))
            self._update()
            if unauthenticated:
                await asyncio.wait([task])

    async def _answer(self, message: bytes) -> None:
        exchange = push.enter(self._channel)
        answer = await self._dispatcher.answer(message, self._session.admit)
        # Before the client can know that it has authenticated: its next message may be a long one.
        self._trust_the_authenticated()
        if answer is None or self._closing or await self._write(answer, self._flow.wait_for_room(len(answer))):
            exchange.answered()

    def _trust_the_authenticated(self) -> None:
        if self._session.scope is not Scope.NONE:
            self._websocket.scope["state"]["trust"]()

    async def _send(self, message: bytes) -> None:
        await self._write(message, self._flow.wait_writable())

    async def _write(self, message: bytes, room: Awaitable[bool]) -> bool:
        if not await room or self._closing:
            return False
        with contextlib.suppress(WebSocketDisconnect, OSError):  # the client has left; the reader notices it too
            await self._websocket.send_text(message.decode())
        return True

    def _update(self) -> None:
        if self._flow.admits():
            self._may_read.set()
        else:
            self._may_read.clear()


async def refuse_socket(websocket: WebSocket, status: int, text: str) -> None:
    """Answer the handshake of a WebSocket with an HTTP error."""
    with contextlib.suppress(WebSocketDisconnect, OSError):
        await websocket.send_denial_response(PlainTextResponse(text + "\n", status_code=status))
