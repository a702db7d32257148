"""Which slots belong together, and what an actor's messages say, without any process."""

from __future__ import annotations

import pytest

from hero_supervisor.children.control_messages import read_heartbeat, whole
from hero_supervisor.children.start_order import earlier, restarted_with
from hero_supervisor.policy.events import Heartbeat, LaneReport
from hero_supervisor.process.spec import ActorSpec, ChildSpec, Strategy


def slots(*specs: ActorSpec) -> dict[str, ChildSpec]:
    return {
        f"{one.name}-{n}": ChildSpec(slot=f"{one.name}-{n}", actor=one)
        for one in specs
        for n in range(1, one.count + 1)
    }


def entry(
    name: str, strategy: Strategy = Strategy.ONE_FOR_ONE, group: str = "", count: int = 1, after: tuple[str, ...] = ()
) -> ActorSpec:
    return ActorSpec(
        name=name, script_type="", command=("/none",), count=count, strategy=strategy, strategy_group=group, after=after
    )


@pytest.mark.parametrize(
    ("strategy", "before", "together"),
    [
        (Strategy.ONE_FOR_ONE, (), ()),
        (Strategy.ONE_FOR_ALL, ("a-1", "a-2"), ("a-1", "a-2", "c-1")),
        (Strategy.REST_FOR_ONE, ("a-1", "a-2"), ("c-1",)),
    ],
)
def test_a_strategy_concerns_the_slots_of_its_group_in_the_order_of_the_config(
    strategy: Strategy, before: tuple[str, ...], together: tuple[str, ...]
) -> None:
    wanted = slots(
        entry("a", strategy, "g", 2), entry("x", strategy, "h"), entry("b", strategy, "g"), entry("c", strategy, "g")
    )
    assert earlier("b-1", wanted) == before
    assert restarted_with("b-1", wanted) == together
    assert restarted_with("x-1", wanted) == earlier("x-1", wanted) == ()
    assert restarted_with("gone-1", wanted) == ()


def test_an_entry_without_a_group_is_its_own_group_even_if_one_has_its_name() -> None:
    all_for_one = Strategy.ONE_FOR_ALL
    wanted = slots(entry("a", all_for_one, count=3), entry("b", all_for_one, "a"))
    assert restarted_with("a-2", wanted) == ("a-1", "a-3")
    assert restarted_with("b-1", wanted) == ()
    assert earlier("a-3", wanted) == ("a-1", "a-2")


def test_a_slot_starts_after_the_entries_that_it_names_but_not_after_itself() -> None:
    wanted = slots(entry("c", after=("a", "c")), entry("b"), entry("a", count=2))
    assert earlier("c-1", wanted) == ("a-1", "a-2")
    both = slots(entry("a", Strategy.REST_FOR_ONE, "g"), entry("b", Strategy.REST_FOR_ONE, "g", after=("a",)))
    assert earlier("b-1", both) == ("a-1",), "each slot is named once"


def test_a_heartbeat_is_read_with_its_lanes() -> None:
    lanes = [{"state": "running", "for_ms": 5, "overdue_ms": 2}, {"state": "idle", "for_ms": 1, "overdue_ms": 0}]
    found = read_heartbeat({"lanes": lanes, "store_up": True})
    assert found == Heartbeat((LaneReport("running", 5, 2), LaneReport("idle", 1, 0)), store_up=True)


@pytest.mark.parametrize(
    ("message", "heartbeat"),
    [
        ({}, Heartbeat((), store_up=True)),
        ({"lanes": "x", "store_up": "x"}, Heartbeat((), store_up=True)),
        ({"lanes": None, "store_up": None}, Heartbeat((), store_up=True)),
        ({"lanes": [1, None, {}], "store_up": False}, Heartbeat((LaneReport("", 0, 0),), store_up=False)),
        ({"lanes": [{"state": "idle", "for_ms": "9", "overdue_ms": 1.5}]}, Heartbeat((LaneReport("idle", 0, 0),))),
    ],
)
def test_what_a_heartbeat_lacks_reads_as_if_nothing_were_wrong(
    message: dict[str, object], heartbeat: Heartbeat
) -> None:
    assert read_heartbeat(message) == heartbeat


def test_only_a_whole_number_is_one() -> None:
    assert [whole(value) for value in (7, -1, 0, "7", 7.0, None, [7])] == [7, -1, 0, 0, 0, 0, 0]
