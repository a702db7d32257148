"""The family `text`: what upstream's scripts expect, and bounds."""

from __future__ import annotations

import pytest

from hero_engine.engine import Done, Failed, TimedOut
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


@pytest.mark.parametrize(
    ("template", "variables", "output"),
    [
        ("Hello {{ name }}!", '.add_var("name", "Ada & Co")', "Hello Ada & Co!"),
        ("{{ a }} {{ b }} {{ c }}", '.add_var("a", 1).add_var("b", 1.5).add_var("c", true)', "1 1.5 true"),
        ("{% for x in list %}{{ x }},{% endfor %}", '.add_var("list", [1, "b"])', "1,b,"),
        ("{{ m.key }}{{ t }}", '.add_vars(#{m: #{key: "v"}, t: "x"})', "vx"),
        ("{{ none | default(value='d') }}{{ none | default('e') }}", "", "de"),
        ("{{ t | upper }} {{ t | replace(from='b', to='x') }}", '.add_var("t", "abc")', "ABC axc"),
        ("{{ [1, 2] | json_encode }} {{ 'a,b' | split(pat=',') | nth(n=1) }}", "", "[1,2] b"),
        ("{% if n > 2 %}many{% else %}few{% endif %}", '.add_var("n", 3)', "many"),
    ],
)
def test_template_is_rendered(template: str, variables: str, output: str) -> None:
    script = f'file_write(`t`, "{template}"); template_builder_open(`t`){variables}'

    assert evaluate(f"{script}.render()") == output
    assert evaluate(f"{script}.render_to_file(`out`); file_read(`out`)") == output


def test_template_may_make_a_text_of_megabytes() -> None:
    template = "{% for i in range(100000) %}" + "0123456789" * 5 + "{% endfor %}"

    assert evaluate(f'file_write(`t`, "{template}"); template_builder_open(`t`).render().len()') == "5000000"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% for %}", "Template error: syntax error"),
        ("{{ a.b.c }}", "Template error: undefined value"),
        ("{% include '/etc/passwd' %}", "Template error: template not found"),
        ("{% set x = 'a' %}" + "{% set x = x ~ x %}" * 40, "Template error: "),
        ("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", None),
    ],
)
def test_template_that_is_wrong_or_needs_too_much_ends_alone(template: str, text: str | None) -> None:
    outcome = BENCH.run(
        f'file_write(`t`, "{template}"); template_builder_open(`t`).render()', timeout_s=300 if text else 2
    )

    if text is None:
        assert isinstance(outcome, TimedOut)
    else:
        assert isinstance(outcome, Failed)
        assert outcome.message.startswith(text)


def test_replacer_works_on_files() -> None:
    make = 'let r = text_replacer_new().pattern("a").replacement("b").build(); file_write("in", "aXa");'

    assert evaluate(f'{make} r.replace_file("in") + file_read("in")') == "bXbaXa"
    assert evaluate(f'{make} r.replace_file_in_place("in"); file_read("in")') == "bXb"
    assert evaluate(f'{make} r.replace_file_to("in", "new/out"); file_read("new/out") + file_read("in")') == "bXbaXa"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ('template_builder_open("no")', "IO error: Template file not found: no"),
        ('template_builder_open("/etc/passwd")', "os: reading '/etc/passwd' is not allowed"),
        ('text_replacer_new().pattern("a").build().replace_file("no")', "IO error: No such file or directory"),
        (
            'file_write("a", "a"); text_replacer_new().pattern("a").build().replace_file_to("a", "/etc/x")',
            "os: writing '/etc/x' is not allowed",
        ),
    ],
)
def test_files_of_templates_and_replacers_are_confined(call: str, text: str) -> None:
    outcome = BENCH.run(call)

    assert isinstance(outcome, Failed)
    assert outcome.message == text


def test_builder_that_a_script_returns_shows_no_address_in_memory() -> None:
    outcome = ScriptBench().run("text_replacer_new()")

    assert isinstance(outcome, Done)
    assert outcome.output == "<TextReplacerBuilder>"
