"""Objects in the store: what is written is read, by those who may, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hero_job.client.store import Store
from hero_job.model.objects.acl import Right
from hero_job.model.objects.errors import (
    InsufficientAuthorization,
    ObjectChanged,
    ObjectInvalid,
    ObjectNotFound,
    ObjectsBusy,
)
from hero_job.model.objects.query import parse_query
from hero_job.operations.flow import Flow
from hero_job.operations.objects import objects as objects_module
from hero_job.operations.objects.find import find_objects, list_objects
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import KEPT_VERSIONS
from hero_job.protocol.op import Op, as_is
from tests.job.objects.conftest import BOB, INDEXED, OPERATOR, OWNER, TYPE, ObjectBench


def by_job(access: ObjectAccess, job_id: str) -> ObjectAccess:
    return ObjectAccess(context_id=access.context_id, caller_id=access.caller_id, job_id=job_id)


def test_an_object_is_stored_replaced_and_deleted(bench: ObjectBench) -> None:
    sid = bench.run(bench.objects.new(OWNER, TYPE))
    assert not bench.run(bench.objects.exists(OWNER, TYPE, sid))

    assert bench.put(OWNER, sid, "first", base=0) == 1
    assert bench.put(OWNER, sid, "second") == 2
    stored = bench.run(bench.objects.get(OWNER, TYPE, sid))
    assert (stored.version, stored.fields, stored.caller_id) == (2, {"title": "second"}, "alice")
    assert bench.run(bench.objects.types(OWNER)) == {TYPE: 1}

    bench.run(bench.objects.delete(OWNER, TYPE, sid))
    assert not bench.run(bench.objects.exists(OWNER, TYPE, sid))
    with pytest.raises(ObjectNotFound, match=f"^object not found: {sid}$"):
        bench.run(bench.objects.get(OWNER, TYPE, sid))
    with pytest.raises(ObjectNotFound):
        bench.run(bench.objects.delete(OWNER, TYPE, sid))


def test_nothing_is_left_of_a_deleted_object(bench: ObjectBench, store: Store, namespace: str) -> None:
    for n in range(KEPT_VERSIONS + 3):
        bench.put(OWNER, "a1", f"title {n} with other words")
    bench.run(bench.objects.delete(OWNER, TYPE, "a1"))

    assert store.run(Op(("KEYS", f"{namespace}:*"), as_is)) == []


def test_contexts_and_types_are_apart(bench: ObjectBench) -> None:
    eve = ObjectAccess(context_id="eve", caller_id="eve")
    bench.put(OWNER, "a1", "mine")
    bench.put(eve, "a1", "hers")

    assert bench.title(OWNER, "a1") == "mine"
    assert bench.title(eve, "a1") == "hers"
    with pytest.raises(ObjectNotFound):
        bench.run(bench.objects.get(OWNER, "hero.note", "a1"))
    # A context whose name only looks like a part of another one has nothing of it.
    bench.put(ObjectAccess(context_id="alice x", caller_id=None), "a2", "other")
    assert bench.run(bench.objects.types(OWNER)) == {TYPE: 1}
    assert bench.run(bench.objects.context_page())[0] == [("alice", TYPE), ("alice x", TYPE), ("eve", TYPE)]


def test_damaged_entry_is_no_context(store: Store, bench: ObjectBench) -> None:
    bench.put(OWNER, "a1", "mine")
    store.run(Op(("ZADD", bench.objects.keys.object_types, 0, "junk", 0, " junk"), as_is))

    assert bench.run(bench.objects.context_page())[0] == [("alice", TYPE)]
    assert bench.run(bench.objects.context_page(f"alice {TYPE}"))[0] == []


def test_pages_of_contexts_leave_none_out_and_end_only_at_the_end(store: Store, bench: ObjectBench) -> None:
    names = ["a", "a b", "a b c", "a\x7f", "b"]
    for name in names:
        bench.put(ObjectAccess(context_id=name, caller_id=None), "s1")
    damaged = [part for n in range(5) for part in (0, f"a{n}damaged")]
    store.run(Op(("ZADD", bench.objects.keys.object_types, *damaged), as_is))
    for limit in (1, 2, 3, 1000):
        found: list[tuple[str, str, int]] = []
        after = ""
        while True:
            pairs, after = bench.run(bench.objects.context_page(after, limit))
            found += bench.run(bench.objects.counts(pairs))
            if not after:
                break
        assert sorted(found) == [(name, TYPE, 1) for name in sorted(names)]


@pytest.mark.parametrize(
    "record",
    ["x", "1 2", "1 2 3", "1 2 3\n{}\n{}", "1 2 3\n[null,7,[]]\n{}", '1 2 3\n[null,"",[1]]\n{}', "a b c\n\n",
     '1 2 3\n[null,"",[]]\n[]', '1 2 3\n[null,"",[]]\n{', f'1 {10**15 - 1} 3\n[null,"",[]]\n{{}}', "9" * 5000],
)  # fmt: skip
def test_damaged_object_is_described_in_words_and_can_be_set_or_deleted(
    store: Store, bench: ObjectBench, record: str
) -> None:
    key = bench.objects.keys.objects(TYPE, "alice")[0]
    bench.put(OWNER, "good", "fine")
    for mended in ("set", "deleted"):
        store.run(Op(("HSET", key, "bad", record), as_is))
        with pytest.raises(ObjectInvalid) as caught:
            bench.run(bench.objects.get(OWNER, TYPE, "bad"))
        text = str(caught.value)
        assert text.startswith("deserialization error: object bad is damaged: its ")
        assert text.endswith("; set it anew or delete it")
        assert not any(word in text for word in ("unpack", "invalid literal", "int()", "None", "<class"))
        found = bench.run(bench.objects.get_many(OWNER, TYPE, ["bad", "good"]))
        assert [one.sid for one in found] == ["good"]
        if mended == "set":
            bench.put(OWNER, "bad", "mended")
            assert bench.title(OWNER, "bad") == "mended"
        else:
            bench.run(bench.objects.delete(OWNER, TYPE, "bad"))
            assert not bench.run(bench.objects.exists(OWNER, TYPE, "bad"))


# -- versions ----------------------------------------------------------------------------------------------------------


def test_a_change_of_an_old_version_is_refused_with_the_newer_one_named(bench: ObjectBench) -> None:
    bench.put(OWNER, "a1", "first", base=0)
    bench.put(OWNER, "a1", "second", base=1)

    with pytest.raises(ObjectChanged, match="it has version 2 now, the change starts from version 1") as caught:
        bench.put(OWNER, "a1", "third", base=1)

    assert (caught.value.version, caught.value.base) == (2, 1)
    assert bench.title(OWNER, "a1") == "second"
    with pytest.raises(ObjectChanged, match="from that it is new"):
        bench.put(OWNER, "a1", "again", base=0)
    with pytest.raises(ObjectChanged, match="it has been deleted"):
        bench.put(OWNER, "a2", "gone", base=4)
    with pytest.raises(ObjectChanged):
        bench.run(bench.objects.delete(OWNER, TYPE, "a1", base=1))


def test_what_a_job_wrote_itself_does_not_count_as_a_change_by_others(bench: ObjectBench) -> None:
    job, other = by_job(OWNER, "job-1"), by_job(OWNER, "job-2")
    bench.put(job, "a1", "new", base=0)
    # The script still holds the object as it was before it wrote it.
    assert bench.put(job, "a1", "newer", base=0) == 2
    with pytest.raises(ObjectChanged):
        bench.put(other, "a1", "theirs", base=1)
    bench.put(other, "a1", "theirs", base=2)
    with pytest.raises(ObjectChanged):
        bench.put(job, "a1", "mine again", base=2)
    bench.put(job, "a1", "mine", base=3)
    assert bench.put(job, "a1", "mine, improved", base=3) == 5


def test_the_last_versions_are_kept_with_their_writers(bench: ObjectBench) -> None:
    for n in range(1, 13):
        bench.put(by_job(OPERATOR if n == 12 else OWNER, f"job-{n}"), "a1", f"title {n}")

    history = bench.run(bench.objects.history(OWNER, TYPE, "a1"))

    assert [one.version for one in history] == list(range(12, 2, -1))
    assert [one.fields["title"] for one in history] == [f"title {n}" for n in range(12, 2, -1)]
    assert [one.job_id for one in history[:2]] == ["job-12", "job-11"]
    assert [one.caller_id for one in history[:2]] == [None, "alice"]
    assert history[0].written_at_ms >= history[1].written_at_ms > 0


def interleaved(flow: Flow[Any], between: Callable[[], object], store: Store) -> Any:
    """Run a procedure, and something else after its first round trip."""
    results = store.run_many(next(flow))
    between()
    try:
        while True:
            results = store.run_many(flow.send(results))
    except StopIteration as end:
        return end.value


def test_a_write_that_another_one_overtakes_loses_nothing(bench: ObjectBench, store: Store) -> None:
    bench.put(OWNER, "a1", "first word")
    replace = bench.objects.put(OWNER, TYPE, "a1", {"title": "third"}, indexed=INDEXED)
    interleaved(replace, lambda: bench.put(OWNER, "a1", "second word"), store)

    assert [one.fields["title"] for one in bench.run(bench.objects.history(OWNER, TYPE, "a1"))] == [
        "third", "second word", "first word",
    ]  # fmt: skip
    assert found(bench, "word") == []

    change = bench.objects.put(OWNER, TYPE, "a1", {"title": "fifth"}, indexed=INDEXED, base=3)
    with pytest.raises(ObjectChanged):
        interleaved(change, lambda: bench.put(OWNER, "a1", "fourth"), store)
    delete = bench.objects.delete(OWNER, TYPE, "a1", base=4)
    with pytest.raises(ObjectChanged):
        interleaved(delete, lambda: bench.put(OWNER, "a1", "fifth"), store)


def test_a_delete_that_is_overtaken_each_time_says_so_and_deletes_nothing(bench: ObjectBench, store: Store) -> None:
    bench.put(OWNER, "a1", "word 0")
    delete = bench.objects.delete(OWNER, TYPE, "a1")
    written = 0
    ops = next(delete)
    with pytest.raises(ObjectsBusy, match="object a1"):
        while True:
            results = store.run_many(ops)
            written += 1
            bench.put(OWNER, "a1", f"word {written}")
            ops = delete.send(results)

    assert bench.title(OWNER, "a1") == f"word {written}"


# -- rights ------------------------------------------------------------------------------------------------------------


def test_what_a_caller_may_not_read_does_not_exist(bench: ObjectBench) -> None:
    bench.put(OWNER, "a1", "secret")

    for sid in ("a1", "zzzz"):
        with pytest.raises(ObjectNotFound):
            bench.run(bench.objects.get(BOB, TYPE, sid))
        with pytest.raises(ObjectNotFound):
            bench.run(bench.objects.history(BOB, TYPE, sid))
        assert not bench.run(bench.objects.exists(BOB, TYPE, sid))
        # Nor does a refusal tell whether it exists.
        for base in (None, 0, 7):
            with pytest.raises(
                InsufficientAuthorization, match=r"^Insufficient authorization: bob may not write task in alice$"
            ):
                bench.put(BOB, sid, "x", base=base)
        with pytest.raises(InsufficientAuthorization, match="bob may not delete task in alice"):
            bench.run(bench.objects.delete(BOB, TYPE, sid))
    assert bench.run(bench.objects.get_many(BOB, TYPE, ["a1", "zzzz"])) == []
    assert found(bench, "secret", BOB) == []
    assert bench.run(list_objects(bench.objects, BOB, TYPE)).sids == []
    assert bench.run(bench.objects.types(BOB)) == {}


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("member", ["bob", "group:outer"])
def test_a_right_allows_what_its_name_says(bench: ObjectBench, right: Right, member: str) -> None:
    bench.put(OWNER, "a1", "shared")
    bench.grant(lambda acl: acl.joined("inner", "bob").joined("outer", "group:inner").granted(right, member))

    assert bench.title(BOB, "a1") == "shared"
    assert found(bench, "shared", BOB) == ["a1"]
    assert bench.run(bench.objects.types(BOB)) == {TYPE: 1}
    if right is Right.READ:
        with pytest.raises(InsufficientAuthorization):
            bench.put(BOB, "a1", "changed")
    else:
        assert bench.put(BOB, "a1", "changed", base=1) == 2
    if right is Right.ADMIN:
        bench.grant(lambda acl: acl.granted(Right.READ, "carol"), BOB)
        assert bench.run(bench.acls.read(BOB)).right_of("carol") is Right.READ
    else:
        with pytest.raises(InsufficientAuthorization, match="bob may not change the rights in alice"):
            bench.grant(lambda acl: acl.granted(Right.ADMIN, "bob"), BOB)
        with pytest.raises(InsufficientAuthorization, match="bob may not read the rights in alice"):
            bench.run(bench.acls.read(BOB))


def test_a_right_that_was_taken_away_counts_from_the_next_script_on(bench: ObjectBench, store: Store) -> None:
    bench.put(OWNER, "a1", "shared")
    bench.grant(lambda acl: acl.granted(Right.WRITE, "bob"))
    assert bench.title(BOB, "a1") == "shared"  # the lists are kept from here on

    # Between the decision and the write: the script that writes sees other lists and writes nothing.
    write = bench.objects.put(BOB, TYPE, "a1", {"title": "late"}, indexed=INDEXED)
    with pytest.raises(InsufficientAuthorization):
        interleaved(write, lambda: bench.grant(lambda acl: acl.revoked(Right.WRITE, "bob")), store)
    with pytest.raises(ObjectNotFound):
        bench.title(BOB, "a1")
    assert bench.title(OWNER, "a1") == "shared"

    bench.grant(lambda acl: acl.granted(Right.READ, "bob"))
    assert bench.title(BOB, "a1") == "shared"


def test_two_changes_of_the_lists_both_count(bench: ObjectBench, store: Store) -> None:
    first = bench.acls.change(OWNER, lambda acl: acl.granted(Right.READ, "bob"))
    interleaved(first, lambda: bench.grant(lambda acl: acl.granted(Right.READ, "carol")), store)

    acl = bench.run(bench.acls.read(OWNER))
    assert [acl.right_of(name) for name in ("bob", "carol")] == [Right.READ, Right.READ]


def test_an_administrator_that_is_removed_meanwhile_changes_nothing(bench: ObjectBench, store: Store) -> None:
    bench.grant(lambda acl: acl.granted(Right.ADMIN, "bob"))
    change = bench.acls.change(BOB, lambda acl: acl.granted(Right.ADMIN, "mallory"))
    with pytest.raises(InsufficientAuthorization):
        interleaved(change, lambda: bench.grant(lambda acl: acl.revoked(Right.ADMIN, "bob")), store)


# -- bounds and damage -------------------------------------------------------------------------------------------------


def test_bounds(bench: ObjectBench, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ObjectInvalid, match=r"serialization error: the object has [0-9]+ bytes; 1048576 are allowed"):
        bench.put(OWNER, "a1", "x" * (1 << 20))
    with pytest.raises(ObjectInvalid, match="index error: its indexed fields have 10001 different words"):
        bench.put(OWNER, "a1", " ".join(map(str, range(10_001))))
    assert bench.put(OWNER, "a1", " ".join(map(str, range(10_000)))) == 1
    assert bench.put(OWNER, "a1", " ".join(map(str, range(10_000, 20_000)))) == 2
    assert found(bench, "10000") == ["a1"]
    monkeypatch.setattr(objects_module, "MAX_OBJECTS", 1)
    with pytest.raises(ObjectInvalid, match="a context may have 1 objects of a type"):
        bench.put(OWNER, "a2", "x")
    assert bench.put(OWNER, "a1", "replaced") == 3


@pytest.mark.parametrize("sid", ["", "A1", "a b", "a" * 33, "é", "a\n"])
def test_a_malformed_sid_is_refused(bench: ObjectBench, sid: str) -> None:
    with pytest.raises(ObjectInvalid, match="invalid name"):
        bench.run(bench.objects.get(OWNER, TYPE, sid))
    with pytest.raises(ObjectInvalid, match="invalid name"):
        bench.put(OWNER, sid, "x", base=0)


@pytest.mark.parametrize("name", ["", "note", "hero.", "hero.Note", "he:ro.note", "a.b.c", "hero.note "])
def test_a_malformed_type_is_refused(bench: ObjectBench, name: str) -> None:
    with pytest.raises(ObjectInvalid, match="invalid name"):
        bench.run(bench.objects.get(OWNER, name, "a1"))


@pytest.mark.parametrize("record", ["", "x", "3 x y\n[]\n{}", '7 1 1\n["a","",[]]\n[]', "9 1 1\n{}\nnot json"])
def test_a_damaged_object_stops_nothing_else_and_can_be_replaced(bench: ObjectBench, store: Store, record: str) -> None:
    bench.put(OWNER, "a1", "whole")
    objects, index, _ = bench.objects.keys.objects(TYPE, "alice")
    store.run(Op(("HSET", objects, "b2", record), as_is))
    store.run(Op(("ZADD", index, 0, "title:whole b2", 0, ": b2"), as_is))

    with pytest.raises((ObjectInvalid, ObjectNotFound)):
        bench.title(OWNER, "b2")
    assert found(bench, "whole OR whole") == ["a1"]
    bench.put(OWNER, "b2", "whole again")
    assert bench.title(OWNER, "b2") == "whole again"
    bench.run(bench.objects.delete(OWNER, TYPE, "b2"))


def test_damaged_lists_give_no_right_and_the_owner_can_put_new_ones_there(bench: ObjectBench, store: Store) -> None:
    bench.put(OWNER, "a1", "mine")
    store.run(Op(("SET", bench.objects.keys.acl("alice"), "nonsense"), as_is))

    with pytest.raises(ObjectNotFound):
        bench.title(BOB, "a1")
    assert bench.title(OWNER, "a1") == "mine"
    bench.grant(lambda acl: acl.granted(Right.READ, "bob"))
    assert bench.title(BOB, "a1") == "mine"


def test_an_owner_reads_and_creates_in_one_round_trip(bench: ObjectBench) -> None:
    """Others do, too, once the lists of the context are known."""
    bench.grant(lambda acl: acl.granted(Right.READ, "bob"))
    bench.put(OWNER, "a1", "x")
    bench.title(BOB, "a1")
    for flow in (
        bench.objects.get(OWNER, TYPE, "a1"),
        bench.objects.get(BOB, TYPE, "a1"),
        bench.objects.put(OWNER, TYPE, "a2", {}, base=0),
    ):
        assert round_trips(bench, flow) == 1


def round_trips(bench: ObjectBench, flow: Flow[Any]) -> int:
    count = 0

    def counted() -> Flow[Any]:
        nonlocal count
        results: list[Any] | None = None
        while True:
            try:
                ops = next(flow) if results is None else flow.send(results)
            except StopIteration as end:
                return end.value
            count += 1
            results = yield ops

    bench.run(counted())
    return count


def found(bench: ObjectBench, query: str, access: ObjectAccess = OWNER) -> list[str]:
    parse_query(query, INDEXED)
    return bench.run(find_objects(bench.objects, access, TYPE, query, indexed=INDEXED)).sids
