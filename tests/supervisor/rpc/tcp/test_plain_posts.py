"""POSTs that are answered without the application: which they are, and that nobody can tell the difference."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from hero_supervisor.rpc.tcp import app, uvicorn_protocol
from hero_supervisor.rpc.tcp.app import RpcApp
from hero_supervisor.rpc.tcp.plain_posts import MAX_BODY_BYTES
from tests.eventually import eventually
from tests.supervisor.rpc.foreign_actor import ForeignActor
from tests.supervisor.rpc.raw_client import job, request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, read_all, token_settings
from tests.valkey_server import ValkeyServer

StartActor = Callable[[str], ForeignActor]
VERSION = request("version")
NOTIFICATION = orjson.dumps({"jsonrpc": "2.0", "method": "version"})
# No program sends it, so a request with it is the application's.
UNUSUAL = "X-Unusual: 1"


def post(body: bytes, *headers: str, path: str = "/rpc", length: int | None = None) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", *headers, f"Content-Length: {length or len(body)}", "", "")
    return "\r\n".join(lines).encode() + body


def exchange(server: RunningServer, *parts: bytes) -> bytes:
    """Send something in several writes, and one request more, with `Connection: close`; read the answers before its."""
    with server.raw() as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.02)  # so that most are read by themselves; nothing depends on it
        connection.sendall(post(VERSION, "Connection: close"))
        return read_all(connection).rpartition(b"HTTP/1.1 ")[0]


@pytest.fixture
def without_application(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the application would answer, it fails at: then the status is 500."""
    posting = RpcApp._post

    async def fail(self: RpcApp, request_: Any) -> Any:
        if "connection" in request_.headers:
            return await posting(self, request_)
        raise RuntimeError("the application was asked")

    monkeypatch.setattr(RpcApp, "_post", fail)
    yield


@pytest.mark.parametrize(
    "body",
    [
        VERSION,
        NOTIFICATION,
        b"[" + VERSION + b"," + NOTIFICATION + b"]",
        b"[]",
        b"no JSON",
        b"",
        request("no_such_method"),
        request("get_job", ["unknown"]),
    ],
    ids=["result", "notification", "batch", "empty batch", "no JSON", "nothing", "no method", "no job"],
)
def test_the_answer_is_that_of_the_application_byte_for_byte(web_server: RunningServer, body: bytes) -> None:
    assert exchange(web_server, post(body)) == exchange(web_server, post(body, UNUSUAL))


@pytest.mark.usefixtures("without_application")
@pytest.mark.parametrize(
    "parts",
    [
        (post(VERSION),),
        (post(VERSION, path="/"),),
        (post(VERSION, "User-Agent: x", "Accept: */*", "Content-Type: application/json", "connection: Keep-Alive"),),
        (post(VERSION)[: -len(VERSION)], VERSION),
        (post(VERSION)[:-7], VERSION[-7:]),
        (post(VERSION), post(VERSION)),
        (post(VERSION), post(NOTIFICATION, "User-Agent: another"), post(VERSION)),
    ],
    ids=["rpc", "root", "usual headers", "head and body", "two writes", "twice", "different heads"],
)
def test_a_plain_post_does_not_reach_the_application(web_server: RunningServer, parts: tuple[bytes, ...]) -> None:
    answer = exchange(web_server, *parts)

    assert (answer.count(b"200 OK"), answer.count(b" 500 ")) == (b"".join(parts).count(b"POST"), 0)


