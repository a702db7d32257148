"""`heroctl run` while a script runs: what it prints, its arguments, files, and Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.ctl.conftest import HEROCTL, LIMIT_S, Heroctl, environment
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.forked_programs import ForkedPopen

UUID = "[0-9a-f]{8}-[0-9a-f-]{27}"


def test_what_a_script_prints_and_its_job_go_to_standard_error(heroctl: Heroctl) -> None:
    done = heroctl("run", 'print("one"); print("two"); 42')

    assert (done.returncode, done.stdout) == (0, "42\n")
    lines = done.stderr.splitlines()
    assert lines[:2] == ["one", "two"]
    assert re.fullmatch(rf"heroctl: job {UUID} finished in [0-9.]+ s", lines[2])
    assert heroctl("run", "--quiet", 'print("one"); 42').stderr == ""


def test_lines_come_while_the_script_runs(deployment: Deployment, tmp_path: Path) -> None:
    with started(
        tmp_path, deployment, 'print("begun"); loop { sleep(0.1); }', "--stop-on-interrupt", "--timeout", "10m"
    ) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == b"begun\n"
        assert running.poll() is None

        running.send_signal(signal.SIGINT)

        assert running.wait(LIMIT_S) == 4, "the job was stopped"


def test_first_control_c_asks_on_a_terminal_and_the_second_one_leaves(
    deployment: Deployment, heroctl: Heroctl, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [HEROCTL, "run", "--id", "asked", "print(1); loop { sleep(1); }"],
        cwd=tmp_path, env=environment(deployment.url), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        assert running.stderr is not None
        os.set_blocking(running.stderr.fileno(), False)
        seen = b""

        def shows(words: bytes) -> bool:
            nonlocal seen
            seen += running.stderr.read() or b""  # type: ignore[union-attr]
            return words in seen

        eventually(lambda: shows(b"1\n"))
        running.send_signal(signal.SIGINT)
        eventually(lambda: shows(b"stop the job asked?"))
        os.write(ours, b"no\n")
        running.send_signal(signal.SIGINT)
        assert running.wait(LIMIT_S) == 130
    os.close(ours)
    os.close(theirs)
    assert heroctl("status", "asked").stdout == "started\n"
    heroctl("stop", "asked")


def test_arguments_reach_the_script_and_a_path_that_exists_is_a_file(heroctl: Heroctl, tmp_path: Path) -> None:
    (tmp_path / "hello.rhai").write_text("`hello ${ARGS[0]}, ${ARGS[1].parse_int() + 1} ${ARGS.len()}`")

    for line in (
        ["hello.rhai", "bob", "3"],
        ["hello.rhai", "--", "bob", "3"],
        ["--file", "hello.rhai", "--", "bob", "3"],
        ["@hello.rhai", "--", "bob", "3"],
    ):
        assert heroctl("run", *line).stdout == "hello bob, 4 2\n", line
    assert heroctl("run", "ARGS.len()").stdout == "0\n"
    assert heroctl("run", "ARGS[0]", "--", "--type").stdout == "--type\n"
    missing = heroctl("run", "no-such.rhai")
    assert (missing.returncode, missing.stderr) == (2, "heroctl: there is no file no-such.rhai\n")


def test_outputs_of_prerequisites_come_as_texts_and_as_values(heroctl: Heroctl) -> None:
    first = heroctl("submit", "[1, 2.5, #{a: `x`}]").stdout.strip()
    second = heroctl("submit", "`text`").stdout.strip()
    script = (
        f'let v = PREREQUISITE_VALUES["{first}"];'
        f'`${{v[0] * 2}} ${{v[2].a}} ${{PREREQUISITE_VALUES["{second}"]}} ${{type_of(PREREQUISITES["{first}"])}}`'
    )

    done = heroctl("run", "--after", first, "--after", second, script)

    assert done.stdout == "2 x text string\n", done.stderr


@pytest.mark.parametrize("script_type", ["python", "v"])
def test_source_text_for_a_heroscript_actor_is_explained(heroctl: Heroctl, script_type: str) -> None:
    done = heroctl("submit", "--type", script_type, "print(1+1)")

    assert "actors run HeroScript" in done.stderr


def test_durations_in_words_and_every_option_of_a_job(heroctl: Heroctl, deployment: Deployment) -> None:
    done = heroctl(
        "submit", "1", "--timeout", "2m30s", "--delay", "1h", "--expires", "2h", "--unique", "k", "--unique-for", "1d",
        "--concurrency", "c", "--concurrency-max", "3", "--rate", "r", "--rate-max", "7", "--rate-window", "90s",
        "--run-after-failure", "--log-path", "a/b.log",
    )  # fmt: skip

    with deployment.supervisor() as supervisor:
        job = supervisor.get_job(done.stdout.strip()).job
    assert (job.timeout, job.delay_s, job.expires_s, job.unique_for_s) == (150, 3600, 7200, 86_400)
    assert (job.concurrency_key, job.concurrency_max) == ("c", 3)
    assert (job.rate_key, job.rate_max, job.rate_window_s) == ("r", 7, 90)
    assert (job.run_after_failure, job.log_path) == (True, "a/b.log")
    wrong = heroctl("submit", "1", "--delay", "5 parsecs")
    assert wrong.returncode == 2
    assert "such as 30, 30s, 10m, 2h30m or 7d" in wrong.stderr


def started(folder: Path, deployment: Deployment, *arguments: str) -> subprocess.Popen[bytes]:
    return ForkedPopen(
        [HEROCTL, "run", *arguments],
        cwd=folder, env=environment(deployment.url), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
