"""Everything of a namespace as lines of JSON, and back: how a deployment moves to another server.

Owned here: the format of an export and the commands that read and write it. Called by ``heroctl export`` and ``import``
with the synchronous runner. What is written is what the keys hold, not a dump in the server's own format, which no
older server and no other make can read. Invariant: an import goes into an empty namespace or not at all, and a file
that is not whole is refused.

Not written is the presence of actors: in the new store they are dead, and what they held is handed back by the sweep of
the first supervisor there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hero_job.client.store import Store
from hero_job.model.errors import ExportInvalid, NamespaceInUse
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op, as_is

FORMAT: Final = 1
# So many entries of a list, set or stream in a line, and so many lines in a round trip.
_PAGE: Final = 500
_LINES: Final = 200


def export_lines(store: Store, namespace: str, *, live: bool = False) -> Iterator[str]:
    """Write a namespace as lines of JSON: a head, a line for each key or each part of a long one, an end.

    Args:
        store: Where it is.
        namespace: Its name; keys are written without it.
        live: Do it although actors run. A job that moves meanwhile may then be in it twice, or not at all.

    Raises:
        NamespaceInUse: Actors run, or jobs have moved meanwhile; what has been written is of no use.
        StoreError: The store is away, or refuses.
    """
    keys = Keys(namespace)
    presence = keys.actor("")
    before = _last_event(store, keys)
    yield json.dumps({"hero_export": FORMAT, "namespace": namespace, "live": live})
    count = 0
    for key in _scan(store, keys.prefix):
        if key.startswith(presence):
            if not live:
                raise NamespaceInUse(
                    namespace, f"the actor {key.removeprefix(presence)} runs; stop the service and all actors first"
                )
            continue
        for line in _key_lines(store, key, keys.prefix):
            count += 1
            yield json.dumps(line)
    if not live and _last_event(store, keys) != before:
        raise NamespaceInUse(
            namespace, "jobs were created or moved meanwhile; stop everything that uses this store first"
        )
    yield json.dumps({"end": count})


def import_lines(store: Store, namespace: str, lines: Iterable[str]) -> int:
    """Write what `export_lines` gave into an empty namespace.

    Args:
        store: Where to.
        namespace: Its name, as it was: some values spell whole keys.
        lines: The lines; those of a file that ends too soon are written before that is noticed.

    Returns:
        How many keys were written.

    Raises:
        NamespaceInUse: The namespace is not empty.
        ExportInvalid: A line is none of an export, or the last one is missing; names the line.
        StoreError: The store is away, or refuses.
    """
    keys = Keys(namespace)
    if next(_scan(store, keys.prefix), None) is not None:
        raise NamespaceInUse(namespace, "it is not empty")
    ops: list[Op[Any]] = []
    written: set[str] = set()
    seen = 0
    ended = False
    for number, text in enumerate(lines, 1):
        line = _parsed(number, text)
        if number == 1:
            if line.get("hero_export") != FORMAT:
                raise ExportInvalid("line 1", f"this is no export that can be read here (format {FORMAT})")
            if (before := line.get("namespace")) != namespace:
                raise ExportInvalid("line 1", f"it is of the namespace {before!r}, which is not {namespace!r}")
            continue
        if ended:
            raise ExportInvalid(f"line {number}", "there is something behind the end")
        if "end" in line:
            ended = line["end"] == seen
            if not ended:
                raise ExportInvalid(f"line {number}", f"{line['end']} lines were written, {seen} are here")
            continue
        try:
            ops += _write_ops(keys.prefix, line)
        except (KeyError, TypeError, ValueError) as e:
            raise ExportInvalid(f"line {number}", f"cannot be read: {e}") from e
        written.add(line["key"])
        seen += 1
        if len(ops) >= _LINES:
            _run_all(store, ops)
            ops = []
    _run_all(store, ops)
    if not ended:
        raise ExportInvalid("its end", "is missing; delete what was imported, and import a whole one")
    return len(written)


# Reading


def _scan(store: Store, prefix: str) -> Iterator[str]:
    pattern = "".join(f"\\{c}" if c in "*?[]\\" else c for c in prefix) + "*"
    cursor = "0"
    seen: set[str] = set()
    while True:
        cursor, found = store.run(Op(("SCAN", cursor, "MATCH", pattern, "COUNT", 1000), as_is))
        for key in found:
            # A table that grows or shrinks meanwhile gives some of its keys twice.
            if key not in seen:
                seen.add(key)
                yield key
        if cursor in ("0", 0):
            return


def _last_event(store: Store, keys: Keys) -> str:
    found = store.run(Op(("XREVRANGE", keys.events, "+", "-", "COUNT", 1), as_is))
    return str(found[0][0]) if found else ""


def _key_lines(store: Store, key: str, prefix: str) -> Iterator[dict[str, Any]]:
    kind, ttl_ms, now = store.run_many([Op(("TYPE", key), as_is), Op(("PTTL", key), as_is), Op(("TIME",), as_is)])
    head: dict[str, Any] = {"key": key.removeprefix(prefix), "type": kind}
    if isinstance(ttl_ms, int) and ttl_ms >= 0:
        head["expires_at_ms"] = int(now[0]) * 1000 + int(now[1]) // 1000 + ttl_ms
    if kind == "string":
        yield head | {"value": store.run(Op(("GET", key), as_is))}
    elif kind == "hash":
        flat = store.run(Op(("HGETALL", key), as_is))
        yield head | {"value": flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))}
    elif kind == "list":
        yield from (head | {"value": page} for page in _ranges(store, ("LRANGE", key)))
    elif kind == "zset":
        for page in _ranges(store, ("ZRANGE", key), "WITHSCORES"):
            yield head | {"value": list(zip(page[::2], page[1::2], strict=True))}
    elif kind == "set":
        members = sorted(store.run(Op(("SMEMBERS", key), as_is)))
        yield from (head | {"value": members[i : i + _PAGE]} for i in range(0, len(members), _PAGE))
    elif kind == "stream":
        yield from _stream_lines(store, key, head)
    # "none": it has expired since it was found.


def _ranges(store: Store, command: Sequence[str], *options: str) -> Iterator[list[Any]]:
    first = 0
    while page := store.run(Op((*command, first, first + _PAGE - 1, *options), as_is)):
        yield page
        first += _PAGE


def _stream_lines(store: Store, key: str, head: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    facts = store.run(Op(("XINFO", "STREAM", key), as_is))
    facts = facts if isinstance(facts, dict) else dict(zip(facts[::2], facts[1::2], strict=True))
    start = "-"
    while page := store.run(Op(("XRANGE", key, start, "+", "COUNT", _PAGE), as_is)):
        yield {**head, "value": page}
        start = f"({page[-1][0]}"
    # Followers go on from the ids that they know: the next one must be greater than any before.
    yield {**head, "value": [], "last_id": facts["last-generated-id"]}


# Writing


def _parsed(number: int, text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError as e:
        raise ExportInvalid(f"line {number}", f"is not JSON: {e}") from e
    if not isinstance(line, dict):
        raise ExportInvalid(f"line {number}", "is not an object")
    return line


def _write_ops(prefix: str, line: Mapping[str, Any]) -> list[Op[Any]]:
    key, value = prefix + line["key"], line["value"]
    match line["type"]:
        case "string":
            commands: list[list[Any]] = [["SET", key, value]]
        case "hash":
            commands = [["HSET", key, *(part for pair in value.items() for part in pair)]]
        case "list":
            commands = [["RPUSH", key, *value]]
        case "zset":
            commands = [["ZADD", key, *(part for member, score in value for part in (score, member))]]
        case "set":
            commands = [["SADD", key, *value]]
        case "stream":
            commands = [["XADD", key, entry_id, *_flat(fields)] for entry_id, fields in value]
            if "last_id" in line:
                commands.append(["XSETID", key, line["last_id"]])
        case other:
            raise ValueError(f"the type {other!r}")
    if "expires_at_ms" in line:
        commands.append(["PEXPIREAT", key, int(line["expires_at_ms"])])
    return [Op([_bytes(part) for part in command], as_is) for command in commands]


def _flat(fields: Any) -> list[Any]:
    return [part for pair in fields.items() for part in pair] if isinstance(fields, dict) else list(fields)


def _bytes(part: Any) -> bytes:
    # As it came out of the store: what is no UTF-8 is kept in surrogates.
    return str(part).encode("utf-8", "surrogateescape")


def _run_all(store: Store, ops: Sequence[Op[Any]]) -> None:
    for result in store.run_many(ops) if ops else ():
        if isinstance(result, Exception):
            raise result
