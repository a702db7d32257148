"""Lists and finds objects, page by page. Pure.

The index leads to candidates; each of them is then compared with the query, so an object is found by its words alone.
A page looks at a bounded number of candidates: it may have few objects, or none, and still have a page after it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hero_job.model.objects.acl import Right
from hero_job.model.objects.errors import ObjectInvalid
from hero_job.model.objects.query import EVERYTHING, IndexRange, ObjectQuery, Plan, Term, Words, parse_query, plan_of
from hero_job.model.objects.stored_object import check_type, decode_object
from hero_job.model.objects.words import LazyWords
from hero_job.operations.flow import Flow
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import PAGE_BYTES, Objects
from hero_job.protocol import lua
from hero_job.protocol.op import Op, as_is

#: SIDs on a page.
MAX_PAGE: Final = 1_000
#: Candidates that one page looks at.
_MAX_LOOKED_AT: Final = 2_000
#: Candidates in one answer of the store. Few at first: most queries have few results.
_CANDIDATES: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPage:
    """One page of SIDs.

    Attributes:
        sids: The SIDs.
        cursor: Where the next page begins; "" after the last one.
    """

    sids: list[str]
    cursor: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins: an alternative of the plan, a range of it, and the last entry before."""

    alternative: int = 0
    range: int = 1
    after: str = ""


def list_objects(
    objects: Objects, access: ObjectAccess, type_name: str, *, cursor: str = "", limit: int = MAX_PAGE
) -> Flow[ObjectPage]:
    """List the objects of a type, in the order of their SIDs.

    Args:
        objects: Of the namespace.
        access: Who asks, and where.
        type_name: `namespace.type`.
        cursor: Of the page before; "" for the first one.
        limit: Most SIDs, up to `MAX_PAGE`.

    Raises:
        ObjectInvalid: The cursor or the limit cannot be used.
    """
    return (yield from _page(objects, access, type_name, None, (EVERYTHING,), cursor=cursor, limit=limit))


def find_objects(
    objects: Objects,
    access: ObjectAccess,
    type_name: str,
    query: str,
    *,
    indexed: Sequence[str],
    cursor: str = "",
    limit: int = MAX_PAGE,
) -> Flow[ObjectPage]:
    """Find objects by the words in their indexed fields.

    Args:
        objects: Of the namespace.
        access: Who asks, and where.
        type_name: `namespace.type`.
        query: See `model/objects/query.py`.
        indexed: The fields that can be searched.
        cursor: Of the page before; "" for the first one.
        limit: Most SIDs, up to `MAX_PAGE`.

    Raises:
        ObjectInvalid: The query, the cursor or the limit cannot be used.
    """
    parsed = parse_query(query, indexed)
    return (yield from _page(objects, access, type_name, parsed, plan_of(parsed), cursor=cursor, limit=limit))


def _page(
    objects: Objects,
    access: ObjectAccess,
    type_name: str,
    query: ObjectQuery | None,
    plan: Plan,
    *,
    cursor: str,
    limit: int,
) -> Flow[ObjectPage]:
    if not 1 <= limit <= MAX_PAGE:
        raise ObjectInvalid("index error", f"a page has 1 to {MAX_PAGE} objects, not {limit}")
    stored, index, _ = objects.keys.objects(check_type(type_name), access.context_id)
    keys = [index, stored, objects.keys.acl(access.context_id)]
    plan_text = orjson.dumps([[(one.entry, one.prefix) for one in ranges] for ranges in plan])
    place = _decode(cursor, plan)
    plain = query is None or _is_plain(query)
    found: list[str] = []
    looked_at = 0
    while True:
        count = limit - len(found) if plain else _CANDIDATES
        op_arguments = [plan_text, place.alternative, place.range, place.after, count, 0 if plain else PAGE_BYTES]

        def build(acl_version: str, arguments: Sequence[Any] = op_arguments) -> Op[Any]:
            return Op([*keys, acl_version, *arguments], as_is, lua.FIND_OBJECTS, 3)

        answer = yield from objects.guard.run(access, Right.READ, build)
        if answer is None:
            return ObjectPage(sids=[], cursor="")
        _, alternative, number, ended, members, records = answer
        ranges = plan[alternative - 1]
        place = _Place(alternative, number, members[-1] if members else "")
        for position, member in enumerate(members):
            entry, _, sid = member.rpartition(" ")
            if plain or _is_meant(query, ranges, (number - 1, entry), sid, records[position]):
                found.append(sid)
                if len(found) >= limit:
                    place = _Place(alternative, number, member)
                    last = position == len(members) - 1 and ended and number == len(ranges)
                    return ObjectPage(sids=found, cursor="" if last else _encode(place))
        looked_at += len(members)
        if ended:
            if number >= len(ranges):
                return ObjectPage(sids=found, cursor="")
            place = _Place(alternative, number + 1)
        if looked_at >= _MAX_LOOKED_AT:
            return ObjectPage(sids=found, cursor=_encode(place))


def _is_plain(query: ObjectQuery) -> bool:
    """Whether each entry that the plan leads to is a result, and no two are the same object."""
    return isinstance(query, Term) and (len(query.fields), len(query.words), query.prefix) == (1, 1, False)


def _is_meant(
    query: ObjectQuery | None, ranges: Sequence[IndexRange], entry: tuple[int, str], sid: str, record: str
) -> bool:
    """Whether a candidate fits, and this entry is the first one that leads to it."""
    if not record:
        return False  # deleted by another program, which left the index
    try:
        stored = decode_object(sid, record)
    except ObjectInvalid:
        return False
    words = LazyWords(stored.fields, stored.indexed)
    return query is not None and _first_entry(words, ranges) == entry and query.fits(words)


def _first_entry(words: Words, ranges: Sequence[IndexRange]) -> tuple[int, str] | None:
    for number, one in enumerate(ranges):
        if one in EVERYTHING:
            return number, one.entry
        field, _, word = one.entry.partition(":")
        held = [other for other in words.get(field, ()) if (other.startswith(word) if one.prefix else other == word)]
        if held:
            # The index sorts by bytes.
            return number, f"{field}:{min(held, key=str.encode)}"
    return None


def _encode(place: _Place) -> str:
    packed = orjson.dumps([place.alternative, place.range, place.after])
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _decode(cursor: str, plan: Plan) -> _Place:
    if not cursor:
        return _Place()
    try:
        alternative, number, after = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if 1 <= alternative <= len(plan) and 1 <= number <= len(plan[alternative - 1]) and isinstance(after, str):
            return _Place(int(alternative), int(number), after)
    except (ValueError, TypeError, binascii.Error):
        pass
    raise ObjectInvalid("index error", "the cursor belongs to no page of this query")
