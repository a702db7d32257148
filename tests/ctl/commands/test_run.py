"""`heroctl run` and `submit`: scripts from every source, outcomes as text and exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.ctl.conftest import HEROCTL, Heroctl, environment, sal_paused
from tests.deployment import Deployment
from tests.forked_programs import ForkedPopen


def test_output_of_a_script_is_printed_and_the_exit_code_is_zero(heroctl: Heroctl) -> None:
    done = heroctl("run", "40 + 2")

    assert (done.returncode, done.stdout) == (0, "42\n")


@pytest.mark.parametrize("script_type", ["osis", "SAL"])
def test_script_runs_on_the_actor_of_the_type_in_any_case(
    heroctl: Heroctl, deployment: Deployment, script_type: str
) -> None:
    done = heroctl("run", "--type", script_type, "JOB_ID")

    with deployment.supervisor() as supervisor:
        record = supervisor.get_job(done.stdout.strip())
    assert record.job.script_type == script_type.upper()


def test_script_without_a_result_prints_nothing(heroctl: Heroctl) -> None:
    done = heroctl("run", "let quiet = 1;")

    assert (done.returncode, done.stdout) == (0, "")


def test_output_that_ends_in_a_line_feed_gets_no_second_one(heroctl: Heroctl) -> None:
    done = heroctl("run", '"two\\nlines\\n"')

    assert done.stdout == "two\nlines\n"


@pytest.mark.parametrize("way", ["--file", "@", "-"])
def test_script_comes_from_a_file_or_standard_input(heroctl: Heroctl, tmp_path: Path, way: str) -> None:
    text = 'let word = "grüße";\nword + " from " + CALLER_ID + " in " + CONTEXT_ID\n'
    (tmp_path / "hello.rhai").write_text(text)
    how = {"--file": ["--file", "hello.rhai"], "@": ["@hello.rhai"], "-": ["-"]}[way]

    done = heroctl("run", *how, "--caller", "02abc", "--context", "02def", input=text if way == "-" else None)

    assert (done.returncode, done.stdout) == (0, "grüße from 02abc in 02def\n")


@pytest.mark.parametrize(("way", "name"), [("file", "broken.rhai"), ("stdin", "stdin"), ("argument", "script")])
def test_failure_names_script_line_and_column_like_a_compiler(
    heroctl: Heroctl, tmp_path: Path, way: str, name: str
) -> None:
    text = "let a = 1;\nlet b = 2;\na + nowhere"
    (tmp_path / "broken.rhai").write_text(text)
    how = {"file": ["@broken.rhai"], "stdin": ["-"], "argument": [text]}[way]

    done = heroctl("run", *how, input=text if way == "stdin" else None)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{name}:3:5: ")
    assert "nowhere" in done.stderr


def test_script_that_does_not_end_exits_with_3(heroctl: Heroctl) -> None:
    done = heroctl("run", "loop { }", "--timeout", "0.3")

    assert done.returncode == 3
    assert "timeout of 0.3 s" in done.stderr


def test_wait_that_ends_before_the_job_exits_with_7_and_names_the_job(heroctl: Heroctl) -> None:
    with sal_paused(heroctl):
        done = heroctl("run", "7", "--wait", "0.2")

    assert done.returncode == 7
    job_id = done.stderr.strip().strip("`").rsplit(" ", 1)[1]
    assert heroctl("output", job_id, "--wait", "150").stdout == "7\n"


def test_missing_actor_is_named_while_the_job_waits(heroctl: Heroctl) -> None:
    done = heroctl("run", "!!nothing.here", "--type", "python", "--wait", "2.5")

    assert done.returncode == 7
    assert "no Python actor is up" in done.stderr


def test_stopped_job_exits_with_4(heroctl: Heroctl, deployment: Deployment) -> None:
    job_id = heroctl("submit", "1", "--type", "v").stdout.strip()
    with deployment.supervisor() as supervisor:
        supervisor.stop_job(job_id)

    done = heroctl("output", job_id)

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"job {job_id}: ")


def test_environment_variables_reach_the_job(heroctl: Heroctl, deployment: Deployment) -> None:
    job_id = heroctl("submit", "1", "--env", "PLACE=Ghent", "-e", "EMPTY=").stdout.strip()

    with deployment.supervisor() as supervisor:
        assert supervisor.get_job(job_id).job.env_vars == {"PLACE": "Ghent", "EMPTY": ""}


def test_same_id_and_content_is_one_job_and_other_content_is_refused(heroctl: Heroctl) -> None:
    first = heroctl("run", "1 + 1", "--id", "once-only")
    again = heroctl("run", "1 + 1", "--id", "once-only")
    other = heroctl("run", "1 + 2", "--id", "once-only")

    assert (first.stdout, again.stdout) == ("2\n", "2\n")
    assert other.returncode == 2
    assert "once-only" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "give the script once"),
        (["run", "1", "--file", "x.rhai"], "give the script once"),
        (["run", "@missing.rhai"], "cannot read missing.rhai: No such file"),
        (["run", "@."], "cannot read .: Is a directory"),
        (["run", "1", "--type", "lua"], "'lua'"),
        (["run", "1", "--timeout", "0"], "'timeout': must be a number of seconds above zero"),
        (["run", "1", "--timeout", "soon"], "Invalid value for '--timeout'"),
        (["run", "  "], "'script': must not be empty"),
        (["run", "1", "--env", "NOVALUE"], "--env takes NAME=VALUE, not 'NOVALUE'"),
        (["run", "1", "--id", "with space"], "'id'"),
        (["run", "1", "--instance", "1"], "set the group too"),
        (["run", "1", "--namespace", ""], "'namespace'"),
        (["run", "1", "--nonsense"], "No such option"),
        (["nonsense"], "No such command"),
        (["bench", "--jobs", "0"], "--jobs"),
    ],
)
def test_wrong_usage_exits_with_2_and_the_reason(heroctl: Heroctl, arguments: list[str], says: str) -> None:
    done = heroctl(*arguments)

    assert done.returncode == 2, done
    assert says in done.stderr


def test_empty_or_binary_standard_input_is_refused(heroctl: Heroctl) -> None:
    empty = heroctl("run", "-", input="")
    binary = heroctl("run", "-", input=b"\xff\xfe\x00")

    assert (empty.returncode, binary.returncode) == (2, 2)
    assert "stdin is empty" in empty.stderr
    assert "stdin is not UTF-8" in binary.stderr


def test_script_over_the_limit_is_refused(heroctl: Heroctl, tmp_path: Path) -> None:
    (tmp_path / "huge.rhai").write_text("// " + "x" * (1024 * 1024))

    done = heroctl("run", "@huge.rhai")

    assert done.returncode == 2
    assert "the limit is 1048576" in done.stderr


def test_control_c_leaves_the_job_running_and_says_how_to_get_its_output(
    heroctl: Heroctl, deployment: Deployment
) -> None:
    with ForkedPopen(
        [HEROCTL, "run", "print(`begun`); loop { sleep(0.05) }", "--id", "left-alone"],
        env=environment(deployment.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == "begun\n"  # so it has submitted the job and waits
        os.kill(waiting.pid, signal.SIGINT)
        _, err = waiting.communicate(timeout=300)

    assert waiting.returncode == 130
    assert "heroctl output left-alone" in err
    assert "Traceback" not in err
    assert heroctl("status", "left-alone").stdout == "started\n"
    assert heroctl("stop", "left-alone").stdout == "stopping\n"


def test_submit_prints_the_id_of_a_queued_job(heroctl: Heroctl) -> None:
    done = heroctl("submit", '#{ n: [1, 2.5, "x"] }')

    job_id = done.stdout.strip()
    assert json.loads(heroctl("output", job_id, "--wait", "150").stdout) == {"n": [1, 2.5, "x"]}
