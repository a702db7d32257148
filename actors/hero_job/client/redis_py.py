"""The names of redis-py that this package uses. Everything here imports redis-py by this module.

redis-py imports OpenTelemetry, for metrics of its own that we do not offer, wherever that is installed: some 200 ms and
10 MB of each process. Invariant: it does not when it is imported from here first, and programs that use OpenTelemetry
see no difference.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, cast


@contextlib.contextmanager
def _not_imported(name: str) -> Iterator[None]:
    """Let the import of a package fail, unless the program has imported it already."""
    modules = cast("dict[str, Any]", sys.modules)
    if name in modules:
        yield
        return
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]


with _not_imported("opentelemetry"):
    import redis.asyncio as redis_asyncio
    from redis.asyncio.retry import Retry
    from redis.asyncio.sentinel import Sentinel
    from redis.backoff import NoBackoff
    from redis.exceptions import (
        AskError,
        AuthenticationError,
        ClusterDownError,
        InvalidResponse,
        MovedError,
        ReadOnlyError,
        RedisError,
        ResponseError,
        TryAgainError,
    )
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.exceptions import TimeoutError as RedisTimeoutError

__all__ = [
    "AskError",
    "AuthenticationError",
    "ClusterDownError",
    "InvalidResponse",
    "MovedError",
    "NoBackoff",
    "ReadOnlyError",
    "RedisConnectionError",
    "RedisError",
    "RedisTimeoutError",
    "ResponseError",
    "Retry",
    "Sentinel",
    "TryAgainError",
    "redis_asyncio",
]
