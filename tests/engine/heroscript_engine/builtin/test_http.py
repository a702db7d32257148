"""`http.*` with a real server on this machine: allowed hosts, redirects, and limits on size and time."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hero_engine.engine import Done, Failed
from hero_engine.heroscript_engine.builtin.http import MAX_BODY_BYTES
from hero_engine.host.allowed import host_allowed
from tests.engine.heroscript_engine.conftest import Bench, MakeBench

LAST = "!!play.output result:last\n"


class SiteServer(ThreadingHTTPServer):
    """The server; `closing` ends the slow responses."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), Site)


class Site(BaseHTTPRequestHandler):
    """Returns the request, redirects, or misbehaves, depending on the path."""

    protocol_version = "HTTP/1.1"
    server: SiteServer

    def answer(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size).decode()
        what, _, rest = self.path.lstrip("/").partition("/")
        if what.isdigit():
            self.send_response(int(what))
            if rest:
                self.send_header("Location", rest)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif what == "big":
            self.reply(b"x" * (MAX_BODY_BYTES + 1))
        elif what == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"abc")
            self.close_connection = True
        elif what == "slow":
            # One byte at a time, so that no single read takes long.
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not self.server.closing.wait(0.02):
                try:
                    self.wfile.write(b".")
                except OSError:
                    return
        else:
            said = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
            self.reply(json.dumps(said).encode())

    def reply(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            if self.command != "HEAD":
                self.wfile.write(data)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
    setattr(Site, f"do_{_method}", Site.answer)


def serve(context: ssl.SSLContext | None = None) -> tuple[int, Callable[[], None]]:
    server = SiteServer()
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def stop() -> None:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_address[1], stop


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port, stop = serve()
    yield port
    stop()


@pytest.fixture
def allowing(make_bench: MakeBench, port: int) -> Bench:
    return make_bench(http=(f"127.0.0.1:{port}",))


def result(bench: Bench, script: str, **options: Any) -> Any:
    outcome = bench.run(LAST + script, **options)
    assert isinstance(outcome, Done), outcome
    return json.loads(outcome.output)


def message(bench: Bench, script: str, **options: Any) -> str:
    outcome = bench.run(script, **options)
    assert isinstance(outcome, Failed), outcome
    return outcome.message


def test_no_host_is_allowed_unless_the_operator_names_it(bench: Bench, port: int) -> None:
    assert f"127.0.0.1:{port} is not allowed here; HERO_ALLOW_HTTP allows: nothing" in message(
        bench, f"!!http.get url:'http://127.0.0.1:{port}/'"
    )


def test_get_returns_status_headers_and_body(allowing: Bench, port: int) -> None:
    got = result(allowing, f"!!http.get url:'http://127.0.0.1:{port}/a?b=c' headers:'{{\"X-Token\":\"t\"}}'")

    said = json.loads(got["body"])
    assert (got["status"], got["headers"]["content-type"]) == (200, "application/json; charset=utf-8")
    assert (said["method"], said["path"], said["headers"]["X-Token"]) == ("GET", "/a?b=c", "t")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_text_is_sent_with_the_method_of_the_action(allowing: Bench, port: int, method: str) -> None:
    script = f"!!http.{method} url:'http://127.0.0.1:{port}/a' body:'{{\"a\":\"ä\"}}' content_type:application/json"

    said = json.loads(result(allowing, script)["body"])

    assert (said["method"], said["body"]) == (method.upper(), '{"a":"ä"}')
    assert said["headers"]["Content-Type"] == "application/json"


def test_head_has_no_body(allowing: Bench, port: int) -> None:
    got = result(allowing, f"!!http.head url:'http://127.0.0.1:{port}/a'")

    assert (got["status"], got["body"]) == (200, "")


def test_error_status_is_an_error_unless_the_script_accepts_it(allowing: Bench, port: int) -> None:
    assert "404 Not Found" in message(allowing, f"!!http.get url:'http://127.0.0.1:{port}/404'")
    assert result(allowing, f"!!http.get url:'http://127.0.0.1:{port}/404' raise_error:false")["status"] == 404


def test_redirect_to_an_allowed_host_is_followed(allowing: Bench, port: int) -> None:
    got = result(allowing, f"!!http.post url:'http://127.0.0.1:{port}/303//there' body:x")
    said = json.loads(got["body"])
    kept = json.loads(result(allowing, f"!!http.post url:'http://127.0.0.1:{port}/307//there' body:x")["body"])
    unfollowed = result(allowing, f"!!http.get url:'http://127.0.0.1:{port}/302//there' redirects:false")

    assert (said["method"], said["path"], said["body"]) == ("GET", "/there", "")
    assert (kept["method"], kept["body"]) == ("POST", "x")
    assert (unfollowed["status"], unfollowed["headers"]["location"]) == (302, "/there")


def test_redirect_to_another_host_is_refused(make_bench: MakeBench, allowing: Bench, port: int) -> None:
    other, stop = serve()
    try:
        away = f"!!http.get url:'http://127.0.0.1:{port}/302/http://127.0.0.1:{other}/x'"
        secret = f'{away} headers:\'{{"Authorization":"secret","X-Other":"y"}}\''
        assert f"127.0.0.1:{other} is not allowed here" in message(allowing, away)
        assert "is not an http or https address" in message(
            allowing, f"!!http.get url:'http://127.0.0.1:{port}/302/file:///x'"
        )
        both = make_bench(http=("127.0.0.1:*",))
        headers = json.loads(result(both, secret)["body"])["headers"]
    finally:
        stop()

    assert headers["X-Other"] == "y"
    assert "Authorization" not in headers


def test_endless_redirects_are_an_error(allowing: Bench, port: int) -> None:
    assert "more than 5 redirects" in message(
        allowing, f"!!http.get url:'http://127.0.0.1:{port}/302/302/302/302/302/302/302/302'"
    )


def test_response_that_is_too_long_or_too_slow_is_an_error(allowing: Bench, port: int) -> None:
    assert f"has more than {MAX_BODY_BYTES} bytes" in message(allowing, f"!!http.get url:'http://127.0.0.1:{port}/big'")
    slow = f"!!http.get url:'http://127.0.0.1:{port}/slow' timeout:0.3"
    assert "did not end within 0.3 s" in message(allowing, slow)


def test_incomplete_or_missing_response_is_an_error(make_bench: MakeBench, allowing: Bench, port: int) -> None:
    assert "the answer ended after 3 bytes, 7 more were promised" in message(
        allowing, f"!!http.get url:'http://127.0.0.1:{port}/cut'"
    )
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        assert "the connection was refused" in message(make_bench(http=("127.0.0.1:*",)), f"!!http.get url:'{url}'")


@pytest.mark.parametrize("url", ["ftp://h/x", "file:///etc/passwd", "http://", "http://me:pw@127.0.0.1/", "nothing"])
def test_address_must_be_http_or_https_without_a_user(make_bench: MakeBench, url: str) -> None:
    assert "is not an http or https address" in message(make_bench(http=("*:*",)), f"!!http.get url:'{url}'")


def test_host_header_cannot_be_set(allowing: Bench, port: int) -> None:
    assert "header Host" in message(
        allowing, f"!!http.get url:'http://127.0.0.1:{port}/' headers:'{{\"Host\":\"inner\"}}'"
    )


def test_proxy_from_the_environment_is_ignored(allowing: Bench, port: int) -> None:
    env = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}

    assert result(allowing, f"!!http.get url:'http://127.0.0.1:{port}/'", ENV=env)["status"] == 200


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_certificate_is_verified_regardless_of_the_jobs_environment(make_bench: MakeBench, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *made, *subject, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    port, stop = serve(context)
    script = f"!!http.get url:'https://127.0.0.1:{port}/'"
    keys = tmp_path / "keys"
    env = {"SSL_CERT_FILE": str(certificate), "SSLKEYLOGFILE": str(keys)}
    try:
        refused = message(make_bench(http=(f"127.0.0.1:{port}",)), script, ENV=env)
        trusting = make_bench(http=(f"127.0.0.1:{port}",), http_ca_file=str(certificate))
        status = result(trusting, script, ENV=env)["status"]
    finally:
        stop()

    assert "its certificate cannot be trusted" in refused
    assert status == 200
    assert not keys.exists()


@pytest.mark.parametrize(
    ("items", "host", "port", "allowed"),
    [
        (("example.com",), "example.com", 443, True),
        (("example.com",), "example.com", 8443, False),
        (("example.com:8443",), "example.com", 8443, True),
        (("example.com:*",), "example.com", 1, True),
        (("*.example.com",), "a.example.com", 443, True),
        (("*.example.com",), "example.com", 443, False),
        (("EXAMPLE.com",), "example.com", 443, True),
        (("[::1]:80",), "::1", 80, True),
        (("[::1]",), "::1", 443, True),
        (("example.com",), "example.com.evil.org", 443, False),
        ((), "example.com", 443, False),
    ],
)
def test_host_is_checked_by_name_and_port(items: tuple[str, ...], host: str, port: int, allowed: bool) -> None:
    assert host_allowed(items, host, port, 443) is allowed
