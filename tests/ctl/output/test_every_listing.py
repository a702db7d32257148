"""Every command with `--output` prints every format, with the fields of this table; else `FIELDS_VERSION` changes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import typer
import yaml

from hero_ctl.app import app
from hero_ctl.output.formats import FIELDS_VERSION
from hero_job import JobBuilder, JobFailed
from hero_job.model.job import JOB_FIELDS
from hero_job.model.views import JobRecord
from tests.ctl.in_process import invoke
from tests.deployment import Deployment

JOB_ROW = {"id", *(field.name for field in JOB_FIELDS), *JobRecord.__dataclass_fields__} - {"job"}
ACTOR_ROW = {
    "incarnation", "name", "script_type", "group", "instance", "host", "pid", "lanes", "busy", "jobs", "started_at",
    "beat_at", "engine", "engine_version", "unavailable", "alive", "supervised",
}  # fmt: skip
SCHEDULE_ROW = {"name", "job", "cron", "interval_s", "tz", "overlap", "missed", "next_at", "paused"}
BATCH = {"batch_id", "total", "open", "finished", "error", "stopped"}

#: Command with its arguments -> word of its rows, field of `-o name`, fields that a row has.
LISTINGS: dict[tuple[str, ...], tuple[str, str, set[str]]] = {
    ("job list", "--limit", "5"): ("jobs", "id", JOB_ROW),
    ("batch jobs", "of-formats"): ("jobs", "id", JOB_ROW),
    ("batch list",): ("batches", "batch_id", BATCH | {"began_at", "caller_id"}),
    ("actor list",): ("actors", "name", ACTOR_ROW),
    ("actors",): ("actors", "name", ACTOR_ROW),
    ("queue list",): ("queues", "name", {"name", "script_type", "group", "instance", "waiting", "paused_since"}),
    ("dead list",): ("dead", "job_id", {"job_id", "died_at", "job"}),
    ("schedule list",): ("schedules", "name", SCHEDULE_ROW),
    ("key list",): ("keys", "name", {"name", "scope", "created_at", "expires_at"}),
}
RECORDS: dict[tuple[str, ...], tuple[str, str, set[str]]] = {
    ("job show", "of-formats-1"): ("job", "id", JOB_ROW | {"waits_because"}),
    ("batch show", "of-formats"): ("batch", "batch_id", BATCH),
    ("batch wait", "of-formats"): ("batch", "batch_id", BATCH),
    ("schedule show", "of-formats"): ("schedule", "name", SCHEDULE_ROW | {"in_words", "last_job_id", "last_status"}),
}
#: Commands with `--output` whose rows another test has.
ELSEWHERE = {"top", "stats", "whoami"}


@pytest.fixture(scope="module")
def something(deployment: Deployment) -> Iterator[Deployment]:
    """A deployment with something of each kind."""
    with deployment.supervisor() as supervisor:

        def job(script: str) -> JobBuilder:
            return JobBuilder().caller_id("a").context_id("b").script_type("sal").script(script).timeout(60)

        supervisor.create_jobs([job("1").id("of-formats-1").build()], batch_id="of-formats")
        with pytest.raises(JobFailed):
            supervisor.run_job_and_await_result(job("nowhere").build(), 150)
    environ = {"HERO_REDIS_URL": deployment.url}
    made = [
        ["schedule", "add", "of-formats", "--every", "365d", "1"],
        ["keys", "create", "of-formats", "--scope", "read"],
        ["batch", "wait", "of-formats"],
    ]
    for line in made:
        done = invoke(line, env=environ)
        assert done.exit_code == 0, done.output
    yield deployment
    for line in (["schedule", "delete", "of-formats"], ["keys", "revoke", "of-formats", "--yes"]):
        invoke(line, env=environ)


def shown(deployment: Deployment, command: tuple[str, ...], *options: str) -> str:
    environ: dict[str, str | None] = {name: None for name in os.environ if name.startswith("HERO_")}
    line = [*command[0].split(), *command[1:], *options]
    done = invoke(line, env={**environ, "HERO_REDIS_URL": deployment.url})
    assert done.exit_code == 0, done.output
    return str(done.stdout)


@pytest.mark.parametrize("command", LISTINGS, ids=" ".join)
def test_a_listing_has_the_same_rows_in_every_format(something: Deployment, command: tuple[str, ...]) -> None:
    kind, name, fields = LISTINGS[command]

    whole = json.loads(shown(something, command, "-o", "json"))
    (first, *_) = whole["items"]

    assert (whole["version"], whole["kind"]) == (FIELDS_VERSION, kind)
    assert {*first} == fields
    as_yaml = yaml.safe_load(shown(something, command, "-o", "yaml"))
    assert (as_yaml["version"], as_yaml["kind"], {*as_yaml["items"][0]}) == (FIELDS_VERSION, kind, fields)
    assert {*json.loads(shown(something, command, "-o", "jsonl").splitlines()[0])} == fields
    assert {*json.loads(shown(something, command, "--json"))[0]} == fields
    names = shown(something, command, "-o", "name").splitlines()
    assert names[0] == first[name]
    table, wide = shown(something, command).splitlines(), shown(something, command, "-o", "WIDE").splitlines()
    assert table[0].isupper() or "UTC" in table[0]
    assert len(wide[0]) >= len(table[0])
    if name in {"id", "job_id"}:
        assert any(line.startswith(names[0]) for line in table)


@pytest.mark.parametrize("command", RECORDS, ids=" ".join)
def test_a_record_has_the_same_fields_in_every_format(something: Deployment, command: tuple[str, ...]) -> None:
    kind, name, fields = RECORDS[command]

    whole: dict[str, Any] = json.loads(shown(something, command, "-o", "json"))

    assert (whole.pop("version"), whole.pop("kind")) == (FIELDS_VERSION, kind)
    assert {*whole} == fields
    as_yaml = yaml.safe_load(shown(something, command, "-o", "yaml"))
    assert {*as_yaml} == fields | {"version", "kind"}
    assert {*json.loads(shown(something, command, "-o", "jsonl"))} == fields
    assert shown(something, command, "-o", "name") == f"{whole[name]}\n"
    assert shown(something, command) == shown(something, command, "-o", "wide")


def test_every_command_with_formats_is_in_a_table() -> None:
    with_formats = set()
    for name, command in leaves(typer.main.get_command(app)):
        for parameter in command.params:
            if "--output" in parameter.opts:
                with_formats.add(name)
    short = {"list", "jobs", "show", "queues", "actors", "keys list"}

    assert with_formats - short == {name[0] for name in (*LISTINGS, *RECORDS)} - {"actors"} | ELSEWHERE


def leaves(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in getattr(group, "commands", {}).items():
        if getattr(command, "commands", None):
            yield from leaves(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command
