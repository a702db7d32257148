"""Tables fit the terminal, and every other format has the same fields with a version."""

from __future__ import annotations

import json
import os
import pty
import struct
import subprocess
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Any

import pytest
import yaml

from hero_ctl.output.formats import FIELDS_VERSION, table_lines
from hero_ctl.output.tables import ACTORS, DEAD, JOBS, KEYS, QUEUES, SCHEDULES
from tests.ctl.conftest import HEROCTL, Heroctl, environment
from tests.deployment import Deployment

LONG = "0123456789abcdef" * 8
ID = "6dde99e8-51ed-427e-80cb-f71e15cd52c6"
TIME = "2026-11-29T21:13:39.123Z"
ROWS: dict[str, dict[str, Any]] = {
    "jobs": {
        "id": ID, "script_type": "PYTHON", "status": "dispatched", "created_at": TIME, "started_at": TIME,
        "finished_at": TIME, "caller_id": LONG, "context_id": LONG, "output": LONG, "error": None, "attempt": 1,
        "owner": LONG,
    },
    "actors": {
        "name": "python-12", "script_type": "PYTHON", "beat_at": TIME, "busy": 10, "lanes": 16, "jobs": 123_456,
        "engine": "heroscript", "engine_version": "1.2.3", "group": "a-long-group", "instance": "b", "pid": 1234567,
        "host": "a-host-with-a-long-name.example.org", "started_at": TIME, "unavailable": None,
    },
    "queues": {"script_type": "PYTHON", "group": "io", "instance": None, "waiting": 12_345, "paused_since": TIME},
    "dead": {"job_id": ID, "died_at": TIME, "job": {"script_type": "SAL", "error_kind": "ErrorDataTooLarge",
             "error": LONG}},
    "schedules": {"name": "nightly-report", "cron": "30 2 * * *", "tz": "Europe/Brussels", "next_at": TIME,
                  "job": {"script_type": "SAL", "script": LONG}},
    "keys": {"name": "alice", "scope": "admin", "created_at": TIME, "expires_at": TIME},
}  # fmt: skip


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("listing", [JOBS, ACTORS, QUEUES, DEAD, SCHEDULES, KEYS], ids=lambda one: one.kind)
def test_tables_fit_the_terminal_and_never_cut_what_identifies_a_row(listing: Any, width: int) -> None:
    row = ROWS[listing.kind]
    columns = [column for column in listing.columns if not column.wide]

    lines = table_lines([row, row], columns, width)

    assert len(lines) == 3
    assert max(map(len, lines)) <= width, lines
    assert lines[1].startswith(str(row.get(listing.name) or row["script_type"]))


def test_on_a_terminal_no_line_of_a_list_wraps(deployment: Deployment, heroctl: Heroctl, tmp_path: Path) -> None:
    heroctl("run", f'"{LONG}"', "--caller", LONG[:100])
    for width in (80, 100):
        for command in (["list"], ["actors"], ["queues"], ["top", "-o", "json"]):
            shown = on_terminal(width, *command, cwd=tmp_path, env=environment(deployment.url))
            if "json" not in command:
                assert max(map(len, shown.splitlines())) <= width, shown


@pytest.mark.parametrize("command", [["list"], ["queues"], ["actors"], ["dead", "list"], ["schedule", "list"]])
def test_every_format_has_the_same_fields(heroctl: Heroctl, command: list[str]) -> None:
    if command[0] == "schedule":
        heroctl("schedule", "add", "formats", "--every", "1d", "1")
    elif command[0] in ("list", "dead"):
        heroctl("run", "nowhere + 1")

    def shown(*options: str) -> str:
        return heroctl(*command, *options).stdout

    as_json = json.loads(shown("-o", "json"))
    fields = set(as_json["items"][0])
    assert as_json["version"] == FIELDS_VERSION
    assert set(yaml.safe_load(shown("-o", "yaml"))["items"][0]) == fields
    assert set(json.loads(shown("-o", "jsonl").splitlines()[0])) == fields
    assert set(json.loads(shown("--json"))[0]) == fields
    name = {"dead": "job_id", "list": "id"}.get(command[0], "name")
    assert shown("-o", "name").splitlines()[0] == as_json["items"][0][name]
    if command[0] == "schedule":
        heroctl("schedule", "delete", "formats")


def on_terminal(width: int, *arguments: str, cwd: Path, env: dict[str, str]) -> str:
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    plain = {name: value for name, value in env.items() if name != "COLUMNS"}
    with subprocess.Popen([HEROCTL, *arguments], cwd=cwd, env=plain, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        text = b""
        while True:
            try:
                chunk = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            text += chunk
    os.close(ours)
    return text.decode().replace("\r\n", "\n")
