"""Streams of `heroctl` that are full or closed, and encodings that lack characters."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from hero_job import JobBuilder
from tests.ctl.conftest import HEROCTL, LIMIT_S, environment
from tests.deployment import Deployment

TEXT = "é名👩"
#: In UTF-8 mode Python would not look at the encoding.
ENCODINGS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


def run(
    deployment: Deployment, folder: Path, *words: str, redirected: str = "", **environ: str
) -> subprocess.CompletedProcess[bytes]:
    line = f"exec {shlex.join([str(HEROCTL), *words])} {redirected}"
    env = environment(deployment.url) | environ
    done = subprocess.run(
        ["bash", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=folder,
        env=env,
        timeout=LIMIT_S,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


@pytest.mark.parametrize("redirected", ["2>/dev/full", "2>&-"])
def test_notes_that_cannot_be_written_change_neither_result_nor_exit_code(
    deployment: Deployment, tmp_path: Path, redirected: str
) -> None:
    expected = [
        (("run", "print(`noise`); 42"), 0, b"42\n"),
        (("run", "nowhere"), 1, b""),
        (("show", "nothing-like-it"), 5, b""),
        (("list", "--limit"), 2, b""),
    ]
    for words, code, out in expected:
        done = run(deployment, tmp_path, *words, redirected=redirected)
        assert (done.returncode, done.stdout) == (code, out), words


@pytest.mark.parametrize("redirected", [">/dev/full", ">/dev/full 2>/dev/full", ">/dev/full 2>&-"])
def test_a_result_that_cannot_be_written_is_a_failure(deployment: Deployment, tmp_path: Path, redirected: str) -> None:
    for words in (["run", "42"], ["queues"], ["list", "-o", "json"], ["list", "--help"]):
        assert run(deployment, tmp_path, *words, redirected=redirected).returncode == 1, words


@pytest.mark.parametrize("environ", ENCODINGS, ids=["ascii", "latin-1", "C"])
def test_characters_that_the_encoding_lacks_are_written_as_json_would(
    deployment: Deployment, tmp_path: Path, environ: dict[str, str]
) -> None:
    with deployment.supervisor() as supervisor:
        job = JobBuilder().caller_id(TEXT).context_id("b").script_type("sal").script(f'"{TEXT}"').timeout(60).build()
        supervisor.run_job_and_await_result(job, 150)

    table = run(deployment, tmp_path, "list", **environ)
    listed = run(deployment, tmp_path, "list", "-o", "json", **environ)
    result = run(deployment, tmp_path, "output", job.id, **environ)
    missing = run(deployment, tmp_path, "show", TEXT, **environ)

    assert (table.returncode, listed.returncode, result.returncode, missing.returncode) == (0, 0, 0, 5)
    encoding = environ.get("PYTHONIOENCODING", "utf-8")
    [row] = [row for row in json.loads(listed.stdout.decode(encoding))["items"] if row["id"] == job.id]
    assert (row["caller_id"], row["output"]) == (TEXT, TEXT)
    assert json.loads(f'"{result.stdout.decode(encoding).strip()}"') == TEXT
