"""A right command line is read without Typer, and means what it means to Typer; help needs no command."""

from __future__ import annotations

import functools
import importlib
import inspect
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from hero_ctl.app import app, build_app
from hero_ctl.command_table import COMMANDS, GROUPS, CommandRow, find_command
from hero_ctl.examples import EXAMPLES
from hero_ctl.option_groups import Command, command_parameters
from hero_ctl.overview import print_overview
from hero_ctl.parameters import Argument
from hero_ctl.quick_words import _Parameter, read_quickly

ReadBoth = Callable[[list[str], Mapping[str, str]], list[dict[str, Any]]]
ENVIRONMENT = {
    "HERO_REDIS_URL": "redis://h:1/", "HERO_NAMESPACE": "n", "HERO_CONFIG": "c", "HERO_SOCKET": "s", "HERO_SERVER": "w",
    "HERO_PROFILE": "p", "HERO_CALLER_ID": "me", "HERO_CONTEXT_ID": "here",
}  # fmt: skip


def command_of(row: CommandRow) -> tuple[Any, str, Command]:
    module_name, _, function = row.function.partition(":")
    module = importlib.import_module(f"hero_ctl.commands.{module_name}")
    return module, function, getattr(module, function)


def words_of(row: CommandRow, *, with_equals: bool) -> list[str]:
    """Give every option and every argument of a command a value."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in command_parameters(command_of(row)[2])[0]:
        one = _Parameter(parameter)
        if isinstance(one.declared, Argument):
            arguments += [value_of(one), "second"] if one.is_list else [value_of(one)]
            continue
        word = one.declared.words[0] if one.declared.words else f"--{parameter.name.replace('_', '-')}"
        if one.kind is bool:
            options.append(word)
        else:
            options += [f"{word}={value_of(one)}"] if with_equals else [word, value_of(one)]
            options += [word, value_of(one)] if one.is_list else []
    return [*options, *arguments] if with_equals else [*arguments, *options]


def value_of(one: _Parameter) -> str:
    if one.declared.settings.get("parser") is not None:
        return "2m30s"
    if issubclass(one.kind, Enum):
        value = str(list(one.kind)[-1].value)
        return value.upper() if one.declared.settings.get("case_sensitive") is False else value
    return str(max(3, one.declared.settings.get("min") or 0)) if one.kind is int else "x1"


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> ReadBoth:
    """Read a command line in both ways, and return what the command would get from each."""

    def read(words: list[str], environment: Mapping[str, str]) -> list[dict[str, Any]]:
        for name in ENVIRONMENT:
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        found = find_command(words)
        assert found is not None, words
        row, rest = found
        module, function, command = command_of(row)
        got: list[dict[str, Any]] = []

        @functools.wraps(command)
        def note(*args: Any, **given: Any) -> None:
            got.append(inspect.signature(command).bind(*args, **given).arguments)

        monkeypatch.setattr(module, function, note)
        quick = read_quickly(note, rest)
        assert quick is not None, f"{words} is left to Typer"
        quick()
        done = CliRunner().invoke(build_app(words), words)
        assert done.exit_code == 0, f"{words}: {done.output}"
        monkeypatch.setattr(module, function, command)
        return got

    return read


def right_lines() -> list[list[str]]:
    lines = [
        words[1:]
        for pair in EXAMPLES.values()
        for line in pair
        if (words := shlex.split(line, comments=True))[0] == "heroctl" and "|" not in words and "$(" not in line
    ]
    # install-service has a switch with its opposite, which Typer reads.
    rows = [(row, row.paths[-1].split()) for row in COMMANDS if row.names != "install-service"]
    return [
        *lines,
        *([*path, *words_of(row, with_equals=False)] for row, path in rows),
        *([*path, *words_of(row, with_equals=True)] for row, path in rows),
        ["run", "-"],
        ["run", "--", "1", "-2", "--yes"],
        ["actors"],
        ["actors", "-o", "json"],
    ]


@pytest.mark.parametrize("words", right_lines(), ids=lambda words: " ".join(words)[:60])
def test_a_right_line_means_the_same_with_and_without_typer(both: ReadBoth, words: list[str]) -> None:
    quick, typers = both(words, {})

    assert quick == typers


@pytest.mark.parametrize("words", [["run", "1"], ["actors", "show", "sal"], ["queues"], ["schedule", "add", "a", "1"]])
def test_variables_mean_the_same_with_and_without_typer(both: ReadBoth, words: list[str]) -> None:
    quick, typers = both(words, ENVIRONMENT)

    assert quick == typers
    assert "redis://h:1/" in repr(quick) or "socket='s'" in repr(quick)


@pytest.mark.parametrize(
    "line",
    [
        "run --nothing 1", "install-service --user", "run -qy 1", "run --help", "run --wait soon 1",
        "run --wait", "run --type ossi 1", "run --wait=5 --wait=6 1", "list --limit=-1", "list -n5",
        "list --limit 1.5", "list --limit", "pause", "pause sal extra", "actors show",
        "run --quiet=yes 1", "run --timeout -1 1", "run --caller= 1", "nonsense", "",
        "job", "actors nothing", "--version",
    ],
)  # fmt: skip
def test_every_other_line_is_left_to_typer(line: str) -> None:
    found = find_command(line.split())

    assert found is None or read_quickly(command_of(found[0])[2], found[1]) is None


def test_the_table_says_of_each_command_what_its_own_help_says() -> None:
    shown: dict[str, str] = {}
    pending = [("", typer.main.get_command(app))]
    while pending:
        path, command = pending.pop()
        shown[path] = " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())
        inner: Mapping[str, Any] = getattr(command, "commands", {})
        pending += [(f"{path} {name}".strip(), one) for name, one in inner.items()]

    table = {path: row.summary for row in COMMANDS for path in row.paths}
    table |= {name: about for name, (about, _) in GROUPS.items()}
    assert {path: text for path, text in shown.items() if path} == table


def test_the_help_of_heroctl_and_its_groups_names_every_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in ("80", "100"):
        monkeypatch.setenv("COLUMNS", columns)
        for group in ["", *GROUPS]:
            if group == "actors":
                assert not print_overview(["actors", "--help"])
                continue
            assert print_overview([*group.split(), "--help"])
            lines = capsys.readouterr().out.splitlines()
            assert max(map(len, lines)) <= int(columns)
            first = {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "}
            inner = [path for row in COMMANDS for path in row.paths] + list(GROUPS)
            wanted = {path.rpartition(" ")[2] for path in inner if path.rpartition(" ")[0] == group}
            if group == "":  # the nouns, and the words that are short for them
                wanted = {path for path in inner if " " not in path}
            assert first - {"--version", "-h,"} == wanted


def test_without_a_word_the_help_is_shown_as_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        print_overview([])

    assert ended.value.code == 2
    assert "Usage: heroctl COMMAND" in capsys.readouterr().out


#: What only help, tables of progress, the service, or its ports need.
HEAVY = {"typer", "click", "rich", "pydantic", "redis", "asyncio", "ssl", "psutil", "websockets", "email", "yaml"}
PROGRAM = "import sys\nfrom hero_ctl.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("--help", {"hero_job", "hero_client", "hero_config"}),
        ("schedule --help", {"hero_job", "hero_client", "hero_config"}),
        ("run 1", {"hero_supervisor", "hero_engine"}),
        ("queues", {"hero_supervisor", "hero_engine"}),
        ("list -o json", {"hero_supervisor", "hero_engine"}),
        ("show x", {"hero_supervisor", "hero_engine"}),
        ("config where", {"hero_supervisor", "hero_engine"}),
    ],
)
def test_a_command_imports_only_what_it_needs(tmp_path: Path, line: str, more: set[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, *line.split()]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"HERO_REDIS_URL": "redis://127.0.0.1:1/"},
    )
    loaded = {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}

    assert "hero_ctl" in loaded
    assert loaded & (HEAVY | more) == set()
