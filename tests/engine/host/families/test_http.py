"""The families `http` and `net` with real servers of this machine: results, redirects, bounds, stops."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hero_engine.engine import Done, Failed, Stopped, TimedOut
from hero_engine.host.network import web
from hero_engine.rights import ScriptRights
from tests.engine.host.bench_script import ScriptBench
from tests.engine.host.network.site import WebSite, certificate
from tests.eventually import eventually


@pytest.fixture
def site() -> Iterator[WebSite]:
    site = WebSite()
    yield site
    site.close()


def bench_for(*sites: WebSite, **rights: Any) -> ScriptBench:
    return ScriptBench(ScriptRights(net=tuple(f"127.0.0.1:{site.port}" for site in sites), **rights))


def result(bench: ScriptBench, source: str) -> Any:
    outcome = bench.run(source)
    assert isinstance(outcome, Done), outcome
    return json.loads(outcome.output)


def message(bench: ScriptBench, source: str) -> str:
    outcome = bench.run(source)
    assert isinstance(outcome, Failed), outcome
    return outcome.message


def test_get_has_status_headers_body_and_json(site: WebSite) -> None:
    got = result(
        bench_for(site),
        f"let r = http_get(`http://127.0.0.1:{site.port}/a%20b/ä?c=d`); let j = r.json();"
        "[r.status, r.headers[`content-type`], r.body.len() > 0, j.method, j.path, j.headers.Host, j.headers.len()]",
    )

    assert got == [200, "application/json", True, "GET", "/a%20b/%C3%A4?c=d", f"127.0.0.1:{site.port}", 3]


@pytest.mark.parametrize("path", ["last", "old"])
def test_answer_of_a_server_that_closes_the_connection_is_read_to_its_end(site: WebSite, path: str) -> None:
    url = f"http://127.0.0.1:{site.port}/{path}/3000000"

    assert result(bench_for(site), f"[http_get(`{url}`).body.len(), http_get(`{url}`).body.len()]") == [3000000] * 2
    assert site.connections == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("method: `post`, body: `text`", ("POST", "/x", "text", None)),
        ("method: `PUT`, body: blob(2, 65)", ("PUT", "/x", "AA", None)),
        ("method: `POST`, json: #{a: [1, ()]}", ("POST", "/x", '{"a": [1, null]}', "application/json")),
        ("method: `DELETE`", ("DELETE", "/x", "", None)),
        ("query: #{a: `b c`, d: [1, 2], e: ()}", ("GET", "/x?a=b+c&d=1&d=2", "", None)),
        ("headers: #{`content-type`: `t/x`}, json: 1, method: `PATCH`", ("PATCH", "/x", "1", "t/x")),
    ],
)
def test_request_has_what_the_script_says(site: WebSite, options: str, said: tuple[Any, ...]) -> None:
    got = result(bench_for(site), f"http_request(#{{url: `http://127.0.0.1:{site.port}/x`, {options}}}).json()")

    headers = {name.lower(): value for name, value in got["headers"].items()}
    assert (got["method"], got["path"], got["body"], headers.get("content-type")) == said


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("verb: `GET`", "unknown option 'verb'"),
        ("method: `TRACE`", "unknown method 'TRACE'"),
        ("method: `GET / HTTP/1.1`", "unknown method"),
        ("timeout: 0", "timeout should be a number of seconds above 0"),
        ("body: 1", "body should be a string or a blob"),
        ("headers: 1", "headers should be a map"),
        ("headers: #{Host: `inner`}", "the header Host comes from the request itself and cannot be set"),
        ("headers: #{`Transfer-Encoding`: `chunked`}", "the header Transfer-Encoding comes from the request itself"),
        ('headers: #{a: "b\\r\\nc: d"}', "Invalid header value"),
        ("headers: #{`a b`: `c`}", "Invalid header name"),
    ],
)
def test_request_that_is_none_is_refused(site: WebSite, options: str, text: str) -> None:
    failed = message(bench_for(site), f"http_request(#{{url: `http://127.0.0.1:{site.port}/x`, {options}}})")

    assert failed.startswith("Http error: ")
    assert text in failed
    assert site.asked == []


@pytest.mark.parametrize("url", ["ftp://h/x", "file:///etc/passwd", "http://", "http://me:pw@127.0.0.1/", "nothing",
                                 "http://127.0.0.1:99999/", "http://[::1/", "http://127.0.0.1:port/"])  # fmt: skip
def test_address_must_be_http_or_https_without_a_user(site: WebSite, url: str) -> None:
    assert "is not an http or https address" in message(bench_for(site), f"http_get(`{url}`)")
    assert result(bench_for(site), f"[http_check(`{url}`), http_status(`{url}`)]") == [False, -1]


def test_nothing_is_reached_unless_it_is_allowed(site: WebSite, caplog: pytest.LogCaptureFixture) -> None:
    url = f"http://127.0.0.1:{site.port}/x"
    off = 'is not allowed here; the operator enables it with net = ["host:port"] in [actors.allow]'
    for call in (f"http_get(`{url}`)", f"http_status(`{url}`)", f"tcp_check(`127.0.0.1`, {site.port})"):
        assert off in message(ScriptBench(), call)
    elsewhere = ScriptBench(ScriptRights(net=("127.0.0.2:80", "*:*", "*.*:*")))
    assert message(elsewhere, f"http_get(`{url}`)") == (
        f"http: connecting to 127.0.0.1:{site.port} is not allowed here; "
        f'the operator enables it with net = ["127.0.0.1:{site.port}"] in [actors.allow]'
    )
    assert result(elsewhere, f"[http_check(`{url}`), http_status(`{url}`), tcp_check(`127.0.0.1`, {site.port})]") == [
        False,
        -1,
        False,
    ]
    assert caplog.text.count("net.refused") == 3
    assert site.connections == 0


@pytest.mark.parametrize(
    "spelling", ["0x7f.1", "2130706433", "017700000001", "127.1", "[::ffff:127.0.0.1]", "localhost"]
)
def test_no_spelling_of_an_address_is_a_way_around(site: WebSite, spelling: str) -> None:
    bench = ScriptBench(ScriptRights(net=("*:*", "*.1:*", "127.0.0.2:*")))

    assert "is not allowed here" in message(bench, f"http_get(`http://{spelling}:{site.port}/`)")
    assert result(bench, f"tcp_check(`{spelling}`, {site.port})") is False
    assert site.connections == 0


def test_name_is_connected_to_at_the_address_that_was_checked(site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name's answer changes after each look-up: first one that is allowed, then the site that is not."""
    answers = ["127.0.0.3", "127.0.0.1"]
    asked = []

    def answer(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[min(len(asked) - 1, 1)], port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    bench = ScriptBench(ScriptRights(net=("127.0.0.3:*", "rebind.example:*")))

    assert "the connection was refused" in message(bench, f"http_get(`http://rebind.example:{site.port}/`)")
    assert "is not allowed here" in message(bench, f"http_get(`http://rebind.example:{site.port}/`)")
    assert asked == ["rebind.example"] * 2
    assert site.connections == 0


def test_redirects_are_checked_hop_by_hop(site: WebSite) -> None:
    other = WebSite()
    try:
        here, there = f"http://127.0.0.1:{site.port}", f"http://127.0.0.1:{other.port}"
        secret = "headers: #{Authorization: `s`, Other: `o`}"
        away = f"http_request(#{{url: `{here}/302/{quote(there, safe='')}%2Fx`, {secret}}})"
        assert f"connecting to 127.0.0.1:{other.port} is not allowed here" in message(bench_for(site), away)
        assert result(bench_for(site), f"http_status(`{here}/302/{quote(there, safe='')}`)") == -1
        assert other.connections == 0
        for address in ("http:%2F%2F169.254.169.254%2Fmeta", "http:%2F%2F[::1]%2F", "http:%2F%2F0x7f.1:1%2F"):
            assert "is not allowed here" in message(bench_for(site), f"http_get(`{here}/302/{address}`)")
        assert "is not an http or https address" in message(bench_for(site), f"http_get(`{here}/302/file:%2F%2F%2Fx`)")

        headers = result(bench_for(site, other), f"{away}.json()")["headers"]
        assert "Authorization" not in headers
        assert headers["Other"] == "o"
    finally:
        other.close()


def test_redirects_end(site: WebSite) -> None:
    here = f"http://127.0.0.1:{site.port}"
    bench = bench_for(site)

    assert result(bench, f"http_get(`{here}/302//there`).json()")["path"] == "/there"
    assert result(bench, f"http_request(#{{url: `{here}/302//there`, follow: false}}).status") == 302
    assert (
        result(bench, f"http_request(#{{method: `POST`, body: `x`, url: `{here}/303//there`}}).json()")["method"]
        == "GET"
    )
    assert (
        result(bench, f"http_request(#{{method: `POST`, body: `x`, url: `{here}/307//there`}}).json()")["body"] == "x"
    )
    assert "more than 5 redirects" in message(bench, f"http_get(`{here}/{'302/' * 8}x`)")


def test_answers_of_every_kind(site: WebSite) -> None:
    here, bench = f"http://127.0.0.1:{site.port}", bench_for(site)

    assert result(bench, f"http_get(`{here}/404`).status") == 404
    assert result(bench, f"[http_get(`{here}/chunked`).body]") == ["abcde"]
    assert result(bench, f"[http_get(`{here}/latin`).body]") == ["ä"]
    assert result(bench, f"[http_check(`{here}/`), http_check(`{here}/404`), http_status(`{here}/503`)]") == [
        True, False, 503,
    ]  # fmt: skip
    assert result(bench, f"http_check(`{here}/302//there`)") is True
    assert "the answer ended after 3 bytes, 7 more were promised" in message(bench, f"http_get(`{here}/cut`)")
    assert "the body is no JSON" in message(bench, f"http_get(`{here}/latin`).json()")
    small = bench_for(site, max_file_bytes=1000)
    assert result(small, f"http_get(`{here}/big/1000`).body.len()") == 1000
    assert "the response has more than 1000 bytes" in message(small, f"http_get(`{here}/big/1001`)")


@pytest.mark.parametrize("path", ["mute", "drip"])
def test_time_of_a_request_is_bounded(site: WebSite, path: str) -> None:
    url = f"http://127.0.0.1:{site.port}/{path}"

    assert f"GET {url}: did not end within 0.2 s" in message(
        bench_for(site), f"http_request(#{{url: `{url}`, timeout: 0.2}})"
    )
    assert "longer than call_s allows (0.2 s)" in message(bench_for(site, call_s=0.2), f"http_get(`{url}`)")
    assert bench_for(site).run(f"try {{ http_get(`{url}`) }} catch {{ }}", timeout_s=0.3) == TimedOut(0.3)


@pytest.mark.parametrize("path", ["mute", "drip"])
def test_stop_ends_a_request(site: WebSite, path: str) -> None:
    bench = bench_for(site)
    run = bench.engine.new_run()
    outcomes: list[object] = []
    source = f"try {{ http_get(`http://127.0.0.1:{site.port}/{path}`) }} catch {{ }}"
    thread = threading.Thread(target=lambda: outcomes.append(bench.run(source, run=run)))
    thread.start()
    eventually(lambda: site.asked)

    run.cancel()

    thread.join()
    assert outcomes == [Stopped()]


def test_connections_are_kept_for_all_runs_and_replaced_when_the_server_closes_them(site: WebSite) -> None:
    bench = bench_for(site)
    here = f"http://127.0.0.1:{site.port}"

    for _ in range(3):
        assert result(bench, f"http_get(`{here}/a`); http_get(`{here}/chunked`); http_status(`{here}/x`)") == 200
    assert site.connections == 1
    for _ in range(3):
        assert result(bench, f"http_get(`{here}/once`).status") == 200
    # A kept connection does not widen the rights of another run.
    assert "is not allowed" in message(ScriptBench(ScriptRights(net=("127.0.0.9:*",))), f"http_get(`{here}/a`)")
    assert len(web._kept) <= 64


def test_many_lanes_send_requests_simultaneously() -> None:
    site = WebSite(hold=16)
    try:
        bench = bench_for(site)
        bodies: list[Any] = []
        threads = [
            threading.Thread(
                target=lambda: bodies.append(bench.run(f"http_get(`http://127.0.0.1:{site.port}/hold`).body"))
            )
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bodies == [Done("held")] * 16
    finally:
        site.close()


def test_files_are_downloaded_and_uploaded(site: WebSite) -> None:
    here, bench = f"http://127.0.0.1:{site.port}", bench_for(site, max_file_bytes=5000)

    assert result(
        bench,
        f"let r = http_download(`{here}/big/4000`, `in/x`);[r.status, r.body, file_size(`in/x`), find_files(`.`, `*`)]",
    ) == [200, "", 4000, ["./in/x"]]
    assert result(
        bench,
        f"file_write(`a`, `old`); let t = []; for p in [`404`, `cut`, `big/5001`] {{"
        f"try {{ http_download(`{here}/${{p}}`, `a`) }} catch (e) {{ t.push(e) }} }} t.push(file_read(`a`)); "
        "t.push(find_files(`.`, `*`)); t",
    ) == [
        f"Http error: GET {here}/404: 404 Not Found",
        f"Http error: GET {here}/cut: the answer ended after 0 bytes, 7 more were promised",
        f"Http error: GET {here}/big/5001: the response has more than 5000 bytes",
        "old",
        ["./a"],
    ]
    assert result(
        bench,
        f"file_write(`a`, `content`); let j = http_upload(`{here}/u`, `a`).json(); "
        f"let k = http_upload(`{here}/u`, `a`, #{{method: `POST`, headers: #{{`X-Y`: `z`}}}}).json(); "
        "[j.method, j.body, k.method, k.body, k.headers[`X-Y`]]",
    ) == ["PUT", "content", "POST", "content", "z"]
    assert "os: reading '/etc/passwd' is not allowed" in message(bench, f"http_upload(`{here}/u`, `/etc/passwd`)")
    assert "os: writing '/etc/x' is not allowed" in message(bench, f"http_download(`{here}/u`, `/etc/x`)")


def test_download_file_has_the_texts_of_upstream(site: WebSite) -> None:
    here, bench = f"http://127.0.0.1:{site.port}", bench_for(site)

    assert result(bench, f"[download_file(`{here}/big/4096`, `b/c`, 4), exist(`b/c`)]") == ["b/c", True]
    assert message(bench, f"download_file(`{here}/big/1024`, `c`, 4)") == (
        "Error: Downloaded file is too small (1KB < 4KB)"
    )
    assert message(bench, f"download_file(`{here}/404`, `c`, 0)").startswith(f"Error downloading url: {here}/404")
    assert message(bench, "download_file(`nothing`, `c`, 0)") == "Invalid URL: nothing"


def test_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path)
    site = WebSite(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    try:
        script = f"http_get(`https://127.0.0.1:{site.port}/a`).status"
        assert "its certificate cannot be trusted" in message(bench_for(site), script)
        trusting = bench_for(site, ca_file=str(file))
        assert result(trusting, f"{script}; {script}") == 200
        named = ScriptBench(ScriptRights(net=(f"localhost:{site.port}",), ca_file=str(file)))
        assert "its certificate cannot be trusted" in message(named, f"http_get(`https://localhost:{site.port}/a`)")
    finally:
        site.close()


def test_ports_that_are_open_and_closed(site: WebSite) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = nobody.getsockname()[1]
        bench = ScriptBench(ScriptRights(net=("127.0.0.1:*", "localhost:*", "no.such.host.invalid:*")))
        checks = [
            ("127.0.0.1", site.port), ("localhost", site.port), ("0x7f.1", site.port), ("127.0.0.1", closed),
            ("no.such.host.invalid", 80), ("127.0.0.1", 0), ("127.0.0.1", -1), ("127.0.0.1", 70000), ("", 80),
            ("a b", 80), ("127.0.0.1/8", 80), ("..", 80), ("host..name", 80), ("a" * 64, 80), ("::zz", 80),
        ]  # fmt: skip
        calls = ", ".join(f"tcp_check(`{host}`, {port})" for host, port in checks)
        assert result(bench, f"[{calls}]") == [True] * 3 + [False] * 12


def test_ping_and_ssh_throw_nothing_and_reach_only_what_is_allowed(caplog: pytest.LogCaptureFixture) -> None:
    """Whether an echo request may be sent depends on the system; whether it is sent without the right does not."""
    calls = "[tcp_ping(`127.0.0.1`), ssh_ping(`127.0.0.1`, `me`), ssh_execute(`localhost`, `me`, `true`)]"
    assert result(ScriptBench(ScriptRights(net=("*:*", "127.0.0.1:80"), run=("ssh",))), calls) == [False, False, -1]
    assert caplog.text.count("net.refused") == 3

    here = ScriptBench(ScriptRights(net=("127.0.0.1:*", "no.such.host.invalid:*")))
    assert result(here, "[tcp_ping(`no.such.host.invalid`), ssh_ping(`127.0.0.1`, `me`)]") == [False, False]
    with_ssh = ScriptBench(ScriptRights(net=("127.0.0.1:*",), run=("ssh",)))
    assert result(
        with_ssh,
        "[ssh_execute(`127.0.0.1`, `-oProxyCommand=x`, `true`), ssh_execute_output(`no.such.host`, `me`, `true`)]",
    ) == [-1, "SSH command failed"]
    assert isinstance(result(here, "tcp_ping(`127.0.0.1`)"), bool)
