"""Errors as data, the checker, and the form in which findings are shown."""

from __future__ import annotations

import pickle

import pytest

from hero_engine.languages.heroscript import (
    Diagnostic,
    HeroScriptError,
    LoadError,
    ParamError,
    Params,
    ParseError,
    Place,
    Playbook,
    SelectError,
    Severity,
    check_script,
    did_you_mean,
    nearest_names,
)


def caught(text: str, path: str = "") -> HeroScriptError:
    with pytest.raises(HeroScriptError) as info:
        Playbook.parse(text, path=path)
    return info.value


def test_an_error_is_shown_in_the_manner_of_a_compiler() -> None:
    error = caught("// start\n!!vm.define name:web cpu-count:4\n", "vm.hero")
    assert error.render() == (
        "vm.hero:2:25: error[syntax]: text to params processor: parameters can only be A-Za-z0-9 and _., "
        "found illegal char: 'cpu-' in name:web cpu-count:4\n"
        "    2 | !!vm.define name:web cpu-count:4\n"
        "      |                         ^\n"
        "  hint: a key holds no '-': cpu_count:4"
    )
    assert str(error).startswith("vm.hero:2:25: text to params")


def test_an_error_about_text_proposes_quotes() -> None:
    assert caught("!!mail.send ops@example.org").hint == (
        "text with other characters is written as a quoted value: name:'ops@example.org'"
    )


def test_columns_count_characters_of_the_line_as_written() -> None:
    error = caught("\t!!a.b\n\t\t\tx:1 é-\n")
    assert (error.line, error.column) == (2, 8)
    assert error.render().split("\n")[1:3] == ["    2 |             x:1 é-", "      |                 ^"]


def test_a_line_of_a_megabyte_is_shown_in_part() -> None:
    error = caught("!!a.b " + "x:1 " * 250_000 + "y-z" + " x:1" * 1000)
    assert error.column == 1_000_008
    assert len(error.render()) < 600
    assert "…" in error.render()
    assert len(str(error)) < 400


def test_errors_can_be_sent_between_processes() -> None:
    for error in (
        caught("!!a.b x-y:1", "vm.hero"),
        LoadError("m", place=Place(path="p", line=1, column=2), text="t", hint="h", code="c"),
        ParamError("m"),
        SelectError("m"),
    ):
        twin = pickle.loads(pickle.dumps(error))
        assert type(twin) is type(error)
        assert twin.diagnostic == error.diagnostic


def test_every_kind_of_error_is_a_heroscript_error_with_a_code() -> None:
    assert [kind("m").code for kind in (HeroScriptError, ParseError, ParamError, SelectError, LoadError)] == [
        "error",
        "syntax",
        "param",
        "select",
        "load",
    ]
    assert (HeroScriptError("m").path, HeroScriptError("m").line, HeroScriptError("m").column) == ("", 0, 0)
    assert HeroScriptError("m", hint="h").render() == "<value>: error[error]: m\n  hint: h"


def test_only_similar_names_are_proposed_and_the_nearest_comes_first() -> None:
    assert nearest_names("vm.strat", ["vm.stop", "vm.start", "disk.add"])[0] == "vm.start"
    assert did_you_mean("zzz", ["vm.start"]) == ""
    assert nearest_names("x" * 1000, ["x"]) == []


def test_a_check_finds_everything_in_the_order_of_the_text() -> None:
    text = (
        "!!vm.define name:web name:db\n"
        "!!vm.strat cpu: mem:4\n"
        " one space\n"
        "!!disk.add x-y:1\n"
        "!!disk.add x:1\n"
        "// cut\n"
        "  y:2\n"
        "!!pkg.anything x:'open\n"
        "!!!!!five\n"
    )
    found = check_script(text, "all.hero", known=["vm.define", "vm.start", "disk.add", "pkg.*"])
    assert [(item.place.line if item.place else 0, item.severity, item.code) for item in found] == [
        (1, Severity.WARNING, "Q50"),
        (2, Severity.ERROR, "unknown-action"),
        (2, Severity.WARNING, "Q10"),
        (3, Severity.WARNING, "Q01"),
        (4, Severity.ERROR, "syntax"),
        (6, Severity.WARNING, "Q04"),
        (8, Severity.WARNING, "Q24"),
        (9, Severity.ERROR, "syntax"),
    ]
    assert found[1].hint == "did you mean vm.start?"
    assert found[1].render() == (
        "all.hero:2:1: error[unknown-action]: there is no action vm.strat\n"
        "    2 | !!vm.strat cpu: mem:4\n"
        "      | ^~~~~~~~\n"
        "  hint: did you mean vm.start?"
    )


def test_a_tidy_script_has_no_findings() -> None:
    text = "# Title\n// what\n!!a.b x:1 y: 'b:1' z:c:1\n  w:'\n    one\n    '\n// next\n!!core_thing\n"
    assert check_script(text) == []
    assert check_script("!!a.b x:@who", replace={"who": "'it is'"}) == []
    assert [item.code for item in check_script("!!a.b", known=[])] == ["unknown-action"]


def test_a_diagnostic_without_place_still_shows_its_message() -> None:
    finding = Diagnostic(severity=Severity.WARNING, code="x", message="m")
    assert finding.render() == "<value>: warning[x]: m"


def test_places_of_values_are_found_again() -> None:
    params = Params.parse("x:1 y:2\nx:3 fast", "p")
    assert str(params.place_of("x")) == "p:2:1"
    assert str(params.place_of("none")) == "p:1:1"
    assert str(params.place) == "p:1:1"
    assert Params().place_of("x") is None
    assert str(Params.parse("").place) == "<script>:1:1"
