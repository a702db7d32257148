"""Export, round trip and hash keys (specification, section 8)."""

from __future__ import annotations

import hashlib

import pytest

from hero_engine.languages.heroscript import (
    Action,
    ActionType,
    Params,
    Playbook,
    export_action,
    export_one_line,
    export_params,
    hash_action,
    hash_params,
)
from tests.engine.languages.heroscript.playcases import round_trip


def test_an_action_without_params_ends_after_its_number() -> None:
    playbook = Playbook.parse("!reboot\n!!!!a.b\n")
    assert playbook.heroscript() == "!core.reboot id:1 \n!!!!a.b id:2 \n\n"
    assert Playbook().heroscript() == ""


def test_keys_are_sorted_with_some_first_and_some_last() -> None:
    playbook = Playbook.parse("!!a.b time:1 z:2 name:3 cid:7 mtime:8")
    assert playbook.heroscript() == "!!a.b id:1 cid:'7' name:3 z:2 mtime:8 time:1\n\n"


def test_the_first_line_is_left_when_it_is_full() -> None:
    playbook = Playbook.parse("!!a.b a:1234567890 b:1234567890 c:1234567890 d:1 long:12345678901234567890123456")
    assert playbook.heroscript() == (
        "!!a.b id:1 a:1234567890 b:1234567890 c:1234567890\n        d:1\n        long:12345678901234567890123456\n\n"
    )


def test_a_value_with_a_literal_backslash_n_gets_its_own_line() -> None:
    assert Playbook.parse(r"!!a.b x:a\nb y:1").heroscript() == "!!a.b id:1 y:1\n        x:a\\nb\n\n"


def test_done_actions_are_left_out_unless_asked_for() -> None:
    playbook = Playbook.parse("!!a.b x:1\n!!c.d x:1")
    playbook.actions[0].done = True
    assert playbook.heroscript() == "!!c.d id:2 x:1\n\n"
    assert playbook.heroscript(show_done=True).startswith("!!a.b id:1 x:1\n\n!!c.d")


def test_comments_of_actions_and_arguments_are_written_where_they_are_read() -> None:
    playbook = Playbook.parse("// why\n!!a.b\n  // one\n  slow\n  // two\n  // three\n  fast\n  x:1")
    text = playbook.heroscript()
    assert text.startswith("// why\n!!a.b id:1 x:1\n        // one\n        fast\n")
    assert round_trip(playbook)


@pytest.mark.parametrize(
    "value",
    [
        "ends with\\",
        "it's\\",
        "\\",
        '"',
        "'",
        "''",
        "a,'b'",
        "a,",
        ",a",
        ",",
        "//x",
        "a //x",
        "[\"a\", 'b']",
        "{'a':1",
        'say \\"hi\\"',
        "it\\'s",
        "a\nb",
        "a\n\nb",
        "a\n  b\n",
        'a\n"\nb',
        "it's\nso",
        "a\\\nb\\",
        "!!a.b",
        "a\n!!a.b x:1\n![i]",
        "-/ //c-/",
        "<!-- x -->",
        "\xa0x\u2028\n\u2028y",
        "x:",
        "a\n// b",
        "{NAME}",
    ],
)
def test_a_value_survives_export_and_parse(value: str) -> None:
    params = Params()
    params.set("x", value)
    params.set("cid", value, "why\nso - //")
    params.set("name", "1", value)
    playbook = Playbook()
    playbook.actions = [Action("a", "b", id=1, params=params, comments="so"), Action("c", "d", id=2)]
    assert round_trip(playbook)
    assert Params.parse(export_one_line(params)).get_map() == params.get_map()
    assert Params.parse("\n".join(export_params(params))).params[0].value == params.get_map()["cid"]


def test_odd_names_survive_export_and_parse() -> None:
    params = Params.parse([":x", "'a'"][0])
    for arg in (",a", "/etc", "B.c"):
        params.set_arg(arg)
    params.set(",k", "v", "why")
    params.set("a//b", "2")
    params.comments = ["one", "two", "- odd", "more"]
    playbook = Playbook()
    playbook.actions = [Action("a__b", "_c__", id=1, type=ActionType.WAL, params=params)]
    again = Playbook.parse(playbook.heroscript()).actions[0]
    assert (again.full_name, again.type) == ("a__b._c__", ActionType.WAL)
    assert again.params.get_map() == {"": "x", ",k": "v", "a//b": "2"}
    assert again.params.comment_of(",k") == "why"
    assert sorted(again.params.args) == [",a", "/etc", "B.c"]
    assert again.params.comments == ["one", "two", "- odd", "more"]


def test_an_id_set_by_a_program_is_not_written_twice() -> None:
    params = Params()
    params.set("id", "99")
    assert export_action(Action("a", "b", id=1, params=params)) == "!!a.b id:1 "


def test_params_alone_have_their_own_order_and_width() -> None:
    params = Params.parse("z:1 name:2 alias:3 gid:4 id:5 fast")
    assert export_params(params) == ["fast id:5 gid:'4' name:2 alias:3 z:1"]
    assert export_one_line(params) == "fast id:5 gid:'4' name:2 alias:3 z:1"


def test_hashes_are_of_the_exported_bytes() -> None:
    action = Playbook.parse("// why\n!!a.b x:1").actions[0]
    assert hash_action(action) == hashlib.blake2b(b"!!a.b id:1 x:1\n", digest_size=20).hexdigest()
    assert hash_action(action, number=False) == hashlib.blake2b(b"!!a.b x:1\n", digest_size=20).hexdigest()
    assert hash_params(action.params) == hashlib.sha256(b"x:1").hexdigest()
    commented = Params.parse("// why\nx:1\n// arg\nfast")
    assert hash_params(commented) == hashlib.sha256(b"//arg-/ fast //why-/ x:1").hexdigest()
