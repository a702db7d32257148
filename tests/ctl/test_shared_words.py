"""Shared options before the command: moved behind it, so that both places mean the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hero_ctl.shared_words import after_command, awaits_value, let_options_win, shared_values
from tests.ctl.conftest import HEROCTL, LIMIT_S, environment
from tests.deployment import Deployment
from tests.forked_heroctl import run_heroctl


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("--server URL queues", "queues --server URL"),
        ("--config F -o json jobs --limit 1", "jobs --config F -o json --limit 1"),
        ("-ojson --namespace=n queue pause sal", "queue pause -ojson --namespace=n sal"),
        ("-v osis acl show --context c", "osis acl show -v --context c"),
        ("--json actors", "actors --json"),
        ("--json actors show sal", "actors show --json sal"),
        ("-q run -- -o", "run -q -- -o"),
        ("run -- --server URL", "run -- --server URL"),
        ("queues --server URL", "queues --server URL"),
        ("--server URL", ""),
        ("--server URL queue", "queue"),
        ("--server URL --help", "--help"),
        ("--server URL nonsense", "nonsense"),
        ("-o json --frob jobs", "--frob jobs"),
        ("--version", "--version"),
    ],
)
def test_shared_options_before_the_command_are_read_after_it(typed: str, read: str) -> None:
    assert after_command(typed.split()) == read.split()


def test_options_of_the_line_win_over_variables_and_words_after_the_dashes_are_no_options() -> None:
    def left(*words: str) -> set[str]:
        environ = {"HERO_SERVER": "s", "HERO_PROFILE": "p", "HERO_REDIS_URL": "r", "HERO_SOCKET": "u"}
        let_options_win(words, environ)
        return set(environ)

    assert left("--server", "x", "list") == {"HERO_SERVER", "HERO_PROFILE"}
    assert left("list", "--redis-url=x") == {"HERO_REDIS_URL", "HERO_SOCKET"}
    assert left("run", "--", "--server", "x") == left()
    assert shared_values(["--config", "a", "list", "--config=b", "--", "--config=c"]) == {"--config": "b"}
    assert awaits_value(["--json", "--server"]) == "--server"
    assert awaits_value(["list", "--server"]) is None


def test_real_command_takes_them_before_and_after_read_quickly_and_by_typer(
    deployment: Deployment, tmp_path: Path
) -> None:
    def call(*words: str) -> str:
        done = run_heroctl(
            [HEROCTL, *words], cwd=tmp_path, env=environment(""), capture_output=True, text=True, check=False,
            timeout=LIMIT_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    server = ("--server", f"unix://{deployment.socket}")
    config = ("--config", f"{deployment.folder}/hero.toml")

    assert call(*server, "queues", "-o", "name") == call("queues", "-o", "name", *server)
    assert json.loads(call(*config, "-o", "json", "jobs", "-n1"))["kind"] == "jobs", "-n1 is what only Typer reads"
    assert call("--redis-url", deployment.url, "run", "6 * 7") == "42\n"


def test_what_is_missing_or_unknown_is_named(tmp_path: Path) -> None:
    for words, said in ((["--server"], "--server needs a value"), (["-o", "json", "--frob", "jobs"], "--frob")):
        done = run_heroctl([HEROCTL, *words], env=environment(""), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
