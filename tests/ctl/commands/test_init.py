"""`heroctl init` writes a config for a use that is valid and starts, and replaces nothing without a yes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hero_config.report.use_file import DeploymentUse
from tests.ctl.conftest import HEROCTL
from tests.forked_heroctl import run_heroctl
from tests.valkey_server import ValkeyServer, free_port

SUPERVISOR = (sys.executable, "-P", "-m", "hero_supervisor.cli")


def init(folder: Path, *words: str, answers: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `heroctl init` in a folder; with answers, on a terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HERO_")}
    ours, terminal = pty.openpty() if answers is not None else (-1, -1)
    try:
        if answers is not None:
            os.write(ours, answers.encode())
        return run_heroctl(
            [HEROCTL, "init", *words],
            cwd=folder,
            env=kept,
            stdin=terminal if answers is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        for fd in (ours, terminal):
            if fd >= 0:
                os.close(fd)


def supervisor(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HERO_")}
    return subprocess.run(
        [*SUPERVISOR, *words], cwd=folder, env=kept, capture_output=True, text=True, timeout=300, check=False
    )


def written(folder: Path, name: str = "hero.toml") -> dict[str, Any]:
    return tomllib.loads((folder / name).read_text())


@pytest.mark.parametrize("use", DeploymentUse)
def test_the_config_of_each_use_is_valid_and_starts(tmp_path: Path, valkey: ValkeyServer, use: DeploymentUse) -> None:
    """The one for a cluster has the store that the tests have; the one for containers has no actors."""
    words = {
        DeploymentUse.SINGLE: ["--actors", "osis,sal"],
        DeploymentUse.CLUSTER: ["--redis-url", valkey.url, "--actors", "sal"],
        DeploymentUse.CONTAINER: ["--port", str(free_port())],
    }[use]

    done = init(tmp_path, "--for", use, *words)

    assert (done.returncode, done.stdout) == (0, "hero.toml\n"), done.stderr
    assert "hero-supervisor config check hero.toml" in done.stderr
    checked = supervisor(tmp_path, "config", "check", "hero.toml")
    assert checked.returncode == 0, checked.stderr
    assert "hero.toml: valid" in checked.stdout
    started = supervisor(tmp_path, "--config", "hero.toml", "--once-ready")
    assert started.returncode == 0, started.stderr


def test_each_key_has_its_explanation(tmp_path: Path) -> None:
    for use in DeploymentUse:
        assert init(tmp_path, "--for", use, "--redis-url", "redis://10.0.0.5/", "--file", f"{use}.toml").returncode == 0
        lines = (tmp_path / f"{use}.toml").read_text().splitlines()
        bare = [line for before, line in pairwise(lines) if " = " in line and before[:1] != "#"]
        assert bare == [], use


def test_the_uses_differ_in_what_matters(tmp_path: Path) -> None:
    for use in DeploymentUse:
        init(tmp_path, "--for", use, "--redis-url", "redis://10.0.0.5/", "--file", f"{use}.toml")
    single, cluster, container = (written(tmp_path, f"{use}.toml") for use in DeploymentUse)

    assert [one["type"] for one in single["actors"]] == ["osis", "sal", "python"]
    assert [one.get("by_context", False) for one in cluster["actors"]] == [True, False, False]
    assert container["actors"] == []
    assert (container["rpc"]["port"], container["rpc"]["require_auth"]) == (8080, True)
    assert container["supervisor"]["log_format"] == "json"
    assert single["rpc"]["port"] == 0


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ([], 2, "say what the config is for: --for single: one host"),
        (["--for", "cluster"], 2, "a cluster shares a store: name it, such as --redis-url"),
        (["--for", "single", "--redis-url", "http://x/"], 2, "should start with redis://"),
        (["--for", "single", "--actors", "sal,rust"], 2, "rust"),
        (["--for", "single", "--file", "."], 2, "is a folder"),
        (["--for", "single", "--file", "taken/hero.toml"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is_left(
    tmp_path: Path, words: list[str], code: int, complaint: str
) -> None:
    (tmp_path / "taken").write_text("")

    done = init(tmp_path, *words)

    assert (done.returncode, complaint in done.stderr) == (code, True), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_file_that_is_there_stays_unless_the_answer_is_yes(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text("# mine\n")

    without = init(tmp_path, "--for", "single")
    no = init(tmp_path, "--for", "single", answers="n\n")

    assert (without.returncode, no.returncode) == (1, 1)
    assert "hero.toml is there already, and stays as it is; --yes replaces it" in without.stderr
    assert "hero.toml is there already. Replace it? [y/N]" in no.stderr
    assert (tmp_path / "hero.toml").read_text() == "# mine\n"
    assert init(tmp_path, "--for", "single", answers="y\n").returncode == 0
    assert written(tmp_path)["rpc"]["unix_socket"] == ".hero/hero.ipc"
    assert init(tmp_path, "--for", "container", "--yes").returncode == 0
    assert written(tmp_path)["actors"] == []


def test_on_a_terminal_it_asks(tmp_path: Path) -> None:
    done = init(tmp_path, answers="castle\ncluster\nredis://:secret@10.0.0.5:6379/\nsal,v\n8080\n")

    assert done.returncode == 0, done.stderr
    assert "one of single, cluster, container, please" in done.stderr
    found = written(tmp_path)
    assert found["store"]["redis_url"] == "redis://:secret@10.0.0.5:6379/"
    assert [one["type"] for one in found["actors"]] == ["sal", "v"]
    assert found["rpc"]["require_auth"] is True
    # It has a password.
    assert (tmp_path / "hero.toml").stat().st_mode & 0o777 == 0o600


def test_empty_answers_take_what_is_offered(tmp_path: Path) -> None:
    done = init(tmp_path, answers="\n\n\n\n")

    assert done.returncode == 0, done.stderr
    assert [one["type"] for one in written(tmp_path)["actors"]] == ["osis", "sal", "python"]
    assert (tmp_path / "hero.toml").stat().st_mode & 0o777 == 0o644
