"""JSON-RPC on a TCP port, over WebSocket and HTTP POST, with ``/healthz`` and ``/metrics``; off unless configured.

Runs in the supervisor's event loop, without signal handlers and without a loop of its own. What is a page's and what is
not is decided by ``web_checks``, who may do what by ``auth_session``, and slow clients are met by ``web_protocol``.
Invariant: nothing is done for a request before its Host, its Origin and, where tokens are required, its token are
checked.

- WebSocket at ``/``, or at ``/{context_public_key}``: then jobs created over it have this context.
- POST at ``/`` and ``/rpc``: a request or a batch; 204 when there is nothing to answer.
- GET ``/healthz`` (open to all: a load balancer has no token) and ``/metrics`` (scope ``read``).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from uvicorn.config import Config
from uvicorn.server import ServerState

from hero_config.model.settings import JobsSettings, RpcSettings
from hero_job.model.job import JobLimits
from hero_supervisor.rpc.auth import methods as auth_methods
from hero_supervisor.rpc.auth import session as auth_session
from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import Gate, Session
from hero_supervisor.rpc.auth.supervisor import SessionSupervisor
from hero_supervisor.rpc.methods.methods import build_dispatcher
from hero_supervisor.rpc.protocol import wire
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError
from hero_supervisor.rpc.tcp import metrics as web_metrics
from hero_supervisor.rpc.tcp import origin_checks as web_checks
from hero_supervisor.rpc.tcp.cors import Cors
from hero_supervisor.rpc.tcp.uvicorn_protocol import (
    HEAD_S,
    KEEP_ALIVE_S,
    PING_EVERY_S,
    PONG_WITHIN_S,
    Connection,
    HttpConnection,
    WebSocketConnection,
)
from hero_supervisor.rpc.tcp.web_socket import LEFT_BEHIND_S, RpcSocket, refuse_socket

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_supervisor.fleet.fleet import Fleet

# For the whole body: the largest message over a slow line, 10 MiB at 3 Mbit/s.
BODY_S: Final = 30.0
CLOSE_GRACE_S: Final = 5.0
FULL_LOG_EVERY_S: Final = 10.0
_HTTP_STATUS: Final = {ErrorCode.UNAUTHENTICATED: 401, ErrorCode.TOO_MANY_ATTEMPTS: 429, ErrorCode.FORBIDDEN: 403}
_POST_HINT: Final = (
    "POST a JSON-RPC 2.0 request to / or /rpc, or open a WebSocket at /; GET serves /healthz, /metrics\n"
)
_CLOSE: Final = {"Connection": "close"}

log = logging.getLogger(__name__)
_Peer: TypeAlias = Request | WebSocket


def serve(
    supervisor: AsyncSupervisor,
    rpc_settings: RpcSettings,
    job_settings: JobsSettings,
    *,
    listener: socket.socket | None = None,
    fleet: Fleet | None = None,
) -> WebServer:
    """Make the server that offers a supervisor's methods; ``start`` makes it listen.

    Args:
        supervisor: Where jobs go.
        rpc_settings: Address, tokens and limits.
        job_settings: What the deployment accepts of a job.
        listener: The socket, when the service manager has made it; the settings must tell its address.
        fleet: The actor processes of this supervisor; None where there are none.
    """
    limits = JobLimits(
        max_script_bytes=job_settings.max_script_bytes,
        max_timeout_s=job_settings.max_timeout_s,
        default_timeout_s=job_settings.default_timeout_s,
    )
    dispatcher = build_dispatcher(SessionSupervisor(supervisor, rpc_settings), limits, rpc_settings, fleet)
    auth_methods.register(dispatcher)
    return WebServer(dispatcher, supervisor, rpc_settings, listener=listener)


class WebServer:
    """Listens on one port and serves every connection from one dispatcher.

    Args:
        dispatcher: Answers the messages.
        supervisor: Read for health and metrics.
        settings: Address, tokens and limits.
        listener: A socket that listens already, instead of one at the address.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        supervisor: AsyncSupervisor,
        settings: RpcSettings,
        *,
        listener: socket.socket | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._supervisor = supervisor
        self._settings = settings
        self._listener = listener
        self._gate = Gate(settings, supervisor, open_to_all=not settings.auth_required)
        self._hosts = frozenset(name.lower() for name in settings.hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in settings.origins)
        self._sockets: set[RpcSocket] = set()
        self._answering: set[asyncio.Task[bytes | None]] = set()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._closing = False
        self._next_full_log = 0.0

    async def start(self) -> None:
        """Take the port and accept connections.

        Raises:
            OSError: The port is taken, the address is not ours, or the certificate cannot be read.
        """
        settings = self._settings
        config = Config(
            self._app(),
            http=HttpConnection,
            ws=WebSocketConnection,
            ws_max_size=settings.max_message_bytes,
            ws_ping_interval=PING_EVERY_S,
            ws_ping_timeout=PONG_WITHIN_S,
            ws_per_message_deflate=False,  # a few bytes could become many, and it costs 64 KiB a connection
            timeout_keep_alive=KEEP_ALIVE_S,
            lifespan="off",
            log_config=None,
            log_level="error",  # what clients do wrong is told to them
            access_log=False,
            proxy_headers=False,  # anybody can write X-Forwarded-For
            server_header=False,
            date_header=False,
            ssl_certfile=settings.tls_cert or None,
            ssl_keyfile=settings.tls_key or None,
        )
        config.load()
        logging.getLogger("uvicorn.error").addFilter(_is_ours)
        family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
        listener = self._listener or socket.create_server((settings.bind, settings.port), family=family, backlog=1024)
        try:
            await self._gate.open()
            self._server = await asyncio.get_running_loop().create_server(
                lambda: HttpConnection(
                    config, self._state, max_connections=settings.max_connections, on_full=self._log_full
                ),
                sock=listener,
                ssl=config.ssl,
                # Before this is over a connection does not count towards the limit.
                ssl_handshake_timeout=HEAD_S if config.ssl else None,
                backlog=1024,
            )
        except BaseException:
            listener.close()
            await self._gate.close()
            raise
        extra = {
            "address": settings.bind,
            "port": settings.port,
            "tls": config.is_ssl,
            "tokens": len(settings.tokens),
            "passed": self._listener is not None,
        }
        log.info("rpc.listening", extra=extra)

    async def close(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Accept nobody any more, finish the requests under way, close the connections.

        Args:
            grace_s: How long requests may take to finish; then they are answered with "shutting down".
        """
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._closing = True
        log.info("rpc.closing", extra={"port": self._settings.port, "connections": len(self._state.connections)})
        finishing: list[asyncio.Future[Any]] = [socket.finish() for socket in self._sockets]
        finishing += self._answering
        if finishing:
            await asyncio.wait(finishing, timeout=grace_s)
        self._dispatcher.stop()
        for rpc_socket in tuple(self._sockets):
            rpc_socket.stop_requests()
        for task in tuple(self._answering):
            task.cancel()
        if finishing:
            await asyncio.wait(finishing, timeout=1.0)
        for connection in self._connections():
            connection.shutdown()
        # Answered or not, they read their last bytes by then or lose them.
        await _all_done([connection.lost for connection in self._connections()], timeout_s=1.0)
        left = self._connections()
        for connection in left:
            connection.abort()
        await _all_done([connection.lost for connection in left], timeout_s=1.0)
        await self._gate.close()

    def _connections(self) -> list[Connection]:
        return [c for c in self._state.connections if isinstance(c, HttpConnection | WebSocketConnection)]

    def _log_full(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_full_log:
            self._next_full_log = now + FULL_LOG_EVERY_S
            log.warning("rpc.too_many_connections", extra={"max_connections": self._settings.max_connections})

    # HTTP

    def _app(self) -> Cors:
        app = Starlette(
            routes=[
                Route("/healthz", self._healthz, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
                *(Route(path, self._post, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]) for path in ("/", "/rpc")),
                WebSocketRoute("/", self._websocket),
                WebSocketRoute("/{context_id}", self._websocket),
            ]
        )
        return Cors(app, self._check_headers, lambda request: self._problem(request) is None)

    async def _healthz(self, request: Request) -> Response:
        if (refusal := self._check_headers(request)) is not None:
            return _refuse(refusal)
        state = await web_metrics.health(self._supervisor)
        return JSONResponse(state, status_code=200 if state["status"] == "ok" else 503)

    async def _metrics(self, request: Request) -> Response:
        if (refusal := self._check_headers(request)) is not None:
            return _refuse(refusal)
        try:
            session = self._session(request)
            if session.scope < Scope.READ:
                raise session.unknown("/metrics")
        except RpcError as e:
            return _error(e)
        text = await web_metrics.metrics(self._supervisor, len(self._state.connections))
        return PlainTextResponse(text, media_type=web_metrics.CONTENT_TYPE)

    async def _post(self, request: Request) -> Response:
        if request.method != "POST":
            return PlainTextResponse(_POST_HINT, status_code=405, headers={"Allow": "POST"})
        if (refusal := self._check_headers(request)) is not None:
            return _refuse(refusal)
        try:
            session = self._session(request)
            if session.scope is Scope.NONE:
                raise session.unknown("POST")
            body = await self._body(request)
        except RpcError as e:
            return _error(e)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("the body did not come in time\n", status_code=408, headers=_CLOSE)
        if self._closing:
            return _error(wire.shutting_down())
        auth_session.enter(session)
        answer = await self._answer(request, self._dispatcher.answer(body, session.admit))
        if answer is None:
            return Response(status_code=204)
        return Response(answer, media_type="application/json")

    async def _body(self, request: Request) -> bytes:
        limit = self._settings.max_message_bytes
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise wire.too_large(limit)
        body = bytearray()
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise wire.too_large(limit)
        return bytes(body)

    async def _answer(self, request: Request, answering: Coroutine[Any, Any, bytes | None]) -> bytes | None:
        """Await an answer as long as somebody is there to read it."""
        task = asyncio.create_task(answering)
        self._answering.add(task)
        gone = asyncio.create_task(_disconnected(request))
        try:
            await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
            patience_s = LEFT_BEHIND_S
            while not task.done():
                await asyncio.wait([task], timeout=patience_s)
                # Again until it has ended: wait_for of Python 3.11 can swallow a cancellation (python/cpython#86296).
                task.cancel()
                patience_s = 1.0
            return None if task.cancelled() else task.result()
        finally:
            gone.cancel()
            self._answering.discard(task)

    # WebSocket

    async def _websocket(self, websocket: WebSocket) -> None:
        refusal = self._check_headers(websocket)
        context_id = websocket.path_params.get("context_id")
        if refusal is not None:
            await refuse_socket(websocket, 403, refusal)
        elif self._closing:
            await refuse_socket(websocket, 503, "the server is shutting down")
        elif context_id is not None and (context_id in _PATHS or not context_id.isprintable() or context_id.isspace()):
            await refuse_socket(websocket, 404, "open a WebSocket at / or at /CONTEXT_PUBLIC_KEY")
        else:
            try:
                session = self._session(websocket, context_id, lasting=True)
            except RpcError as e:
                await refuse_socket(websocket, _HTTP_STATUS[e.code], e.message)
                return
            auth_session.enter(session)
            rpc_socket = RpcSocket(websocket, session, self._dispatcher)
            self._sockets.add(rpc_socket)
            try:
                await rpc_socket.serve()
            finally:
                self._sockets.discard(rpc_socket)

    # Both

    def _check_headers(self, peer: _Peer) -> str | None:
        """Look at Host and Origin; says, and logs, what is wrong with them."""
        problem = self._problem(peer)
        if problem is None:
            return None
        self._gate.log_refusal(Session(self._gate, _address(peer)), f"{problem.key}: {problem.value!r:.200}")
        return problem.text

    def _problem(self, peer: _Peer) -> web_checks.Problem | None:
        headers = peer.headers
        return web_checks.problem_of(headers.get("host"), headers.getlist("origin"), self._hosts, self._origins)

    def _session(self, peer: _Peer, context_id: str | None = None, *, lasting: bool = False) -> Session:
        """Find out who asks.

        Raises:
            RpcError: The token that was sent is not known.
        """
        session = Session(self._gate, _address(peer), context_id, lasting=lasting)
        scheme, _, token = peer.headers.get("authorization", "").partition(" ")
        if not self._gate.open_to_all and scheme.lower() == "bearer":
            session.authenticate(token.strip())
        return session


_PATHS: Final = frozenset({"rpc", "healthz", "metrics"})


def _is_ours(record: logging.LogRecord) -> bool:
    """Drop the one fault of clients that uvicorn takes for an error: text that is not UTF-8."""
    return not (record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError))


def _address(peer: _Peer) -> str:
    return peer.client.host if peer.client is not None else ""


def _refuse(text: str) -> Response:
    return PlainTextResponse(text + "\n", status_code=403)


def _error(error: RpcError) -> Response:
    """Answer with an error that concerns the request as a whole."""
    headers = {}
    if error.code is ErrorCode.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    elif error.code is ErrorCode.TOO_MANY_ATTEMPTS:
        headers["Retry-After"] = str(int(error.data["retry_s"]) + 1)
    elif error.code is ErrorCode.SHUTTING_DOWN:
        headers.update(_CLOSE)
    status = {**_HTTP_STATUS, ErrorCode.MESSAGE_TOO_LARGE: 413, ErrorCode.SHUTTING_DOWN: 503}[error.code]
    body = wire.encode_error(None, error)
    return Response(body, status_code=status, media_type="application/json", headers=headers)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _all_done(futures: list[asyncio.Future[None]], *, timeout_s: float) -> None:
    if futures:
        await asyncio.wait(futures, timeout=timeout_s)
