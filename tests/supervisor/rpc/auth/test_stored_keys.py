"""Tokens of the store: they count and cease to count while the service runs, and cost no request anything."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from websockets.exceptions import ConnectionClosed

from hero_job.operations.credentials import Credentials, StoredToken, token_hash
from hero_job.protocol.keys import Keys
from hero_supervisor.rpc.auth import session as auth_session
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.supervisor.rpc.raw_client import request
from tests.supervisor.rpc.web_server import RunningWeb, ask, curl
from tests.valkey_server import ValkeyServer

SECRET = "of the store"
HEADER = {"Authorization": f"Bearer {SECRET}"}
VERSION = request("version")
Add = Callable[..., None]


@pytest.fixture
def plain(valkey: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def add(plain: redis.Redis, namespace: str) -> Add:
    """Store a token, as `heroctl keys create` does."""

    def store(name: str = "alice", scope: str = "user", secret: str = SECRET, expires_at: str | None = None) -> None:
        token = StoredToken(
            name=name, scope=scope, sha256=token_hash(secret), created_at="2026-11-24T06:00Z", expires_at=expires_at
        )
        plain.execute_command(*Credentials(namespace).add_token(token).args)

    return store


@pytest.fixture
def revoke(plain: redis.Redis, namespace: str) -> Callable[[str], None]:
    return lambda name: plain.execute_command(*Credentials(namespace).remove_token(name).args)


@pytest.fixture
def server(valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningWeb]:
    monkeypatch.setattr(auth_session, "REFRESH_S", 0.05)
    running = RunningWeb(valkey.url, namespace, require_auth=True).start()
    yield running
    running.stop()


def status(server: RunningWeb) -> int:
    return curl(server.url(), "-H", f"Authorization: Bearer {SECRET}", body=VERSION).status


def known(server: RunningWeb) -> int:
    return len(server.server._gate.tokens._all)


def test_a_port_with_require_auth_lets_nobody_in_without_a_token(server: RunningWeb) -> None:
    assert curl(server.url(), body=VERSION).status == 401


def test_a_token_that_is_made_while_the_service_runs_counts(server: RunningWeb, add: Add) -> None:
    with server.websocket() as client:
        before = ask(client, "authenticate", [SECRET])
        add()
        eventually(lambda: known(server) == 1)
        after = ask(client, "authenticate", [SECRET])

    assert before["error"]["code"] == ErrorCode.UNAUTHENTICATED
    assert after["result"] == {"name": "alice", "scope": "user", "by": "token", "peer": None}
    assert status(server) == 200


def test_a_revoked_token_ends_its_connections_and_no_other(
    server: RunningWeb, add: Add, revoke: Callable[[str], None]
) -> None:
    add()
    add("bob", "read", "bob's")
    eventually(lambda: known(server) == 2)
    other = server.websocket(additional_headers={"Authorization": "Bearer bob's"})
    with other, server.websocket(additional_headers=HEADER) as client:
        assert ask(client, "whoami")["result"]["name"] == "alice"
        revoke("alice")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(30)

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert ask(other, "whoami")["result"]["name"] == "bob"
    assert status(server) == 401


def test_an_expired_token_is_worth_nothing_on_an_open_connection_either(server: RunningWeb, add: Add) -> None:
    end = datetime.now(UTC) + timedelta(seconds=3)
    add(expires_at=end.isoformat())
    eventually(lambda: known(server) == 1)

    with server.websocket(additional_headers=HEADER) as client, pytest.raises(ConnectionClosed) as closed:
        client.recv(30)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert time.time() >= end.timestamp() - 0.01  # it is kept to the millisecond
    assert status(server) == 401


def test_a_request_after_the_expiry_is_refused_before_anybody_looks(
    server: RunningWeb, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    eventually(lambda: known(server) == 1)
    with server.websocket(additional_headers=HEADER) as client:
        assert "result" in ask(client, "version")
        now_s = time.time
        monkeypatch.setattr(auth_session.time, "time", lambda: now_s() + 3601)
        try:
            answer: Any = ask(client, "version")
        except ConnectionClosed:  # somebody did look
            return

    assert answer["error"]["code"] == ErrorCode.UNAUTHENTICATED


def test_a_key_of_another_scope_under_the_old_name_does_not_carry_on_the_old_session(
    server: RunningWeb, add: Add, revoke: Callable[[str], None]
) -> None:
    add(scope="admin")
    eventually(lambda: known(server) == 1)
    with server.websocket(additional_headers=HEADER) as client:
        assert ask(client, "whoami")["result"]["scope"] == "admin"
        revoke("alice")
        add(scope="read")
        with pytest.raises(ConnectionClosed):
            client.recv(30)


def test_requests_with_a_token_of_the_store_ask_the_store_nothing(
    valkey: ValkeyServer, namespace: str, add: Add, plain: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_session, "REFRESH_S", 600.0)
    add()
    server = RunningWeb(valkey.url, namespace, require_auth=True).start()
    try:
        # The server is shared by all tests of this run, but no other test runs now.
        before = plain.info("commandstats")["cmdstat_hgetall"]["calls"]
        with server.websocket(additional_headers=HEADER) as client:
            answers = [ask(client, "version") for _ in range(50)]
        statuses = {status(server) for _ in range(3)}
        after = plain.info("commandstats")["cmdstat_hgetall"]["calls"]
    finally:
        server.stop()

    assert all("result" in answer for answer in answers)
    assert statuses == {200}
    assert after == before


def test_a_damaged_entry_is_logged_and_lets_nobody_in(
    server: RunningWeb, add: Add, plain: redis.Redis, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    plain.hset(Keys(namespace).tokens, "bad", "{}")
    eventually(lambda: "rpc.tokens_damaged" in caplog.text)
    add()
    eventually(lambda: known(server) == 1)

    assert status(server) == 200
    assert caplog.text.count("rpc.tokens_damaged") == 1


def test_without_any_authentication_configured_a_wrong_token_is_not_looked_at(
    valkey: ValkeyServer, namespace: str
) -> None:
    server = RunningWeb(valkey.url, namespace).start()
    try:
        assert status(server) == 200
    finally:
        server.stop()


def test_while_the_store_is_away_the_keys_that_were_read_last_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(auth_session, "REFRESH_S", 0.05)
    caplog.set_level(logging.INFO)
    store = ValkeyServer(tmp_path).start()
    token = StoredToken(name="x", scope="read", sha256=token_hash(SECRET), created_at="2026-11-24T06:00Z")
    store.command(*Credentials("away").add_token(token).args)
    server = RunningWeb(store.url, "away", require_auth=True).start()
    try:
        store.kill()
        eventually(lambda: "rpc.tokens_unread" in caplog.text)
        away = status(server)
        wrong = curl(server.url(), "-H", "Authorization: Bearer wrong", body=VERSION).status
        store.start()
        eventually(lambda: "rpc.tokens_read" in caplog.text)
        back = status(server)
    finally:
        server.stop()
        store.stop()

    assert (away, wrong, back) == (200, 401, 200)
    assert caplog.text.count("rpc.tokens_unread") == 1
