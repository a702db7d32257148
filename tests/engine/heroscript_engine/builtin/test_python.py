"""`python.run`, and the actions of `osal` that load variables and install packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hero_engine.engine import Done, Failed, TimedOut
from tests.engine.heroscript_engine.conftest import Bench, MakeBench

LAST = "!!play.output result:last\n"


def code(text: str) -> str:
    """An action that runs these lines."""
    return "!!python.run\n    code: '\n" + "".join(f"        {line}\n" for line in text.split("\n")) + "        '\n"


@pytest.fixture
def allowing(make_bench: MakeBench) -> Bench:
    return make_bench(python=True)


def result(bench: Bench, script: str, **options: Any) -> Any:
    outcome = bench.run(LAST + script, **options)
    assert isinstance(outcome, Done), outcome
    return json.loads(outcome.output_json) if outcome.output_json else outcome.output


def message(bench: Bench, script: str, **options: Any) -> str:
    outcome = bench.run(script, **options)
    assert isinstance(outcome, Failed), outcome
    return outcome.message


def test_code_does_not_run_unless_the_operator_allows_it(bench: Bench) -> None:
    assert "HERO_ALLOW_PYTHON is not set" in message(bench, code("1"))


def test_last_expression_or_the_name_result_is_the_result(allowing: Bench) -> None:
    assert result(allowing, "!!python.run code:'6 * 7'") == 42
    assert result(allowing, code('x = [1, 2]\nfor i in x:\n    print("item", i)\nresult = {"sum": sum(x)}')) == {
        "sum": 3
    }
    assert allowing.log.lines == [("info", "item 1"), ("info", "item 2")]
    assert allowing.run(LAST + code("x = 1")) == Done("")


def test_code_sees_the_job_and_what_earlier_code_has_defined(allowing: Bench) -> None:
    script = code("def twice(x):\n    return 2 * x\nresult = 1") + code("twice(ctx.caller_id)")

    assert result(allowing, script, CALLER_ID="me") == "meme"
    assert "NameError" in message(allowing, code("twice(1)"))


def test_error_of_the_code_names_its_line(allowing: Bench) -> None:
    assert "line 2 of the code: ZeroDivisionError: division by zero" in message(allowing, code("x = 0\n1 / x"))
    assert "line 2 of the code: invalid syntax" in message(allowing, code("x = 0\n1 +* x"))


def test_limits_of_the_process_apply_to_the_code(make_bench: MakeBench) -> None:
    bench = make_bench(python=True, memory_bytes=512 * 1024 * 1024)

    assert bench.run(code("while True: pass"), timeout_s=0.5) == TimedOut(0.5)
    too_much = bench.run(code("len(bytearray(1024 ** 3))"))
    assert isinstance(too_much, Failed)
    assert "MemoryError" in too_much.message
    ended = bench.run(code("import os\nos._exit(3)"))
    assert isinstance(ended, Failed)
    assert ended.kind == "crashed"


def test_what_fails_in_the_moment_of_the_deadline_has_run_out_of_time(allowing: Bench) -> None:
    # As a program or a request does, which is given all the time that is left.
    script = code("while ctx.remaining_s: pass\nraise ValueError('too late')")

    assert [allowing.run(script, timeout_s=0.2) for _ in range(5)] == [TimedOut(0.2)] * 5


def test_code_cannot_make_requests_that_are_not_allowed(allowing: Bench) -> None:
    assert "HERO_ALLOW_JOBS is not set" in message(allowing, code('ctx.ask("job.list", status="", count=1)'))
    assert "machine.stop is not allowed here" in message(allowing, code('ctx.ask("machine.stop")'))


def test_variables_are_loaded_from_a_file(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench(commands=("sh",), work_dir=str(tmp_path), job_env=("A", "B", "C"))
    (tmp_path / "vars.env").write_text("# a comment\nexport A=1\n\nB = 'two words'\nC=\"x=y\"\n")
    (tmp_path / "bad.env").write_text("A=1\nnothing")
    script = "!!osal.env_set key:A value:0\n!!osal.env_load_file file_path:vars.env{more}\n"
    show = "!!osal.exec cmd:'sh -c \\'echo \"$A|$B|$C\"\\''"

    bench.run(script.format(more="") + show)
    assert bench.log.lines == [("info", "1|two words|x=y")]
    bench.run(script.format(more=" overwrite:false") + show)
    assert bench.log.lines == [("info", "0|two words|x=y")]
    assert "bad.env:2 is not KEY=value" in message(bench, "!!osal.env_load_file file_path:bad.env")
    assert "is outside of" in message(bench, "!!osal.env_load_file file_path:/etc/environment")
    assert "HERO_WORK_DIR is not set" in message(make_bench(), "!!osal.env_load_file file_path:vars.env")


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A program in the place of a package manager. It notes its arguments, and knows no package `unknown`."""
    program = tmp_path / "apt-get"
    program.write_text(
        f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >> {tmp_path}/told\n'
        'case "$*" in *unknown*) echo "Unable to locate package" >&2; exit 100;; esac\necho "did $1"\n'
    )
    program.chmod(0o755)
    return program


def test_allowed_packages_are_installed_and_removed(make_bench: MakeBench, stand_in: Path, tmp_path: Path) -> None:
    bench = make_bench(packages=("jq", "lib*", "unknown"), package_manager=str(stand_in))
    script = (
        "!!osal.package_refresh\n!!osal.package_install jq name:'libfoo, libbar'\n"
        "!!osal.package_remove name:jq result_to:gone\n!!play.echo content:'{gone}'"
    )

    assert result(bench, script) == '["jq"]'
    assert (tmp_path / "told").read_text().splitlines() == [
        "noninteractive update",
        "noninteractive install -y --no-install-recommends -- jq libfoo libbar",
        "noninteractive remove -y -- jq",
    ]
    assert ("info", "did install") in bench.log.lines
    said = message(bench, "!!osal.package_install unknown")
    assert "apt-get install ended with exit code 100: Unable to locate package" in said


@pytest.mark.parametrize("name", ["curl", "./libx.deb", "lib/../../x", "-y", "libx=1;id"])
def test_any_other_package_is_refused(make_bench: MakeBench, stand_in: Path, tmp_path: Path, name: str) -> None:
    bench = make_bench(packages=("jq", "lib*"), package_manager=str(stand_in))

    assert "is not allowed here; HERO_ALLOW_PACKAGES allows: jq, lib*" in message(
        bench, f"!!osal.package_install name:'jq,{name}'"
    )
    assert not (tmp_path / "told").exists()


def test_no_package_is_touched_unless_the_operator_names_it(make_bench: MakeBench, stand_in: Path) -> None:
    bench = make_bench(package_manager=str(stand_in))

    assert "HERO_ALLOW_PACKAGES" in message(bench, "!!osal.package_refresh")
    assert "HERO_ALLOW_PACKAGES allows: nothing" in message(bench, "!!osal.package_remove jq")
    unknown = make_bench(packages=("*",), package_manager="/bin/sh")
    assert "HERO_PACKAGE_MANAGER names one of apt-get" in message(unknown, "!!osal.package_refresh")
