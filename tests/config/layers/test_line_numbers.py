"""The line of each key in a TOML text."""

from __future__ import annotations

from hero_config.layers.line_numbers import find_lines, line_of

TEXT = '''# comment = 1
top = 1
[a]            # a table
x = """
y = "not a key"
"""
z.deep = 2
"q k" = 3
[a.b]
c = { d = 1 }
[[list]]
k = 1
[[list]]
k = 2
[list.part]
k = 3
[[list.inner]]
k = 4
[[list.inner]]
k = 5
'''


def test_every_key_and_table_has_its_line() -> None:
    assert find_lines(TEXT) == {
        ("top",): 2,
        ("a",): 3,
        ("a", "x"): 4,
        ("a", "z", "deep"): 7,
        ("a", "q k"): 8,
        ("a", "b"): 9,
        ("a", "b", "c"): 10,
        ("list", 0): 11,
        ("list", 0, "k"): 12,
        ("list", 1): 13,
        ("list", 1, "k"): 14,
        ("list", 1, "part"): 15,
        ("list", 1, "part", "k"): 16,
        ("list", 1, "inner", 0): 17,
        ("list", 1, "inner", 0, "k"): 18,
        ("list", 1, "inner", 1): 19,
        ("list", 1, "inner", 1, "k"): 20,
    }


def test_missing_key_has_the_line_of_the_nearest_table_above_it() -> None:
    lines = find_lines(TEXT)
    assert line_of(("list", 1, "missing"), lines) == 13
    assert line_of(("a", "b", "c", "d"), lines) == 10
    assert line_of(("nowhere",), lines) is None
