"""Values that scripts keep: conditions, ends, numbers, names, and the bounds of a context."""

from __future__ import annotations

import pytest

from hero_job.client.store import Store
from hero_job.model.errors import JobInvalid
from hero_job.operations import values as values_module
from hero_job.operations.values import MAX_KEPT_S, MAX_NAME_CHARS, MAX_VALUE_BYTES, Values
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op


@pytest.fixture
def values(namespace: str) -> Values:
    return Values(namespace)


@pytest.fixture
def keys(namespace: str) -> Keys:
    return Keys(namespace)


def size_of(store: Store, keys: Keys, context: str = "c") -> int:
    """The size that the hash of a context says it has."""
    return store.run(Op(("HGET", keys.values(context), ""), lambda answer: int(answer or 0)))


def ends_of(store: Store, keys: Keys, context: str = "c") -> dict[str, int]:
    flat: list[str] = store.run(Op(("HGETALL", keys.value_ends(context)), list))
    return {name: int(float(end)) for name, end in zip(flat[::2], flat[1::2], strict=True)}


def let_end(store: Store, keys: Keys, *names: str, context: str = "c") -> None:
    """Have the time of values be over."""
    for name in names:
        store.run(Op(("HSET", keys.value_ends(context), name, 1), int))


def now_ms(store: Store) -> int:
    seconds, micros = store.run(Op(("TIME",), list))
    return int(seconds) * 1000 + int(micros) // 1000


def test_a_value_is_read_as_it_was_written_in_its_context_only(store: Store, values: Values) -> None:
    assert store.run(values.get("c", "a")) is None
    assert store.run(values.set("c", "a", "é\n1"))
    assert store.run(values.set("d", "a", ""))
    assert store.run(values.get("c", "a")) == "é\n1"
    assert store.run(values.get("d", "a")) == ""
    assert store.run(values.set("c", "a", "2"))
    assert store.run(values.get("c", "a")) == "2"


def test_a_new_value_only_leaves_the_one_that_is_there(store: Store, values: Values) -> None:
    assert store.run(values.set("c", "a", "1", only_new=True))
    assert not store.run(values.set("c", "a", "2", only_new=True))
    assert store.run(values.get("c", "a")) == "1"


def test_a_value_is_set_only_if_it_is_the_expected_one(store: Store, values: Values) -> None:
    assert not store.run(values.compare_and_set("c", "a", "1", "2")), "there is none"
    assert not store.run(values.compare_and_set("c", "a", "", "2")), "none is not the empty one"
    assert store.run(values.compare_and_set("c", "a", None, "1"))
    assert not store.run(values.compare_and_set("c", "a", None, "2"))
    assert not store.run(values.compare_and_set("c", "a", "x", "2"))
    assert store.run(values.get("c", "a")) == "1"
    assert store.run(values.compare_and_set("c", "a", "1", "2"))
    assert store.run(values.get("c", "a")) == "2"


def test_a_deleted_value_is_gone_and_the_last_one_takes_everything_with_it(
    store: Store, values: Values, keys: Keys
) -> None:
    store.run(values.set("c", "a", "12", kept_s=60))
    store.run(values.set("c", "bc", "3"))
    assert size_of(store, keys) == 6
    assert store.run(values.delete("c", "a"))
    assert not store.run(values.delete("c", "a"))
    assert store.run(values.get("c", "a")) is None
    assert size_of(store, keys) == 3
    assert ends_of(store, keys) == {}
    assert store.run(values.delete("c", "bc"))
    assert store.run(Op(("EXISTS", keys.values("c"), keys.value_ends("c")), int)) == 0


def test_the_size_of_a_context_follows_its_values_and_is_counted_again_if_it_is_damaged(
    store: Store, values: Values, keys: Keys
) -> None:
    store.run(values.set("c", "a", "12345"))
    store.run(values.set("c", "a", "123"))
    store.run(values.set("c", "bb", "1"))
    assert size_of(store, keys) == 7
    for damage in ("nonsense", "-1", str(10**12)):
        store.run(Op(("HSET", keys.values("c"), "", damage), int))
        store.run(values.set("c", "a", "1234"))
        assert size_of(store, keys) == 8, damage


