"""`heroctl keys`: what is printed, what is stored, and which clients a running port accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from hero_job.operations.credentials import Credentials, StoredToken, token_hash
from tests.ctl.conftest import Heroctl
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.supervisor.rpc.raw_client import request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import ask, curl

VERSION = request("version")


@pytest.fixture
def web(deployment: Deployment) -> Iterator[RunningServer]:
    """A port on the deployment's store that accepts only keys of that store."""
    server = RunningServer(deployment.url, "hero", require_auth=True).start()
    yield server
    server.stop()


def status(web: RunningServer, token: str) -> int:
    return curl(web.url(), "-H", f"Authorization: Bearer {token}", body=VERSION).status


def test_key_works_from_its_creation_to_its_revocation_without_a_restart(heroctl: Heroctl, web: RunningServer) -> None:
    made = heroctl("keys", "create", "alice", "--scope", "user")
    token = made.stdout.strip()
    # Do not try the key itself before the port knows it: that would count as a wrong attempt.
    eventually(lambda: web.known_tokens() == 1, what="the port knows the key")

    assert made.returncode == 0
    assert (made.stdout.count("\n"), len(token) > 40) == (1, True)
    assert status(web, token) == 200
    with web.websocket(additional_headers={"Authorization": f"Bearer {token}"}) as client:
        assert ask(client, "whoami")["result"] == {"name": "alice", "scope": "user", "by": "token", "peer": None}
        assert heroctl("keys", "revoke", "alice").returncode == 0
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(150)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert status(web, token) == 401


def test_token_is_printed_once_and_not_listed(heroctl: Heroctl, deployment: Deployment) -> None:
    made = heroctl("keys", "create", "lister", "--scope", "read", "--expires", "30d")
    again = heroctl("keys", "create", "lister", "--scope", "admin")
    table, listed = heroctl("keys", "list"), heroctl("keys", "list", "--json")
    heroctl("keys", "revoke", "lister")
    token = made.stdout.strip()
    (shown,) = [key for key in json.loads(listed.stdout) if key["name"] == "lister"]

    assert shown.keys() == {"name", "scope", "created_at", "expires_at"}
    assert (shown["scope"], shown["created_at"] < shown["expires_at"]) == ("read", True)
    assert "lister" in table.stdout
    assert token not in table.stdout + listed.stdout
    assert token_hash(token) not in table.stdout + listed.stdout
    assert (again.returncode, again.stdout) == (1, "")
    assert "heroctl keys revoke lister" in again.stderr


def test_store_has_the_hash_of_a_token_and_not_the_token(heroctl: Heroctl, deployment: Deployment) -> None:
    token = heroctl("keys", "create", "hashed", "--scope", "read").stdout.strip()
    with deployment.supervisor() as supervisor:
        (stored,) = [t for t in supervisor.store.run(Credentials().tokens()).tokens if t.name == "hashed"]
    heroctl("keys", "revoke", "hashed")

    assert stored.sha256 == token_hash(token)
    assert token not in repr(stored)


def test_expired_key_is_listed_as_expired_until_it_is_revoked(heroctl: Heroctl, deployment: Deployment) -> None:
    old = StoredToken(
        name="old", scope="read", sha256="0" * 64, created_at="2020-01-01T00:00Z", expires_at="2020-02-01T00:00Z"
    )
    with deployment.supervisor() as supervisor:
        assert supervisor.store.run(Credentials().add_token(old))
    before = heroctl("keys", "list").stdout
    revoked = heroctl("keys", "revoke", "old")

    assert "(expired)" in before
    assert revoked.returncode == 0
    assert "old" not in heroctl("keys", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["create", "x"], 2, "--scope"),
        (["create", "x", "--scope", "god"], 2, "'god'"),
        (["create", "two words", "--scope", "read"], 2, "'name'"),
        (["create", "x", "--scope", "read", "--expires", "soon"], 2, "not a time span"),
        (["revoke", "nobody"], 1, "no key named 'nobody'"),
    ],
)
def test_wrong_usage_says_what_is_wrong(heroctl: Heroctl, arguments: list[str], code: int, says: str) -> None:
    done = heroctl("keys", *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
