"""Schemas of objects are checked before anything starts, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_job import JobBuilder, ScriptType
from tests.deployment import deployed
from tests.supervisor.program import run_program

ENTRY = '[[actors]]\ntype = "osis"\nosis_schemas = "schemas"\n'
BAD = "Ticket = {\n  sid: str\n  subject: strr\n}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "hero.toml").write_text(ENTRY)
    return tmp_path


def test_a_schema_that_cannot_be_used_stops_the_start_and_is_found_by_config_check(folder: Path) -> None:
    (folder / "schemas/desk.oschema").write_text(BAD)
    place = "schemas/desk.oschema:3: column 12: the type 'strr' is not defined; did you mean 'str'?"

    checked, started = run_program(folder, "config", "check", "hero.toml"), run_program(folder, "--config", "hero.toml")

    assert (checked.returncode, started.returncode) == (2, 2)
    assert checked.stderr.splitlines()[0] == f"error: {place}"
    assert started.stderr.splitlines()[0] == f"hero-supervisor: {place}"


def test_a_folder_that_is_missing_is_named(folder: Path) -> None:
    (folder / "schemas").rmdir()

    done = run_program(folder, "config", "check", "hero.toml")

    assert done.returncode == 2
    assert "schemas: is no folder; osis_schemas names the folder of the schemas" in done.stderr


def test_services_are_warnings(folder: Path) -> None:
    (folder / "schemas/desk.oschema").write_text("Ticket = { sid: str }\nservice Desk { }\n")

    done = run_program(folder, "config", "check", "hero.toml", "--strict")

    assert done.returncode == 1
    assert "warning: schemas/desk.oschema:2: service Desk has no effect here" in done.stdout


def test_two_entries_share_a_namespace_only_with_the_same_schemas(folder: Path) -> None:
    (folder / "schemas/desk.oschema").write_text("Ticket = { sid: str }")
    other = '[[actors]]\ntype = "osis"\nname = "other"\n'
    (folder / "hero.toml").write_text(ENTRY + 'name = "desk"\n' + other)

    done = run_program(folder, "config", "check", "hero.toml")

    assert done.returncode == 2
    assert "another entry has other schemas for the namespace 'hero'" in done.stderr


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ('type = "sal"\nosis_schemas = "schemas"', "osis_schemas: only scripts of type osis have objects"),
        ('type = "osis"\nosis_namespace = "Desk"', "osis_namespace"),
        ('type = "osis"\nosis_max_object_bytes = 10', "osis_max_object_bytes"),
        ('type = "osis"\ncommand = ["x"]\nosis_namespace = "desk"', "osis_namespace: only our own actors know this"),
    ],
)
def test_settings_are_checked(folder: Path, entry: str, text: str) -> None:
    (folder / "hero.toml").write_text(f"[[actors]]\n{entry}\n")

    done = run_program(folder, "config", "check", "hero.toml")

    assert (done.returncode, text in done.stderr) == (2, True), done.stderr


def test_an_actor_has_the_types_of_its_entry(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/desk.oschema").write_text(
        'State = "open" | "closed"\nTicket = { sid: str, state: State @index }'
    )
    entry = (
        ENTRY.replace('schemas"', f'{tmp_path}/schemas"') + 'osis_namespace = "desk"\nosis_max_object_bytes = 2000\n'
    )
    script = """
    let ticket = osis_desk_ticket_new();
    osis_desk_ticket_set(ticket);
    let found = osis_desk_ticket_find("state:open").len();
    let s = "x"; s.pad(3000, "x"); ticket.state = s;
    try { save_ticket(ticket) } catch (e) { return `${found} ${state_values()} ${e}`; }
    """
    with deployed(tmp_path, actors=entry) as running, running.supervisor() as client:
        job = JobBuilder().caller_id("a").context_id("a").script_type(ScriptType.OSIS).script(script).build()
        assert client.run_job_and_await_result(job).startswith(
            '1 ["open", "closed"] Field \'state\' must be one of "open", "closed"'
        )
