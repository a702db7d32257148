"""Queries: their language, and that the index finds exactly what a look at every object would."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_job.client.store import Store
from hero_job.model.objects.errors import ObjectInvalid
from hero_job.model.objects.query import IndexRange, parse_query, plan_of
from hero_job.model.objects.words import index_entries, object_words, words_of
from hero_job.operations.objects import find
from hero_job.operations.objects.find import find_objects, list_objects
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.object_damage import damaged_objects
from hero_job.operations.objects.objects import Objects
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.job.objects.conftest import BOB, INDEXED, OWNER, TYPE, ObjectBench

NOTES = {
    "a1": {"title": "Cloud storage API", "tags": ["backend", "storage"]},
    "b2": {"title": "The cloud is deprecated", "tags": []},
    "c3": {"title": "Storage of clouds", "tags": ["in_progress", "cloud"]},
    "d4": {"title": "Straße 12, Ünïcode", "tags": ["2026-11-29"]},
    "e5": {"title": "", "tags": []},
    "f6": {"title": "2031-05-17T08:30:00Z", "tags": []},
}


@pytest.mark.parametrize(
    ("query", "sids"),
    [
        ("cloud", "a1 b2 c3"),
        ("CLOUD", "a1 b2 c3"),
        ("title:cloud", "a1 b2"),
        ("clou*", "a1 b2 c3"),
        ("title:clou*", "a1 b2 c3"),
        ("cloud storage", "a1 c3"),
        ("cloud AND storage", "a1 c3"),
        ('"cloud storage"', "a1"),
        ('title:"storage of clouds"', "c3"),
        ('"cloud deprecated"', ""),
        ("cloud NOT deprecated", "a1 c3"),
        ("NOT cloud", "d4 e5 f6"),
        ("NOT NOT cloud", "a1 b2 c3"),
        ("backend OR deprecated", "a1 b2"),
        ("backend OR NOT cloud", "a1 d4 e5 f6"),
        ("(backend OR deprecated) AND storage", "a1"),
        ("backend OR deprecated AND the", "a1 b2"),
        ("tags:in_progress", "c3"),
        ("tags:progress", "c3"),
        ("strasse", "d4"),
        ("ünïcode", "d4"),
        ("2026-11-29", "d4"),
        ("tags:2026-11", "d4"),
        ("12", "d4"),
        ("title:2031-05-17", "f6"),
        ("title:2031-05", "f6"),
        ("title:2031-05-17T08", "f6"),
        ("title:2031-05-18", ""),
        ("nothing", ""),
        ("c*", "a1 b2 c3"),
    ],
)
def test_a_query_finds(bench: ObjectBench, query: str, sids: str) -> None:
    for sid, fields in NOTES.items():
        bench.run(bench.objects.put(OWNER, TYPE, sid, fields, indexed=INDEXED, base=0))

    page = bench.run(find_objects(bench.objects, OWNER, TYPE, query, indexed=INDEXED))

    assert sorted(page.sids) == sids.split()
    assert page.cursor == ""


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "a word is missing at the end"),
        ("a AND", "a word is missing at the end"),
        ("OR a", "a word is missing before 'OR'"),
        ("(a", "')' is missing"),
        ("a)", "')' without '('"),
        ('"a', "a quotation mark is missing"),
        ("status:a", "the field 'status' is not indexed; indexed are title, tags"),
        ("clud~1", "words that only resemble (~1) are not offered"),
        ("*", "'*' has no letter and no digit"),
        ("a " * 65, "a query may have 64 words"),
        ("x" * 2001, "a query may have 2000 characters"),
        ("(" * 40 + "a" + ")" * 40, "nested more than 32 levels deep"),
    ],
)
def test_a_query_that_cannot_be_read_says_why(query: str, reason: str) -> None:
    with pytest.raises(ObjectInvalid) as caught:
        parse_query(query, INDEXED)

    assert str(caught.value).startswith("index error: ")
    assert reason in str(caught.value)


def test_a_type_without_an_index_says_so() -> None:
    with pytest.raises(ObjectInvalid, match="mark fields with @index"):
        parse_query("a", ())


@given(st.text(alphabet='ab AND OR NOT()"*:title~', max_size=80))
def test_no_text_breaks_the_reader_of_queries(text: str) -> None:
    try:
        query = parse_query(text, INDEXED)
    except ObjectInvalid:
        return
    query.fits({"title": ["a", "b"]})
    assert plan_of(query)


QUERIES = st.recursive(
    st.sampled_from(["a", "b", "ab", "a*", "ab*", "title:a", "tags:b", "tags:b*", '"a b"', '"b a"', 'title:"a a"']),
    lambda one: st.one_of(
        st.tuples(one, one).map(lambda pair: f"({pair[0]} {pair[1]})"),
        st.tuples(one, one).map(lambda pair: f"({pair[0]} AND {pair[1]})"),
        st.tuples(one, one).map(lambda pair: f"({pair[0]} OR {pair[1]})"),
        one.map(lambda inner: f"(NOT {inner})"),
    ),
    max_leaves=6,
)
WORDS = st.lists(st.sampled_from(["a", "b", "ab", "abc", "c"]), max_size=4).map(" ".join)
OBJECTS = st.lists(st.fixed_dictionaries({"title": WORDS, "tags": st.lists(WORDS, max_size=2)}), max_size=8)


@given(OBJECTS, QUERIES)
def test_an_object_that_fits_is_in_every_alternative_of_the_plan(made: list[dict[str, Any]], text: str) -> None:
    query = parse_query(text, INDEXED)
    for fields in made:
        words = object_words(fields, INDEXED)
        if query.fits(words):
            for ranges in plan_of(query):
                assert any(holds(one, entry) for one in ranges for entry in index_entries(words))


def holds(one: IndexRange, entry: str) -> bool:
    return entry.startswith(one.entry) if one.prefix else entry == one.entry


def test_the_index_finds_what_a_look_at_every_object_finds(
    store: Store, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects come, change and go at random; queries of every form are asked, in pages of every size."""
    chance = random.Random(7)
    objects = Objects(namespace)
    kept: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(find, "_CANDIDATES", 3)
    monkeypatch.setattr(find, "_MAX_LOOKED_AT", 7)
    queries = [
        "a",
        "a*",
        "title:a",
        "tags:b",
        '"a b"',
        "a b",
        "a OR b",
        "NOT a",
        "a NOT b",
        "(a OR c) b",
        "abc",
        "tags:a*",
    ]
    for step in range(150):
        sid = f"s{chance.randrange(25)}"
        if sid in kept and chance.random() < 0.3:
            store.drive(objects.delete(OWNER, TYPE, sid))
            del kept[sid]
        else:
            fields = {"title": some_words(chance), "tags": [some_words(chance)]}
            # The schema may change: at times another field is indexed as well, or one less.
            indexed = INDEXED if chance.random() < 0.8 else ("title",)
            store.drive(objects.put(OWNER, TYPE, sid, fields, indexed=indexed))
            kept[sid] = {name: value for name, value in fields.items() if name in indexed}
        query = queries[step % len(queries)]
        parsed = parse_query(query, INDEXED)
        expected = [sid for sid, fields in kept.items() if parsed.fits(object_words(fields, INDEXED))]

        found = [*all_pages(store, objects, query, chance.randrange(1, 12))]

        assert sorted(found) == sorted(expected), query
    listed = [*all_pages(store, objects, None, 4)]
    assert listed == sorted(kept)


