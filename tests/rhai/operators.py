"""Statements that apply each operator of Rhai to each pair of types, and what else a script does with large values.

The tests of the deadline and of the memory budget run all of them. `SMALL` has a small value of each type, `LARGE` the
names of variables that hold large ones.
"""

from __future__ import annotations

from itertools import product

LARGE = ("text", "bytes", "items", "table")
SMALL = ("'q'", '"q"', '"ab"', "7", "[1]", "#{k: 1}", "blob(3)")
_BINARY = ("+", "-", "==", "!=", "<", ">=", "in", "??")
_ASSIGNMENTS = ("+=", "-=")

#: Statements with `{v}` in the place of a large value.
_WITH_ONE = (
    "let c = {v}; c.len",
    "let c = [{v}]; c.len",
    "let c = [{v}, {v}, {v}, {v}]; c.len",
    "let c = #{{a: {v}, b: {v}}}; c.len",
    "let c = {v}; let d = c; c = ();",
    "fn f(x) {{ x.len }} f({v})",
    "fn g(x) {{ x }} g(g({v})).len",
    "let f = || {v}; f.call().len",
    "let c = {v}; let f = || {{ c.push(1); c }}; f.call().len",
    "let c = {v}; c[5]",
    "let c = {v}; c[-1]",
    "let c = {v}; c[99_999_999]",
    "let c = {v}; c[5] = 'x'",
    "let c = {v}; c[5] = 7",
    'let c = {v}; c["k"] = c',
    "let c = {v}; c.k = c",
    "let c = {v}; c[5] += 1",
    "let c = {v}; let d = c[1..9_999_999]; d.len",
    "let c = {v}; let d = c[1..=9_999_999]; d.len",
    'let c = {v}; c[1..9_999_999] = "x"',
    "for x in {v} {{ break }}",
    "if {v} == () {{ 1 }}",
    "switch {v} {{ 1 => 2, _ => 3 }}",
    "`${{{v}}}${{{v}}}`.len",
    "let c = [1]; c += {v}; c += {v}; c.len",
    "let c = blob(1); c += {v}; c += {v}; c.len",
    'let c = ""; c += {v}; c += {v}; c.len',
    "[{v}].map(|x| x).len",
    "[{v}].filter(|x| true).len",
    "try {{ throw {v} }} catch (e) {{ e.len }}",
    "let c = {v}; let n = 0; while n < 3 {{ let d = c; n += 1 }}",
    "let c = {v}; c.k ??= c",
)


def statements() -> list[str]:
    """All statements. Those that a type does not have end in an error, which is as good as any other end."""
    return _applied([*product(LARGE, LARGE), *product(LARGE, SMALL), *product(SMALL, LARGE)])


def slowest_statements() -> list[str]:
    """One of each kind that may work long: on two large values of one type, or on a text and a part of it."""
    return _applied([*((value, value) for value in LARGE), ("text", '"b"'), ("text", '"c"'), ("text", "'b'")])


def names_in(statement: str) -> list[str]:
    """The large values that a statement uses."""
    return [name for name in LARGE if name in statement]


def _applied(pairs: list[tuple[str, str]]) -> list[str]:
    found = [f"let r = {a} {op} {b}" for (a, b), op in product(pairs, _BINARY)]
    found += [f"let c = {a}; c {op} {b}" for (a, b), op in product(pairs, _ASSIGNMENTS) if a in LARGE]
    return found + [form.format(v=value) for form, value in product(_WITH_ONE, LARGE)]