def test_values_are_named_by_their_beginning_and_sorted(store: Store, values: Values, keys: Keys) -> None:
    for name in ("b1", "a2", "a1", "old"):
        store.run(values.set("c", name, "x", kept_s=60))
    let_end(store, keys, "old")
    assert store.run(values.names("c")) == ["a1", "a2", "b1"]
    assert store.run(values.names("c", "a")) == ["a1", "a2"]
    assert store.run(values.names("c", "a1x")) == []
    assert "old" not in ends_of(store, keys), "listing forgets it"
    assert store.run(values.names("d")) == []


@pytest.mark.parametrize("kept_s", [60.0, 0.0001])
def test_a_value_is_kept_for_its_time(store: Store, values: Values, keys: Keys, kept_s: float) -> None:
    before = now_ms(store)
    store.run(values.set("c", "a", "1", kept_s=kept_s))
    after = now_ms(store)
    length_ms = max(1, round(kept_s * 1000))
    assert before + length_ms <= ends_of(store, keys)["a"] <= after + length_ms


@pytest.mark.parametrize("way", ["get", "names", "new", "none", "equal", "add", "expire", "delete"])
def test_a_value_whose_time_is_over_is_gone_for_everybody(store: Store, values: Values, keys: Keys, way: str) -> None:
    store.run(values.set("c", "a", "41", kept_s=60))
    store.run(values.set("c", "b", "1", kept_s=60))
    let_end(store, keys, "a")
    match way:
        case "get":
            assert store.run(values.get("c", "a")) is None
        case "names":
            assert store.run(values.names("c")) == ["b"]
        case "new":
            assert store.run(values.set("c", "a", "2", only_new=True))
        case "none":
            assert store.run(values.compare_and_set("c", "a", None, "2"))
        case "equal":
            assert not store.run(values.compare_and_set("c", "a", "41", "2"))
        case "add":
            assert store.run(values.add("c", "a", 1)) == 1
        case "expire":
            assert not store.run(values.expire("c", "a", 60))
        case "delete":
            assert not store.run(values.delete("c", "a"))
    assert "a" not in ends_of(store, keys)
    assert store.run(values.get("c", "b")) == "1"


def test_the_time_of_a_value_can_be_changed_and_taken_away(store: Store, values: Values, keys: Keys) -> None:
    assert not store.run(values.expire("c", "a", 60)), "there is no such value"
    assert ends_of(store, keys) == {}
    store.run(values.set("c", "a", "1"))
    before = now_ms(store)
    assert store.run(values.expire("c", "a", 60))
    assert before + 60_000 <= ends_of(store, keys)["a"] <= now_ms(store) + 60_000
    assert store.run(values.expire("c", "a", None))
    assert ends_of(store, keys) == {}
    assert store.run(values.get("c", "a")) == "1"


def test_a_value_that_is_set_for_ever_loses_its_end_but_one_that_is_left_keeps_it(
    store: Store, values: Values, keys: Keys
) -> None:
    store.run(values.set("c", "a", "1", kept_s=60))
    end = ends_of(store, keys)
    store.run(values.set("c", "a", "2", only_new=True))
    store.run(values.add("c", "a", 1))
    assert ends_of(store, keys) == end
    store.run(values.set("c", "a", "3"))
    assert ends_of(store, keys) == {}


@pytest.mark.parametrize("kept_s", [0.0, -1.0, MAX_KEPT_S + 1.0])
def test_a_time_out_of_bounds_is_refused(values: Values, kept_s: float) -> None:
    with pytest.raises(JobInvalid, match="seconds"):
        values.set("c", "a", "1", kept_s=kept_s)
    with pytest.raises(JobInvalid, match="seconds"):
        values.expire("c", "a", kept_s)
    values.expire("c", "a", MAX_KEPT_S)


