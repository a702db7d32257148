"""Actions, comments and prose; the lexical rules below them (specification, sections 2 and 3)."""

from __future__ import annotations

import pytest

from hero_engine.languages.heroscript import ActionType, HeroScriptError, Playbook, name_fix, name_fix_no_underscore
from hero_engine.languages.heroscript.text.source import Source, dedent_lines


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("  My Name ", "my_name"),
        ("Ann-Lee", "ann_lee"),
        ("C#1", "c"),
        ("a:b;c.d e", "a_b_c.d e"),
        ("Photo One.JPG", "photo_one.jpg"),
        (".hidden", "_hidden"),
        ("ends.", "ends_"),
        ("dir.d/file", "dir_dfile"),
        ("é", ""),
        ("\u212aelvin", "elvin"),
        ("a$b", "ab"),
        ("a.", "a_"),
    ],
)
def test_names_are_fixed_as_specified(text: str, fixed: str) -> None:
    assert name_fix(text) == fixed


def test_names_without_underscores_lose_all_of_them() -> None:
    assert name_fix_no_underscore("_A b-c_") == "abc"


def test_margin_is_cut_and_blank_lines_become_empty() -> None:
    assert dedent_lines(["    a", "   ", "      b", ""]) == ["a", "", "  b", ""]
    assert Source("    a\n\n      b\n").lines == ["a", "", "  b"]


def test_a_byte_order_mark_does_not_hide_the_first_action() -> None:
    assert Playbook.parse("\ufeff!!a.b").actions[0].full_name == "a.b"


@pytest.mark.parametrize(
    ("bangs", "kind"),
    [("!", ActionType.DAL), ("!!", ActionType.SAL), ("!!!", ActionType.MACRO), ("!!!!", ActionType.WAL)],
)
def test_the_number_of_marks_is_the_type(bangs: str, kind: ActionType) -> None:
    action = Playbook.parse(f"{bangs}A.B-c x:1").actions[0]
    assert (action.type, action.actor, action.name) == (kind, "a", "b_c")


def test_five_marks_are_an_error_that_counts_them() -> None:
    with pytest.raises(HeroScriptError, match="there is no action starting with 7 x !"):
        Playbook.parse("!!!!!!!a.b")


@pytest.mark.parametrize("head", ["!!a.b.c", "!!a..b", "!!..", "!!a.b."])
def test_three_parts_are_an_error(head: str) -> None:
    with pytest.raises(HeroScriptError, match="for now we only support actions with 1 or 2 parts"):
        Playbook.parse(head)


def test_a_name_without_an_actor_belongs_to_core() -> None:
    assert Playbook.parse("!!Reboot-now").actions[0].full_name == "core.reboot_now"


def test_a_margin_common_to_all_lines_does_not_count_as_indentation() -> None:
    playbook = Playbook.parse("    !!a.b\n      x:1\n    y:2\n    !!c.d\n")
    assert [action.params.get_map() for action in playbook.actions] == [{"x": "1"}, {}]


def test_ids_count_over_several_loads_and_the_first_path_stays() -> None:
    playbook = Playbook.parse("!!a.b\n!!c.d", path="one")
    playbook.add("!!e.f", path="two")
    assert [action.id for action in playbook.actions] == [1, 2, 3]
    assert (playbook.path, playbook.nractions) == ("one", 3)
    assert str(playbook.actions[2].place) == "two:1:1"


def test_a_failed_load_leaves_the_playbook_unchanged() -> None:
    playbook = Playbook.parse("!!a.b")
    with pytest.raises(HeroScriptError):
        playbook.add("// lost\nprose\n!!c.d\n!!e.f x-y:1")
    assert (playbook.nractions, playbook.othertext, playbook.warnings) == (1, "", [])


def test_comments_belong_to_the_action_below_even_across_blank_lines() -> None:
    playbook = Playbook.parse("//// one\n\n//two\n\n\n!!a.b\n!!c.d")
    assert [action.comments for action in playbook.actions] == ["one\ntwo", ""]


def test_an_image_does_not_separate_a_comment_from_its_action() -> None:
    assert Playbook.parse("// one\n![i](j.png)\n!!a.b").actions[0].comments == "one"


def test_prose_and_indented_comments_are_ignored_outside_of_actions() -> None:
    playbook = Playbook.parse("prose\n  // indented\n  x:1\n!!a.b")
    assert (playbook.actions[0].comments, playbook.othertext) == ("", "")


def test_comments_of_several_loads_are_separated_by_line_ends() -> None:
    playbook = Playbook.parse("// one")
    playbook.add("// two\nprose\n// three")
    assert playbook.othertext == "one\ntwo\nthree"


def test_a_mark_inside_an_open_quoted_value_still_starts_an_action() -> None:
    playbook = Playbook.parse("!!a.b x:'one\n    !!c.d\n")
    assert [action.full_name for action in playbook.actions] == ["a.b", "c.d"]


def test_an_action_with_an_error_is_left_out_when_errors_are_collected() -> None:
    errors: list[HeroScriptError] = []
    playbook = Playbook()
    playbook.add("!!a.b\n// gone\n!!c.d x-y:1\n  z:2\n!!!!!e.f\n!!g.h", errors=errors)
    assert [(action.id, action.full_name, action.comments) for action in playbook.actions] == [
        (1, "a.b", ""),
        (2, "g.h", ""),
    ]
    assert [error.line for error in errors] == [3, 5]


def test_empty_texts_have_no_actions() -> None:
    for text in ("", "\n", "   ", "\r\r", "prose"):
        assert Playbook.parse(text).actions == []
