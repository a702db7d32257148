"""Exports a namespace as lines of JSON and imports them again: how a deployment moves to another server.

Owns the format of an export. ``heroctl export`` and ``import`` call it with the synchronous store. A line has what a
key holds, and not a dump in the server's own format, which neither an older server nor a different one could read.
Invariants: an import goes into an empty namespace only; an incomplete file is refused.

Actor presence is not exported. In the new store the actors count as dead, and the recovery of the first supervisor
there requeues their jobs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hero_job.client.store import Store
from hero_job.model.errors import ExportInvalid, NamespaceInUse
from hero_job.model.fields.shown_values import shown
from hero_job.operations.flow import PAGE, chunks, find_keys, raise_first_error
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op, as_is

FORMAT: Final = 1
#: Commands that an import sends in one round trip.
_COMMANDS: Final = 200


def export_lines(store: Store, namespace: str, *, live: bool = False) -> Iterator[str]:
    """Write a namespace as lines of JSON: a head, one line for each key or each page of a long one, an end.

    Args:
        store: The server to read.
        namespace: Its name; lines have keys without it.
        live: Export while actors run. A job that moves meanwhile may then be exported twice, or not at all.

    Raises:
        NamespaceInUse: Actors run, or jobs moved meanwhile; the lines so far are of no use.
        StoreError: The store failed.
    """
    keys = Keys(namespace)
    presence = keys.actor("")
    before = _last_event(store, keys)
    yield json.dumps({"hero_export": FORMAT, "namespace": namespace, "live": live})
    count = 0
    for key in store.drive(find_keys(keys.prefix)):
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
    """Write the lines of `export_lines` into an empty namespace.

    Args:
        store: The server to write to.
        namespace: Its name, the same as at the export, because some values hold whole keys.
        lines: The lines. Those of an incomplete file are written before its missing end is noticed.

    Returns:
        How many keys were written.

    Raises:
        NamespaceInUse: The namespace is not empty.
        ExportInvalid: A line does not belong to an export, or the last one is missing; names the line.
        StoreError: The store failed.
    """
    keys = Keys(namespace)
    if store.drive(find_keys(keys.prefix, at_least=1)):
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
                raise ExportInvalid(
                    "line 1", f"it exports the namespace {shown(before)}; import it into {shown(before)}"
                )
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
        if len(ops) >= _COMMANDS:
            raise_first_error(store.run_many(ops))
            ops = []
    if ops:
        raise_first_error(store.run_many(ops))
    if not ended:
        raise ExportInvalid("its end", "is missing; delete what was imported, and import a complete file")
    return len(written)


# Reading


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
        cursor = ""
        while cursor != "0":  # a small hash is one page; some fields of a large one come twice
            cursor, flat = store.run(Op(("HSCAN", key, cursor or "0", "COUNT", PAGE), as_is))
            yield head | {"value": flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))}
    elif kind == "list":
        yield from (head | {"value": page} for page in _ranges(store, ("LRANGE", key)))
    elif kind == "zset":
        for page in _ranges(store, ("ZRANGE", key), "WITHSCORES"):
            yield head | {"value": list(zip(page[::2], page[1::2], strict=True))}
    elif kind == "set":
        yield from (head | {"value": page} for page in chunks(sorted(store.run(Op(("SMEMBERS", key), as_is)))))
    elif kind == "stream":
        yield from _stream_lines(store, key, head)
    # The type is "none" when the key has expired since it was found.


def _ranges(store: Store, command: Sequence[str], *options: str) -> Iterator[list[Any]]:
    first = 0
    while page := store.run(Op((*command, first, first + PAGE - 1, *options), as_is)):
        yield page
        first += PAGE


def _stream_lines(store: Store, key: str, head: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    flat = store.run(Op(("XINFO", "STREAM", key), as_is))
    facts = flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
    start = "-"
    while page := store.run(Op(("XRANGE", key, start, "+", "COUNT", PAGE), as_is)):
        yield {**head, "value": page}
        start = f"({page[-1][0]}"
    # Followers continue after the ids that they know, so the next id must be greater than any before.
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
            commands = [["HSET", key, *_flat(value)]]
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
            raise ValueError(f"the type {shown(other)} is unknown")
    if "expires_at_ms" in line:
        commands.append(["PEXPIREAT", key, int(line["expires_at_ms"])])
    return [Op([_bytes(part) for part in command], as_is) for command in commands]


def _flat(fields: Any) -> list[Any]:
    return [part for pair in fields.items() for part in pair] if isinstance(fields, dict) else list(fields)


def _bytes(part: Any) -> bytes:
    # Reading kept bytes that are not UTF-8 as surrogates; write the same bytes.
    return str(part).encode("utf-8", "surrogateescape")
