"""Finding, ordering and marking actions (specification, section 6)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hero_engine.languages.heroscript import Playbook, SelectError
from hero_engine.languages.heroscript.text.glob import Glob, matches_value

SCRIPT = "!!vm.define name:a\n!!vm.start name:b x:1\n!!disk.add vm:a\n!!reboot\n!!vm.start name:c"


def ids(playbook: Playbook, filter: str, *, include_done: bool = False) -> list[int]:
    return [action.id for action in playbook.find(filter, include_done=include_done)]


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("vm.", [1, 2, 5]),
        (".start,disk.*", [2, 3, 5]),
        (" disk.add , vm.define ", [1, 3]),
        ("vm.x.define", [1]),
        ("*.*", [1, 2, 3, 4, 5]),
        (".", [1, 2, 3, 4, 5]),
        ("reboot", [4]),
        ("", [4]),
        ("disk:add", [3]),
        ("[^v]*.", [3, 4]),
        ("[vd.start", []),
        ("v?.st*t", [2, 5]),
    ],
)
def test_filters_find_in_script_order(filter: str, found: list[int]) -> None:
    assert ids(Playbook.parse(SCRIPT), filter) == found


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*", "", True),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "axxbyy", False),
        ("?", "", False),
        ("a?c", "abc", True),
        ("[abc]x", "bx", True),
        ("[^abc]x", "bx", False),
        ("[a-c]", "b", False),
        ("[a-c]", "-", True),
        ("x[", "x[", False),
        ("**a**", "bab", True),
        ("*a*a*a*a*a*a*a*a*b", "a" * 200, False),
    ],
)
def test_globs_match_whole_texts(pattern: str, text: str, matches: bool) -> None:
    assert Glob(pattern).matches(text) is matches


def test_a_value_pattern_without_glob_characters_is_compared() -> None:
    assert matches_value("a[b", "a[b")
    assert not matches_value("a", "ab")


def test_lookups_of_one_action_say_what_is_wrong() -> None:
    playbook = Playbook.parse(SCRIPT, path="x.hero")
    assert playbook.get("vm.define").id == playbook.ensure_once("vm.define").id == 1
    assert playbook.max_once("vm.define")
    assert not playbook.max_once("net.")
    assert playbook.exists("vm.start")
    assert not playbook.exists_once("vm.start")
    lookups: list[tuple[Callable[[], object], str]] = [
        (lambda: playbook.max_once("vm."), "found more than one action: 'vm.'"),
        (lambda: playbook.ensure_once("net."), "No actions found based on filter: net."),
        (
            lambda: playbook.ensure_once("vm."),
            "More than 1 action found based on filter: vm., this Playbook only supports",
        ),
        (lambda: playbook.get("net."), "can't find action: 'net.'"),
        (lambda: playbook.get("vm.start"), "found more than one action: 'vm.start'"),
    ]
    for call, message in lookups:
        with pytest.raises(SelectError) as caught:
            call()
        assert message in str(caught.value)


def test_a_misspelt_lookup_comes_with_the_nearest_name() -> None:
    with pytest.raises(SelectError) as caught:
        Playbook.parse(SCRIPT).get("vm.defin")
    assert caught.value.hint == "did you mean vm.define?"


def test_done_actions_are_found_only_on_request() -> None:
    playbook = Playbook.parse(SCRIPT)
    playbook.actions[1].done = True
    assert ids(playbook, "vm.start") == [5]
    assert ids(playbook, "vm.start", include_done=True) == [2, 5]
    assert playbook.exists_once("vm.start")


def test_an_action_that_is_not_done_is_named() -> None:
    playbook = Playbook.parse(SCRIPT, path="x.hero")
    with pytest.raises(SelectError, match=r"x\.hero:2:1: action not done: 'vm.start'"):
        playbook.ensure_processed("*.start")
    for action in playbook.actions[:-1]:
        action.done = True
    with pytest.raises(SelectError) as caught:
        playbook.empty_check()
    assert caught.value.message == "There are actions left to execute, see below:\n!!vm.start id:5 name:c\n\n"
    playbook.actions[-1].done = True
    playbook.empty_check()
    playbook.ensure_processed("*.*")


def test_params_of_all_matches_are_merged_and_later_ones_win() -> None:
    merged = Playbook.parse(SCRIPT).params_get("vm.start")
    assert merged.get_map() == {"x": "1", "name": "c"}


def test_actions_are_sorted_into_the_lowest_bucket_that_matches() -> None:
    playbook = Playbook.parse(SCRIPT)
    assert [action.id for action in playbook.actions_sorted()] == [1, 2, 3, 4, 5]
    assert [action.id for action in playbook.filtersort({9: "vm.*", 1: "*.start"})] == [2, 5, 1, 3, 4]
    assert playbook.priorities == {9: [1], 1: [2, 5], 50: [3, 4]}
    assert sorted(playbook.done) == [1, 2, 3, 4, 5]
    assert [action.priority for action in playbook.actions] == [9, 1, 50, 50, 1]
    assert playbook.names() == ["start", "start", "define", "add", "reboot"]
    assert [action.id for action in playbook.filtersort({1: "disk."}, prio_only=True)] == [3]


def test_actions_added_after_a_sort_come_last() -> None:
    playbook = Playbook.parse(SCRIPT)
    playbook.filtersort({1: "disk."})
    playbook.add("!!new.one")
    assert [action.id for action in playbook.actions_sorted()] == [3, 1, 2, 4, 5, 6]
    assert [action.id for action in playbook.actions_sorted(prio_only=True)] == [3]


def test_a_bucket_above_49_is_refused_and_nothing_is_sorted() -> None:
    playbook = Playbook.parse(SCRIPT)
    with pytest.raises(SelectError, match="prio cannot be higher than 49"):
        playbook.filtersort({1: "disk.", 50: "vm."})
    assert playbook.priorities == {}


def test_a_result_is_created_on_first_use() -> None:
    action = Playbook.parse(SCRIPT).actions[0]
    assert action.result.empty()
    action.result.set("x", "1")
    assert action.result.get("x") == "1"
