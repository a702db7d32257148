"""Who may use the Unix socket: everybody who can open it, known users of this host, or holders of tokens."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from hero_job.client.store import Store
from hero_job.operations.credentials import Credentials, StoredToken, token_hash
from hero_supervisor.rpc.auth import gate
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.eventually import eventually
from tests.keypair import KeyPair
from tests.supervisor.rpc.raw_client import RawClient, job, request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, token_settings
from tests.valkey_server import ValkeyServer

ALICE = KeyPair(7)
ME = pwd.getpwuid(os.getuid()).pw_name
Serve = Callable[..., RunningServer]


@pytest.fixture
def serve(valkey: ValkeyServer, namespace: str, socket_path: Path) -> Iterator[Serve]:
    servers: list[RunningServer] = []

    def start(path: Path = socket_path, **settings: Any) -> RunningServer:
        servers.append(RunningServer(valkey.url, namespace, path, **settings).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def test_by_default_every_connection_is_an_administrator_and_the_log_has_its_user_and_process(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), RawClient(serve().path) as client:
        identity = client.call("whoami")

    facts = {"uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid()}
    (record,) = [r for r in caplog.records if r.message == "rpc.connected"]
    assert identity == {"name": None, "scope": "admin", "by": None, "peer": facts}
    assert facts.items() <= record.__dict__.items()


def test_the_user_of_the_service_is_an_administrator(serve: Serve) -> None:
    with RawClient(serve(unix_auth="peer").path) as client:
        identity = client.call("whoami")

    assert (identity["scope"], identity["by"], identity["name"]) == ("admin", "peer", f"uid:{os.getuid()}")


@pytest.mark.parametrize("user", [ME, str(os.getuid())])
def test_a_listed_user_has_the_name_and_scope_of_the_configuration(serve: Serve, user: str) -> None:
    peers = [{"user": user, "scope": "user", "name": "alice"}]
    with RawClient(serve(unix_auth="peer", unix_peers=peers).path) as client:
        identity = client.call("whoami")
        client.call("create_job", job(id="j1", caller_id=None))
        made = client.call("get_job", ["j1"])
        other = client.fail("create_job", [job(caller_id="bob")])
        more = client.fail("clear_all_jobs")

    assert (identity["name"], identity["scope"]) == ("alice", "user")
    assert made["caller_id"] == "alice"
    assert {other["code"], more["code"]} == {ErrorCode.FORBIDDEN}


def test_unix_peers_are_ignored_unless_they_authenticate(serve: Serve) -> None:
    with RawClient(serve(unix_peers=[{"user": ME, "scope": "read"}]).path) as client:
        assert client.call("whoami")["scope"] == "admin"


def test_a_user_that_does_not_exist_is_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    serve(unix_auth="peer", unix_peers=[{"user": "nobody-of-this-name", "scope": "admin"}])

    assert "rpc.unknown_user" in caplog.text


_OTHER_USER = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
for line in sys.stdin.buffer:
    client.sendall(line)
    sys.stdout.buffer.write(client.makefile("rb").readline())
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_must_authenticate_and_may_use_a_token(serve: Serve) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # tmp_path is closed to others
    try:
        folder.chmod(0o755)
        server = serve(folder / "hero.ipc", unix_mode="0666", unix_auth="peer", tokens=token_settings())
        lines = [request("version"), request("authenticate", [TOKENS["alice"]]), request("whoami")]
        done = subprocess.run(
            [sys.executable, "-c", _OTHER_USER, server.path],
            input=b"\n".join(lines) + b"\n",
            capture_output=True,
            check=True,
        )
    finally:
        shutil.rmtree(folder)
    answers = [orjson.loads(line) for line in done.stdout.splitlines()]

    assert answers[0]["error"]["code"] == ErrorCode.UNAUTHENTICATED
    assert answers[2]["result"]["name"] == "alice"
    assert answers[2]["result"]["peer"]["uid"] == 65534


def test_with_unix_auth_token_a_connection_may_do_nothing_before_it_has_authenticated(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with RawClient(serve(unix_auth="token", tokens=token_settings()).path) as client:
        refused = [client.fail(method)["code"] for method in ("version", "whoami", "no_such_method")]
        wrong = client.fail("authenticate", ["wrong"])
        identity = client.call("authenticate", [TOKENS["reader"]])
        read = client.call("version")
        more = client.fail("play", ["1"])

    assert set(refused) == {ErrorCode.UNAUTHENTICATED}
    assert wrong["code"] == ErrorCode.UNAUTHENTICATED
    assert (identity["name"], identity["scope"], identity["peer"]["uid"]) == ("reader", "read", os.getuid())
    assert read
    assert more["code"] == ErrorCode.FORBIDDEN
    assert TOKENS["reader"] not in caplog.text


def test_requests_may_follow_the_first_message_in_the_same_packet(serve: Serve) -> None:
    lines = [request("authenticate", [TOKENS["alice"]], 1), request("version", None, 2), request("whoami", None, 3)]
    with RawClient(serve(unix_auth="token", tokens=token_settings()).path) as client:
        client.send(b"".join(lines))
        answers = {answer["id"]: answer for answer in (client.read() for _ in lines)}

    assert answers[2]["result"]
    assert answers[3]["result"]["name"] == "alice"


def test_a_signature_opens_the_unix_socket(serve: Serve) -> None:
    with RawClient(serve(unix_auth="token", signature_keys=[ALICE.public]).path) as client:
        nonce = client.call("fetch_nonce", [ALICE.public])
        client.send(request("authenticate", [ALICE.public, ALICE.der(nonce)], "a") + request("whoami", None, "b"))
        answers = [client.read(), client.read()]

    assert [answer["id"] for answer in answers] == ["a", "b"]
    assert answers[0]["result"] is True
    assert (answers[1]["result"]["name"], answers[1]["result"]["by"]) == (ALICE.public, "signature")


def test_a_connection_whose_token_is_revoked_is_closed(
    serve: Serve, store: Store, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "REFRESH_S", 0.05)
    credentials = Credentials(namespace)
    token = StoredToken(name="x", scope="read", sha256=token_hash("secret"), created_at="2026-11-24T06:00Z")
    server = serve(unix_auth="token")
    with RawClient(server.path) as client:
        store.run(credentials.add_token(token))
        eventually(lambda: server.known_tokens() == 1)
        assert client.call("authenticate", ["secret"])["name"] == "x"
        store.run(credentials.remove_token("x"))

        assert client.read_line() == b""
