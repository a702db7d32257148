"""No colour where the user or the terminal wants none: NO_COLOR, TERM=dumb, a pipe; and what --quiet leaves away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.ctl.conftest import Heroctl, environment
from tests.ctl.output.test_formats import on_terminal
from tests.deployment import Deployment

#: Bold and dim text are no colours.
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:[349][0-7]|10[0-7]|[34]8;[0-9;]+)m")
#: One command of each way to print: help, the frame around wrong usage, a table, a failed script, its log.
LINES = [["list", "--help"], ["list", "--limit", "many"], ["queues"], ["run", "print(`x`); nowhere"]]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_colour_gets_none(
    deployment: Deployment, tmp_path: Path, name: str, value: str
) -> None:
    env = environment(deployment.url) | {"TERM": "xterm-256color"} | {name: value}
    for line in LINES:
        shown = on_terminal(100, *line, cwd=tmp_path, env=env)
        assert shown.strip()
        assert not COLOUR.search(shown), (line, shown)
        assert name == "NO_COLOR" or "\x1b" not in shown, "a dumb terminal gets no escape sequence at all"


def test_a_terminal_with_colours_gets_them(deployment: Deployment, tmp_path: Path) -> None:
    env = {name: value for name, value in environment(deployment.url).items() if name != "NO_COLOR"}

    assert COLOUR.search(on_terminal(100, "list", "--help", cwd=tmp_path, env=env | {"TERM": "xterm-256color"}))


def test_a_pipe_gets_no_escape_sequence(heroctl: Heroctl) -> None:
    for line in LINES:
        done = heroctl(*line)
        assert "\x1b" not in done.stdout + done.stderr, line


def test_quiet_prints_the_result_and_errors_only(heroctl: Heroctl) -> None:
    done = heroctl("run", "-q", "print(`noise`); 42")
    failed = heroctl("run", "--quiet", "nowhere")

    assert (done.stdout, done.stderr) == ("42\n", "")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert len(failed.stderr.splitlines()) == 1, "the error, and no note"
