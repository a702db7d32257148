"""Running scripts: order, words, parameters by annotation, errors and their places, and the basic actions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hero_engine.engine import Done, Failed, Outcome
from tests.engine.heroscript_engine.conftest import Bench, MakeBench

LAST = "!!play.output result:last\n"


def results(outcome: Outcome) -> list[Any]:
    assert isinstance(outcome, Done), outcome
    return [entry.get("result") for entry in json.loads(outcome.output)]


def last(outcome: Outcome) -> Any:
    assert isinstance(outcome, Done), outcome
    return json.loads(outcome.output_json) if outcome.output_json else outcome.output


def failure(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


def test_output_lists_the_result_of_each_action(bench: Bench) -> None:
    outcome = bench.run("!!test.number value:7\n!!test.nothing\n!!play.echo content:'a b'")

    assert isinstance(outcome, Done)
    assert json.loads(outcome.output) == [
        {"id": 1, "action": "test.number", "result": 7},
        {"id": 2, "action": "test.nothing", "result": None},
        {"id": 3, "action": "play.echo", "result": "a b"},
    ]
    assert outcome.output_json == outcome.output


def test_output_is_the_last_result_if_the_operator_says_so(make_bench: MakeBench) -> None:
    bench = make_bench(last_result=True)

    assert bench.run("!!test.number value:7\n!!session.env_set key:a val:b") == Done("7", "7")
    assert results(bench.run("!!play.output result:all\n!!test.number value:7")) == [None, 7]


def test_handler_may_fill_the_result_of_its_action(bench: Bench) -> None:
    assert last(bench.run(LAST + "!!test.raw b:1 a:2")) == {"keys": "b,a"}


def test_words_come_from_session_environment_and_job(bench: Bench) -> None:
    script = (
        "!!session.env_set key:NAME val:käthe\n"
        "!!play.echo content:'{NAME} {CALLER_ID} {PLACE} {PREREQUISITE_1} {SIGNATORIES} {unknown}'\n"
        "!!session.env_set key:name val:paul\n"
        "!!play.echo content:'{NAME}'"
    )

    given: dict[str, Any] = {
        "ENV": {"PLACE": "here"},
        "PREREQUISITES": {"job-1": "done"},
        "SIGNATORIES": ("02ab", "03cd"),
    }
    outcome = bench.run(script, CALLER_ID="me", **given)

    assert results(outcome) == [None, "käthe me here done 02ab,03cd {unknown}", None, "paul"]


def test_word_of_env_set_once_cannot_be_set_again(bench: Bench) -> None:
    script = "!!session.env_set_once key:a val:1\n\n!!session.env_set_once key:a val:2"

    error = failure(bench.run(script))

    assert error.line == 3
    assert "a is set already" in error.message


def test_unknown_action_of_the_session_does_nothing_and_says_so(bench: Bench) -> None:
    assert results(bench.run("!!session.what x:1")) == [None]
    assert any("session.what" in text for level, text in bench.log.lines if level == "warning")


def test_parameters_are_converted_by_annotation(bench: Bench) -> None:
    script = LAST + "!!test.typed to:bob amount:1.10 color:blue tags:'a, b' sizes:1 disk:'name:root size:5'"

    assert bench.run(script) == Done(
        (
            text
            := '{"to":"bob","amount":1.10,"color":"blue","tags":["a","b"],"sizes":[1],"disk":{"name":"root","size":5}}'
        ),
        text,
    )


def test_missing_parameters_have_the_defaults_of_the_handler(bench: Bench) -> None:
    typed = last(bench.run(LAST + "!!test.typed to:bob amount:2"))

    assert typed == {"to": "bob", "amount": 2, "color": "red", "tags": [], "sizes": [], "disk": None}


@pytest.mark.parametrize(
    ("params", "line", "words"),
    [
        ("to:bob\n    amount:much", 3, ["amount", "'much'", "Decimal", "valid decimal"]),
        ("to:bob", 2, ["amount", "missing", "Decimal"]),
        ("to:bob amount:1\n    colr:red", 3, ["colr", "did you mean color?"]),
        ("to:bob amount:1 color:green", 2, ["color", "'green'", "'red' or 'blue'"]),
        ("to:bob amount:1\n    sizes:1,x", 3, ["sizes", "1: ", "valid integer"]),
        ("to:bob amount:1\n    disk:'size:1'", 3, ["disk", "name: Field required"]),
        ("to:bob amount:1 extra", 2, ["extra", "without a key"]),
    ],
)
def test_error_of_a_parameter_names_action_line_key_and_expectation(
    bench: Bench, params: str, line: int, words: list[str]
) -> None:
    error = failure(bench.run(f"!!test.nothing\n!!test.typed {params}"))

    assert error.kind == "param"
    assert error.permanent
    assert error.line == line
    for word in ["test.typed", *words]:
        assert word in error.message


def test_other_arguments_and_keys_go_to_star_parameters(bench: Bench) -> None:
    rest = last(bench.run(LAST + "!!test.rest one two first:1 second:2 third:3"))

    assert rest == {"names": ["one", "two"], "first": "1", "others": {"second": "2", "third": "3"}}


def test_handler_may_be_a_coroutine(bench: Bench) -> None:
    assert bench.run(LAST + "!!test.async value:3") == Done("3", "3")


def test_broken_pipe_raises_an_exception_in_a_handler(bench: Bench) -> None:
    assert bench.run(LAST + "!!test.broken_pipe") == Done("seen")


def test_exact_name_takes_precedence_over_a_glob(bench: Bench) -> None:
    assert results(bench.run("!!glob.exact\n!!glob.other\n!!glob.exact_too")) == [
        "exact",
        "glob other",
        "glob exact_too",
    ]


def test_unknown_action_fails_before_anything_runs(bench: Bench) -> None:
    error = failure(bench.run("!!play.echo content:hi\n\n!!test.numbre value:1"))

    assert error == Failed("unknown_action", error.message, 3, 1, permanent=True)
    assert "test.numbre" in error.message
    assert "test.number" in error.message
    assert bench.log.lines == []


def test_exception_ends_the_run_and_names_the_action(bench: Bench) -> None:
    error = failure(bench.run("!!play.echo content:one\n!!test.fail message:'no luck'\n!!play.echo content:two"))

    assert error == Failed("action_failed", "test.fail: RuntimeError: no luck", 2, 1)
    assert [text for level, text in bench.log.lines if level == "info"] == ["one"]
    assert any("Traceback" in text for level, text in bench.log.lines if level == "debug")


def test_run_continues_after_an_ignored_error(bench: Bench) -> None:
    outcome = bench.run(
        "!!test.fail message:bad ignore_error:true\n!!test.number value:x ignore_error:1\n!!test.number value:3"
    )

    assert isinstance(outcome, Done)
    first, second, third = json.loads(outcome.output)
    assert first["error"] == "test.fail: RuntimeError: bad"
    assert "test.number: parameter value" in second["error"]
    assert third["result"] == 3


def test_actions_that_a_handler_appends_run_after_the_others(bench: Bench) -> None:
    script = "!!test.append script:'!!play.echo content:late'\n!!play.echo content:early\n!!test.results"

    assert results(bench.run(script)) == [None, "early", [None, "early"], "late"]


def test_appended_action_that_is_unknown_is_an_error(bench: Bench) -> None:
    assert "no.action" in failure(bench.run("!!test.append script:'!!no.action'")).message


def test_include_reads_below_its_folder_and_runs_after_the_script(make_bench: MakeBench, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.hero").write_text("!!play.echo content:included\n!!play.include path:deeper.hero")
    (tmp_path / "sub" / "deeper.hero").write_text("!!play.echo content:'deeper {CALLER_ID}'")
    bench = make_bench(scripts_dir=str(tmp_path))

    outcome = bench.run(
        "!!play.include path:'{WHERE}/more.hero'\n!!play.echo content:own", CALLER_ID="me", ENV={"WHERE": "sub"}
    )

    assert results(outcome) == ["own", "included", "deeper me"]


@pytest.mark.parametrize("path", ["../secret.hero", "/etc/passwd", "link.hero"])
def test_include_cannot_leave_its_folder(make_bench: MakeBench, tmp_path: Path, path: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.hero").write_text("!!play.echo content:secret")
    (inside / "link.hero").symlink_to(tmp_path / "secret.hero")
    bench = make_bench(scripts_dir=str(inside))

    error = failure(bench.run(f"!!test.nothing\n!!play.include path:{path}"))

    assert error.kind == "load"
    assert error.line == 2
    assert "outside" in error.message


def test_error_in_an_included_file_names_the_file(make_bench: MakeBench, tmp_path: Path) -> None:
    (tmp_path / "bad.hero").write_text("!!test.nothing\n!!test.fail message:bad")

    error = failure(make_bench(scripts_dir=str(tmp_path)).run("!!play.include path:bad.hero"))

    assert error.message == f"{tmp_path}/bad.hero:2:1: test.fail: RuntimeError: bad"
    assert error.line is None


def test_includes_are_refused_if_the_operator_names_no_folder(bench: Bench) -> None:
    assert "HERO_SCRIPTS_DIR" in failure(bench.run("!!play.include path:/etc")).message


def test_coderoot_is_created_only_below_the_allowed_folder(make_bench: MakeBench, tmp_path: Path, bench: Bench) -> None:
    jailed = make_bench(coderoot_dir=str(tmp_path / "code"))

    assert results(jailed.run("!!core.coderoot_set coderoot:mine")) == [None]
    assert (tmp_path / "code" / "mine").is_dir()
    assert "outside" in failure(jailed.run("!!core.coderoot_set coderoot:../other")).message
    assert "HERO_CODEROOT_DIR" in failure(bench.run("!!core.coderoot_set coderoot:mine")).message


def test_script_without_an_action_is_refused_in_check_and_run(bench: Bench) -> None:
    from hero_engine.engine import Script

    error = failure(bench.run("40 + 2"))

    assert error.kind == "no_actions"
    assert bench.engine.check(Script(source="40 + 2")) == error


def test_warnings_of_the_parser_go_to_the_log(bench: Bench) -> None:
    bench.run("!!test.raw a:1\n b:2\n")

    assert [level for level, _ in bench.log.lines] == ["warning"]


def test_everything_printed_or_logged_goes_to_the_log_in_order(bench: Bench) -> None:
    bench.run("!!test.talk")

    assert sorted(bench.log.lines) == [
        ("error", "logged by a library"),
        ("info", "printed"),
        ("info", "said by a child"),
        ("info", "written to stderr"),
        ("warning", "logged by ctx"),
    ]
    assert bench.log.lines[0] == ("info", "printed")
    assert bench.log.progressed == [(1.0, 4.0, "a quarter")]


def test_environment_is_only_that_of_the_job(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_REDIS_URL", "redis://:secret@nowhere")
    bench = make_bench()

    given: dict[str, Any] = {"CALLER_ID": "me", "JOB_ID": "j1", "ENV": {"A": "1"}, "SIGNATORIES": ("02ab",)}
    seen = last(bench.run(LAST + "!!test.environment", **given))
    initial = last(bench.run(LAST + "!!test.initial_environment"))

    kept = make_bench(keep_env=("HERO_REDIS_URL",)).run(LAST + "!!test.initial_environment")

    assert "secret" in last(kept)
    assert seen == {"environ": {"JOB_ENV_A": "1"}, "env": {"A": "1"}, "caller": "me", "job": "j1", "signers": ["02ab"]}
    assert "secret" not in initial


def test_result_that_is_not_unicode_is_a_failure(bench: Bench) -> None:
    assert failure(bench.run("!!test.surrogate")).kind == "result_not_presentable"