@pytest.mark.usefixtures("without_application")
@pytest.mark.parametrize(
    "message",
    [
        post(VERSION, UNUSUAL),
        post(VERSION, "Origin: http://localhost"),
        post(VERSION, "Content-Type: a", "Expect:"),
        post(VERSION, "Content-Type:\ta"),
        post(VERSION, path="/rpc?a=b"),
        post(b" " * (MAX_BODY_BYTES + 1)),
        post(VERSION, "Accept : a"),
    ],
    ids=["other header", "origin", "expect", "tab", "query", "long body", "space before the colon"],
)
def test_whatever_is_unusual_is_left_to_the_application(web_server: RunningServer, message: bytes) -> None:
    with web_server.raw() as connection:
        connection.sendall(message)

        assert connection.recv(65536)[:12] in {b"HTTP/1.1 500", b"HTTP/1.1 400"}


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (post(VERSION, "Transfer-Encoding: chunked"), 400),
        (post(VERSION, "Content-Length: 1"), 400),
        (post(VERSION, "Host: localhost"), 400),
        (post(VERSION).replace(b"Host: localhost", b"Host: evil.example"), 403),
        (post(VERSION).replace(b"Host: localhost\r\n", b""), 400),
        (post(VERSION, "Origin: http://evil.example"), 403),
        (post(VERSION, length=1 << 40), 413),
    ],
    ids=["two lengths", "another length", "two hosts", "foreign host", "no host", "foreign origin", "too long"],
)
def test_what_is_refused_is_refused_as_ever(web_server: RunningServer, message: bytes, status: int) -> None:
    with web_server.raw() as connection:
        connection.sendall(message)

        assert connection.recv(65536).startswith(b"HTTP/1.1 %d " % status)


def test_requests_behind_one_that_waits_are_answered_after_it(
    web_server: RunningServer, foreign_actor: StartActor
) -> None:
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    with web_server.raw() as connection:
        connection.sendall(post(request("run_job", job(), "first")))
        actor.held.wait()
        connection.sendall(post(request("version", request_id="second")))
        connection.sendall(post(request("version", request_id="third"), UNUSUAL))
        actor.may_finish.set()
        connection.sendall(post(VERSION, "Connection: close"))
        answers = read_all(connection)

    places = [answers.index(b'"id":"%b"' % name) for name in (b"first", b"second", b"third")]
    assert places == sorted(places)
    assert b"ran 40 + 2" in answers


def test_a_body_that_comes_late_is_the_applications_to_wait_for(
    web_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_protocol, "COLLECT_S", 0.05)
    monkeypatch.setattr(app, "BODY_S", 0.3)
    with web_server.raw() as late:
        late.sendall(post(VERSION)[:-5])

        assert read_all(late).startswith(b"HTTP/1.1 408 ")


def test_a_body_in_many_writes_is_one_request(web_server: RunningServer) -> None:
    body = b" " * 500 + VERSION
    message = post(body)

    answer = exchange(web_server, *(message[at : at + 100] for at in range(0, len(message), 100)))

    assert answer.count(b'"hero-runtime"') == 1


def test_a_known_token_is_accepted_and_an_unknown_one_refused_on_the_same_connection(
    valkey: ValkeyServer, namespace: str
) -> None:
    server = RunningServer(valkey.url, namespace, tokens=token_settings()).start()
    try:
        with server.raw() as connection:
            statuses = []
            for token in (TOKENS["reader"], "unknown", TOKENS["admin"], None):
                header = (f"Authorization: Bearer {token}",) if token else ()
                connection.sendall(post(request("create_job", [job()]), *header))
                answer = b""
                while not answer.endswith(b"}"):
                    answer += connection.recv(65536)
                statuses.append((int(answer.split()[1]), b'"forbidden"' in answer, b'"result"' in answer))
    finally:
        server.stop()

    refused = (401, False, False)
    assert statuses == [(200, True, False), refused, (200, False, True), refused]


def test_a_client_that_hangs_up_during_a_request_is_forgotten(web_server: RunningServer) -> None:
    with web_server.raw() as gone:
        gone.sendall(post(request("run_job", job(script_type="V"))) + post(VERSION)[:10])
        eventually(lambda: web_server.in_flight() > 0)

    eventually(lambda: web_server.connections() == 0)
    eventually(lambda: web_server.in_flight() == 0)
