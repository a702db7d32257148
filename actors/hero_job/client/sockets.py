"""Opens the socket of a synchronous connection: a Unix socket, TCP, or TLS.

`connection.py` calls it. Invariant: a socket that could not be opened completely is closed.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from hero_job.client.url import Address, StoreUrl

if TYPE_CHECKING:
    import ssl  # Costs 4 ms of start time and 1 MB, which only TLS needs.


def open_socket(url: StoreUrl, address: Address | None, timeout_s: float) -> socket.socket:
    """Open a socket.

    Args:
        url: Says whether it is a Unix socket, and which TLS it needs.
        address: Where to; None for the Unix socket of the URL.
        timeout_s: Longest time to connect, and of each later call, in seconds.

    Raises:
        OSError: It cannot be opened in time.
    """
    if address is None:
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            unix.settimeout(timeout_s)
            unix.connect(url.path or "")
        except BaseException:
            unix.close()
            raise
        return unix
    tcp = socket.create_connection(address, timeout_s)
    try:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return _tls(url).wrap_socket(tcp, server_hostname=address[0]) if url.tls else tcp
    except BaseException:
        tcp.close()
        raise


def _tls(url: StoreUrl) -> ssl.SSLContext:
    import ssl

    options = url.options
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_check_hostname", "true").lower() in ("false", "0", "no"):
        context.check_hostname = False
    if options.get("ssl_cert_reqs", "required") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "ssl_certfile" in options:
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    return context
