"""Finds the ids of requests in a message that is not parsed, because it is too large. Pure.

A client waits for an answer with the id of its request: an error with the id null costs jsonrpsee its connection, and
go-ethereum waits for ever. Invariant: only a bounded part of the message is visited, and what stands inside of texts
and of parameters is never taken for an id.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import orjson

Id: TypeAlias = str | int | float | None

#: How much of the beginning of a message is searched, in bytes. Most clients write the id before the parameters.
HEAD_BYTES: Final = 64 * 1024
#: How much of its end. Some (alloy, for one) write the id after them.
TAIL_BYTES: Final = 512
_MAX_ID_BYTES: Final = 256

_STRING = rb'"(?:[^"\\\n]|\\.)*+"'
_SCALAR = rb"(?:" + _STRING + rb"|-?[0-9][-+.0-9eE]*+|null)"
_TOKEN = re.compile(_STRING + rb'|["{}\[\]]')
_VALUE = re.compile(rb"\s*+:\s*+(" + _SCALAR + rb")\s*+[,}]")
# A quote inside of a text has a backslash before it, so an id between two members is one of the outermost object.
_LAST_MEMBERS = re.compile(
    rb"[,{]\s*+\"id\"\s*+:\s*+(" + _SCALAR + rb")\s*+(?:,\s*+" + _STRING + rb"\s*+:\s*+" + _SCALAR + rb"\s*+)*+\}\s*\Z"
)


def ids_in(head: bytes, tail: bytes = b"") -> tuple[bool, list[Id]]:
    """Find the ids of the requests in a message.

    Args:
        head: The beginning of the message; at most `HEAD_BYTES` of it are visited.
        tail: The last `TAIL_BYTES` of it, from where its end is known; b"" otherwise.

    Returns:
        Whether the message is a batch, and the ids of those of its requests that were found, in order.
    """
    head = head[:HEAD_BYTES]
    is_batch = head.lstrip()[:1] == b"["
    level = 2 if is_batch else 1
    found: list[Id] = []
    depth = 0
    for token in _TOKEN.finditer(head):
        text = token.group()
        if text in {b"{", b"["}:
            depth += 1
        elif text in {b"}", b"]"}:
            depth -= 1
        elif text == b'"':
            break  # a text that is cut off; what follows is inside of it
        elif text == b'"id"' and depth == level and (value := _VALUE.match(head, token.end())) is not None:
            found += _id_of(value.group(1))
            if not is_batch:
                return is_batch, found
    if not found and not is_batch and (last := _LAST_MEMBERS.search(tail[-TAIL_BYTES:])) is not None:
        found += _id_of(last.group(1))
    return is_batch, found


def _id_of(text: bytes) -> list[Id]:
    if len(text) > _MAX_ID_BYTES:
        return []
    try:
        value: Id = orjson.loads(text)
    except ValueError:
        return []
    return [value]
