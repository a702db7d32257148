"""The application behind the TCP port: what each path answers, and the checks that come before it.

``WebServer`` gives it to uvicorn. Invariant: nothing is done for a request before its Host, its Origin and, where
authentication is required, its token have been checked.

- WebSocket at ``/``, or at ``/{context_public_key}``, which binds its jobs to this context.
- POST at ``/`` and ``/rpc``: a request or a batch; an empty body if there is nothing to answer.
- GET ``/`` of a browser: the web page; its files are below ``/page/``. Open to all, because they hold no data.
- GET ``/healthz``, open to all because load balancers have no token, and ``/metrics``, which needs the scope ``read``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope
from starlette.websockets import WebSocket

from hero_config.model.settings import RpcSettings
from hero_job.model.fields.trace_context import TraceContext
from hero_supervisor.page.files import page_file, page_routes, wants_page
from hero_supervisor.rpc.auth import session as auth_session
from hero_supervisor.rpc.auth.gate import Gate
from hero_supervisor.rpc.auth.scopes import Scope
from hero_supervisor.rpc.auth.session import RpcSession
from hero_supervisor.rpc.metrics.exposition import CONTENT_TYPE
from hero_supervisor.rpc.protocol import wire
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.wire import ErrorCode, RpcError
from hero_supervisor.rpc.tcp import origin_checks
from hero_supervisor.rpc.tcp.cors import Cors
from hero_supervisor.rpc.tcp.origin_checks import host_allowed
from hero_supervisor.rpc.tcp.plain_posts import PlainPosts, response
from hero_supervisor.rpc.tcp.uvicorn_protocol import flow_of
from hero_supervisor.rpc.tcp.web_socket import RpcSocket, refuse_socket

if TYPE_CHECKING:
    from hero_supervisor.rpc.metrics.metrics_page import MetricsPage

# For the whole body: enough for the largest message, 10 MiB, at 3 Mbit/s.
BODY_S: Final = 30.0
_HTTP_STATUS: Final = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.MESSAGE_TOO_LARGE: 413,
    ErrorCode.TOO_MANY_ATTEMPTS: 429,
    ErrorCode.SHUTTING_DOWN: 503,
}
_POST_HINT: Final = (
    "POST a JSON-RPC 2.0 request to / or /rpc, or open a WebSocket at /; GET serves /healthz and /metrics\n"
)
_LENGTHS: Final = {b"content-length", b"transfer-encoding"}
_CLOSE: Final = {"Connection": "close"}
_HTTP_PATHS: Final = frozenset({"rpc", "healthz", "metrics"})

_Peer: TypeAlias = Request | WebSocket


class RpcApp:
    """The application.

    Args:
        dispatcher: Answers the messages.
        metrics: What `/metrics` and `/healthz` answer.
        settings: Hosts, origins and limits.
        gate: Knows who may do what.

    Attributes:
        asgi: What uvicorn calls.
        posts: Recognises the POSTs that `answer_plain` answers.
        sockets: The WebSockets that are being served.
        closing: New requests are refused, because the server stops.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        metrics: MetricsPage,
        settings: RpcSettings,
        gate: Gate,
    ) -> None:
        self.sockets: set[RpcSocket] = set()
        self.closing = False
        self._dispatcher = dispatcher
        self._metrics_page = metrics
        self._max_message_bytes = settings.max_message_bytes
        self._hosts = frozenset(name.lower() for name in settings.hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in settings.origins)
        self._page = settings.page
        self._gate = gate
        self.posts = PlainPosts(gate, lambda host: host_allowed(host, self._hosts), settings.max_message_bytes)
        app = Starlette(
            routes=[
                Route("/healthz", self._healthz, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
                *(page_routes(self._check_headers) if settings.page else ()),
                *(Route(path, self._post, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]) for path in ("/", "/rpc")),
                WebSocketRoute("/", self._websocket),
                WebSocketRoute("/{context_id}", self._websocket),
            ]
        )
        self.asgi = _OneLength(Cors(app, self._check_headers, lambda request: self._problem(request) is None))

    # HTTP.

    async def _healthz(self, request: Request) -> Response:
        if (refusal := self._check_headers(request)) is not None:
            return _refuse(refusal)
        state = await self._metrics_page.health()
        return JSONResponse(state, status_code=200 if state["status"] == "ok" else 503)

    async def _metrics(self, request: Request) -> Response:
        if (refusal := self._check_headers(request)) is not None:
            return _refuse(refusal)
        try:
            session = await self._session(request)
            if session.scope < Scope.READ:
                raise session.unknown("/metrics")
        except RpcError as e:
            return _error(e)
        return PlainTextResponse(await self._metrics_page.text(), media_type=CONTENT_TYPE)

    async def _post(self, request: Request) -> Response:
        if self._page and wants_page(request):
            refusal = self._check_headers(request)
            return _refuse(refusal) if refusal is not None else page_file(request)
        if request.method != "POST":
            return PlainTextResponse(_POST_HINT, status_code=405, headers={"Allow": "POST"})
        if (refusal := self._check_headers(request)) is not None:
            return _refuse(refusal)
        try:
            session = await self._session(request)
            if session.scope is Scope.NONE:
                raise session.unknown("POST")
            body = await self._body(request)
        except RpcError as e:
            return _error(e)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("the body did not arrive in time\n", status_code=408, headers=_CLOSE)
        if self.closing:
            return _error(wire.shutting_down())
        session.traceparent = TraceContext.parse(request.headers.get("traceparent", ""))
        auth_session.enter(session)
        answer = await _answer(request, self._dispatcher.answer(body, session.admit))
        # Notifications are answered as jsonrpsee and go-ethereum answer them: 200 with an empty body.
        return Response(answer or b"", media_type="application/json")

    async def answer_plain(self, message: bytes, session: RpcSession) -> bytes:
        """Answer a POST that `posts` has taken; return the whole response."""
        auth_session.enter(session)
        return response(await self._dispatcher.answer(message, session.admit))

    async def _body(self, request: Request) -> bytes:
        limit = self._max_message_bytes
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

    # WebSocket.

    async def _websocket(self, websocket: WebSocket) -> None:
        refusal = self._check_headers(websocket)
        context_id = websocket.path_params.get("context_id")
        if refusal is not None:
            await refuse_socket(websocket, 403, refusal)
        elif self.closing:
            await refuse_socket(websocket, 503, "the server is shutting down")
        elif context_id is not None and not _can_be_context(context_id):
            await refuse_socket(websocket, 404, "open a WebSocket at / or at /CONTEXT_PUBLIC_KEY")
        else:
            try:
                session = await self._session(websocket, context_id, lasting=True)
            except RpcError as e:
                await refuse_socket(websocket, _HTTP_STATUS[e.code], e.message)
                return
            auth_session.enter(session)
            rpc_socket = RpcSocket(websocket, session, self._dispatcher)
            self.sockets.add(rpc_socket)
            try:
                await rpc_socket.serve()
            finally:
                self.sockets.discard(rpc_socket)

    # Both.

    def _check_headers(self, peer: _Peer) -> str | None:
        """Check Host and Origin; return what is wrong with them, and log it."""
        problem = self._problem(peer)
        if problem is None:
            return None
        self._gate.log_refusal(RpcSession(self._gate, _address(peer)), f"{problem.key}: {problem.value!r:.200}")
        return problem.text

    def _problem(self, peer: _Peer) -> origin_checks.Problem | None:
        headers = peer.headers
        return origin_checks.problem_of(headers.get("host"), headers.getlist("origin"), self._hosts, self._origins)

    async def _session(self, peer: _Peer, context_id: str | None = None, *, lasting: bool = False) -> RpcSession:
        """Make the session of a connection or request.

        Raises:
            RpcError: The token that was sent is not known.
        """
        session = RpcSession(self._gate, _address(peer), context_id, lasting=lasting)
        scheme, _, token = peer.headers.get("authorization", "").partition(" ")
        if not self._gate.open_to_all and scheme.lower() == "bearer":
            await session.authenticate(token.strip())
        return session


class _OneLength:
    """Refuses a request that tells the length of its body twice: a proxy may have believed the other one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and {name for name, _ in scope["headers"]} >= _LENGTHS:
            text = "a request has either Content-Length or Transfer-Encoding\n"
            await PlainTextResponse(text, status_code=400, headers=_CLOSE)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _answer(request: Request, answering: Coroutine[Any, Any, bytes | None]) -> bytes | None:
    """Wait for an answer while the client is connected; after that, leave the request behind."""
    flow = flow_of(request.scope)
    task = flow.begin(answering)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await flow.leave_behind()
        return None if task.cancelled() else task.result()
    finally:
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _can_be_context(text: str) -> bool:
    return text not in _HTTP_PATHS and text.isprintable() and not text.isspace()


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
    body = wire.encode_error(None, error)
    return Response(body, status_code=_HTTP_STATUS[error.code], media_type="application/json", headers=headers)
