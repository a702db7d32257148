"""Cursors of streams: which comes first, and where a reader goes on."""

from __future__ import annotations

import pytest

from hero_job.client.store import Store
from hero_job.operations.events import entries_after, order
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op


@pytest.mark.parametrize(("cursor", "place"), [("5-3", (5, 3)), ("5-12", (5, 12)), ("5-0", (5, 0)), ("5", (5, 0))])
def test_cursors_are_ordered_by_time_and_then_by_number(cursor: str, place: tuple[int, int]) -> None:
    assert order(cursor) == place


def test_a_reader_goes_on_at_the_beginning_of_a_stream_that_began_again(store: Store, operations: Operations) -> None:
    stream = operations.keys.events
    for cursor in ("5-1", "5-2"):
        store.run(Op(("XADD", stream, cursor, "a", "dispatched"), str))

    page = store.drive(entries_after(stream, "7-1", 10))

    assert [cursor for cursor, _ in page.entries] == ["5-1", "5-2"]
    assert page.cursor == "5-2"
    assert store.drive(entries_after(stream, page.cursor, 10)).entries == ()
