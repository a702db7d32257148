"""Calls a supervisor by JSON-RPC over a Unix socket, HTTP or WebSocket, with the rights of a token.

A program names it by its URL, `heroctl` by `--server` or a profile. Invariant: the token goes into a header or a
message, never into a command line or an error.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from hero_client.remote.errors import ServerUnusable
from hero_client.remote.links import HttpLink, KeptLinks, Link, WebSocketLink, message

#: Options for TLS, and the names of the same files in a profile.
TLS_FILES: Final = ("ca_file", "cert_file", "key_file")
_NO_CERTIFICATE: Final = (
    "if it asks for a client certificate, give --cert-file and --key-file, or name them in the profile"
)
#: The server has not even been asked.
_UNSENT: Final = (ConnectionRefusedError, FileNotFoundError, socket.gaierror)
_SCHEMES: Final = ("unix", "http", "https", "ws", "wss")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteServer:
    """A supervisor that is asked by JSON-RPC.

    Attributes:
        url: `unix:///path`, `https://host:port`, `wss://host:port`, or the same without TLS.
        token: Bearer token; "" for none.
        tls_files: Files for TLS by name: `ca_file` (trusted instead of the authorities of the system), `cert_file` and
            `key_file` (of this client).
        origin: What named it, for messages.
        links: Connections that are kept for the next call.
    """

    url: str
    token: str = ""
    tls_files: Mapping[str, str] = field(default_factory=dict)
    origin: str = "--server"
    links: KeptLinks = field(default_factory=KeptLinks, compare=False, repr=False)

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
        link: Link = self.links.take() or (WebSocketLink(self) if self.by_websocket else HttpLink(self))
        try:
            answer = link.exchange(message(method, params), wait_s)
        except (OSError, http.client.HTTPException) as e:
            link.close()
            raise self.unusable(e) from e
        except BaseException:
            link.close()
            raise
        self.links.put(link)
        return self.parsed(answer)

    @property
    def by_websocket(self) -> bool:
        """Whether calls go over a WebSocket."""
        return urlsplit(self.url).scheme in ("ws", "wss")

    @property
    def socket_path(self) -> str:
        """Path of the socket of a URL with unix:, which may be relative: `unix://.hero/hero.ipc`."""
        parts = urlsplit(self.url)
        return unquote(parts.netloc + parts.path)

    def unusable(self, error: Exception) -> ServerUnusable:
        """Say what an error of a connection means."""
        if isinstance(error, TimeoutError):
            return ServerUnusable(f"no answer from {self.url} in time; the server may still carry out the call")
        if isinstance(error, ssl.SSLError):
            return ServerUnusable(f"{self.url}: TLS: {_tls_problem(error)}")
        reason = isinstance(error, OSError) and error.strerror  # without the number of the error
        text = f"{self.url} ({self.origin}) cannot be reached: {reason or error}{self.certificate_hint(error)}"
        return ServerUnusable(text, passes=True, sent=not isinstance(error, _UNSENT))

    def parsed(self, answer: bytes | str) -> dict[str, Any]:
        """Read an answer.

        Raises:
            ServerUnusable: It is not JSON-RPC.
        """
        try:
            found = json.loads(answer)
        except ValueError as e:
            said = answer[:80] if isinstance(answer, str) else answer[:80].decode(errors="replace")
            raise ServerUnusable(f"{self.url} does not answer in JSON-RPC: {said}") from e
        if not isinstance(found, dict) or not ("result" in found or "error" in found):
            raise ServerUnusable(f"{self.url} does not answer in JSON-RPC: is it the port of another program?")
        return found

    def cut(self, error: Exception) -> Exception:
        """Say what an error of a WebSocket means."""
        if isinstance(error.__cause__, ssl.SSLError):
            return self.unusable(error.__cause__)
        hint = self.certificate_hint(error.__cause__ or error)
        return ServerUnusable(f"{self.url} ({self.origin}): {error}{hint}", passes=True)

    def certificate_hint(self, error: BaseException) -> str:
        """What may be missing if the server has cut a connection over TLS; it need not say why."""
        cut = isinstance(error, ConnectionResetError | BrokenPipeError | EOFError | http.client.RemoteDisconnected)
        return f"; {_NO_CERTIFICATE}" if cut and self.url.startswith(("https:", "wss:")) else ""

    def tls(self) -> ssl.SSLContext:
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
    # How it is told that the server has ended the connection depends on what this program did at that moment.
    ended = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    if ended or "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return f"the server has ended the connection; {_NO_CERTIFICATE}"
    if "UNKNOWN_CA" in reason or "BAD_CERTIFICATE" in reason:
        return "the server does not trust the client certificate in --cert-file"
    if "WRONG_VERSION_NUMBER" in reason or "HTTP_REQUEST" in reason or "RECORD_LAYER" in reason:
        return "the port does not speak TLS: write http:// or ws:// if that is meant"
    return f"{reason.lower().replace('_', ' ')}"


def checked(server: RemoteServer) -> RemoteServer:
    """Return a server whose URL can be used.

    Raises:
        ServerUnusable: It cannot.
    """
    parts = urlsplit(server.url)
    if parts.scheme not in _SCHEMES or not (parts.hostname or parts.path.strip("/")):
        raise ServerUnusable(
            f"'{server.url}' ({server.origin}) is not the URL of a server: unix:///run/hero/hero.ipc, "
            "https://host:8443 or wss://host:8443"
        )
    return server
