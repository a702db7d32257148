"""The list of batches, the newest first."""

from __future__ import annotations

import dataclasses

import pytest

from hero_job.client.store import Store
from hero_job.model.errors import JobInvalid
from hero_job.model.overview.pages import BatchPage
from hero_job.operations.batches import create_jobs
from hero_job.operations.operations import Operations
from hero_job.operations.overview.batch_list import list_batches
from hero_job.protocol.op import Op
from tests.job.conftest import MakeJob


def names(page: BatchPage) -> list[str]:
    return [batch.status.batch_id for batch in page.batches]


def begin_then(store: Store, operations: Operations, times: dict[str, int]) -> None:
    """Announce batches, and set when each began."""
    for batch_id, began_ms in times.items():
        store.run(operations.open_batch(batch_id, 1))
        store.run(Op(("ZADD", operations.keys.batches, began_ms, batch_id), int))


def all_pages(store: Store, operations: Operations, count: int) -> list[list[str]]:
    pages, cursor = [], ""
    while True:
        page = store.drive(list_batches(operations, cursor, count))
        pages.append(names(page))
        cursor = page.cursor
        if not cursor:
            return pages


def test_batches_are_listed_newest_first_with_their_counts(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    store.drive(create_jobs(operations, [make_job(), make_job()], batch_id="first"))
    store.run(operations.open_batch("second", 3, "alice"))
    store.run(Op(("ZADD", operations.keys.batches, 1000, "first"), int))
    store.run(operations.open_batch("first", 2))  # sent again after a lost answer

    page = store.drive(list_batches(operations))

    assert [(b.status.batch_id, b.status.total, b.status.open, b.caller_id) for b in page.batches] == [
        ("second", 3, 3, "alice"),
        ("first", 2, 2, None),
    ]
    assert page.batches[1].began_ms == 1000
    assert (page.damaged, page.cursor) == ((), "")


def test_a_batch_that_nobody_announced_is_listed_once_a_job_names_it(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    for _ in range(2):
        store.run(operations.create(dataclasses.replace(make_job(), batch="joined"), start=True))

    (batch,) = store.drive(list_batches(operations)).batches

    assert (batch.status.batch_id, batch.status.total) == ("joined", 2)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 500])
def test_pages_show_each_batch_once_also_those_of_one_moment(store: Store, operations: Operations, count: int) -> None:
    begin_then(store, operations, {"a": 1, "b": 5, "c": 5, "d": 5, "e": 5, "f": 5, "g": 9})

    pages = all_pages(store, operations, count)

    assert [name for page in pages for name in page] == ["g", "f", "e", "d", "c", "b", "a"]
    assert all(len(page) <= count for page in pages)


@pytest.mark.parametrize("count", [1, 2, 3, 500])
def test_pages_show_each_batch_once_no_matter_which_times_another_program_wrote(
    store: Store, operations: Operations, count: int
) -> None:
    times: tuple[str | float, ...] = ("inf", "inf", 1e300, 1e15, 1e14, 5.7, 5.2, 5, 5, 0.5, 0, -3, -7.5, "-inf")
    for n, began in enumerate(times):
        store.run(operations.open_batch(f"b{n:02}", 1))
        store.run(Op(("ZADD", operations.keys.batches, began, f"b{n:02}"), int))

    pages = all_pages(store, operations, count)

    assert sorted(name for page in pages for name in page) == [f"b{n:02}" for n in range(len(times))]


def test_a_name_that_is_not_utf8_hides_no_other_batch(store: Store, operations: Operations) -> None:
    begin_then(store, operations, {"a": 1, "b": 3})
    store.run(Op(("ZADD", operations.keys.batches, 2, b"\xff\xfe"), int))

    for count in (1, 2, 500):
        pages = all_pages(store, operations, count)
        assert [name for page in pages for name in page] == ["b", "a"]


def test_a_batch_drops_few_of_the_many_that_another_program_has_listed(store: Store, operations: Operations) -> None:
    for start in range(0, 11_000, 1000):
        members = [part for n in range(start, start + 1000) for part in (n, f"old-{n}")]
        store.run(Op(("ZADD", operations.keys.batches, *members), int))

    store.run(operations.open_batch("new", 1))

    assert store.run(Op(("ZCARD", operations.keys.batches), int)) == 10_901


def test_a_batch_that_began_meanwhile_moves_no_page(store: Store, operations: Operations) -> None:
    begin_then(store, operations, {"a": 1, "b": 2, "c": 3})

    first = store.drive(list_batches(operations, "", 2))
    begin_then(store, operations, {"d": 4})

    assert names(first) == ["c", "b"]
    assert names(store.drive(list_batches(operations, first.cursor, 2))) == ["a"]


def test_expired_batches_are_left_out_and_damaged_ones_are_named(store: Store, operations: Operations) -> None:
    begin_then(store, operations, {"gone": 1, "text": 2, "number": 3, "good": 4})
    store.run(Op(("DEL", operations.keys.batch("gone")), int))
    store.run(Op(("SET", operations.keys.batch("text"), "x"), str))
    store.run(Op(("HSET", operations.keys.batch("number"), "open", "many"), int))

    page = store.drive(list_batches(operations))

    assert names(page) == ["good"]
    assert [batch_id for batch_id, _ in page.damaged] == ["number", "text"]
    assert "not a number" in page.damaged[0][1]


def test_the_list_has_the_newest_ten_thousand(store: Store, operations: Operations) -> None:
    for start in range(0, 10_000, 1000):
        members = [part for n in range(start, start + 1000) for part in (n, f"old-{n}")]
        store.run(Op(("ZADD", operations.keys.batches, *members), int))

    store.run(operations.open_batch("new", 1))

    ends = (
        store.run(Op(("ZRANGE", operations.keys.batches, 0, 0), list)),
        store.run(Op(("ZRANGE", operations.keys.batches, -1, -1), list)),
    )
    assert store.run(Op(("ZCARD", operations.keys.batches), int)) == 10_000
    assert ends == (["old-1"], ["new"])


def test_another_value_under_the_key_of_the_list_stops_no_batch(
    store: Store, operations: Operations, make_job: MakeJob
) -> None:
    store.run(Op(("SET", operations.keys.batches, "x"), str))
    store.run(operations.open_batch("announced", 1))
    store.run(Op(("SET", operations.keys.batches, "x"), str))
    store.run(operations.create(dataclasses.replace(make_job(), batch="joined"), start=True))

    assert names(store.drive(list_batches(operations))) == ["joined"]


@pytest.mark.parametrize(("cursor", "count"), [("", 0), ("", 501), ("x", 1), ("1", 1), ("1.2.3", 1), ("1.1\n", 1)])
def test_a_cursor_or_count_out_of_range_is_refused(
    store: Store, operations: Operations, cursor: str, count: int
) -> None:
    with pytest.raises(JobInvalid):
        store.drive(list_batches(operations, cursor, count))
