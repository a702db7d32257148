"""A web server for tests: it returns what it was sent, redirects, or misbehaves, depending on the path."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


class WebSite(ThreadingHTTPServer):
    """Runs in a thread until it is closed.

    Attributes:
        port: Where it listens, at 127.0.0.1.
        closing: Ends the slow responses.
        connections: How many connections it has had.
        hold: Requests to `/hold` are answered when this many of them are there.
    """

    daemon_threads = True
    request_queue_size = 64  # many connect simultaneously; the kernel makes those wait a second that find no place

    def __init__(self, context: ssl.SSLContext | None = None, *, hold: int = 1) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port: int = self.server_address[1]
        self.closing = threading.Event()
        self.connections = 0
        self.asked: list[str] = []
        self.hold = threading.Barrier(hold)
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of broken connections."""

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebSite

    def answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        what, _, rest = self.path.lstrip("/").partition("/")
        if what.isdigit():
            self.reply(b"moved" if rest else b"", int(what), Location=unquote(rest))
        elif what == "big":
            self.reply(b"x" * int(rest))
        elif what == "cut":
            self.reply(b"abc", length=10)
            self.close_connection = True
        elif what == "drip":
            self.reply(b"", length=1_000_000)
            while not self.server.closing.wait(0.01):
                self.wfile.write(b".")
        elif what == "mute":
            self.server.closing.wait()
        elif what == "chunked":
            self.reply(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", length=-1)
        elif what == "once":
            self.reply(b"then the server closes without a word")
            self.close_connection = True
        elif what == "last":
            self.reply(b"x" * int(rest), Connection="close")
            self.close_connection = True
        elif what == "old":  # as of HTTP/1.0: the end of the connection is the end of the body
            self.protocol_version = "HTTP/1.0"
            self.reply(b"x" * int(rest), length=-2)
            self.close_connection = True
        elif what == "hold":
            self.server.hold.wait()
            self.reply(b"held")
        elif what == "latin":
            self.reply("ä".encode("latin-1"), kind="text/plain; charset=latin-1")
        else:
            said = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
            self.reply(json.dumps(said).encode(), kind="application/json")

    def reply(
        self, data: bytes, status: int = 200, *, length: int | None = None, kind: str = "text/plain", **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length == -1:
            self.send_header("Transfer-Encoding", "chunked")
        elif length != -2:
            self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Page, f"do_{_method}", _Page.answer)


def certificate(folder: Path, name: str = "IP:127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """Make a certificate that signs itself, and what a server needs to use it."""
    key, file = folder / "key.pem", folder / "cert.pem"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=here", "-addext", f"subjectAltName={name}", "-keyout", str(key), "-out", str(file)]
    subprocess.run(["openssl", *made, *subject], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context
