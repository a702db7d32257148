"""Every quirk of the reference, [Q01] to [Q52], as the specification decides it.

Q44 and Q45 are about actions of the engine, and Q46 is about a program that only the V engine starts, so they are not
here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_engine.languages.heroscript import HeroScriptError, Params, Playbook, follow_includes, load_playbook, name_fix


def first(text: str) -> Params:
    return Playbook.parse(text).actions[0].params


def codes(text: str) -> list[tuple[str, int]]:
    return [(warning.code, warning.place.line if warning.place else 0) for warning in Playbook.parse(text).warnings]


def test_q01_a_line_with_one_leading_space_ends_the_action_with_a_warning() -> None:
    text = "!!a.b\n  x:1\n y:2\n  z:3\n"
    assert first(text).get_map() == {"x": "1"}
    assert codes(text) == [("Q01", 3)]


def test_q02_blank_lines_inside_a_value_are_dropped_unless_they_are_kept_on_request() -> None:
    text = "!!a.b\n  x:'\n    one\n\n    two\n    '\n"
    assert first(text).get("x") == "one\ntwo"
    assert Playbook.parse(text, keep_blank_lines=True).actions[0].params.get("x") == "one\n\ntwo"
    assert Params.parse("x:'\n    one\n\n    two\n    '").get("x") == "one\n\ntwo"


def test_q03_exclamation_marks_inside_an_open_multi_line_value_are_text() -> None:
    playbook = Playbook.parse("!!a.b\n  x:'\n    !!c.d y:1\n    ![image](i.png)\n    '\n  z:1\n!!e.f")
    assert [action.full_name for action in playbook.actions] == ["a.b", "e.f"]
    assert playbook.actions[0].params.get_map() == {"x": "!!c.d y:1\n![image](i.png)", "z": "1"}


def test_q03_an_action_at_column_zero_ends_even_an_open_multi_line_value() -> None:
    playbook = Playbook.parse("!!a.b\n  x:'\n    one\n!!e.f")
    assert [action.full_name for action in playbook.actions] == ["a.b", "e.f"]


def test_q04_a_comment_at_column_zero_ends_the_action_and_warns_if_parameters_follow() -> None:
    text = "!!a.b\n// sizes\n  cpu:4\n!!c.d"
    assert first(text).get_map() == {}
    assert codes(text) == [("Q04", 2)]


def test_q04_a_comment_above_the_next_action_gives_no_warning() -> None:
    assert codes("!!a.b\n  x:1\n// next\n!!c.d\n// last\nprose\n  indented prose") == []


@pytest.mark.parametrize("head", ["!!", "!! x:1", "!!.x", "!!x.", "!!$.x", "!!x.é", "!"])
def test_q05_an_action_without_actor_or_name_is_an_error(head: str) -> None:
    with pytest.raises(HeroScriptError, match=r"has no (actor|name)"):
        Playbook.parse(head)


def test_q06_a_colon_separates_only_in_filters() -> None:
    playbook = Playbook.parse("!!mail:send to:x\n!!mail.send to:y")
    assert [action.full_name for action in playbook.actions] == ["core.mail_send", "mail.send"]
    assert playbook.get("mail:send").params.get("to") == "y"


def test_q07_only_runs_of_underscores_collapse_in_names() -> None:
    assert [name_fix(name) for name in ("a--b", "a-_b", "a__b", "a_-b", "a_--b", "_a_")] == [
        "a__b",
        "a__b",
        "a_b",
        "a_b",
        "a_b",
        "_a_",
    ]


def test_q08_markdown_does_not_hide_actions() -> None:
    playbook = Playbook.parse("text\n```\n!!a.b\n```\n> quote\n!c.d x:1\n")
    assert [action.full_name for action in playbook.actions] == ["a.b", "c.d"]


def test_q09_every_stored_key_can_be_read() -> None:
    params = first("!!a.b a__b:1 a.b.c:2 x/y:3 a,b:4 my_key:5")
    assert [params.get(key) for key in ("a__b", "A.B.C", " x/y ", "a,b", "my-key")] == ["1", "2", "3", "4", "5"]


def test_q10_a_key_takes_the_next_token_and_is_empty_at_the_end() -> None:
    assert first("!!a.b name: other:x").get_map() == {"name": "other:x"}
    assert first("!!a.b name:\n    web\n  x:").get_map() == {"name": "web", "x": ""}


def test_q11_a_blank_before_the_colon_still_makes_a_key() -> None:
    assert first("!!a.b name : web cpu  :4 flag").get_map() == {"name": "web", "cpu": "4"}
    assert first("!!a.b name\n  : web").args == ("name",)


def test_q12_apostrophes_and_addresses_in_comments_do_not_end_them() -> None:
    params = first("!!a.b\n  // don't, see http://x.org/a\n  x:1 // it's 'so' // really\n  y:2")
    assert params.get_map() == {"x": "1", "y": "2"}
    assert params.comment_of("x") == "don't, see http://x.org/a-it's 'so' // really"


def test_q13_a_comment_needs_a_blank_or_the_start_of_the_line() -> None:
    params = first("!!a.b\n  url:https://x.org/a//b c://d //note\n  e:1")
    assert params.get_map() == {"url": "https://x.org/a//b", "c": "//d", "e": "1"}
    assert params.comment_of("url") == "note"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"it\'s"', "it's"),
        ("'say \"hi\"'", 'say "hi"'),
        ('\'{"a":"b \\\\"c\\\\" d"}\'', '{"a":"b \\\\"c\\\\" d"}'),
        ('"say \\"hi\\" now"', "say 'hi' now"),
        ("'say \\'hi\\' now'", "say 'hi' now"),
        ('["a b","c", "d"]', '["a b","c", "d"]'),
        ('{"a": 1, "b": ["x y"]}', '{"a": 1, "b": ["x y"]}'),
        ("['it is', 'so']", "['it is', 'so']"),
        ('5"', '5"'),
    ],
)
def test_q14_the_opening_quote_closes_a_value(text: str, value: str) -> None:
    params = first(f"!!a.b x:{text} y:1")
    assert params.get_map() == {"x": value, "y": "1"}


def test_q14_bracketed_lists_with_quotes_read_as_lists() -> None:
    params = first('!!a.b x:["a b",\'c\',\n  "d e"] y:[it\'s z:1')
    assert params.get_list("x") == ["a b", "c", "d e"]
    assert params.get("y") == "[it's"
    assert params.get("z") == "1"


def test_q15_all_quotes_inside_a_multi_line_value_become_double() -> None:
    assert first("!!a.b\n  x:'\n    it's \"so\"\n    '").get("x") == 'it"s "so"'


def test_q16_a_multi_line_value_may_open_behind_other_parameters() -> None:
    params = first("!!a.b\n  fast n:1 x: '''\n    one\n    '''\n  y:2")
    assert params.get_map() == {"n": "1", "x": "one", "y": "2"}
    assert params.args == ("fast",)


def test_q17_a_first_item_of_several_words_is_not_doubled() -> None:
    params = first("!!a.b x:'ann lee','bob' y:1")
    assert params.get("x") == '"ann lee",bob'
    assert params.get_list("x") == ["ann lee", "bob"]


def test_q18_a_list_does_not_leak_into_the_next_value() -> None:
    assert first("!!a.b x:'a','b' y:'Hello World'").get_map() == {"x": "a,b", "y": "Hello World"}


def test_q19_a_last_item_of_several_words_is_quoted_only_at_the_end_of_the_block() -> None:
    assert first("!!a.b x:a,'b c' y:1").get("x") == "a,b c"
    assert first("!!a.b y:1 x:a,'b c'").get("x") == 'a,"b c"'
    assert first("!!a.b x:a,'b c','d' y:1").get("x") == 'a,"b c",d'


def test_q20_arguments_keep_their_slash_and_are_compared_without_case() -> None:
    params = first("!!a.b /etc/hosts Git git")
    assert params.args == ("/etc/hosts", "Git")
    assert params.exists_arg("GIT")
    for wrong in ("--force", "'quoted'"):
        with pytest.raises(HeroScriptError, match="found illegal char"):
            Playbook.parse(f"!!a.b {wrong}")


def test_q21_an_end_comment_belongs_to_the_first_item_and_adjacent_ones_are_joined() -> None:
    params = first("!!a.b\n  // one\n  // two\n  x:1 y:2 // three\n  z:3 // four")
    assert params.comment_of("x") == "one\ntwo-three"
    assert params.comment_of("y") == ""
    assert params.comment_of("z") == "four"


def test_q22_an_id_in_a_script_is_discarded_and_the_export_numbers_again() -> None:
    playbook = Playbook.parse("!!a.b id:77 x:1")
    assert not playbook.actions[0].params.exists("id")
    assert playbook.heroscript() == "!!a.b id:1 x:1\n\n"


def test_q23_two_backslashes_and_n_are_a_line_end_one_is_text() -> None:
    assert first(r"!!a.b x:'a\\nb' y:'a\nb' z:a\\nb").get_map() == {"x": "a\nb", "y": r"a\nb", "z": "a\nb"}


def test_q24_an_unclosed_value_runs_to_the_end_with_a_warning() -> None:
    assert first("!!a.b x:'no end y:1").get_map() == {"x": "no end y:1"}
    assert codes("!!a.b z:1\n  x:'no end y:1\n!!c.d") == [("Q24", 2)]
    assert codes("!!a.b\n  x:'\n    one\n!!c.d") == [("Q24", 2)]


def test_q25_a_quoted_value_over_lines_is_joined_by_blanks() -> None:
    assert first("!!a.b x:'one\n     two // 3\n\n  four' y:1").get_map() == {"x": "one two // 3 four", "y": "1"}
    assert first("!!a.b x:\n  '\n  one\n  '").get_map() == {"x": "one"}


def test_q26_html_comments_may_take_several_lines_and_a_hash_does_not_start_a_comment() -> None:
    params = first("!!a.b\n  <!-- one\n  it's two -->\n  x:1\n  <!-- z --> y:2")
    assert params.get_map() == {"x": "1", "y": "2"}
    assert params.comment_of("x") == "one\nit's two"
    assert params.comment_of("y") == "z"
    with pytest.raises(HeroScriptError, match="found illegal char: '#'"):
        Playbook.parse("!!a.b\n  # no")


def test_q27_a_filter_without_dot_means_core_and_globs_are_case_sensitive() -> None:
    playbook = Playbook.parse("!!reboot\n!!start\n!!vm.start")
    assert [action.id for action in playbook.find("start")] == [2]
    assert [action.id for action in playbook.find("")] == [1, 2]
    assert [action.id for action in playbook.find("VM.START")] == [3]
    assert playbook.find("VM.ST*") == []


def test_q28_a_second_sort_replaces_the_first() -> None:
    playbook = Playbook.parse("!!a.one\n!!b.two")
    assert [action.id for action in playbook.filtersort({1: "b.*"})] == [2, 1]
    assert [action.id for action in playbook.filtersort({1: "a.*"})] == [1, 2]


def test_q29_parsed_actions_have_priority_50_and_keep_their_own_outside_of_buckets() -> None:
    playbook = Playbook.parse("!!a.one\n!!b.two", priority=70)
    playbook.filtersort({3: "b.*"})
    assert [action.priority for action in playbook.actions] == [70, 3]
    assert Playbook.parse("!!a.one").actions[0].priority == 50


def test_q30_the_export_keeps_comments_short_multi_line_values_and_quotes() -> None:
    playbook = Playbook.parse("// why\n// so\n!!a.b x:'a\\\\nb' y:'say \"hi\"' z:http://c//d\n")
    again = Playbook.parse(playbook.heroscript())
    assert again.actions[0].comments == "why\nso"
    assert again.actions[0].params.get_map() == {"x": "a\nb", "y": 'say "hi"', "z": "http://c//d"}


def test_q31_the_hash_depends_on_the_position_unless_told_otherwise() -> None:
    one, two = Playbook.parse("!!a.b x:1"), Playbook.parse("!!a.c\n!!a.b x:1")
    two.actions.pop(0)
    assert one.hashkey() != two.hashkey()
    assert one.hashkey(number=False) == two.hashkey(number=False)


def test_q32_an_empty_fence_inside_a_value_survives_the_export() -> None:
    playbook = Playbook.parse("!!a.b\n  x:'\n    ```\n    ```\n    '")
    assert Playbook.parse(playbook.heroscript()).actions[0].params.get("x") == "```\n```"


def test_q33_unknown_words_mean_the_opposite_of_the_default() -> None:
    params = first("!!a.b x:maybe y:on z:y-e-s e:''")
    assert [params.get_default_true(key) for key in "xyze"] == [False, False, True, True]
    assert [params.get_default_false(key) for key in "xyze"] == [True, True, True, False]


def test_q34_numeric_lists_may_have_brackets() -> None:
    params = first("!!a.b x:[1,2] y:[1.5, 2] z:'[t,f]'")
    assert params.get_list_int("x") == [1, 2]
    assert params.get_list_f64("y") == [1.5, 2.0]
    assert params.get_list_bool("z") == [True, False]


def test_q35_small_integers_do_not_wrap_and_defaults_do_not_hide_errors() -> None:
    params = first("!!a.b x:127,128 y:1,rubbish")
    with pytest.raises(HeroScriptError, match="x list entry 128 is not a valid signed 8-bit integer"):
        params.get_list_i8("x")
    assert params.get_list_i16("x") == [127, 128]
    with pytest.raises(HeroScriptError, match="y list entry rubbish is not a valid"):
        params.get_list_int_default("y", [])


def test_q36_a_capacity_may_have_a_blank_before_its_unit() -> None:
    params = first("!!a.b x:'10 GB' y:10GB")
    assert params.get_storagecapacity_in_bytes("x") == params.get_storagecapacity_in_bytes("y") == 10 * 1024**3


def test_q37_zero_is_now_and_a_month_has_thirty_days() -> None:
    params = first("!!a.b x:0 y:+1M z:''")
    assert [params.get_time(key, now_s=1000) for key in "xyz"] == [1000, 1000 + 30 * 86400, 1000]


def test_q38_the_clock_has_noon_midnight_and_no_hour_24() -> None:
    params = first("!!a.b noon:12PM night:12:30AM bad:24:00 worse:9:60 odd:13PM")
    assert params.get_timestamp("noon").total_seconds() == 12 * 3600
    assert params.get_timestamp("night").total_seconds() == 1800
    for key in ("bad", "worse", "odd"):
        with pytest.raises(HeroScriptError, match="Invalid duration value"):
            params.get_timestamp(key)


def test_q39_an_interval_is_two_times_with_a_dash_between_blanks() -> None:
    params = first("!!a.b x:'2022-12-05 - 2022-12-06 01:00' y:'+1h - +2h' z:2022-12-05")
    assert params.get_time_interval("x") == (1670198400, 1670288400)
    assert params.get_time_interval("y", now_s=0) == (3600, 7200)
    with pytest.raises(HeroScriptError, match="start - end"):
        params.get_time_interval("z")


def test_q40_codes_of_four_letters_are_known_and_rates_are_the_callers() -> None:
    params = first("!!a.b x:5USDC y:2KEUR z:3m w:50% v:10XUSD")
    assert params.get_currencyamount("x") == (5.0, "USDC")
    assert params.get_currencyamount("y") == (2000.0, "EUR")
    assert params.get_currencyamount("z") == (3e6, "USD")
    assert params.get_currencyamount("w") == (0.5, "USD")
    with pytest.raises(HeroScriptError, match="found currency code with 4 letters but did not start with k or m"):
        params.get_currencyamount("v")
    assert params.get_currencyamount("y").to("USD", {"EUR": 1.5, "USD": 1.0}) == (3000.0, "USD")


def test_q41_replacement_also_hits_longer_names() -> None:
    playbook = Playbook.parse("!!a.b x:@nodename y:${node} z:{node}", replace={"node": "n7"})
    assert playbook.actions[0].params.get_map() == {"x": "n7name", "y": "n7", "z": "n7"}


def test_q42_includes_are_relative_to_their_file_nested_guarded_and_done(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "main.hero").write_text("!!play.include path:sub/one.hero\n!!play.include path:'sub/one.hero'\n!!a.b")
    (tmp_path / "sub" / "one.hero").write_text("!!play.include path:two.hero\n!!c.d\n")
    (tmp_path / "sub" / "two.hero").write_text("!!e.f\n!!play.include path:../main.hero\n")
    playbook = load_playbook(tmp_path / "main.hero")
    follow_includes(playbook)
    assert [action.full_name for action in playbook.pending()] == ["a.b", "c.d", "e.f"]
    assert all(action.done for action in playbook.find("play.*", include_done=True))


def test_q43_folders_are_loaded_recursively(tmp_path: Path) -> None:
    (tmp_path / "z" / "y").mkdir(parents=True)
    (tmp_path / "_hidden").mkdir()
    for name in ("z/y/deep.md", "b.md", "z/a.hero", "_hidden/no.md"):
        (tmp_path / name).write_text(f"!!{name.split('.')[0].replace('/', '_')}.x\n")
    playbook = load_playbook(tmp_path)
    assert [action.actor for action in playbook.actions] == ["b", "z_y_deep", "z_a"]


def test_q47_tabs_are_four_spaces_inside_values_too() -> None:
    assert first("!!a.b\n\tx:'a\tb'\n\ty:1").get_map() == {"x": "a    b", "y": "1"}


def test_q48_a_lone_return_ends_a_line() -> None:
    assert first("!!a.b\r  x:1\r\n  y:2\r").get_map() == {"x": "1", "y": "2"}


def test_q49_values_are_trimmed_even_in_quotes() -> None:
    assert first("!!a.b x:'  a  '").get("x") == "a"


def test_q50_of_a_key_given_twice_the_last_wins_and_moves_to_the_end() -> None:
    assert list(first("!!a.b x:1 y:2 X:3").get_map().items()) == [("y", "2"), ("x", "3")]


def test_q51_the_internal_form_of_comments_has_no_special_meaning() -> None:
    params = first("!!a.b\n  x:1 //one-/ y:2\n  z:3")
    assert params.get_map() == {"x": "1", "z": "3"}
    assert params.comment_of("x") == "one-/ y:2"


def test_q52_a_list_ending_with_a_comma_is_kept() -> None:
    assert first("!!a.b x:ann,bob,").get("x") == "ann,bob,"
    assert first("!!a.b x:ann,\n    bob\n  y:1").get_map() == {"x": "ann,bob", "y": "1"}
