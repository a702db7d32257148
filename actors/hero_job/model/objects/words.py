"""The words of an object, by which queries find it. Pure.

The index and the queries use the same words, so they are made only here. A change here leaves stored objects with an
index of the old words: they must be written again then.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from hero_job.model.objects.errors import ObjectInvalid

#: Longer words are cut off.
MAX_WORD_CHARS: Final = 40
#: Different words in the indexed fields of one object. A script that writes it does so much work.
MAX_ENTRIES: Final = 10_000
_WORD: Final = re.compile(r"[^\W_]+")
#: Between date and time of ISO 8601, so that a query for a day finds the times of that day.
_DATE_END: Final = re.compile(r"(?<=[0-9])T(?=[0-9])")


def words_of(text: str) -> list[str]:
    """Cut a text into words: letters and digits, without case, in order."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if "T" in text:
        text = _DATE_END.sub(" ", text)
    return [word[:MAX_WORD_CHARS] for word in _WORD.findall(text.casefold())]


def field_words(value: Any) -> list[str]:
    """The words of a field, in order; those of a list or map one after the other."""
    if isinstance(value, str):
        return words_of(value)
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, int | float):
        return words_of(str(value))
    if isinstance(value, list):
        return [word for one in value for word in field_words(one)]
    if isinstance(value, dict):
        return [word for name, one in value.items() for word in (*words_of(str(name)), *field_words(one))]
    return []


def object_words(fields: Mapping[str, Any], indexed: Iterable[str]) -> dict[str, list[str]]:
    """The words of each indexed field of an object."""
    return {name: words for name in indexed if (words := field_words(fields.get(name)))}


class LazyWords:
    """The words of the indexed fields of an object, made when they are asked for: a query asks for few fields.

    Args:
        fields: The fields of the object.
        indexed: Those that are indexed.
    """

    __slots__ = ("_fields", "_indexed", "_known")

    def __init__(self, fields: Mapping[str, Any], indexed: Collection[str]) -> None:
        self._fields = fields
        self._indexed = indexed
        self._known: dict[str, list[str]] = {}

    def get(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """The words of a field; `default` if it is not indexed."""
        found = self._known.get(name)
        if found is None:
            if name not in self._indexed:
                return default
            found = self._known[name] = field_words(self._fields.get(name))
        return found


def index_entries(words: Mapping[str, list[str]]) -> set[str]:
    """The entries of the index for an object: `field:word`, and `:` for the object itself.

    Raises:
        ObjectInvalid: There are too many.
    """
    found = {f"{name}:{word}" for name, texts in words.items() for word in texts}
    if len(found) > MAX_ENTRIES:
        reason = f"its indexed fields have {len(found)} different words; {MAX_ENTRIES} are allowed, index fewer fields"
        raise ObjectInvalid("index error", reason)
    found.add(":")
    return found
