"""Which origins and host names may use the TCP port, and which paths are open to all."""

from __future__ import annotations

import logging

import pytest

from hero_supervisor.rpc.tcp.origin_checks import host_allowed, origin_allowed
from tests.supervisor.rpc.raw_client import request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import bearer, curl, status_of_upgrade
from tests.valkey_server import ValkeyServer

VERSION = request("version")


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_health_is_open_to_all_and_metrics_to_readers(token_server: RunningServer, path: str) -> None:
    assert curl(token_server.url(path)).status == (200 if path == "/healthz" else 401)
    assert curl(token_server.url(path), *bearer("reader")).status == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Origin: http://localhost:3000", 200),
        ("Origin: https://app.example.org", 200),
        ("Origin: https://evil.example", 403),
        ("Origin: null", 403),
        ("Host: hero.example.org", 200),
        ("Host: rebound.evil.example", 403),
        ("Host: 127.0.0.1:80", 200),
    ],
)
@pytest.mark.parametrize("websocket", [False, True])
def test_pages_of_other_sites_and_names_of_other_sites_are_refused(
    valkey: ValkeyServer,
    namespace: str,
    caplog: pytest.LogCaptureFixture,
    header: str,
    status: int,
    websocket: bool,
) -> None:
    server = RunningServer(
        valkey.url, namespace, origins=["https://app.example.org"], hosts=["hero.example.org"]
    ).start()
    try:
        with caplog.at_level(logging.WARNING):
            if websocket:
                seen = status_of_upgrade(server, header)
            else:
                seen = curl(server.url(), "-H", header, body=VERSION).status
    finally:
        server.stop()

    assert seen == (101 if websocket and status == 200 else status)
    assert ("rpc.refused" in caplog.text) == (status == 403)


@pytest.mark.parametrize(
    ("values", "host", "allowed"),
    [
        ([], "localhost", True),
        (["http://localhost"], "localhost:9000", True),
        (["https://127.0.0.1:8443"], "localhost", True),
        (["http://[::1]:1"], "localhost", True),
        (["http://192.0.2.7:9000"], "192.0.2.7:9000", True),
        (["http://192.0.2.7:9001"], "192.0.2.7:9000", False),
        (["http://localhost.evil.example"], "localhost", False),
        (["http://localhost@evil.example"], "localhost", False),
        (["http://localhost", "http://evil.example"], "localhost", False),
        (["file://"], "localhost", False),
        (["null"], "null", False),
        ([""], "localhost", False),
        (["HTTPS://App.Example.org"], "localhost", True),
    ],
)
def test_an_origin_is_allowed_when_it_is_of_this_machine_of_the_port_or_listed(
    values: list[str], host: str, allowed: bool
) -> None:
    assert origin_allowed(values, host, {"https://app.example.org"}) is allowed


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("Hero.example.org:1", True),
        ("example.org", False),
        ("localhost.example.org", False),
        ("user@localhost", False),
        ("localhost/x", False),
        ("localhost:x", False),
        ("[", False),
        ("", False),
        (None, False),
    ],
)
def test_a_host_is_allowed_when_it_is_an_address_localhost_or_listed(host: str | None, allowed: bool) -> None:
    assert host_allowed(host, {"hero.example.org"}) is allowed
