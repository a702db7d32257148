"""Parameter blocks, and operations on parameters (specification, sections 4 and 5)."""

from __future__ import annotations

import pytest

from hero_engine.languages.heroscript import HeroScriptError, Param, ParamError, Params


def test_all_forms_of_a_parameter_are_read() -> None:
    params = Params.parse("a:value b: value c:'a b' d: \"a b\"e:1 f:'' g:a:b'={}")
    assert params.get_map() == {"a": "value", "b": "value", "c": "a b", "d": "a b", "e": "1", "f": "", "g": "a:b'={}"}


def test_a_colon_alone_makes_a_parameter_without_key() -> None:
    assert Params.parse(":x").get_map() == {"": "x"}


def test_lists_may_have_blanks_around_their_commas_and_go_over_lines() -> None:
    assert Params.parse("x:a , b,c\n  , d y:1").get_map() == {"x": "a,b,c,d", "y": "1"}
    assert Params.parse("x:'a','b',\n  'c' y:1").get_map() == {"x": "a,b,c", "y": "1"}


def test_a_line_that_starts_with_a_comma_continues_the_value_above_but_no_argument() -> None:
    assert Params.parse("x:a\n,b // note").params == (Param("x", "a,b", "note"),)
    assert Params.parse("fast\n,b").args == ("fast", ",b")


def test_a_quote_inside_a_value_is_escaped_by_a_backslash_right_before_it() -> None:
    assert Params.parse(r"x:'it\'s' y:'a\\'b' z:1").get_map() == {"x": "it's", "y": r"a\'b", "z": "1"}


def test_a_multi_line_value_is_dedented_and_trimmed() -> None:
    params = Params.parse("x:'\n\n      one\n        two\n\n      three\n\n  '\ny:1")
    assert params.get_map() == {"x": "one\n  two\n\nthree", "y": "1"}


@pytest.mark.parametrize("closer", ["'", "'''", '"', '"""'])
@pytest.mark.parametrize("opener", ["'", "'''", '"', '"""', "   '"])
def test_a_multi_line_value_opens_and_closes_with_any_kind_of_quotes(opener: str, closer: str) -> None:
    assert Params.parse(f"x:{opener}\n  one // no comment\n  {closer}\ny:1").get_map() == {
        "x": "one // no comment",
        "y": "1",
    }


def test_a_multi_line_value_may_have_a_comment_behind_its_opener() -> None:
    params = Params.parse("x:' // why\n  one\n  '\ny:' // in quotes' z:1")
    assert params.get_map() == {"x": "one", "y": "// in quotes", "z": "1"}
    assert params.comment_of("x") == "why"


def test_br_markers_are_line_ends() -> None:
    assert Params.parse("x:a<BR>b<<BR>>c").get("x") == "a\nb\nc"


def test_comments_belong_to_the_next_item_and_vanish_at_the_end() -> None:
    params = Params.parse("x:1\n// to arg\n// two\nfast\n<!-- to y -->\ny:2\n// nobody's")
    assert params.comments == ["to arg\ntwo"]
    assert params.params == (Param("x", "1"), Param("y", "2", "to y"))


def test_a_comment_between_a_key_and_its_value_belongs_to_it() -> None:
    assert Params.parse("x:\n// why\n1").params == (Param("x", "1", "why"),)
    assert Params.parse("x: // why\n1").params == (Param("x", "1", "why"),)


def test_an_html_comment_that_is_never_closed_warns() -> None:
    assert Params.parse("x:1\n<!-- y:2\nz:3").get_map() == {"x": "1"}


@pytest.mark.parametrize(
    ("text", "char", "column"),
    [("a-b:1", "a-", 2), ("x:1 @y", "@", 5), ("x:'a' 'b'", "'", 7), ("é", "é", 1), ("x:'a'#", "#", 6)],
)
def test_an_illegal_character_is_an_error_with_its_place(text: str, char: str, column: int) -> None:
    with pytest.raises(HeroScriptError) as caught:
        Params.parse(f"ok:1\n{text}", "block")
    assert f"found illegal char: '{char}'" in str(caught.value)
    assert (caught.value.path, caught.value.line, caught.value.column) == ("block", 2, column)
    assert caught.value.text == char[-1]


def test_parameters_can_be_set_deleted_and_merged() -> None:
    params = Params()
    params.set(" Name ", "  two\r\nlines\t<BR>x ", "why-")
    params.set_arg(" 'Fast' ")
    params.set_arg("FAST")
    assert params.params == (Param("name", "two\nlines    \nx", "why"),)
    assert params.args == ("Fast",)
    other = Params.parse("name:new extra:1 slow")
    params.merge(other)
    params.add("extra:2")
    assert params.get_map() == {"name": "new", "extra": "2"}
    params.delete("NAME")
    params.delete_arg("SLOW")
    assert (params.get_map(), params.args, len(params)) == ({"extra": "2"}, ("Fast",), 1)
    with pytest.raises(ParamError, match="Did not find key:name"):
        params.delete("name")
    assert not params.empty()
    assert Params().empty()


@pytest.mark.parametrize("key", ["a-b", "a b", "/x", "é", "a:b", "a\n"[:1] + "'"])
def test_a_key_that_a_script_cannot_hold_is_refused(key: str) -> None:
    with pytest.raises(ParamError, match="a key holds only"):
        Params().set(key, "1")


@pytest.mark.parametrize("arg", ["", "-f", "a b", "//x", "a:b"])
def test_an_argument_that_a_script_cannot_hold_is_refused(arg: str) -> None:
    with pytest.raises(ParamError, match="an argument holds only"):
        Params().set_arg(arg)


def test_placeholders_are_replaced_by_fixed_name() -> None:
    params = Params.parse("x:'/srv/{node}/{My_Zone}' y:{nope} z:'{ node }'")
    params.replace({"node": "n7", "my_zone": "eu"})
    assert params.get_map() == {"x": "/srv/n7/eu", "y": "{nope}", "z": "{ node }"}


def test_a_value_can_be_a_block_of_its_own() -> None:
    params = Params.parse("size:'cpu:4 mem:8' bad:'a-b:1'")
    assert params.get_params("size").get_int("mem") == 8
    with pytest.raises(HeroScriptError, match="found illegal char"):
        params.get_params("bad")


def test_filters_test_arguments_and_exact_keys() -> None:
    params = Params.parse("fast color:darkred")
    assert params.filter_match(["color:dark*+fast"])
    assert not params.filter_match(["COLOR:dark*"])
    assert params.filter_match([], ["slow", "color:blue"])
    assert not params.filter_match(["fast"], ["color:[cd]*"])
    assert not params.filter_match(["none:*"])
    assert params.filter_match(["[ef]ast"])


def test_a_copy_is_independent() -> None:
    params = Params.parse("x:1 fast")
    twin = params.copy()
    twin.set("x", "2")
    twin.set_arg("slow")
    assert (params.get("x"), params.args) == ("1", ("fast",))
