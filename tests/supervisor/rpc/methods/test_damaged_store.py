"""Every key of a deployment damaged in every way, and every method that reads: each answers, or says what is damaged.

An internal error would be a defect: it hides from the operator what is wrong, and the good records behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import orjson
import pytest
import redis

from hero_job.protocol.keys import KeyPart
from hero_supervisor.rpc.methods import examples
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.transports import job
from tests.valkey_server import ValkeyServer

READS: Final = ("get_", "list_", "find_", "explain_", "job.", "jobs.")
CHANGES: Final = ("job.run", "job.start", "job.stop", "job.delete", "jobs.create", "jobs.clear")
TEXTS: Final = (
    b"", b"\xff\xfe\0", b"nan", b"-1", b"1e999", b"0.5", b"9" * 400, b"null", b'{"a": {}}', b"[" * 2000,
)  # fmt: skip
SCORES: Final = (float("inf"), float("-inf"), 1e300, -1e300, 0.5)
OURS: Final = {"caller_id": examples.CALLER, "context_id": examples.CONTEXT}
#: What is done to a key of a third-party client, which has no types for its answers.
Damage = Callable[[Any, bytes], object]


def _retyped(kind: str) -> Damage:
    writes: dict[str, Damage] = {
        "string": lambda store, key: store.set(key, b"x"),
        "list": lambda store, key: store.rpush(key, b"x"),
        "hash": lambda store, key: store.hset(key, b"x", b"x"),
        "zset": lambda store, key: store.zadd(key, {b"x": 1}),
        "stream": lambda store, key: store.xadd(key, {b"x": b"x"}),
    }

    def damage(store: Any, key: bytes) -> None:
        store.delete(key)
        writes[kind](store, key)

    return damage


def _set_fields(store: Any, key: bytes, *, names: list[bytes], text: bytes) -> None:
    store.hset(key, mapping=dict.fromkeys(names, text))


def _score(store: Any, key: bytes, *, score: float) -> None:
    store.zadd(key, {b"odd": score, b"0-1": score})


#: How a text comes into a key of each type, behind or over what is there.
_ADD: Final[dict[str, Callable[..., object]]] = {
    "string": lambda store, key, text: store.set(key, text),
    "list": lambda store, key, text: store.lpush(key, text),
    "set": lambda store, key, text: store.sadd(key, text),
    "zset": lambda store, key, text: store.zadd(key, {text: 1}),
    "stream": lambda store, key, text: store.xadd(key, {b"x": text, text or b"y": b"x"}),
}


def _damages(kind: str, names: list[bytes]) -> Iterator[Damage]:
    """What may happen to a key of a type; `names` are the fields of a hash."""
    for other in ("string", "hash", "stream"):
        if other != kind:
            yield _retyped(other)
    for text in TEXTS:
        if kind == "hash":
            yield partial(_set_fields, names=[*names, text or b"y"], text=text)
        else:
            yield partial(_ADD[kind], text=text)
    if kind == "zset":
        for score in SCORES:
            yield partial(_score, score=score)
    if kind == "stream":
        yield lambda store, key: store.xadd(key, {b"x": b"x"}, id=f"{2**64 - 1}-{2**64 - 1}")


@pytest.fixture
def store(valkey: ValkeyServer) -> Iterator[Any]:
    """A third-party client of the store."""
    with redis.Redis.from_url(valkey.url) as store:
        yield store


@pytest.fixture
def populated(client: RawClient, store: Any, namespace: str) -> RawClient:
    """A deployment that has something of everything: jobs in several states, a batch, a schedule, an object, ..."""
    make = client.call
    make("create_job", job(id=examples.CREATED, **OURS))
    jobs: dict[str, dict[str, Any]] = {
        examples.DONE: {},
        "later": {"delay_s": 3600},
        "expiring": {"delay_s": 3600, "expires_s": 7200},
        "behind": {"prerequisites": ["later"]},
        "unique": {"unique_key": "u", "delay_s": 3600},
    }
    for name, options in jobs.items():
        make("create_job", {**job(id=name, **OURS), **options})
        make("start_job", [name])
    make("create_jobs", {"jobs": [job(id=f"part-{n}", **OURS) for n in range(2)], "batch_id": examples.BATCH})
    make("create_schedule", {"name": examples.SCHEDULE, "job": job(**OURS), "interval_s": 86_400})
    note = {"type": examples.TYPE, "sid": examples.SID, "context_id": examples.CONTEXT}
    make("set_object", {**note, "fields": {"title": "Buy milk"}})
    make("pause_queue", {"script_type": "v"})
    make("stop_jobs", {"act_id": "act", "job_ids": ["nowhere"], "reason": "r"})
    prefix = f"{namespace}:".encode()
    store.zadd(prefix + KeyPart.DEAD_LETTERS.encode(), {examples.DONE: 1000})
    store.xadd(prefix + KeyPart.LOG.encode() + examples.DONE.encode(), {"level": "info", "text": "line"})
    return client


def _fault(client: RawClient, method: str, params: dict[str, Any]) -> str:
    try:
        answer = client.ask(method, params)
    except orjson.JSONDecodeError as e:
        return f"a program cannot read the answer: {e}"
    return "internal error" if answer.get("error", {}).get("code") == ErrorCode.INTERNAL_ERROR else ""


def test_no_damage_of_a_key_makes_a_method_that_reads_break(populated: RawClient, store: Any, namespace: str) -> None:
    calls = [
        (method["name"], {p["name"]: p["value"] for p in method["examples"][0]["params"]})
        for method in populated.call("rpc.discover", [])["methods"]
        if method["name"].startswith(READS) and method["name"] not in CHANGES
    ]
    assert len(calls) > 25
    broken = []
    for key in sorted(store.scan_iter(f"{namespace}:*")):
        kind, whole = store.type(key).decode(), store.dump(key)
        names = list(store.hgetall(key)) if kind == "hash" else []
        for n, damage in enumerate(_damages(kind, names)):
            damage(store, key)
            for method, params in calls:
                fault = _fault(populated, method, params)
                if fault:
                    broken.append((key.decode(), n, method, fault))
            store.restore(key, 0, whole, replace=True)

    assert broken == []
