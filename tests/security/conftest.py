"""Clients of a server for two users who do not know each other, and for an administrator, over each transport."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.rpc.conftest import connected
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, token_settings
from tests.supervisor.rpc.transports import TRANSPORTS, Client
from tests.valkey_server import ValkeyServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """Connections to one server.

    Attributes:
        alice: Of a user, the victim.
        bob: Of another user, the attacker.
        admin: Of an administrator.
    """

    alice: Client
    bob: Client
    admin: Client


Serve = Callable[..., Tenants]


@pytest.fixture(params=TRANSPORTS)
def serve(request: pytest.FixtureRequest, valkey: ValkeyServer, namespace: str, tmp_path: Path) -> Iterator[Serve]:
    """Start a server of each transport with settings of `[rpc]`, and connect to it as everybody."""
    path = tmp_path / "s" / "hero.ipc"
    with contextlib.ExitStack() as stack:

        def start(**settings: Any) -> Tenants:
            over = path if request.param == "unix" else None
            peers: dict[str, Any] = {"unix_auth": "token"} if over else {}
            server = RunningServer(valkey.url, namespace, over, tokens=token_settings(), **peers, **settings).start()
            stack.callback(server.stop)

            def client(name: str) -> Client:
                made = stack.enter_context(connected(request.param, path, server.port, TOKENS[name]))
                if over:
                    made.call("authenticate", [TOKENS[name]])
                return made

            return Tenants(alice=client("alice"), bob=client("bob"), admin=client("admin"))

        yield start


@pytest.fixture
def tenants(serve: Serve) -> Tenants:
    """Connections to a server without further settings."""
    return serve()
