"""Text that is not TOML: each mistake is told, and the rest is read."""

from __future__ import annotations

import pytest

from hero_config.layers.toml_text import read_toml


def test_all_mistakes_that_keep_to_their_line_are_told_and_the_rest_is_read() -> None:
    read = read_toml('[a]\nx = hero\ny = 3 4\n\nz = 1\r\nz = 2\nw = "open\nlast = yes')
    assert read.values == {"a": {"z": 1}}
    assert read.lines[("a", "z")] == 5
    assert [(mistake.line, mistake.expected.removeprefix("not TOML: ")[:24]) for mistake in read.mistakes] == [
        (2, "no value is written like"),
        (3, "something follows the va"),
        (6, "this key stands here a s"),
        (7, "the text has no closing "),
        (8, "no value is written like"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[store\nx = 1\n", 1, "no closing ]"),
        ("[a]\n[b]\n[a]\n", 3, "second time"),
        ("a = [1,\nb = 3\nc = 4\n", 2, "no value"),
        ('a = """x\nb = 1\n', None, "no closing quotes"),
        ('a = "\\q"\n', 1, "backslash"),
        ("a\n", 1, "KEY = VALUE"),
    ],
)
def test_mistake_that_reaches_further_is_the_last_one_told(text: str, line: int | None, words: str) -> None:
    read = read_toml(text)
    assert [mistake.line for mistake in read.mistakes] == [line]
    assert words in read.mistakes[0].expected
    assert read.values == {}
