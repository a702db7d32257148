"""Calls a supervisor by JSON-RPC over a Unix socket, HTTP or WebSocket, with the rights of a token.

`--server` or a profile names it. Invariant: the token goes into a header or a message, never into a command line or an
error.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

_CONNECT_S: Final = 10.0
#: Options for TLS, and the names of the same files in a profile.
TLS_FILES: Final = ("ca_file", "cert_file", "key_file")
_NO_CERTIFICATE: Final = (
    "if it asks for a client certificate, give --cert-file and --key-file, or name them in the profile"
)
_SCHEMES: Final = ("unix", "http", "https", "ws", "wss")


class ServerUnusable(Exception):
    """The server is not named in a usable way, or gives no answer; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteServer:
    """A supervisor that is asked by JSON-RPC.

    Attributes:
        url: `unix:///path`, `https://host:port`, `wss://host:port`, or the same without TLS.
        token: Bearer token; "" for none.
        tls_files: Files for TLS by name: `ca_file` (trusted instead of the authorities of the system), `cert_file` and
            `key_file` (of this client).
        origin: What named it, for messages.
    """

    url: str
    token: str = ""
    tls_files: Mapping[str, str] = field(default_factory=dict)
    origin: str = "--server"

    def call(self, method: str, params: Any, wait_s: float | None = None) -> dict[str, Any]:
        """Make one call.

        Args:
            method: Name of the method.
            params: Parameters, by name or by position.
            wait_s: Longest wait in seconds; None for no limit.

        Returns:
            The answer, with "result" or "error".

        Raises:
            ServerUnusable: No connection, no answer in time, or none that can be read.
        """
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        scheme = urlsplit(self.url).scheme
        try:
            answer = self._by_websocket(request, wait_s) if scheme in ("ws", "wss") else self._by_http(request, wait_s)
        except TimeoutError as e:
            raise ServerUnusable(f"no answer from {self.url} in time; the server may still carry out the call") from e
        except ssl.SSLError as e:
            raise ServerUnusable(f"{self.url}: TLS: {_tls_problem(e)}") from e
        except (OSError, http.client.HTTPException) as e:
            raise ServerUnusable(f"{self.url} ({self.origin}) cannot be reached: {e}{self._certificate_hint(e)}") from e
        try:
            parsed = json.loads(answer)
        except ValueError as e:
            raise ServerUnusable(
                f"{self.url} does not answer in JSON-RPC: {answer[:80].decode(errors='replace')}"
            ) from e
        if not isinstance(parsed, dict) or not ("result" in parsed or "error" in parsed):
            raise ServerUnusable(f"{self.url} does not answer in JSON-RPC: is it the port of another program?")
        return parsed

    def _by_http(self, request: bytes, wait_s: float | None) -> bytes:
        parts = urlsplit(self.url)
        connection: http.client.HTTPConnection
        if parts.scheme == "unix":
            connection = _UnixConnection(unquote(parts.path), wait_s)
        elif parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=wait_s, context=self._tls()
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=wait_s)
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request("POST", "/rpc", request, headers)
            return connection.getresponse().read()
        finally:
            connection.close()

    def _by_websocket(self, request: bytes, wait_s: float | None) -> bytes:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        context = self._tls() if self.url.startswith("wss:") else None
        try:
            with connect(self.url, ssl=context, open_timeout=_CONNECT_S, max_size=None) as opened:
                if self.token:
                    hello = {"jsonrpc": "2.0", "id": 0, "method": "authenticate", "params": {"token": self.token}}
                    opened.send(json.dumps(hello))
                    answer = opened.recv(timeout=_CONNECT_S)
                    if "error" in json.loads(answer):
                        return answer.encode() if isinstance(answer, str) else answer
                opened.send(request.decode())
                answer = opened.recv(timeout=wait_s)
                return answer.encode() if isinstance(answer, str) else answer
        except WebSocketException as e:
            if isinstance(e.__cause__, ssl.SSLError):
                raise e.__cause__ from e
            hint = self._certificate_hint(e.__cause__ or e)
            raise ServerUnusable(f"{self.url} ({self.origin}): {e}{hint}") from e

    def _certificate_hint(self, error: BaseException) -> str:
        """What may be missing if the server has cut a connection over TLS; it need not say why."""
        cut = isinstance(error, ConnectionResetError | BrokenPipeError | EOFError | http.client.RemoteDisconnected)
        return f"; {_NO_CERTIFICATE}" if cut and self.url.startswith(("https:", "wss:")) else ""

    def _tls(self) -> ssl.SSLContext:
        """Make the settings of TLS.

        Raises:
            ServerUnusable: A file cannot be used.
        """
        authority, own, key = (self.tls_files.get(name) for name in TLS_FILES)
        try:
            context = ssl.create_default_context(cafile=authority)
        except OSError as e:  # SSLError is one
            raise ServerUnusable(f"--ca-file {authority}: {_file_problem(e, 'a PEM file of certificates')}") from e
        if own or key:
            if not own:
                raise ServerUnusable("--key-file needs the certificate that belongs to it: --cert-file")
            try:
                context.load_cert_chain(own, key, password=_no_password)
            except OSError as e:
                said = _file_problem(e, "a PEM file with a certificate and its private key, which belong together")
                raise ServerUnusable(f"--cert-file {own}{f', --key-file {key}' if key else ''}: {said}") from e
        return context


