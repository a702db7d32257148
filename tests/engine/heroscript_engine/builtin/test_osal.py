"""`osal.*`: off by default, and limited to what the operator allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed
from hero_engine.host.programs import PATH
from tests.engine.heroscript_engine.conftest import Bench, MakeBench

LAST = "!!play.output result:last\n"


@pytest.fixture
def allowing(make_bench: MakeBench, tmp_path: Path) -> Bench:
    return make_bench(commands=("echo", "/usr/bin/e*", "sh", "pwd", "sleep"), work_dir=str(tmp_path))


def message(outcome: object) -> str:
    assert isinstance(outcome, Failed), outcome
    return outcome.message


def test_no_program_runs_if_none_is_allowed(bench: Bench) -> None:
    assert "echo is not allowed here; HERO_ALLOW_COMMANDS allows: nothing" in message(bench.run("!!osal.exec cmd:echo"))


def test_allowed_program_runs_and_its_output_goes_to_the_log(allowing: Bench) -> None:
    text = '{"exit_code":0,"output":"a b; pwd\\n"}'

    assert allowing.run(LAST + "!!osal.exec cmd:'echo a b; pwd'") == Done(text, text)
    assert allowing.log.lines == [("info", "a b; pwd")]


def test_silent_program_prints_nothing(allowing: Bench) -> None:
    assert isinstance(allowing.run("!!osal.exec_silent cmd:'echo a'"), Done)
    assert allowing.log.lines == []


@pytest.mark.parametrize("cmd", ["cat /etc/passwd", "./echo", "/tmp/echo", "../bin/echo"])
def test_any_other_program_is_refused(allowing: Bench, cmd: str) -> None:
    assert "is not allowed here" in message(allowing.run(f"!!osal.exec cmd:'{cmd}'"))


def test_path_of_the_job_does_not_choose_the_program(allowing: Bench, tmp_path: Path) -> None:
    fake = tmp_path / "echo"
    fake.write_text("#!/bin/sh\n/bin/echo fake")
    fake.chmod(0o755)

    allowing.run("!!osal.exec cmd:'echo real'", ENV={"PATH": str(tmp_path)})

    assert allowing.log.lines == [("info", "real")]


def test_exit_code_is_an_error_unless_it_is_ignored(allowing: Bench) -> None:
    fail = "cmd:'sh -c \\'echo why; exit 3\\''"

    assert "sh ended with exit code 3: why" in message(allowing.run(f"!!osal.exec {fail}"))
    assert isinstance(allowing.run(f"!!osal.exec {fail} ignore_error_codes:3"), Done)
    assert isinstance(allowing.run(f"!!osal.exec {fail} raise_error:false"), Done)
    assert isinstance(allowing.run(f"!!osal.exec {fail} ignore_error:true"), Done)


def test_failed_program_is_retried(allowing: Bench, tmp_path: Path) -> None:
    once = "cmd:'sh -c \\'test -e seen || ! touch seen\\''"

    assert isinstance(allowing.run(f"!!osal.exec {once} retry:1"), Done)
    assert (tmp_path / "seen").exists()


def test_work_folder_must_be_below_the_allowed_one(allowing: Bench, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()

    allowing.run("!!osal.exec cmd:pwd work_folder:sub")

    assert allowing.log.lines == [("info", str(tmp_path / "sub"))]
    assert "outside" in message(allowing.run("!!osal.exec cmd:pwd work_folder:../.."))
    assert "outside" in message(allowing.run("!!osal.exec cmd:pwd work_folder:/etc"))


def test_program_is_ended_at_its_timeout(allowing: Bench) -> None:
    assert "did not end within 0.1 s" in message(allowing.run("!!osal.exec cmd:'sleep 60' timeout:0.1"))


def test_program_gets_the_variables_of_job_and_script(allowing: Bench) -> None:
    show = "!!osal.exec cmd:'sh -c \\'echo $JOB_ENV_A-$JOB_ENV_B-$JOB_ENV_C-$JOB_ENV_D-$A\\'' environment:'C=3'\n"
    script = "!!osal.env_set key:A value:1\n!!osal.env_set key:B value:9 overwrite:false\n!!osal.env_set_all d:4\n"

    allowing.run(script + show + "!!osal.env_unset key:A\n" + show, ENV={"B": "2"})

    assert allowing.log.lines == [("info", "1-2-3-4-"), ("info", "-2-3-4-")]


def test_no_variable_of_the_submitter_changes_what_a_program_does(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench(commands=("bash",), work_dir=str(tmp_path), job_env=("COLOR",))
    code = tmp_path / "code.sh"
    code.write_text("echo code of the submitter\n")
    hostile = {"BASH_ENV": str(code), "ENV": str(code), "LD_PRELOAD": str(code), "PATH": str(tmp_path), "COLOR": "red"}
    hostile["BASH_FUNC_echo%%"] = "() { printf 'function of the submitter'; }"
    in_script = f"!!osal.env_set key:BASH_ENV value:'{code}'\n"
    run = f"!!osal.exec cmd:'bash -c \\'echo $COLOR $PATH\\'' environment:'BASH_ENV={code}'\n"

    bench.run(in_script + run, ENV=hostile)

    assert bench.log.lines == [("info", f"red {PATH}")]
