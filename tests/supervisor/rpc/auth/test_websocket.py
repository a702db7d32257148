"""Authentication over a WebSocket: by header, by the first message, or not at all."""

from __future__ import annotations

import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hero_supervisor.rpc.auth import scopes as auth
from hero_supervisor.rpc.protocol.wire import ErrorCode
from hero_supervisor.rpc.tcp import web_socket
from tests.eventually import GENEROUS_S
from tests.supervisor.rpc.raw_client import job, request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, ask

VERSION = request("version")


def test_the_header_authenticates_a_websocket(token_server: RunningServer) -> None:
    header = {"Authorization": f"Bearer {TOKENS['alice']}"}
    with token_server.websocket(additional_headers=header) as client:
        assert ask(client, "whoami")["result"] == {"name": "alice", "scope": "user", "by": "token", "peer": None}


def test_a_wrong_token_opens_no_websocket(token_server: RunningServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        token_server.websocket(additional_headers={"Authorization": "Bearer wrong"})

    assert refused.value.response.status_code == 401


def test_the_first_message_authenticates_a_websocket(token_server: RunningServer) -> None:
    with token_server.websocket() as client:
        before = ask(client, "version")
        wrong = ask(client, "authenticate", ["wrong"])
        unknown = ask(client, "no_such_method")
        right = ask(client, "authenticate", {"token": TOKENS["alice"]})
        after = ask(client, "version")

    assert [a["error"]["code"] for a in (before, wrong, unknown)] == [ErrorCode.UNAUTHENTICATED] * 3
    assert right["result"] == {"name": "alice", "scope": "user", "by": "token", "peer": None}
    assert after["result"]


def test_requests_may_follow_the_first_message_without_waiting_for_its_answer(token_server: RunningServer) -> None:
    with token_server.websocket() as client:
        client.send(request("authenticate", [TOKENS["alice"]]).decode())
        client.send(VERSION.decode())

        assert [bool(orjson.loads(client.recv(GENEROUS_S))["result"]) for _ in range(2)] == [True, True]


@pytest.mark.usefixtures("patient_attempts")
def test_guesses_in_a_batch_are_counted_like_single_ones(token_server: RunningServer) -> None:
    guesses = ",".join(request("authenticate", [f"guess {i}"], i).decode() for i in range(100))
    with token_server.websocket() as client:
        client.send(f"[{guesses}]")
        codes = [answer["error"]["code"] for answer in orjson.loads(client.recv(GENEROUS_S))]

    assert codes.count(ErrorCode.UNAUTHENTICATED) == auth.FREE_ATTEMPTS
    assert codes.count(ErrorCode.TOO_MANY_ATTEMPTS) == 100 - auth.FREE_ATTEMPTS


@pytest.mark.parametrize("message", ["", " " * (web_socket.MAX_UNAUTHENTICATED_BYTES + 1)])
def test_a_client_that_does_not_authenticate_is_disconnected(
    token_server: RunningServer, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    monkeypatch.setattr(web_socket, "AUTHENTICATE_WITHIN_S", 30.0 if message else 0.2)
    with token_server.websocket() as client:
        if message:
            client.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(GENEROUS_S)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_a_user_on_a_connection_with_a_context_is_bound_to_both(token_server: RunningServer) -> None:
    header = {"Authorization": f"Bearer {TOKENS['alice']}"}
    with token_server.websocket("/02beef", additional_headers=header) as client:
        ask(client, "create_job", {"id": "j1", "script": "1", "script_type": "SAL"})
        made = ask(client, "get_job", ["j1"])["result"]
        refused = ask(client, "create_job", [job(caller_id=None, context_id="02other")])

    assert (made["caller_id"], made["context_id"]) == ("alice", "02beef")
    assert refused["error"]["code"] == ErrorCode.FORBIDDEN
