"""Procedures of several round trips, written once for both stores. Pure.

A `Flow` is a generator: it yields operations to run together and receives their results. `Store.drive` runs it
synchronously, `AsyncStore.drive` on asyncio.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from hero_job.model.errors import HeroJobError
from hero_job.protocol.op import Op, as_is

T = TypeVar("T")

Flow: TypeAlias = Generator[Sequence[Op[Any]], list[Any], T]
"""Yields operations; receives for each its result or the `HeroJobError` that it ended in; returns a `T`."""

#: Operations in one round trip. With more, the server would only keep more answers in memory.
PAGE: Final = 500
#: Bytes of records after which a page of jobs ends.
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024


#: Jobs that are built between two pauses; some milliseconds.
FEW: Final = 100
#: No operations: an event loop may do something else meanwhile.
PAUSE: Final = ()


def chunks(items: Sequence[T], size: int = PAGE) -> Iterator[Sequence[T]]:
    """Cut items into pages, the last one shorter.

    Args:
        items: Any.
        size: Items of a page.
    """
    return (items[i : i + size] for i in range(0, len(items), size))


def raise_first_error(results: Iterable[object]) -> None:
    """Raise the first error among the results of a round trip.

    Raises:
        HeroJobError: That error.
    """
    for result in results:
        if isinstance(result, HeroJobError):
            raise result


def find_keys(prefix: str, at_least: int | None = None) -> Flow[list[str]]:
    """Find the keys that begin with a prefix, by walking the whole keyspace in steps.

    Args:
        prefix: Taken literally: its `*`, `?`, `[`, `]` and backslashes are not wildcards.
        at_least: Stop early when so many have been found; None for all.

    Returns:
        The keys in order, each once.
    """
    pattern = "".join(f"\\{c}" if c in "*?[]\\" else c for c in prefix) + "*"
    # While a hash table grows or shrinks, SCAN gives some of its keys twice.
    found: set[str] = set()
    cursor = "0"
    while True:
        results = yield [Op(("SCAN", cursor, "MATCH", pattern, "COUNT", 1000), as_is)]
        raise_first_error(results)
        cursor = str(results[0][0])
        found.update(results[0][1])
        if cursor == "0" or (at_least is not None and len(found) >= at_least):
            return sorted(found)
