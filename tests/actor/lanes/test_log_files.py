"""Log files are written below one folder and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hero_actor.lanes.log_files import LogPathRefused, append_lines
from hero_job.model.builder import JobBuilder
from tests.actor.conftest import StartActor
from tests.actor.process import JobClient

LINES = [("info", "hello")]


def test_lines_are_appended_below_the_folder(tmp_path: Path) -> None:
    for _ in range(2):
        append_lines(str(tmp_path / "logs"), "a/b/job.log", "j", LINES)

    lines = (tmp_path / "logs/a/b/job.log").read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith(" info j hello")


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", ".", "/", "a\0b", "a/.."])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(LogPathRefused):
        append_lines(str(tmp_path / "logs"), path, "j", LINES)

    assert list(tmp_path.rglob("x")) == []


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    logs, outside = tmp_path / "logs", tmp_path / "outside"
    logs.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("untouched")
    (logs / "folder").symlink_to(outside)
    (logs / "file").symlink_to(outside / "secret")

    for path in ("folder/x", "file"):
        with pytest.raises(LogPathRefused):
            append_lines(str(logs), path, "j", LINES)
    assert (outside / "secret").read_text() == "untouched"
    assert [p.name for p in outside.iterdir()] == ["secret"]


def test_a_named_pipe_in_place_of_the_file_does_not_block_the_lane(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(LogPathRefused):
        append_lines(str(tmp_path), "pipe", "j", LINES)


def test_a_jobs_lines_go_to_its_log_path_and_a_refused_path_does_not_fail_the_job(
    start_actor: StartActor, client: JobClient, tmp_path: Path
) -> None:
    start_actor("osis", "--log-dir", str(tmp_path / "logs"))

    def job(path: str) -> str:
        builder = JobBuilder().caller_id("a").context_id("b").script_type("osis").script('print("x"); 1').log_path(path)
        return client.submit_job(builder.build())

    good, bad = job("mine.log"), job("../theirs.log")
    assert client.reply(good).output == client.reply(bad).output == "1"
    assert (tmp_path / "logs/mine.log").read_text().endswith(f" info {good} x\n")
    assert not (tmp_path / "theirs.log").exists()
