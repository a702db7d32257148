"""Tokens of the store: they can be added and revoked while the service runs, and cost no request anything."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hero_job.client.store import Store
from hero_job.operations.credentials import Credentials, StoredToken, token_hash
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op
from hero_supervisor.rpc.auth import gate
from hero_supervisor.rpc.auth.scopes import FREE_ATTEMPTS
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import GENEROUS_S, eventually
from tests.keypair import KeyPair
from tests.supervisor.rpc.raw_client import request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import ask, curl
from tests.valkey_server import ValkeyServer

SECRET = "of the store"
HEADER = {"Authorization": f"Bearer {SECRET}"}
VERSION = request("version")
Add = Callable[..., None]
Revoke = Callable[[str], object]


@pytest.fixture
def add(store: Store, namespace: str) -> Add:
    """Store a token, as `heroctl keys create` does."""

    def add_token(
        name: str = "alice", scope: str = "user", secret: str = SECRET, expires_at: str | None = None
    ) -> None:
        token = StoredToken(
            name=name, scope=scope, sha256=token_hash(secret), created_at="2026-11-24T06:00Z", expires_at=expires_at
        )
        store.run(Credentials(namespace).add_token(token))

    return add_token


@pytest.fixture
def revoke(store: Store, namespace: str) -> Revoke:
    """Remove a token, as `heroctl keys revoke` does."""
    return lambda name: store.run(Credentials(namespace).remove_token(name))


@pytest.fixture
def key_server(valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    monkeypatch.setattr(gate, "REFRESH_S", 0.05)
    running = RunningServer(valkey.url, namespace, require_auth=True).start()
    yield running
    running.stop()


def status(server: RunningServer) -> int:
    return curl(server.url(), "-H", f"Authorization: Bearer {SECRET}", body=VERSION).status


def test_with_require_auth_a_request_without_a_token_is_refused(key_server: RunningServer) -> None:
    assert curl(key_server.url(), body=VERSION).status == 401


@pytest.fixture
def slow_server(valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """A server that does not read the tokens by itself while a test lasts."""
    monkeypatch.setattr(gate, "REFRESH_S", 600.0)
    running = RunningServer(valkey.url, namespace, require_auth=True).start()
    yield running
    running.stop()


def test_a_token_that_is_added_while_the_service_runs_works_immediately(slow_server: RunningServer, add: Add) -> None:
    with slow_server.websocket() as client:
        before = ask(client, "authenticate", [SECRET])
        add()
        after = ask(client, "authenticate", [SECRET])
    add("bob", "read", "bob's")
    over_http = curl(slow_server.url(), "-H", "Authorization: Bearer bob's", body=VERSION).status

    assert before["error"]["code"] == ErrorCode.UNAUTHENTICATED
    assert after["result"] == {"name": "alice", "scope": "user", "by": "token", "peer": None}
    assert (over_http, status(slow_server)) == (200, 200)


@pytest.mark.usefixtures("patient_attempts")
def test_wrong_tokens_cause_few_reads_of_the_store(slow_server: RunningServer, valkey: ValkeyServer) -> None:
    # All tests share the server, but no other test runs now.
    before = valkey.command_calls().get("hgetall", 0)
    answers = {curl(slow_server.url(), "-H", f"Authorization: Bearer {n}", body=VERSION).status for n in range(40)}
    with slow_server.websocket() as client:
        kinds = {ask(client, "authenticate", [f"wrong {n}"])["error"]["data"]["kind"] for n in range(40)}
    reads = valkey.command_calls().get("hgetall", 0) - before

    assert (answers, kinds) == ({401, 429}, {"too_many_attempts"})
    assert 1 <= reads <= 2 * FREE_ATTEMPTS


def test_a_revoked_token_ends_its_connections_and_no_other(key_server: RunningServer, add: Add, revoke: Revoke) -> None:
    add()
    add("bob", "read", "bob's")
    eventually(lambda: key_server.known_tokens() == 2)
    other = key_server.websocket(additional_headers={"Authorization": "Bearer bob's"})
    with other, key_server.websocket(additional_headers=HEADER) as client:
        assert ask(client, "whoami")["result"]["name"] == "alice"
        revoke("alice")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(GENEROUS_S)

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert ask(other, "whoami")["result"]["name"] == "bob"
    assert status(key_server) == 401


def test_a_revoked_token_does_not_end_a_connection_that_has_signed_since(
    valkey: ValkeyServer, namespace: str, add: Add, revoke: Revoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "REFRESH_S", 0.05)
    key = KeyPair(7)
    running = RunningServer(valkey.url, namespace, require_auth=True, signature_keys=[key.public]).start()
    try:
        add()
        eventually(lambda: running.known_tokens() == 1)
        with (
            running.websocket(additional_headers=HEADER) as stays,
            running.websocket(additional_headers=HEADER) as ends,
        ):
            nonce = ask(stays, "fetch_nonce", [key.public])["result"]
            assert ask(stays, "authenticate", [key.public, key.compact(nonce)])["result"] is True
            revoke("alice")
            with pytest.raises(ConnectionClosed):
                ends.recv(GENEROUS_S)

            assert ask(stays, "whoami")["result"]["name"] == key.public
    finally:
        running.stop()


def test_a_connection_whose_token_expires_is_closed(key_server: RunningServer, add: Add, revoke: Revoke) -> None:
    for life_s in (1.0, 10.0, 100.0):  # a slow machine connects only after a short one
        end = datetime.now(UTC) + timedelta(seconds=life_s)
        add(expires_at=end.isoformat())
        try:
            connected = key_server.websocket(additional_headers=HEADER)
        except InvalidStatus:
            revoke("alice")
        else:
            break

    with connected as client, pytest.raises(ConnectionClosed) as closed:
        client.recv(GENEROUS_S)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert time.time() >= end.timestamp() - 0.01  # it is kept to the millisecond
    assert status(key_server) == 401


def test_a_request_after_the_expiry_is_refused_before_the_tokens_are_read_again(
    key_server: RunningServer, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    eventually(lambda: key_server.known_tokens() == 1)
    with key_server.websocket(additional_headers=HEADER) as client:
        assert "result" in ask(client, "version")
        now_s = time.time
        monkeypatch.setattr(time, "time", lambda: now_s() + 3601)
        try:
            answer: Any = ask(client, "version")
        except ConnectionClosed:  # somebody did look
            return

    assert answer["error"]["code"] == ErrorCode.UNAUTHENTICATED


def test_a_new_key_of_the_same_name_does_not_keep_the_old_session_alive(
    key_server: RunningServer, add: Add, revoke: Revoke
) -> None:
    add(scope="admin")
    eventually(lambda: key_server.known_tokens() == 1)
    with key_server.websocket(additional_headers=HEADER) as client:
        assert ask(client, "whoami")["result"]["scope"] == "admin"
        revoke("alice")
        add(scope="read")
        with pytest.raises(ConnectionClosed):
            client.recv(GENEROUS_S)


def test_requests_with_a_token_of_the_store_cost_no_round_trip(
    valkey: ValkeyServer, namespace: str, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "REFRESH_S", 600.0)
    add()
    server = RunningServer(valkey.url, namespace, require_auth=True).start()
    try:
        # All tests share the server, but no other test runs now.
        before = valkey.command_calls()["hgetall"]
        with server.websocket(additional_headers=HEADER) as client:
            answers = [ask(client, "version") for _ in range(50)]
        statuses = {status(server) for _ in range(3)}
        after = valkey.command_calls()["hgetall"]
    finally:
        server.stop()

    assert all("result" in answer for answer in answers)
    assert statuses == {200}
    assert after == before


def test_a_damaged_token_is_logged_and_ignored(
    key_server: RunningServer, add: Add, store: Store, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.run(Op(("HSET", Keys(namespace).tokens, "bad", "{}"), int))
    eventually(lambda: "rpc.tokens_damaged" in caplog.text)
    add()
    eventually(lambda: key_server.known_tokens() == 1)

    assert status(key_server) == 200
    assert caplog.text.count("rpc.tokens_damaged") == 1


def test_without_any_authentication_a_wrong_token_is_ignored(valkey: ValkeyServer, namespace: str) -> None:
    server = RunningServer(valkey.url, namespace).start()
    try:
        assert status(server) == 200
    finally:
        server.stop()


def test_while_the_store_is_unreachable_the_known_keys_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gate, "REFRESH_S", 0.05)
    caplog.set_level(logging.INFO)
    valkey = ValkeyServer(tmp_path).start()
    token = StoredToken(name="x", scope="read", sha256=token_hash(SECRET), created_at="2026-11-24T06:00Z")
    with Store(valkey.url) as store:
        store.run(Credentials("away").add_token(token))
    server = RunningServer(valkey.url, "away", require_auth=True).start()
    try:
        valkey.kill()
        eventually(lambda: "rpc.tokens_unread" in caplog.text)
        away = status(server)
        wrong = curl(server.url(), "-H", "Authorization: Bearer wrong", body=VERSION).status
        valkey.start()
        eventually(lambda: "rpc.tokens_read" in caplog.text)
        back = status(server)
    finally:
        server.stop()
        valkey.stop()

    assert (away, wrong, back) == (200, 401, 200)
    assert caplog.text.count("rpc.tokens_unread") == 1