def some_words(chance: random.Random) -> str:
    return " ".join(chance.choices(["a", "b", "ab", "abc", "c", "d"], k=chance.randrange(4)))


def all_pages(store: Store, objects: Objects, query: str | None, limit: int) -> Iterator[str]:
    cursor = ""
    while True:
        if query is None:
            flow = list_objects(objects, OWNER, TYPE, cursor=cursor, limit=limit)
        else:
            flow = find_objects(objects, OWNER, TYPE, query, indexed=INDEXED, cursor=cursor, limit=limit)
        page = store.drive(flow)
        assert len(page.sids) <= limit
        yield from page.sids
        cursor = page.cursor
        if not cursor:
            return


@pytest.mark.parametrize("cursor", ["x", "!!", "WzEsMV0", "WzksMSwiIl0", "WzEsOSwiIl0", "WyJhIiwxLCIiXQ", "bnVsbA"])
def test_a_cursor_that_belongs_to_no_page_is_refused(bench: ObjectBench, cursor: str) -> None:
    with pytest.raises(ObjectInvalid, match="the cursor belongs to no page"):
        bench.run(list_objects(bench.objects, OWNER, TYPE, cursor=cursor))


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_the_size_of_a_page_is_bounded(bench: ObjectBench, limit: int) -> None:
    with pytest.raises(ObjectInvalid, match="1 to 1000"):
        bench.run(list_objects(bench.objects, OWNER, TYPE, limit=limit))


def test_pages_of_large_objects_are_bounded_by_bytes(bench: ObjectBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "PAGE_BYTES", 1000)
    for n in range(9):
        bench.put(OWNER, f"a{n}", "word", body="x" * 400)

    page = bench.run(find_objects(bench.objects, OWNER, TYPE, "word NOT other", indexed=INDEXED))

    assert page.sids == [f"a{n}" for n in range(9)]


def test_a_stranger_finds_nothing_with_any_cursor(bench: ObjectBench) -> None:
    for n in range(5):
        bench.put(OWNER, f"a{n}", "word")
    cursor = bench.run(list_objects(bench.objects, OWNER, TYPE, limit=2)).cursor

    page = bench.run(list_objects(bench.objects, BOB, TYPE, cursor=cursor))

    assert (page.sids, page.cursor) == ([], "")
    other = ObjectAccess(context_id="bob", caller_id="bob")
    assert bench.run(list_objects(bench.objects, other, TYPE, cursor=cursor)).sids == []


@given(st.text(max_size=60))
def test_words_are_the_same_in_objects_and_queries(text: str) -> None:
    for word in words_of(text):
        assert " " not in word
        assert ":" not in word
        assert word.encode()


def test_names_and_values_of_a_map_are_found(bench: ObjectBench) -> None:
    fields = {"title": {"colour": "Dark blue", "sizes": [7, {"least": "tiny"}]}}
    bench.run(bench.objects.put(OWNER, TYPE, "a1", fields, indexed=INDEXED))

    for query in ("colour", "title:blue", "7", "least", "tiny"):
        assert bench.run(find_objects(bench.objects, OWNER, TYPE, query, indexed=INDEXED)).sids == ["a1"], query


def test_the_object_that_is_damaged_is_the_one_that_is_named(
    bench: ObjectBench, store: Store, operations: Operations
) -> None:
    for sid in ("a1", "b2", "c3"):
        bench.put(OWNER, sid, "sound")
    store.run(Op(("HSET", bench.objects.keys.objects(TYPE, "alice")[0], "b2", "no object"), int))

    (damaged,) = store.drive(damaged_objects(operations))

    assert damaged.name == f"{TYPE} b2 in alice"
