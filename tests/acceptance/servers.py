"""What the published scripts connect to, on this machine: a web server, a git server and a Redis server.

The scripts name public hosts. Their addresses are replaced by those of these servers before a script runs, and the
rights of the actor allow no others, so nothing leaves this machine.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.engine.heroscript_engine.builtin.test_git import Origin
from tests.engine.host.families.test_git import GitServer
from tests.valkey_server import ValkeyServer

_LICENSE = "Permission is hereby granted\n" * 100
_WEB = re.compile(r"https://(httpbin\.org|www\.google\.com|api\.github\.com|raw\.githubusercontent\.com)")
_GIT = re.compile(r"https://github\.com/")


class WebServer(ThreadingHTTPServer):
    """Answers `/status/N` with that status and everything else with a text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Page(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(_LICENSE.encode())

    def _answer(self, body: bytes) -> None:
        status = re.fullmatch(r"/status/(\d+)", self.path)
        self.send_response(int(status[1]) if status else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


class LocalServers:
    """The three servers.

    Attributes:
        web: Address of the web server, `host:port`.
        git: URL of the git server.
        redis: URL of the Redis server.
    """

    def __init__(self, web: WebServer, git: GitServer, redis: ValkeyServer) -> None:
        self.web = f"127.0.0.1:{web.server_port}"
        self.git = f"http://127.0.0.1:{git.server_port}"
        self.redis = redis.url

    def localized(self, source: str) -> str:
        """Replace the addresses of public servers in a script."""
        return _GIT.sub(f"{self.git}/", _WEB.sub(f"http://{self.web}", source))


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[LocalServers]:
    """Run the servers; the git server has the repositories that the scripts clone."""
    git = GitServer(folder / "origin")
    for team, name in (("rhaiscript", "playground"), ("octocat", "Hello-World")):
        Origin(folder / "made" / team, name).commit(README="hello")
        (folder / "origin" / team).mkdir(parents=True)
        (folder / "made" / team / "team" / f"{name}.git").rename(folder / "origin" / team / f"{name}.git")
    web = WebServer()
    redis = ValkeyServer(folder)
    try:
        redis.start()
        yield LocalServers(web, git, redis)
    finally:
        redis.stop()
        for server in (web, git):
            server.shutdown()
            server.server_close()
