"""The server that all systems are measured with: the Valkey from our wheel, over TCP on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.figures.processes import running, until
from tests.valkey_server import binary, free_port


def connect(url: str) -> redis.Redis:
    """Return a client that, like our own store, has no time limit and repeats no command by itself."""
    return redis.Redis.from_url(url, socket_timeout=None, retry=Retry(NoBackoff(), 0))


@contextmanager
def valkey(folder: Path, *, appendonly: bool) -> Iterator[str]:
    """Run a server during a `with` block.

    Args:
        folder: Its working folder, for its log and its append-only file.
        appendonly: Persist with `appendfsync everysec`, like the embedded store of the supervisor.

    Yields:
        Its URL.
    """
    port = free_port()
    command = [
        str(binary()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
        "--appendonly", "yes" if appendonly else "no",
    ]  # fmt: skip
    url = f"redis://127.0.0.1:{port}/0"
    with running(command, log=folder / "valkey.log"), connect(url) as client:
        until(lambda: _answers(client), limit_s=20, every_s=0.02, what="the server answers")
        yield url


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
        return False
