"""The files of the web page: which are served to whom, with which headers, and how large they are."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hero_supervisor.page.files
from tests.supervisor.rpc.running_server import RunningServer
from tests.valkey_server import ValkeyServer

FOLDER = Path(hero_supervisor.page.files.__file__).parent / "files"
CLIENT = Path(__file__).parents[3] / "clients/typescript"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
#: SHA-256 of the vendored files: those of the package lit-html 3.3.3.
VENDORED = {
    "LICENSE": "2b66f9390afde29edfe4314daff93f01fb182e1178053e228120178987e5db75",
    "lit-html.js": "b878e7f95dec8a9b6e9b217faca6b6a11bad82ebc44c0caa77419ed83edd81f2",
}


@pytest.fixture
def server(valkey: ValkeyServer, namespace: str) -> Iterator[RunningServer]:
    server = RunningServer(valkey.url, namespace).start()
    yield server
    server.stop()


def get(
    server: RunningServer, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)) as connection:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def test_browser_gets_the_page_and_a_program_the_hint(server: RunningServer) -> None:
    status, headers, body = get(server, "/", BROWSER)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert re.search(rb'src="page/[0-9a-f]{16}/main.js"', body)

    assert get(server, "/", {"Accept": "*/*"})[0] == 405
    assert get(server, "/", BROWSER, "PUT")[0] == 405


def imported_by(module: str, seen: set[str]) -> set[str]:
    """Add the modules that a module imports, and those that these import, as paths below the folder of the files."""
    for name in re.findall(r"^import .* from '(.+)';$", (FOLDER / module).read_text(), re.MULTILINE):
        path = (FOLDER / module).parent.joinpath(name).resolve().relative_to(FOLDER).as_posix()
        if path not in seen:
            seen.add(path)
            imported_by(path, seen)
    return seen


def test_browser_is_told_of_every_module_before_it_has_read_the_first_one() -> None:
    named = re.findall(r'rel="modulepreload" href="page/(.+)">', (FOLDER / "index.html").read_text())

    assert named == sorted(imported_by("main.js", set()))


def test_every_file_has_strict_headers_and_a_tag(server: RunningServer) -> None:
    for path in sorted(p for p in FOLDER.rglob("*") if p.suffix in {".js", ".css", ".svg"}):
        address = f"/page/{path.relative_to(FOLDER).as_posix()}"
        status, headers, body = get(server, address)
        assert (status, body) == (200, path.read_bytes()), address
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-cache"
        assert get(server, address, {"If-None-Match": headers["etag"]})[0] == 304
        status, packed, body = get(server, address, {"Accept-Encoding": "gzip, br"})
        assert (status, packed["content-encoding"], gzip.decompress(body)) == (200, "gzip", path.read_bytes()), address
        assert packed["vary"] == "Accept-Encoding"
        assert packed["etag"] != headers["etag"]
        assert get(server, address, {"Accept-Encoding": "gzip", "If-None-Match": packed["etag"]})[0] == 304
        assert get(server, address, {"If-None-Match": packed["etag"]})[0] == 200


def test_browser_keeps_what_the_page_names_until_there_is_another_version(server: RunningServer) -> None:
    _, headers, body = get(server, "/", BROWSER)
    assert headers["cache-control"] == "no-cache"
    named = re.findall(r'(?:src|href)="(page/[^"]+)"', body.decode())
    assert len(named) > 10
    for name in named:
        status, headers, _ = get(server, f"/{name}")
        assert (status, headers["cache-control"]) == (200, "public, max-age=31536000, immutable"), name

    # A page from before an update of the service asks with the old version.
    status, headers, body = get(server, "/page/0123456789abcdef/main.js")
    assert (status, headers["cache-control"], body) == (200, "no-cache", (FOLDER / "main.js").read_bytes())


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/../files.py",
        "/page/..%2ffiles.py",
        "/page//etc/passwd",
        "/page/vendor",
        "/page/files.py",
        "/page/%00",
    ],
)
def test_nothing_else_is_served(server: RunningServer, path: str) -> None:
    assert get(server, path)[0] == 404


def test_foreign_host_gets_nothing(server: RunningServer) -> None:
    for path in ("/", "/page/main.js"):
        assert get(server, path, {**BROWSER, "Host": "attacker.example"})[0] == 403


def test_page_can_be_switched_off(valkey: ValkeyServer, namespace: str) -> None:
    server = RunningServer(valkey.url, namespace, page=False).start()
    try:
        assert get(server, "/", BROWSER)[0] == 405
        assert get(server, "/page/main.js")[0] == 404
    finally:
        server.stop()


def test_all_files_together_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 200_000


def test_markup_has_no_inline_script_or_style() -> None:
    index = (FOLDER / "index.html").read_text()
    assert "style=" not in index
    assert "<style" not in index
    assert index.count("<script") == index.count('<script type="module" src="') == 1
    for path in FOLDER.rglob("*.js"):
        if "vendor" not in path.parts:
            source = path.read_text()
            assert not [
                word for word in ("innerHTML", "unsafeHTML", "eval(", "style=", "document.write") if word in source
            ], path


def test_the_page_uses_the_client_as_it_is_published() -> None:
    """If not: `python -m hero_supervisor.rpc.emit.typescript clients/typescript`."""
    published = sorted(CLIENT.glob("*.js"))

    assert [path.name for path in published] == sorted(path.name for path in (FOLDER / "client").iterdir())
    for path in published:
        assert (FOLDER / "client" / path.name).read_bytes() == path.read_bytes(), path


def test_only_the_client_opens_a_connection() -> None:
    modules = [path for path in FOLDER.rglob("*.js") if "client" not in path.relative_to(FOLDER).parts]

    assert [path.name for path in modules if "WebSocket" in path.read_text() or "fetch(" in path.read_text()] == []


def test_vendored_files_are_unchanged() -> None:
    for name, expected in VENDORED.items():
        assert hashlib.sha256((FOLDER / "vendor" / "lit-html" / name).read_bytes()).hexdigest() == expected, name
