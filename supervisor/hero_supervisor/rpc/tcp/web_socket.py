"""JSON-RPC over one WebSocket: a text frame is a message, and so is each answer. Called by ``web`` only.

As on the Unix socket, requests run side by side and are answered as they are ready. Invariants: at most
``MAX_IN_FLIGHT`` requests of a connection are under way; while an answer waits for the client to read, nothing more is
read from it; and a client that has not said who it is is served one small message after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import Session
from hero_supervisor.rpc.protocol import peer, wire
from hero_supervisor.rpc.protocol.dispatch import Dispatcher

MAX_IN_FLIGHT: Final = 1024
MAX_UNREAD_BYTES: Final = 64 * 1024 * 1024
LEFT_BEHIND_S: Final = 2.0
# What a client may do before it has said who it is.
AUTHENTICATE_WITHIN_S: Final = 10.0
MAX_UNAUTHENTICATED_BYTES: Final = 16 * 1024
SUBPROTOCOL: Final = "jsonrpc"

# Close codes, https://www.iana.org/assignments/websocket/websocket.xhtml
_POLICY_VIOLATION: Final = 1008
_SERVICE_RESTART: Final = 1012

log = logging.getLogger(__name__)


class RpcSocket:
    """One client.

    Args:
        websocket: Not accepted yet.
        session: What it may do.
        dispatcher: Answers the messages.
    """

    def __init__(self, websocket: WebSocket, session: Session, dispatcher: Dispatcher) -> None:
        self._websocket = websocket
        self._session = session
        self._dispatcher = dispatcher
        self._abort: Callable[[], None] = websocket.scope["state"]["abort"]
        # Tells that the client has gone while nothing is read.
        self._lost: asyncio.Future[None] = websocket.scope["state"]["lost"]
        self._running: set[asyncio.Task[None]] = set()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._unread_bytes = 0
        self._reader: asyncio.Task[int | None] | None = None
        self._finishing = False
        self._ended = False
        self._closing = False
        session.on_end = self._end_session
        self._peer = peer.Connection("websocket", self._send, context_id=session.bindings.get("context_id"))
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Serve until the client leaves or the server finishes."""
        try:
            offered = self._websocket.scope["subprotocols"]
            await self._websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
            self._reader = asyncio.create_task(self._read())
            if self._finishing or self._ended:
                self._reader.cancel()
            await self._first(self._reader)
            if not self._reader.done():
                self._reader.cancel()
                return
            if self._ended:
                code: int | None = _POLICY_VIOLATION
            else:
                code = _SERVICE_RESTART if self._reader.cancelled() else self._reader.result()
            if self._finishing and self._running:
                await self._first(asyncio.gather(*self._running, return_exceptions=True))
            if code is not None:
                self._closing = True
                await self._websocket.close(code)
        except (WebSocketDisconnect, OSError):
            pass  # gone in the middle
        finally:
            self._peer.close()
            await self._leave_behind()
            if not self._done.done():
                self._done.set_result(None)

    def finish(self) -> asyncio.Future[None]:
        """Read nothing more, answer what has been asked, then close; the future is done when that is done."""
        self._finishing = True
        if self._reader is not None:
            self._reader.cancel()
        if self._peer.pushes:
            self._begin(self._peer.finish(wire.shutting_down()))
        return self._done

    def _end_session(self) -> None:
        """Close: what the client has shown is worth nothing any more."""
        self._ended = True
        if self._reader is not None:
            self._reader.cancel()

    def stop_requests(self) -> None:
        """Cancel what is under way."""
        for task in self._running:
            task.cancel()

    async def _first(self, future: asyncio.Future[Any]) -> None:
        """Wait for something as long as the client is there."""
        waited: list[asyncio.Future[Any]] = [future, self._lost]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)

    async def _read(self) -> int | None:
        """Begin requests as they come; gives the code to close with, None when the client has left."""
        deadline = asyncio.get_running_loop().time() + AUTHENTICATE_WITHIN_S
        while True:
            await self._may_read.wait()
            unknown = self._session.scope is Scope.NONE
            try:
                async with asyncio.timeout_at(deadline if unknown else None):
                    message = await self._websocket.receive()
            except TimeoutError:
                return _POLICY_VIOLATION
            if message["type"] == "websocket.disconnect":
                return None
            # A text frame for most; web3.py sends its JSON in binary ones.
            text = message.get("text")
            data: bytes = message["bytes"] if text is None else text.encode()
            if unknown and len(data) > MAX_UNAUTHENTICATED_BYTES:
                return _POLICY_VIOLATION
            task = self._begin(self._answer(data))
            if unknown:
                await asyncio.wait([task])

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._answered)
        self._update()
        return task

    async def _answer(self, message: bytes) -> None:
        exchange = peer.enter(self._peer)
        answer = await self._dispatcher.answer(message, self._session.admit)
        if answer is None or self._closing:
            exchange.answered()
            return
        # One answer may be as long as it is: what waits are those behind it.
        if self._unread_bytes and self._unread_bytes + len(answer) > MAX_UNREAD_BYTES:
            extra = {"peer": self._session.peer, "unread_bytes": self._unread_bytes, "in_flight": len(self._running)}
            log.warning("rpc.slow_reader_cut_off", extra=extra)
            self._abort()
            return
        await self._send(answer)
        exchange.answered()

    async def _send(self, message: bytes) -> None:
        if self._closing:
            return
        self._unread_bytes += len(message)
        self._update()
        try:
            # Waits while the client does not read what was written before.
            await self._websocket.send_text(message.decode())
        except (WebSocketDisconnect, OSError):
            pass  # it has left; the reader notices too
        finally:
            self._unread_bytes -= len(message)
            self._update()

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (broken := task.exception()) is not None:
            log.error("rpc.answer_lost", exc_info=broken)
        self._update()

    def _update(self) -> None:
        if len(self._running) < MAX_IN_FLIGHT and not self._unread_bytes:
            self._may_read.set()
        else:
            self._may_read.clear()

    async def _leave_behind(self) -> None:
        """Let what is nearly done be done, and end what waits for long: nobody is there to hear it."""
        patience_s = LEFT_BEHIND_S
        while self._running:
            await asyncio.wait(tuple(self._running), timeout=patience_s)
            # Again until they have ended: wait_for of Python 3.11 can swallow a cancellation (python/cpython#86296).
            self.stop_requests()
            patience_s = 1.0


async def refuse_socket(websocket: WebSocket, status: int, text: str) -> None:
    """Answer the handshake with an HTTP error."""
    with contextlib.suppress(WebSocketDisconnect, OSError):
        await websocket.send_denial_response(PlainTextResponse(text + "\n", status_code=status))
