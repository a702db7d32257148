"""CORS: a page of an allowed origin may POST and read the answer; a page of another origin may not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.supervisor.rpc.raw_client import request
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import Answer, bearer, curl, token_settings
from tests.valkey_server import ValkeyServer

APP = "https://app.example.org"
VERSION = request("version")


@pytest.fixture
def server(valkey: ValkeyServer, namespace: str) -> Iterator[RunningServer]:
    running = RunningServer(valkey.url, namespace, tokens=token_settings(), origins=[APP]).start()
    yield running
    running.stop()


def preflight(server: RunningServer, origin: str, *options: str, path: str = "/") -> Answer:
    asked = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type")
    headers = [part for line in (f"Origin: {origin}", *asked) for part in ("-H", line)]
    return curl(server.url(path), "-X", "OPTIONS", *headers, *options)


@pytest.mark.parametrize("origin", [APP, "http://localhost:3000"])
@pytest.mark.parametrize("path", ["/", "/rpc"])
def test_a_page_of_an_allowed_origin_may_post_with_a_token(server: RunningServer, origin: str, path: str) -> None:
    answer = preflight(server, origin, path=path)

    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == origin
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert allowed >= {"authorization", "content-type"}
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example"])
def test_a_page_of_another_origin_gets_no_cors_headers(
    server: RunningServer, origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = preflight(server, origin)
    posted = curl(server.url(), "-H", f"Origin: {origin}", *bearer("admin"), body=VERSION)

    assert (asked.status, posted.status) == (403, 403)
    assert not [name for name in (*asked.headers, *posted.headers) if name.startswith("access-control")]
    assert caplog.text.count("rpc.refused") == 2


def test_an_allowed_origin_does_not_help_an_unknown_host_name(server: RunningServer) -> None:
    answer = preflight(server, APP, "-H", "Host: rebound.evil.example")

    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_may_read_answers_and_errors(server: RunningServer) -> None:
    good = curl(server.url(), "-H", f"Origin: {APP}", *bearer("reader"), body=VERSION)
    refused = curl(server.url(), "-H", f"Origin: {APP}", body=VERSION)
    health = curl(server.url("/healthz"), "-H", f"Origin: {APP}")

    assert (good.status, refused.status, health.status) == (200, 401, 200)
    assert good.json["result"]["name"] == "hero-runtime"
    assert {a.headers["access-control-allow-origin"] for a in (good, refused, health)} == {APP}
    assert {a.headers["vary"] for a in (good, refused, health)} == {"Origin"}


def test_a_program_without_an_origin_gets_no_such_headers_and_no_preflight(server: RunningServer) -> None:
    answer = curl(server.url(), *bearer("reader"), body=VERSION)
    options = curl(server.url(), "-X", "OPTIONS")

    assert answer.status == 200
    assert options.status == 405
    assert not [name for name in (*answer.headers, *options.headers) if name.startswith("access-control")]
