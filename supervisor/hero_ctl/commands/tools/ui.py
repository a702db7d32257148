"""The command `ui`: the web page, for a service whose port is off."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Annotated

import typer

from hero_ctl.connect.store import socket_of
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import ServiceOptions
from hero_ctl.output.console import fail, print_note


def ui(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    service: ServiceOptions,
) -> None:
    """Show the web page of this machine's service in a browser, until Ctrl-C.

    It needs no port of the service: it passes everything on to the service's Unix socket. The printed address has a
    token of this run, so that nobody else on this machine can use it. From another machine, forward the port first:
    ssh -L 8321:127.0.0.1:8321 HOST heroctl ui --port 8321
    """
    path = socket_of(service.socket, service)
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
    typer.echo(f"http://127.0.0.1:{listener.getsockname()[1]}/#/overview?token={token}")
    print_note("Open this address in a browser. Ctrl-C ends it.")
    PageProxy(path=path, token=token, upstream_token=os.environ.get("HERO_TOKEN", "")).serve(listener)
