"""The family `store`, with the actor's access to a real store."""

from __future__ import annotations

import pytest

from hero_actor.lanes.script_access import ScriptAccess
from hero_engine.engine import Done
from hero_engine.rights import ScriptRights
from hero_job.client.store import Store
from hero_job.model.retention import DEFAULT_RETENTION
from hero_job.operations.values import MAX_VALUES, Values
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op
from tests.engine.host.bench_script import ScriptBench
from tests.eventually import eventually


@pytest.fixture
def bench(store: Store, namespace: str) -> ScriptBench:
    """Scripts that may use the values of their context."""
    bench = ScriptBench(ScriptRights(store=True))
    bench.engine.give_access(ScriptAccess(store, namespace, DEFAULT_RETENTION))
    return bench


def evaluate(bench: ScriptBench, source: str, context_id: str = "circle") -> str:
    outcome = bench.run(source, context_id=context_id)
    assert isinstance(outcome, Done), outcome
    return outcome.output


def thrown(bench: ScriptBench, source: str) -> str:
    return evaluate(bench, f"let caught = ``; try {{ {source}; }} catch (e) {{ caught = e; }} caught")


def test_value_is_kept_for_the_scripts_of_its_context(bench: ScriptBench) -> None:
    assert evaluate(bench, 'store_set("a", "b c"); store_get("a")') == "b c"
    assert evaluate(bench, 'store::store_get("a")') == "b c"
    assert evaluate(bench, 'type_of(store_get("a"))', context_id="another") == "()"
    assert evaluate(bench, 'store_get("none", "default")') == "default"
    assert evaluate(bench, '[store_exists("a"), store_exists("b")]') == "[true,false]"
    assert evaluate(bench, 'store_set("n", 7); store_set("t", true); store_set("f", 1.5); store_list()') == (
        '["a","f","n","t"]'
    )
    assert evaluate(bench, '[store_get("n"), store_get("t"), store_get("f")]') == '["7","true","1.5"]'
    assert evaluate(bench, '[store_delete("a"), store_delete("a")]') == "[true,false]"
    assert evaluate(bench, 'store_list("t")') == '["t"]'


def test_number_grows(bench: ScriptBench) -> None:
    assert evaluate(bench, 'store_increment("n"); store_increment("n", 41)') == "42"
    assert evaluate(bench, 'store_increment("n", -50)') == "-8"
    assert "is not a whole number" in thrown(bench, 'store_set("w", "x"); store_increment("w")')
    assert "cannot grow further" in thrown(bench, 'store_set("m", "9007199254740991"); store_increment("m")')


def test_comparison_decides_who_writes(bench: ScriptBench) -> None:
    assert evaluate(bench, 'store_compare_and_set("a", (), "1")') == "true"
    assert evaluate(bench, 'store_compare_and_set("a", (), "2")') == "false"
    assert evaluate(bench, 'store_compare_and_set("a", "0", "2")') == "false"
    assert evaluate(bench, 'store_compare_and_set("a", 1, 2)') == "true"
    assert evaluate(bench, 'store_compare_and_set("none", "", "2")') == "false"
    assert evaluate(bench, 'store_get("a")') == "2"


def test_value_ends_after_its_time(bench: ScriptBench) -> None:
    evaluate(
        bench, 'store_set("a", "1", 0.05); store_set("b", "1"); store_expire("b", 0.05); store_set("c", "1", 0.05)'
    )

    eventually(lambda: evaluate(bench, "store_list()") == "[]", what="the values are gone")
    assert evaluate(bench, '[store_get("a", "gone"), store_exists("b"), store_delete("c")]') == '["gone",false,false]'
    assert evaluate(bench, 'store_increment("a", 5)') == "5"
    assert evaluate(bench, 'store_compare_and_set("b", (), "2")') == "true"


def test_time_of_a_value_can_be_changed(bench: ScriptBench, store: Store, namespace: str) -> None:
    ends = Keys(namespace).value_ends("circle")

    def names() -> object:
        return store.run(Op(("HKEYS", ends), lambda answer: answer))

    assert evaluate(bench, 'store_expire("a", 60)') == "false"
    assert evaluate(bench, 'store_set("a", "1", 60); store_increment("a")') == "2"
    assert names() == ["a"]
    assert evaluate(bench, 'store_expire("a", ())') == "true"
    assert names() == []
    evaluate(bench, 'store_expire("a", 60); store_set("a", "2")')
    assert names() == []
    evaluate(bench, 'store_expire("a", 60); store_delete("a")')
    assert names() == []
    for seconds in ("0", "-1", "1e12", "0.0/0.0"):
        assert "must be above 0" in thrown(bench, f'store_set("a", "1", {seconds})')


def test_values_that_have_ended_make_room(store: Store, namespace: str) -> None:
    values = Values(namespace)
    store.run_many([values.set("c", f"n{n}", "x", kept_s=0.001 if n else None) for n in range(MAX_VALUES)])

    eventually(lambda: store.run(values.get("c", "n1")) is None, what="their time is over")
    assert store.run(values.set("c", "more", "x"))
    eventually(lambda: store.run(values.names("c")) == ["more", "n0"], what="all are gone")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('store_set("", "x")', "Store error: 'key': must have 1 to 200 characters"),
        ('let s = "x"; s.pad(300, "x"); store_get(s)', "must have 1 to 200 characters"),
        ('let s = "x"; s.pad(1048577, "x"); store_set("a", s)', "a value may have 1048576 bytes"),
        ('store_set("a", [1])', "Function not found: store_set (string, array)"),
    ],
)
def test_mistake_is_caught_as_a_text(bench: ScriptBench, source: str, text: str) -> None:
    assert text in thrown(bench, source)


def test_family_is_off_unless_allowed() -> None:
    assert "store: store_get is not allowed here" in thrown(ScriptBench(), 'store_get("a")')
