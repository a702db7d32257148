"""The family `text`: what upstream's scripts expect, and bounds."""

from __future__ import annotations

import pytest

from hero_engine.engine import Done, Failed
from tests.engine.host.bench_script import ScriptBench

BENCH = ScriptBench()


def evaluate(source: str) -> str:
    outcome = BENCH.run(source)
    assert isinstance(outcome, Done), outcome
    return outcome.output


@pytest.mark.parametrize(
    ("source", "output"),
    [
        (r'dedent("    one\n      two\n\n    three\n")', "one\n  two\n\nthree"),
        (r'dedent("\tone\n    two")', "one\ntwo"),
        (r'dedent("  \n   x")', "\nx"),
        (r'dedent("")', ""),
        (r'dedent("one\r\n  two\r\n")', "one\n  two"),
        (r'prefix("one\ntwo\n", "> ")', "> one\n> two"),
        (r'prefix("", "> ")', ""),
        ("name_fix(`User's File [Draft].txt`)", "user_s_file_draft_.txt"),
        ("name_fix(`Café`)", "caf"),
        ("name_fix(`a é b`)", "a_b"),
        ("name_fix(`A/B_c.D`)", "a/b_c.d"),
        ("path_fix(`/Data Set/My File.txt`)", "/Data Set/my_file.txt"),
        ("path_fix(`/Data Set/`)", "/Data Set/"),
        ("path_fix(`My File.txt`)", "my_file.txt"),
    ],
)
def test_indentation_and_names(source: str, output: str) -> None:
    assert evaluate(source) == output


@pytest.mark.parametrize(
    ("builder", "text", "output"),
    [
        ('pattern("hello").replacement("hi")', "hello world, hello universe", "hi world, hi universe"),
        (
            r'pattern("\\b\\d+\\b").replacement("NUMBER").regex(true)',
            "There are 123 items and 456 more",
            "There are NUMBER items and NUMBER more",
        ),
        ('pattern("HELLO").replacement("hi").regex(true).case_insensitive(true)', "Hello hello", "hi hi"),
        ('pattern("a.c").replacement("x").case_insensitive(true)', "A.C abc", "x abc"),
        ('pattern("a").replacement("b").and().pattern("b").replacement("c")', "ab", "cc"),
        (r'pattern("(\\w+)@(?P<host>\\w+)").regex(true).replacement("${host} $1 $$ $9")', "me@here", "here me $ "),
        (r'pattern("x*").regex(true).replacement("-")', "axb", "-a-b-"),
        ('pattern("ä").replacement("ae")', "bär", "baer"),
        ('pattern("ä+").regex(true).replacement("<$0>")', "bäär", "b<ää>r"),
    ],
)
def test_replacer(builder: str, text: str, output: str) -> None:
    assert evaluate(f"text_replacer_new().{builder}.build().replace(`{text}`)") == output


@pytest.mark.parametrize(
    "builder",
    ["", '.pattern("(").regex(true)', '.pattern("")', ".replacement(`x`)", r'.pattern("(a)\\1").regex(true)'],
)
def test_replacer_that_cannot_be_built_throws(builder: str) -> None:
    outcome = BENCH.run(f"text_replacer_builder(){builder}.build()")

    assert isinstance(outcome, Failed)
    assert outcome.message.startswith("No replacement operations configured")
    assert outcome.kind == "function_failed"


def test_builder_stays_as_it_is_when_another_is_made_of_it() -> None:
    assert (
        evaluate(
            'let a = text_replacer_new().pattern("x").replacement("1"); let b = a.replacement("2"); '
            'a.build().replace("x") + b.build().replace("x")'
        )
        == "12"
    )


def test_result_that_would_fill_the_memory_is_refused() -> None:
    for regex in ("false", "true"):
        outcome = BENCH.run(
            "let long = `x`; long.pad(1000000, 'x'); let text = `a`; text.pad(1000, 'a'); "
            f"text_replacer_new().pattern(`a`).regex({regex}).replacement(long).build().replace(text)"
        )
        assert isinstance(outcome, Failed)
        assert "characters" in outcome.message


def test_regular_expression_takes_linear_time() -> None:
    source = (
        r"let text = `a`; text.pad(100000, 'a'); "
        r'text_replacer_new().pattern("(a+)+$|(a|aa)+b").regex(true).replacement("x").build().replace(text + "c").len()'
    )
    assert evaluate(source) == "100001"