def test_whole_numbers_are_added_up_to_where_they_are_exact(store: Store, values: Values) -> None:
    most = 2**53 - 1
    assert store.run(values.add("c", "n", 5)) == 5
    assert store.run(values.add("c", "n", -7)) == -2
    assert store.run(values.get("c", "n")) == "-2"
    store.run(values.set("c", "n", "0"))
    assert store.run(values.add("c", "n", most)) == most
    with pytest.raises(JobInvalid, match="cannot grow further"):
        store.run(values.add("c", "n", 1))
    assert store.run(values.add("c", "n", -2 * most)) == -most
    with pytest.raises(JobInvalid, match=f"it is -{most}"):
        store.run(values.add("c", "n", -1))


@pytest.mark.parametrize("text", ["", "x", "1.5", "1e3", " 1", "1\n", "0x1", "--1", "-"])
def test_what_is_no_whole_number_is_not_added_to(store: Store, values: Values, text: str) -> None:
    store.run(values.set("c", "n", text))
    with pytest.raises(JobInvalid, match="not a whole number"):
        store.run(values.add("c", "n", 1))
    assert store.run(values.get("c", "n")) == text


def test_a_context_has_no_more_values_than_allowed_unless_the_time_of_some_is_over(
    store: Store, values: Values, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values_module, "_BOUNDS", (3, 100))
    for name in "abc":
        store.run(values.set("c", name, "1", kept_s=60))
    with pytest.raises(JobInvalid, match="values already"):
        store.run(values.set("c", "d", "1"))
    with pytest.raises(JobInvalid, match="values already"):
        store.run(values.add("c", "d", 1))
    assert store.run(values.names("c")) == ["a", "b", "c"]
    assert store.run(values.set("c", "a", "2")), "one that is there may change"
    let_end(store, keys, "b", "c")
    assert store.run(values.set("c", "d", "1"))
    assert store.run(values.names("c")) == ["a", "d"]


def test_a_context_has_no_more_bytes_than_allowed_unless_the_time_of_some_is_over(
    store: Store, values: Values, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values_module, "_BOUNDS", (10, 20))
    store.run(values.set("c", "a", "x" * 9, kept_s=60))
    assert store.run(values.set("c", "b", "x" * 9)), "exactly the limit"
    with pytest.raises(JobInvalid, match="bytes"):
        store.run(values.set("c", "b", "x" * 10))
    with pytest.raises(JobInvalid, match="bytes"):
        store.run(values.add("c", "n", 1))
    assert store.run(values.get("c", "b")) == "x" * 9
    let_end(store, keys, "a")
    assert store.run(values.set("c", "b", "x" * 19))
    assert size_of(store, keys) == 20


def test_names_and_values_out_of_their_bounds_are_refused(values: Values) -> None:
    values.set("c", "n" * MAX_NAME_CHARS, "é" * (MAX_VALUE_BYTES // 2))
    for name in ("", "n" * (MAX_NAME_CHARS + 1)):
        for call in (
            lambda name=name: values.set("c", name, "1"),
            lambda name=name: values.get("c", name),
            lambda name=name: values.add("c", name, 1),
            lambda name=name: values.expire("c", name, 1),
            lambda name=name: values.delete("c", name),
            lambda name=name: values.compare_and_set("c", name, None, "1"),
        ):
            with pytest.raises(JobInvalid, match="1 to 200 characters"):
                call()
    with pytest.raises(JobInvalid, match="a value may have"):
        values.set("c", "n", "é" * (MAX_VALUE_BYTES // 2) + "x")


def test_values_whose_time_is_over_are_forgotten_by_hundreds(store: Store, values: Values, keys: Keys) -> None:
    for number in range(502):
        store.run(values.set("c", f"n{number}", "1", kept_s=60))
    let_end(store, keys, *(f"n{number}" for number in range(502)))
    assert store.run(values.names("c")) == []
    assert len(ends_of(store, keys)) == 2
    assert store.run(values.names("c")) == []
    assert store.run(Op(("EXISTS", keys.values("c"), keys.value_ends("c")), int)) == 0
