"""On terminals of 80 and of 100 columns no line of a list or a record is longer than the terminal.

The rows are as long as the store allows, and a pseudo terminal is standard output. The commands run in one process per
width, because each start costs a third of a second.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_ctl.output.widths import columns_of, cut, padded
from hero_job import JobBuilder
from hero_job.operations.schedules import Schedule
from tests.ctl.conftest import HEROCTL, environment
from tests.ctl.output.test_every_listing import ELSEWHERE, LISTINGS, RECORDS
from tests.ctl.terminal import Terminal
from tests.deployment import Deployment

#: The longest name that a schedule may have.
LONG = "a-name-that-somebody-has-made-longer-than-what-a-line-of-a-terminal-has-room-for-".ljust(100, "x")
WIDE = "名前がとても長い" * 12

#: Commands with `--output` and the words that they need here, and those that print facts in another way.
COMMANDS = {
    "batch jobs": [LONG], "batch show": [LONG], "batch wait": [LONG], "job show": [LONG], "schedule show": [LONG],
    "job list": ["--limit", "20"], "doctor": [], "config where": [], "actor show": ["sal"],
}  # fmt: skip
#: Runs commands in this process, and prints between them.
_DRIVER = """
import sys
from hero_ctl import cli
for words in {lines!r}:
    sys.argv[1:] = words
    try:
        cli._run()
    except SystemExit:
        pass
    print("--end--", flush=True)
"""


@pytest.fixture(scope="module")
def long_names(deployment: Deployment) -> Iterator[Deployment]:
    """A deployment with names, scripts, errors and results that are longer than a line."""

    def job(script: str) -> JobBuilder:
        return JobBuilder().caller_id(LONG).context_id(WIDE).script_type("sal").script(script).timeout(60)

    with deployment.supervisor() as supervisor:
        supervisor.create_jobs([job(f'"{WIDE}"').id(LONG).build()], batch_id=LONG)
        supervisor.submit_job(job(f'throw "{LONG} {WIDE}"').id(f"failed-{LONG}").build())
        supervisor.await_batch(LONG, 150)
        fields = {"caller_id": LONG, "context_id": WIDE, "script": f'"{LONG}"', "script_type": "SAL"}
        supervisor.put_schedule(Schedule(name=LONG, job=fields, cron="0 0 1 1 *", tz="America/Argentina/Buenos_Aires"))
        yield deployment
        supervisor.delete_schedule(LONG)


@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_longer_than_the_terminal(long_names: Deployment, tmp_path: Path, width: int) -> None:
    names = {name for name, *_ in (*LISTINGS, *RECORDS)} | (ELSEWHERE - {"top", "whoami"}) | set(COMMANDS)
    lines = [[*name.split(), *COMMANDS.get(name, [])] for name in sorted(names)]
    env = environment(long_names.url) | {"HERO_CONFIG": f"{long_names.folder}/hero.toml", "HOME": str(tmp_path)}

    with Terminal(
        [sys.executable, "-c", _DRIVER.format(lines=lines)], env=env, folder=tmp_path, columns=width
    ) as terminal:
        terminal.wait()
        shown = "\n".join(terminal.lines).split("--end--")

    assert len(shown) == len(lines) + 1, terminal.shown
    for words, text in zip(lines, shown, strict=False):
        assert text.strip(), words
        assert max(map(columns_of, text.splitlines())) <= width, (words, text)
    of_jobs = shown[lines.index(["job", "list", "--limit", "20"])]
    assert "some names are cut" in of_jobs, "the ids do not fit"


def test_what_a_service_for_trying_says_is_broken_between_words(tmp_path: Path) -> None:
    text = " ".join(["which later starts keep; to begin anew, delete it"] * 3)
    script = f"""
import sys
from hero_ctl.dev.lines import Lines
lines = Lines(sys.stdout)
lines.title({text!r})
lines.fact("settings", {text!r})
lines.good({text!r})
lines.command("to copy", {text!r})
"""
    with Terminal([sys.executable, "-c", script], env=environment(""), folder=tmp_path, columns=80) as terminal:
        terminal.wait()

    *facts, command = terminal.lines
    assert max(map(columns_of, facts)) <= 80
    assert text in command, "a command stays in one line"
    assert {word for line in facts for word in line.split()} == {*text.split(), "settings", "as", "expected"}
    assert sum(line.startswith(" " * 17) for line in facts) >= 2, "they go on behind the names"


def test_messages_are_broken_between_words(deployment: Deployment, tmp_path: Path) -> None:
    name = "a-job-that-nobody-has-submitted-and-whose-id-is-quite-long-for-that"
    with Terminal([HEROCTL, "show", name], env=environment(deployment.url), folder=tmp_path, columns=80) as terminal:
        terminal.wait()

    assert max(map(len, terminal.lines)) <= 80
    said = f"heroctl: no job with id '{name}' (never created, deleted, or past its retention)"
    assert " ".join(terminal.lines) == said


def test_top_and_whoami_fit_too(long_names: Deployment, tmp_path: Path) -> None:
    env = environment("") | {"HERO_CONFIG": f"{long_names.folder}/hero.toml", "HOME": str(tmp_path)}
    for words in (["top"], ["whoami"]):
        with Terminal([HEROCTL, *words], env=env, folder=tmp_path, columns=80) as terminal:
            terminal.read_until("scope" if words == ["whoami"] else "HOST")
            if words == ["top"]:
                terminal.write("\x03")
            terminal.wait()
        assert max(map(columns_of, terminal.lines)) <= 80, terminal.lines


def test_characters_of_two_columns_are_counted_and_cut_as_such() -> None:
    assert columns_of("abc") == 3
    assert columns_of("名前") == 4
    assert columns_of("e\u0301") == 1
    assert cut("名前名前", 4) == "名…"
    assert cut("名前", 4) == "名前"
    assert cut("abcdef", 4) == "abc…"
    assert padded("名", 4) == "名  "
    assert cut("", 0) == ""
