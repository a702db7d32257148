"""The command `ui`: the web page, for a service whose port is off."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from hero_ctl.connect.store import names_own, server_of, socket_of
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import ServiceOptions
from hero_ctl.output.console import echo, fail, print_note
from hero_ctl.parameters import Option


def ui(
    *,
    port: Annotated[int, Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    service: ServiceOptions,
) -> None:
    """Show the web page of this machine's service in a browser, until Ctrl-C.

    It needs no port of the service: it passes everything on to the service's Unix socket. The printed address has a
    token of this run, so that nobody else on this machine can use it. From another machine, forward the port first:

    ssh -L 8321:127.0.0.1:8321 HOST heroctl ui --port 8321
    """
    path = _socket(service)
    if not Path(path).is_socket():
        fail(f"no service listens on {path}; name its socket with --socket or HERO_SOCKET", CtlExitCode.STORE)
    # Imported late: it takes a quarter of a second.
    from hero_ctl.commands.tools.page_proxy import PageProxy

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()  # before the address is printed: who opens it immediately waits, and is not refused
    except OSError as e:
        fail(f"port {port} cannot be used: {e.strerror}; choose another one with --port", CtlExitCode.FAILED)
    token = secrets.token_urlsafe(24)
    echo(f"http://127.0.0.1:{listener.getsockname()[1]}/#/overview?token={token}")
    print_note("Open this address in a browser. Ctrl-C ends it.")
    PageProxy(path=path, token=token, upstream_token=os.environ.get("HERO_TOKEN", "")).serve(listener)


def _socket(service: ServiceOptions) -> str:
    """Find the socket. End the command if a server is named whose port has the page itself."""
    server = None if names_own(service, "socket") else server_of(service)
    if server is None:
        return socket_of(service.socket, service)
    if server.url.startswith("unix:"):
        return unquote(urlsplit(server.url).path)
    address = f"http{server.url.removeprefix('http').removeprefix('ws')}"
    echo(f"{address.rstrip('/')}/")
    print_note("Open this address in a browser: the port of the server has the page itself. It asks for a token.")
    raise SystemExit
