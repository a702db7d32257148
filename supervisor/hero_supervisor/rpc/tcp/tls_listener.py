"""Accepts the clients of a port that speaks TLS, and shakes hands with them: bounded in number and in time.

The server uses it instead of asyncio's own server, which counts a connection only after its handshake, so clients that
never finish it could take every file descriptor of the service. Invariant: of the handshakes under way the oldest makes
room for a new one.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

from hero_supervisor.rpc.protocol.flow_control import CountedWarning

#: Most handshakes under way. One takes a few milliseconds.
MAX_HANDSHAKES: Final = 128
_NO_DESCRIPTORS: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_NO_DESCRIPTORS_WAIT_S: Final = 1.0

_failed = CountedWarning("rpc.tls_handshakes_failed")
_not_accepted = CountedWarning("rpc.clients_not_accepted")


class TlsListener:
    """Accepts clients until it is closed.

    Args:
        listener: Listens, and does not block.
        context: Certificate and settings.
        within_s: Longest handshake in seconds.
        make_protocol: Makes the protocol of a connection, after its handshake.
    """

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        within_s: float,
        make_protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        self._listener = listener
        self._context = context
        self._within_s = within_s
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._shaking: dict[asyncio.Task[None], None] = {}  # in the order in which they came
        self._accepting = self._loop.create_task(self._accept())
        self._accepting.add_done_callback(lambda _: self._listener.close())

    def close(self) -> None:
        """Accept nobody any more, and give up the handshakes under way."""
        for task in (self._accepting, *self._shaking):
            task.cancel()

    async def _accept(self) -> None:
        while True:
            try:
                client, _ = await self._loop.sock_accept(self._listener)
            except OSError as e:
                _not_accepted.note(why=str(e))
                await asyncio.sleep(_NO_DESCRIPTORS_WAIT_S if e.errno in _NO_DESCRIPTORS else 0)
                continue
            if len(self._shaking) >= MAX_HANDSHAKES:
                oldest = next(iter(self._shaking))
                del self._shaking[oldest]
                oldest.cancel()
            task = self._loop.create_task(self._shake_hands(client))
            self._shaking[task] = None
            task.add_done_callback(lambda done: self._shaking.pop(done, None))

    async def _shake_hands(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make_protocol, client, ssl=self._context, ssl_handshake_timeout=self._within_s
            )
        except OSError as e:
            _failed.note(why=f"{e!s:.200}")
