"""What herolib does not mark as done, and what its messages mean, with a program that reports as herolib does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed
from tests.engine.contract import Lines as Log
from tests.engine.v.test_engine import run

HERO = f"{sys.executable} -I {Path(__file__).parent / 'hero_stand_in.py'}"
UNMARKED = "the program ran, but does not mark as done: "


@pytest.fixture(autouse=True)
def hero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", f"{HERO} {{file}}")


def failed(source: str) -> Failed:
    outcome = run(source)
    assert isinstance(outcome, Failed), outcome
    return outcome


@pytest.mark.parametrize("many", [1, 52, 5000])
def test_any_number_of_actions_that_ran_is_a_success(many: int) -> None:
    log = Log()
    lines = [f"message number {n} with some text" for n in range(many)]
    script = "\n".join(f"!!play.echo content:'{line}'" for line in lines)

    assert run(script, log=log) == Done("".join(f"{line}\n" for line in lines))
    assert log.lines[-1] == ("warning", UNMARKED + "play.echo")


def test_lines_of_a_value_are_no_actions() -> None:
    value = "this is a long text of several lines\\\\n!!no.action x:1\\\\n  !!other.action\\\\n!core.thing"
    assert isinstance(run(f"!!play.echo content:'{value}'"), Done)


@pytest.mark.parametrize(
    "action",
    [
        *("git.define", "git.clone", "git.repo_action", "git.list", "git.check", "git.lfs", "git.reload_cache"),
        *("node.new", "cmd.run", "bizmodel.export_report", "incatokens.simulate", "base.redis_install"),
    ],
)
def test_actions_that_herolib_never_marks_are_a_success(action: str) -> None:
    log = Log()
    assert run(f"!!{action} name:x", log=log) == Done("")
    assert log.lines[-1] == ("warning", UNMARKED + action)


@pytest.mark.parametrize("action", ["no.action", "git.no_such", "osal.exec", "play.include2", "base.install2"])
def test_the_message_names_only_actions_that_did_not_run(action: str) -> None:
    outcome = failed(f"!!play.echo content:hi\n!!{action} x:1\n!!node.new name:n")
    assert (outcome.kind, outcome.permanent) == ("unknown_action", True)
    assert outcome.message == f"there are actions left that nothing runs: {action}"


@pytest.mark.parametrize("again", ["{path}", "'{path}'", "{folder}/./inc.hero"])
def test_a_second_inclusion_is_skipped_and_no_failure(tmp_path: Path, again: str) -> None:
    path = tmp_path / "inc.hero"
    path.write_text("!!play.echo content:included\n")
    second = again.format(path=path, folder=tmp_path)
    if "/./" in again:  # the stand-in compares words; herolib has it marked or skipped
        second = str(path)
    assert run(f"!!play.include path:{path}\n!!play.include path:{second}") == Done("included\n")


def test_an_inclusion_inside_an_included_file_was_not_followed(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner.hero", tmp_path / "outer.hero"
    inner.write_text("!!play.echo content:inner\n")
    outer.write_text(f"!!play.include path:{inner}\n")
    assert failed(f"!!play.include path:{outer}").message.endswith(": play.include")
    # unless the script has included the same file itself
    assert isinstance(run(f"!!play.include path:{outer}\n!!play.include path:{inner}"), Done)


def test_backtraces_do_not_fill_messages() -> None:
    assert failed("!!test.fail").message == "exit code 1: Error: no luck"


def test_without_its_redis_the_engine_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", f"{HERO} --no-redis {{file}}")
    outcome = failed("!!play.echo content:hi")
    assert outcome.kind == "engine_unavailable"
    assert "a Redis on 127.0.0.1:6379" in outcome.message
    assert "start one there" in outcome.message


def test_an_action_behind_a_byte_order_mark_runs() -> None:
    assert run("\ufeff!!play.echo content:hi") == Done("hi\n")


def test_the_log_warns_of_what_v_misreads() -> None:
    log = Log()
    outcome = run("!!test.show\n    name:'default' // 'default' is the default\n    url:'https://x.y'", log=log)
    assert outcome == Done("[('name', 'default')]\n")
    ((level, text),) = log.lines
    assert level == "warning"
    assert text.startswith("line 2: V takes this comment for parameters")
    assert "(Q12)" in text
    many = Log()
    run("\n".join("!!test.show url:https://x.y l:m" for _ in range(30)), log=many)
    assert len(many.lines) == 21
    assert many.lines[-1] == ("warning", "V misreads 10 more places")
