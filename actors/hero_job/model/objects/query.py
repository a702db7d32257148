"""The queries of `find`: their language, the entries of the index that lead to the answer, and what fits. Pure.

`word`, `word*`, `field:word`, `"some words"`, AND, OR, NOT and parentheses. Words beside each other must all be there.
Invariant: whether an object is found depends on its words alone; the index only saves looking at the others.

Source: the query language of the crate herolib-osis 0.3.13, apart from words beside each other (OR there, where the
best ones come first) and fuzzy words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from hero_job.model.fields.shown_values import shown
from hero_job.model.objects.errors import ObjectInvalid
from hero_job.model.objects.words import words_of

MAX_QUERY_CHARS: Final = 2_000
MAX_TERMS: Final = 64
_MAX_DEPTH: Final = 32
_TOKEN: Final = re.compile(r'\s*(?:([()])|(?:([A-Za-z_][A-Za-z0-9_]*):)?(?:"([^"]*)"|([^\s()"]+)))')


class Words(Protocol):
    """The words of an object by field, in order; a dict will do."""

    def get(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """The words of a field; `default` if it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRange:
    """Entries of the index: those of one word in one field, or of all words that begin with it.

    Attributes:
        entry: `field:word`; ":" for all objects.
        prefix: Whether longer words count too.
    """

    entry: str
    prefix: bool = False


#: All objects of a type.
EVERYTHING: Final = (IndexRange(entry=":"),)
#: Alternatives, each of which contains every object that is looked for.
Plan: TypeAlias = tuple[tuple[IndexRange, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Words that follow each other in one field.

    Attributes:
        fields: The fields that are looked into.
        words: The words, in order.
        prefix: Whether the last word may be longer.
    """

    fields: tuple[str, ...]
    words: tuple[str, ...]
    prefix: bool = False

    def fits(self, words: Words) -> bool:
        """Whether an object with these words is meant."""
        return any(self._is_in(words.get(field, ())) for field in self.fields)

    def _is_in(self, words: Sequence[str]) -> bool:
        *first, last = self.words
        for end in range(len(first), len(words)):
            is_last = words[end].startswith(last) if self.prefix else words[end] == last
            if is_last and list(words[end - len(first) : end]) == first:
                return True
        return False

    def plan(self) -> Plan:
        """Its longest word, which is the rarest one as a rule."""
        whole = self.words[:-1] if self.prefix and len(self.words) > 1 else self.words
        word = max(whole, key=len)
        prefix = self.prefix and len(self.words) == 1
        return (tuple(IndexRange(entry=f"{field}:{word}", prefix=prefix) for field in self.fields),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """AND, or words beside each other."""

    parts: tuple[ObjectQuery, ...]

    def fits(self, words: Words) -> bool:
        """Whether an object with these words is meant."""
        return all(part.fits(words) for part in self.parts)

    def plan(self) -> Plan:
        """The alternatives of all parts: the store takes the smallest one."""
        return tuple(alternative for part in self.parts for alternative in part.plan())


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """OR."""

    parts: tuple[ObjectQuery, ...]

    def fits(self, words: Words) -> bool:
        """Whether an object with these words is meant."""
        return any(part.fits(words) for part in self.parts)

    def plan(self) -> Plan:
        """One alternative of each part together; none if a part has none."""
        plans = [part.plan() for part in self.parts]
        if not all(plans):
            return ()
        return (tuple(dict.fromkeys(one for plan in plans for one in plan[0])),)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoneOf:
    """NOT."""

    part: ObjectQuery

    def fits(self, words: Words) -> bool:
        """Whether an object with these words is meant."""
        return not self.part.fits(words)

    def plan(self) -> Plan:
        """None: the index does not tell which objects lack a word."""
        return ()


ObjectQuery: TypeAlias = Term | AllOf | AnyOf | NoneOf


def parse_query(text: str, indexed: Sequence[str]) -> ObjectQuery:
    """Read a query.

    Args:
        text: The query.
        indexed: The fields that can be searched.

    Returns:
        The query.

    Raises:
        ObjectInvalid: It does not follow the language, or names a field that is not indexed.
    """
    if len(text) > MAX_QUERY_CHARS:
        raise _invalid(f"a query may have {MAX_QUERY_CHARS} characters")
    if not indexed:
        raise _invalid("no field of this type is indexed; mark fields with @index in the schema")
    return _QueryParser(text, tuple(indexed)).whole()


def plan_of(query: ObjectQuery) -> Plan:
    """How the index leads to the objects of a query."""
    return query.plan() or (EVERYTHING,)


class _QueryParser:
    def __init__(self, text: str, indexed: tuple[str, ...]) -> None:
        self._indexed = indexed
        self._tokens: list[re.Match[str]] = []
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None:
                raise _invalid("a quotation mark is missing")
            self._tokens.append(found)
            position = found.end()
        if len(self._tokens) > 4 * MAX_TERMS:
            raise _invalid(f"a query may have {MAX_TERMS} words")
        self._at = 0
        self._terms = 0

    def whole(self) -> ObjectQuery:
        query = self._any(0)
        if self._at < len(self._tokens):
            raise _invalid("')' without '('")
        return query

    def _word(self) -> str:
        """The next token if it is a plain word or a parenthesis; else ""."""
        if self._at >= len(self._tokens):
            return ""
        token = self._tokens[self._at]
        return token[1] or ("" if token[2] else token[4] or "")

    def _any(self, depth: int) -> ObjectQuery:
        if depth > _MAX_DEPTH:
            raise _invalid(f"parentheses are nested more than {_MAX_DEPTH} levels deep")
        parts = [self._all(depth)]
        while self._word() == "OR":
            self._at += 1
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else AnyOf(parts=tuple(parts))

    def _all(self, depth: int) -> ObjectQuery:
        parts = [self._one(depth)]
        while self._at < len(self._tokens) and self._word() not in ("OR", ")"):
            if self._word() == "AND":
                self._at += 1
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))

    def _one(self, depth: int) -> ObjectQuery:
        negated = False
        while self._word() == "NOT":
            negated = not negated
            self._at += 1
        part = self._part(depth)
        return NoneOf(part=part) if negated else part

    def _part(self, depth: int) -> ObjectQuery:
        word = self._word()
        if self._at >= len(self._tokens) or word in ("AND", "OR", ")"):
            raise _invalid(f"a word is missing before '{word}'" if word else "a word is missing at the end")
        if word == "(":
            self._at += 1
            inner = self._any(depth + 1)
            if self._word() != ")":
                raise _invalid("')' is missing")
            self._at += 1
            return inner
        token = self._tokens[self._at]
        self._at += 1
        return self._term(token[2], token[3] if token[3] is not None else token[4], quoted=token[3] is not None)

    def _term(self, field: str | None, text: str, *, quoted: bool) -> Term:
        if field is not None and field not in self._indexed:
            raise _invalid(f"the field '{field:.80}' is not indexed; indexed are {', '.join(self._indexed)}")
        if not quoted and re.search(r"~[0-9]*$", text):
            raise _invalid("words that only resemble (~1) are not offered; write the beginning of a word, as in clou*")
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise _invalid(f"a query may have {MAX_TERMS} words")
        prefix = not quoted and text.endswith("*")
        words = words_of(text)
        if not words:
            raise _invalid(f"{shown(text)} has no letter and no digit")
        return Term(fields=self._indexed if field is None else (field,), words=tuple(words), prefix=prefix)


def _invalid(reason: str) -> ObjectInvalid:
    return ObjectInvalid("index error", reason)
