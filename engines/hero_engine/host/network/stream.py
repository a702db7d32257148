"""A connection of a script to a server, whose every wait is one of the run's `Call`, and which may outlive the run.

`web`, and the families `net` and `redis`, use it. Invariant: nothing waits longer than until `until_mono`, and a stop
or the deadline of the run ends the wait immediately; the connection is then in no known state and must be closed.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from hero_engine.host.call import Call
from hero_engine.host.network.reach import NetworkReach, look_up

R = TypeVar("R")

_READ_BYTES = 64 * 1024
#: Longest look-up of a name that the operator has written, in seconds.
_NAME_S = 5.0


class Stream:
    """A connected socket. Not thread-safe.

    Args:
        sock: The socket, which does not block.
        call: The run that waits; set it anew before another run uses the connection.
        until_mono: When waiting ends, on the clock of `time.monotonic`; set it anew for each request.

    Attributes:
        call: See above.
        until_mono: See above.
        address: The address at the other end.
    """

    def __init__(self, sock: socket.socket, call: Call, until_mono: float) -> None:
        self.call = call
        self.until_mono = until_mono
        self.address = str(sock.getpeername()[0]) if sock.family != socket.AF_UNIX else ""
        self._sock = sock

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Go on with TLS.

        Args:
            context: What is trusted.
            host: The name that the certificate must have.

        Raises:
            OSError: The handshake fails, for example because of the certificate.
        """
        sock = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._sock = sock
        self._do(sock.do_handshake, select.POLLIN)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        view = memoryview(data).cast("B")
        while view:
            part = view[:_READ_BYTES]
            view = view[self._do(lambda part=part: self._sock.send(part), select.POLLOUT) :]  # type: ignore[misc]
        if self.address:
            # A server that writes its answer in two pieces waits for the acknowledgement of the first, which the kernel
            # would delay by 40 ms. Source: tcp(7), TCP_QUICKACK
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def recv_into(self, buffer: memoryview) -> int:
        """Receive what is there, at least one byte; 0 at the end."""
        return self._do(lambda: self._sock.recv_into(buffer), select.POLLIN)

    def recv(self) -> bytes:
        """Receive what is there, at least one byte; nothing at the end."""
        return self._do(lambda: self._sock.recv(_READ_BYTES), select.POLLIN)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Make a file for reading, as `http.client` wants it. To close it does not close the connection."""
        return io.BufferedReader(_Reader(self), _READ_BYTES)

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come, neither data nor the end. On a connection that nobody uses both mean trouble."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def _do(self, action: Callable[[], R], event: int) -> R:
        while True:
            try:
                return action()
            except (ssl.SSLWantReadError, BlockingIOError) as e:
                wanted = select.POLLIN if isinstance(e, ssl.SSLWantReadError) else event
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            _wait(self.call, self._sock, wanted, self.until_mono)


class _Reader(io.RawIOBase):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io calls it with a memoryview
        return self._stream.recv_into(buffer)


def connect(call: Call, reach: NetworkReach, host: str, port: int, until_mono: float) -> Stream:
    """Connect to a host, at the first of its addresses that answers.

    Args:
        call: The run.
        reach: Where it may connect to.
        host: Name or address, without brackets.
        port: The port.
        until_mono: When waiting ends, on the clock of `time.monotonic`.

    Raises:
        AddressRefused: The operator does not allow it.
        OSError: The name cannot be found, or no address answers.
        TimeoutError: The time is up.
        CallEnded: The run must end.
    """
    addresses = look_up(call, reach, host, port, max(0.0, until_mono - time.monotonic()))
    return _first(call, [(address, port) for address in addresses], until_mono)


def connect_anywhere(call: Call, host: str, port: int, until_mono: float) -> Stream:
    """Connect to a host that the operator has named, wherever it is; else as `connect`."""

    def find() -> list[str]:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

    return _first(call, [(address, port) for address in call.in_thread(find, _NAME_S)], until_mono)


def connect_unix(call: Call, path: str, until_mono: float) -> Stream:
    """Connect to a Unix socket that the operator has named."""
    return _first(call, [path], until_mono)


def _first(call: Call, places: Iterable[tuple[str, int] | str], until_mono: float) -> Stream:
    failed: OSError | None = None
    for place in places:
        family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            if family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            error = sock.connect_ex(place)
            if error == errno.EINPROGRESS:
                _wait(call, sock, select.POLLOUT, until_mono)
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
            return Stream(sock, call, until_mono)
        except TimeoutError:
            sock.close()
            raise
        except OSError as e:
            sock.close()
            failed = e
        except BaseException:
            sock.close()
            raise
    raise failed or OSError("no address")


def _wait(call: Call, sock: socket.socket, event: int, until_mono: float) -> None:
    poll = select.poll()
    poll.register(sock, event)
    if not call.wait_until(lambda wait_s: bool(poll.poll(wait_s * 1000)), max(0.0, until_mono - time.monotonic())):
        raise TimeoutError


@functools.lru_cache(maxsize=8)
def trust(ca_file: str) -> ssl.SSLContext:
    """Make what TLS needs to know of a client that verifies certificates.

    Args:
        ca_file: Certificate authorities; "" for those of the system.
    """
    # Not create_default_context, which reads SSLKEYLOGFILE and SSL_CERT_FILE from the environment. This context
    # verifies certificates and host names too. Source:
    # https://docs.python.org/3/library/ssl.html#ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(ca_file)
        return context
    paths = ssl.get_default_verify_paths()
    for name, path in (("cafile", paths.openssl_cafile), ("capath", paths.openssl_capath)):
        if Path(path).exists():
            context.load_verify_locations(**{name: path})
    return context