def _file_problem(error: OSError, wanted: str) -> str:
    # An SSLError has no file name; it means that the content is wrong.
    return f"{error.strerror}" if error.filename or not isinstance(error, ssl.SSLError) else f"this is not {wanted}"


def _no_password() -> str:
    raise ServerUnusable("the private key has a password: give one without (`openssl pkey -in KEY -out PLAIN`)")


def _tls_problem(error: ssl.SSLError) -> str:
    """Say what to do about a connection that TLS refuses."""
    reason = error.reason or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message
        if "match" in said or "Hostname" in said or "IP address" in said:
            return f"{said}; name the server as its certificate does"
        if "expired" in said or "not yet valid" in said:
            return f"{said}; renew the certificate of the server, or correct the clock of this machine"
        return f"{said}; name its certificate authority with --ca-file, or ca_file in the profile"
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason or isinstance(error, ssl.SSLEOFError):
        return f"the server has ended the connection; {_NO_CERTIFICATE}"
    if "UNKNOWN_CA" in reason or "BAD_CERTIFICATE" in reason:
        return "the server does not trust the client certificate in --cert-file"
    if "WRONG_VERSION_NUMBER" in reason or "HTTP_REQUEST" in reason or "RECORD_LAYER" in reason:
        return "the port does not speak TLS: write http:// or ws:// if that is meant"
    return f"{reason.lower().replace('_', ' ')}"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, wait_s: float | None) -> None:
        super().__init__("localhost", timeout=wait_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def find_server(
    server: str | None, profile: str | None, tls_files: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> RemoteServer | None:
    """Find the server that a command is to ask instead of the store.

    Args:
        server: As given; it wins over a profile.
        profile: Name of a profile, as given.
        tls_files: As given; see `RemoteServer`.
        environ: Environment variables; `os.environ` if None.

    Returns:
        The server; None if neither an option nor the config file of heroctl names one.

    Raises:
        ServerUnusable: The URL, the file or the profile is wrong.
    """
    environ = os.environ if environ is None else environ
    path = profiles_path(environ)
    if server:
        return _checked(RemoteServer(url=server, token=environ.get("HERO_TOKEN", ""), tls_files=tls_files))
    content = _read(path)
    name = profile or content.get("profile")
    if not name:
        return None
    profiles = content.get("profiles")
    found = profiles.get(name) if isinstance(profiles, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("server"), str):
        known = ", ".join(profiles) if isinstance(profiles, dict) and profiles else "none"
        raise ServerUnusable(f"{path} has no [profiles.{name}] with a server; it has: {known}")
    token = environ.get("HERO_TOKEN") or str(found.get("token", ""))
    if not token and found.get("token_file"):
        try:
            token = Path(str(found["token_file"])).expanduser().read_text("utf-8").strip()
        except OSError as e:
            raise ServerUnusable(f"token_file of the profile {name}: {e.filename}: {e.strerror}") from e
    of_profile = {name: str(Path(str(found[name])).expanduser()) for name in TLS_FILES if found.get(name)}
    return _checked(
        RemoteServer(
            url=found["server"],
            token=token,
            tls_files={**of_profile, **tls_files},
            origin=f"profile {name}",
        )
    )


def profiles_path(environ: Mapping[str, str]) -> Path:
    """The config file of heroctl itself."""
    home = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    return Path(home) / "hero" / "config.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as e:
        raise ServerUnusable(f"{path} cannot be read: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ServerUnusable(f"{path} is not TOML: {e}") from e
    if "token" in json.dumps(content, default=str) and path.stat().st_mode & 0o077:
        raise ServerUnusable(f"other users can read {path}, which holds a token: chmod 600 {path}")
    return content


def _checked(server: RemoteServer) -> RemoteServer:
    parts = urlsplit(server.url)
    if parts.scheme not in _SCHEMES or not (parts.hostname or parts.path.strip("/")):
        raise ServerUnusable(
            f"'{server.url}' ({server.origin}) is not the URL of a server: unix:///run/hero/hero.ipc, "
            "https://host:8443 or wss://host:8443"
        )
    return server
