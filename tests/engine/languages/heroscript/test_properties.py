"""Properties of every text and every value, with a search for counter-examples."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hero_engine.languages.heroscript import (
    Action,
    HeroScriptError,
    Params,
    Playbook,
    check_script,
    export_action,
    export_one_line,
    export_params,
    format_script,
    params_from_json,
    params_from_resp,
    params_to_json,
    params_to_resp,
)
from hero_engine.languages.heroscript.text.scan import BlockScanner
from hero_engine.languages.heroscript.text.source import Source
from hero_engine.languages.heroscript.text.tokens import Item
from tests.engine.languages.heroscript.playcases import content, round_trip
from tests.engine.languages.heroscript.scripts import all_actions, all_params, blocks, scripts

searching = settings(max_examples=250, deadline=None)
#: On a busy machine a search takes minutes. A timeout in the middle of an example would look like a flaky strategy.
pytestmark = pytest.mark.timeout(600)


class StatesOnly(BlockScanner):
    """The scanner without its fast path."""

    simple = re.compile(r"(?!)")

    __slots__ = ()


def scan(kind: type[BlockScanner], text: str) -> tuple[list[Item], str, list[str]] | str:
    source = Source(text)
    scanner = kind(source)
    try:
        for index, line in enumerate(source.lines):
            scanner.feed(index, line)
        scanner.finish()
    except HeroScriptError as error:
        return str(error)
    return scanner.items, scanner.remark, [str(warning.place) for warning in scanner.warnings]


@searching
@given(scripts)
def test_parsing_any_text_raises_only_heroscript_errors(text: str) -> None:
    for read in (Playbook.parse, Params.parse, format_script):
        with suppress(HeroScriptError):
            read(text)
    for finding in check_script(text):
        assert finding.render()


@searching
@given(scripts)
def test_every_error_carries_a_place_inside_the_text(text: str) -> None:
    try:
        Playbook.parse(text, path="some.hero")
    except HeroScriptError as error:
        lines = re.split("\r\n|\r|\n", text.removeprefix("\ufeff"))
        assert error.path == "some.hero"
        assert lines[error.line - 1].replace("\t", " ")[error.column - 1 :].startswith(error.text[:1])
        assert error.text
        assert error.render().startswith(f"some.hero:{error.line}:{error.column}: error[syntax]: ")


@searching
@given(blocks)
@example("a:1 :x")
@example("a:1 ,b")
@example("x:'a b' //c")
def test_the_fast_path_of_the_scanner_gives_the_same_items_as_its_states(text: str) -> None:
    assert scan(BlockScanner, text) == scan(StatesOnly, text)


@searching
@given(scripts)
def test_every_parsed_script_is_exported_and_read_back(text: str) -> None:
    with suppress(HeroScriptError):
        playbook = Playbook.parse(text)
        assert round_trip(playbook), playbook.heroscript()


@searching
@given(scripts)
def test_kept_blank_lines_are_exported_and_read_back(text: str) -> None:
    with suppress(HeroScriptError):
        assert round_trip(Playbook.parse(text, keep_blank_lines=True))


@searching
@given(st.lists(all_actions(), max_size=4))
def test_every_action_of_a_program_is_exported_and_read_back(actions: list[Action]) -> None:
    playbook = Playbook()
    playbook.actions = actions
    assert round_trip(playbook), (playbook.heroscript(), [content(action) for action in actions])


@searching
@given(all_params())
def test_params_on_lines_of_their_own_are_read_back(params: Params) -> None:
    again = Params.parse("\n".join(export_params(params)))
    assert again.params == tuple(sorted(params.params, key=lambda item: list(again.get_map()).index(item.key)))
    assert set(again.args) == set(params.args)


@searching
@given(all_params())
def test_params_on_one_line_are_read_back_without_their_comments(params: Params) -> None:
    names = [*params.get_map(), *params.args]
    if any(name.startswith(",") for name in names):
        return
    line = export_one_line(params)
    assert "\n" not in line
    again = Params.parse(line)
    assert (again.get_map(), set(again.args)) == (params.get_map(), set(params.args))


@searching
@given(scripts)
def test_formatting_keeps_the_playbook_and_is_stable(text: str) -> None:
    try:
        before = Playbook.parse(text)
    except HeroScriptError:
        return
    once = format_script(text)
    assert format_script(once) == once
    for keep in (False, True):
        before = Playbook.parse(text, keep_blank_lines=keep)
        after = Playbook.parse(once, keep_blank_lines=keep)
        assert [content(action) for action in after.actions] == [content(action) for action in before.actions]
        assert [list(action.params.get_map()) for action in after.actions] == [
            list(action.params.get_map()) for action in before.actions
        ]
        assert after.othertext == before.othertext


@searching
@given(all_params())
def test_json_and_resp_give_the_params_back(params: Params) -> None:
    for again in (params_from_json(params_to_json(params)), params_from_resp(params_to_resp(params))):
        assert (again.params, again.args, again.comments) == (params.params, params.args, params.comments)


@searching
@given(st.binary(max_size=60), st.text(max_size=60))
def test_decoding_any_data_raises_only_heroscript_errors(data: bytes, text: str) -> None:
    for piece in (data, b"*3\r\n" + data, b"*3\r\n*1\r\n$" + data):
        with suppress(HeroScriptError):
            params_from_resp(piece)
    with suppress(HeroScriptError):
        params_from_json(text)


@searching
@given(st.text(max_size=30))
def test_every_getter_raises_only_heroscript_errors(value: str) -> None:
    params = Params()
    params.set("k", value)
    getters = [name for name in dir(Params) if name.startswith("get_") and not name.endswith("_default")]
    for name in getters:
        if "arg" in name or name in ("get_map", "get_from_hashmap", "get_path_create", "get_default_true"):
            continue
        with suppress(HeroScriptError):
            getattr(params, name)("k")


@searching
@given(all_actions())
def test_a_hash_depends_only_on_the_content_unless_positions_count(action: Action) -> None:
    first, second = Playbook(), Playbook()
    first.actions = [action]
    second.actions = [Playbook.parse(export_action(action)).actions[0]]
    second.actions[0].id = action.id + 1
    assert first.hashkey(number=False) == second.hashkey(number=False)
    assert first.hashkey() != second.hashkey()
