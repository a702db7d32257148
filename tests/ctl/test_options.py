"""The options that commands share: every command takes them in every place in which a user may put them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from hero_ctl.command_table import COMMANDS, CommandRow
from hero_ctl.option_groups import expand_groups
from hero_job.model.errors import JobInvalid, StoreUnavailable
from tests.ctl.in_process import invoke

#: A port on which nothing listens.
URL = "redis://127.0.0.1:1/"

#: Every command that asks the store, with the arguments that it needs.
ON_STORE = [
    ("run", "1"),
    ("submit", "1"),
    ("status", "x"),
    ("output", "x"),
    ("logs", "x"),
    ("list",),
    ("stop", "x"),
    ("retry", "x"),
    ("delete", "x"),
    ("events",),
    ("queues",),
    ("pause", "sal"),
    ("resume", "sal"),
    ("queue", "purge", "sal"),
    ("dead", "list"),
    ("dead", "retry"),
    ("dead", "purge"),
    ("schedule", "add", "often", "1", "--every", "5"),
    ("schedule", "list"),
    ("schedule", "delete", "often"),
    ("keys", "create", "alice", "--scope", "user"),
    ("keys", "list"),
    ("keys", "revoke", "alice"),
    ("actors",),
    ("bench",),
    ("export", "-"),
    ("import", "-"),
]
GROUPS = ("queue", "dead", "schedule", "keys")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call commands without the settings of the user who runs the tests."""
    for name in ("HERO_REDIS_URL", "HERO_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)


def split(command: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The words that name a command, and its arguments."""
    names = 2 if command[0] in GROUPS else 1
    return list(command[:names]), list(command[names:])


@pytest.mark.parametrize("command", ON_STORE, ids=" ".join)
@pytest.mark.parametrize("place", ["before the arguments", "after the arguments", "with =", "environment"])
def test_every_command_takes_the_url_of_the_store_in_every_place(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], place: str
) -> None:
    name, arguments = split(command)
    option = ["--redis-url", URL]
    if place == "before the arguments":
        line = [*name, *option, *arguments]
    elif place == "after the arguments":
        line = [*name, *arguments, *option]
    elif place == "with =":
        line = [*name, *arguments, f"--redis-url={URL}"]
    else:
        monkeypatch.setenv("HERO_REDIS_URL", URL)
        line = [*name, *arguments]

    done = invoke(line)

    assert isinstance(done.exception, StoreUnavailable), done.output
    assert URL in str(done.exception)


@pytest.mark.parametrize("command", ON_STORE, ids=" ".join)
def test_every_command_takes_a_namespace(monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    name, arguments = split(command)
    given = invoke([*name, *arguments, "--redis-url", URL, "--namespace", "not a name"])
    monkeypatch.setenv("HERO_NAMESPACE", "not a name")
    from_environment = invoke([*name, *arguments, "--redis-url", URL])

    for done in (given, from_environment):
        assert isinstance(done.exception, JobInvalid)
        assert "'namespace'" in str(done.exception)


def test_option_of_a_command_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_REDIS_URL", "redis://127.0.0.1:2/")

    assert URL in str(invoke(["list", "--redis-url", URL]).exception)


@pytest.mark.parametrize("command", [*ON_STORE, ("doctor",)], ids=" ".join)
def test_help_of_every_command_explains_the_store_and_the_exit_codes(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    name, _ = split(command)

    done = invoke([*name, "-h"])

    assert done.exit_code == 0
    for words in ("--redis-url", "HERO_REDIS_URL", "--namespace", "HERO_NAMESPACE", "Exit codes: 0"):
        assert words in done.output
    assert "[]" not in done.output, "square brackets in a help text are markup, and vanish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A group of options."""

    width: Annotated[int, typer.Argument()]
    height: Annotated[int, typer.Option("--height")] = 2


def test_group_becomes_one_option_per_field_and_arrives_as_one_value() -> None:
    arrived: list[tuple[str, Size]] = []

    def draw(name: Annotated[str, typer.Option("--name")], size: Size) -> None:
        """Draw."""
        arrived.append((name, size))

    small = typer.Typer()
    small.command()(expand_groups(draw))

    assert CliRunner().invoke(small, ["7", "--name", "a", "--height", "3"]).exit_code == 0
    assert CliRunner().invoke(small, ["--name", "b", "7"]).exit_code == 0
    assert CliRunner().invoke(small, ["--name", "b"]).exit_code == 2
    assert arrived == [("a", Size(width=7, height=3)), ("b", Size(width=7))]


@pytest.mark.parametrize("arguments", [("run", "--type", "ossi", "1"), ("pause", "ossi"), ("list", "--limit", "many")])
def test_a_wrong_value_is_named_without_words_of_a_library(arguments: tuple[str, ...]) -> None:
    shown = invoke(arguments)

    assert shown.exit_code == 2
    assert arguments[-1] in shown.output or arguments[-2] in shown.output
    assert "Value error" not in shown.output


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.paths[0])
def test_help_breaks_a_paragraph_only_where_the_line_is_full_and_writes_times_as_people_do(command: CommandRow) -> None:
    shown = invoke([*command.paths[0].split(), "--help"], env={"COLUMNS": "72", "TERMINAL_WIDTH": "72"})

    head = [line.strip() for line in shown.output.partition("╭")[0].splitlines()]
    for line, following in itertools.pairwise(head):
        if line and following and not line.startswith("Usage:"):
            assert len(line) + 1 + len(following.split()[0]) > 70, (line, following)
    assert not re.search(r"default:\s+\d+\.\d", shown.output)
