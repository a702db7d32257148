"""The formatter's style; that it changes nothing that is read is among the properties."""

from __future__ import annotations

import pytest

from hero_engine.languages.heroscript import HeroScriptError, format_script


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ('!!VM.Define NAME:"web"   cpu :4 Fast', "!!vm.define name:web cpu:4 Fast\n"),
        ("!!reboot\n", "!!core.reboot\n"),
        ("!!a.b\n\tx:1\n\n\n\ty:'b c'\n\nprose\n", "!!a.b x:1 y:'b c'\n\nprose\n"),
        ("!!a.b x:1 // why\n", "!!a.b\n    x:1 //why\n"),
        ("!!a.b\n  // one\n  // two\n  x:1\n  // last\n", "!!a.b\n    // one\n    // two\n    x:1\n    // last\n"),
        ("!!a.b\n  // go\n  fast x:1\n", "!!a.b\n    // go\n    fast\n    x:1\n"),
        (
            "!!a.b n:1 x:'''\n  one\n\n    two\n  '''\n",
            "!!a.b\n    n:1\n    x:'\n        one\n\n          two\n        '\n",
        ),
        ("# T\n- list:\n   !!a.b x:1\n         y:2\n", "# T\n- list:\n   !!a.b x:1 y:2\n"),
        ("!!a.b id:7 x:1 x:2\n", "!!a.b id:7 x:1 x:2\n"),
        ("!!mail.send--now\n", "!!mail.send--now\n"),
        ("text\r\n!!a.b\r\n", "text\n!!a.b\n"),
        ("!!a.b fast\n  :x\n", "!!a.b\n    fast\n    :x\n"),
        ("!!a.b\n  x:1\n  <!-- -->\n  ,y\n", "!!a.b\n    x:1\n    <!-- -->\n    ,y\n"),
        ("", ""),
    ],
)
def test_a_script_is_rewritten_in_the_one_style(text: str, formatted: str) -> None:
    assert format_script(text) == formatted
    assert format_script(formatted) == formatted


def test_items_that_do_not_fit_the_line_get_lines_of_their_own() -> None:
    text = format_script("!!a.b " + " ".join(f"key_number_{number}:1" for number in range(8)))
    assert text.split("\n")[:2] == ["!!a.b", "    key_number_0:1"]
    assert len(text.split("\n")) == 10


def test_a_value_that_cannot_be_rewritten_stays() -> None:
    text = "!!a.b   x:'\n  one\n\n  two\\\\n\\\\nthree\n  '\n!!c.d   y:1\n"
    assert format_script(text) == text.replace("!!c.d   y", "!!c.d y")


def test_a_script_with_an_error_is_not_formatted() -> None:
    with pytest.raises(HeroScriptError):
        format_script("!!a.b x-y:1")
