"""A process that stands between actors and their store like a long cable: it delivers everything some time later.

The kernel's own delay (tc-netem) is not everywhere. Threads are used, because the loops of asyncio and uvloop wake by
the millisecond and the shortest delay is a fifth of that.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import socket
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

#: Most bytes that are read in one go.
CHUNK = 1 << 18


@contextlib.contextmanager
def distant(port: int, delay_s: float) -> Iterator[str]:
    """Reach a server of this machine as if it were far away.

    Args:
        port: Its port.
        delay_s: How much later each byte arrives, in each direction.

    Yields:
        The URL of the distant store.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_relay, args=(port, delay_s, theirs), daemon=True)
    process.start()
    try:
        yield f"redis://127.0.0.1:{ours.recv()}/"
    finally:
        process.kill()
        process.join()


def _relay(port: int, delay_s: float, told: Connection) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        told.send(listening.getsockname()[1])
        while True:
            near, _ = listening.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for source, target in ((near, far), (far, near)):
                target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _one_way(source, target, delay_s)


def _one_way(source: socket.socket, target: socket.socket, delay_s: float) -> None:
    """Carry what one side sends to the other, in order and late."""
    travelling: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def take() -> None:
        data = b"first"
        while data:
            try:
                data = source.recv(CHUNK)
            except ConnectionError:
                data = b""
            travelling.put((time.monotonic() + delay_s, data))

    def bring() -> None:
        while True:
            due_mono, data = travelling.get()
            time.sleep(max(0.0, due_mono - time.monotonic()))
            try:
                if data:
                    target.sendall(data)
                    continue
                target.shutdown(socket.SHUT_WR)
            except OSError:
                # The receiver is gone; the other direction ends when it hears of that.
                source.close()
            return

    for work in (take, bring):
        threading.Thread(target=work, daemon=True).start()
