"""The family `redis`: keys of a server that the operator names, behind a prefix that scripts do not see.

Source: crate sal-redisclient 0.1.0, rhai.rs
"""

from __future__ import annotations

import atexit
import threading
import time
from typing import Any

from hero_engine.errors import FunctionError, FunctionRefused
from hero_engine.host.call import Call
from hero_engine.host.definition import Family
from hero_engine.host.network.redis_wire import RedisConnection, RedisRefused

FAMILY = Family(
    "redis", "Keys of the Redis or Valkey server that the operator names.", prefix="Redis error: ", needs="redis"
)

#: How many connections are kept for later runs.
_MAX_KEPT = 16

#: Connections that no run uses, each with the URL and the prefix that it was checked with.
_kept: list[tuple[tuple[str, str], RedisConnection]] = []
_lock = threading.Lock()


@FAMILY.function(blocks=True)
def redis_ping(call: Call) -> str:
    """Ask the server for a sign of life, which is "PONG".

    Example:
        redis_ping();
    """
    return str(_run(call, "PING"))


@FAMILY.function(blocks=True)
def redis_set(call: Call, key: str, value: str) -> bool:
    """Set a key.

    Example:
        redis_set("greeting", "hello");
    """
    return bool(_run(call, "SET", _key(call, key), value) == "OK")


@FAMILY.function(blocks=True)
def redis_get(call: Call, key: str) -> str:
    """Return the value of a key; "" if there is none.

    Example:
        let greeting = redis_get("greeting");
    """
    return _run(call, "GET", _key(call, key)) or ""


@FAMILY.function(blocks=True)
def redis_del(call: Call, key: str) -> bool:
    """Remove a key, and tell whether it was there.

    Example:
        redis_del("greeting");
    """
    return bool(_run(call, "DEL", _key(call, key)))


@FAMILY.function(blocks=True)
def redis_hset(call: Call, key: str, field: str, value: str) -> bool:
    """Set a field of a hash.

    Example:
        redis_hset("user:1", "name", "Ann");
    """
    _run(call, "HSET", _key(call, key), field, value)
    return True


@FAMILY.function(blocks=True)
def redis_hget(call: Call, key: str, field: str) -> str:
    """Return a field of a hash; "" if there is none.

    Example:
        let name = redis_hget("user:1", "name");
    """
    return _run(call, "HGET", _key(call, key), field) or ""


@FAMILY.function(blocks=True)
def redis_hgetall(call: Call, key: str) -> dict[str, str]:
    """Return all fields of a hash.

    Example:
        for name in redis_hgetall("user:1").keys() { print(name) }
    """
    flat = _run(call, "HGETALL", _key(call, key))
    return dict(zip(flat[::2], flat[1::2], strict=True))


@FAMILY.function(blocks=True)
def redis_hdel(call: Call, key: str, field: str) -> bool:
    """Remove a field of a hash, and tell whether it was there.

    Example:
        redis_hdel("user:1", "name");
    """
    return bool(_run(call, "HDEL", _key(call, key), field))


@FAMILY.function(blocks=True)
def redis_rpush(call: Call, key: str, value: str) -> int:
    """Add a value at the end of a list, and return the length of the list.

    Example:
        redis_rpush("events", "started");
    """
    return int(_run(call, "RPUSH", _key(call, key), value))


@FAMILY.function(blocks=True)
def redis_lpush(call: Call, key: str, value: str) -> int:
    """Add a value at the beginning of a list, and return the length of the list.

    Example:
        redis_lpush("events", "started");
    """
    return int(_run(call, "LPUSH", _key(call, key), value))


@FAMILY.function(blocks=True)
def redis_llen(call: Call, key: str) -> int:
    """Return the length of a list; 0 if there is none.

    Example:
        print(redis_llen("events"));
    """
    return int(_run(call, "LLEN", _key(call, key)))


@FAMILY.function(blocks=True)
def redis_lrange(call: Call, key: str, start: int, stop: int) -> list[str]:
    """Return a part of a list. Positions begin at 0; negative ones count from the end, which is -1.

    Example:
        for event in redis_lrange("events", 0, -1) { print(event) }
    """
    return list(_run(call, "LRANGE", _key(call, key), str(start), str(stop)))


@FAMILY.function(blocks=True)
def redis_reset(call: Call) -> bool:
    """Close the connection of this run; the next call makes a new one.

    Example:
        redis_reset();
    """
    connection = call.values.pop(FAMILY.name, None)
    if connection is not None:
        connection.close()
    return True


# -- shared ------------------------------------------------------------------------------------------------------------


def _key(call: Call, key: str) -> str:
    return call.rights.redis_prefix + key


def _run(call: Call, *words: str) -> Any:
    try:
        return _connection(call).run(*words)
    except RedisRefused as e:
        raise FunctionError(e.text) from None
    except OSError as e:
        redis_reset(call)
        text = "no answer in time" if isinstance(e, TimeoutError) else e.strerror or str(e)
        raise FunctionError(text) from None
    except BaseException:
        # Half a command may have been sent.
        redis_reset(call)
        raise


def _connection(call: Call) -> RedisConnection:
    found: RedisConnection | None = call.values.get(FAMILY.name)
    if found is None:
        found = _take(call) or _open(call)
        if FAMILY.name not in call.values:
            call.on_close(lambda: _give_back(call))
        call.values[FAMILY.name] = found
    return found


def _open(call: Call) -> RedisConnection:
    rights = call.rights
    connection = RedisConnection(call, rights.redis, rights.max_file_bytes, rights.ca_file)
    try:
        if _is_job_store(call, connection):
            raise FunctionRefused(
                "redis: the server is the job store; the operator allows it with a redis_prefix of its own "
                "in [actors.allow]"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _is_job_store(call: Call, connection: RedisConnection) -> bool:
    """Compare the servers themselves, because a server has many names. A replica has the `master_replid` of the job
    store. It is told apart from other applications on the same server by the database, or by the prefix.
    """
    try:
        store = call.ask("redis.identity", {})
    except FunctionError:
        return False  # there is no actor, and so no job store
    info = dict(line.split(":", 1) for line in connection.run("INFO").splitlines() if ":" in line)
    same = any(store[name] and info.get(name) == store[name] for name in ("run_id", "master_replid"))
    prefix, own = call.rights.redis_prefix, f"{store['namespace']}:"
    return same and store["db"] == connection.database and (own.startswith(prefix) or prefix.startswith(own))


def _take(call: Call) -> RedisConnection | None:
    wanted = (call.rights.redis, call.rights.redis_prefix)
    with _lock:
        at = next((n for n, (place, _) in enumerate(_kept) if place == wanted), None)
        taken = None if at is None else _kept.pop(at)[1]
    if taken is not None:
        taken.stream.call, taken.stream.until_mono = call, time.monotonic()
        if not taken.stream.is_silent:
            taken.close()
            return _take(call)
    return taken


@atexit.register
def close_kept() -> None:
    """Close the connections that are kept."""
    with _lock:
        kept, _kept[:] = _kept[:], []
    for _, connection in kept:
        connection.close()


def _give_back(call: Call) -> None:
    connection = call.values.pop(FAMILY.name, None)
    if connection is None:
        return
    with _lock:
        if len(_kept) < _MAX_KEPT:
            _kept.append(((call.rights.redis, call.rights.redis_prefix), connection))
            return
    connection.close()
