"""`heroctl osis`: objects and rights as the operator sees them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.ctl.conftest import Heroctl

SAVE = 'save_note(new_note().title("{}").content("written by a script"))'


def save(heroctl: Heroctl, context: str, title: str) -> str:
    done = heroctl("run", SAVE.format(title), "--type", "osis", "--caller", context, "--context", context)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_objects_are_counted_listed_found_and_printed(heroctl: Heroctl) -> None:
    first, second = save(heroctl, "shown", "first"), save(heroctl, "shown", "second")

    assert ["2", "hero.note", "shown"] in [line.split() for line in heroctl("osis", "list").stdout.splitlines()]
    assert json.loads(heroctl("osis", "list", "--context", "shown", "--json").stdout) == [
        {"context_id": "shown", "type": "hero.note", "count": 2}
    ]
    listed = heroctl("osis", "list", "hero.note", "--context", "shown")
    assert listed.stdout.split() == sorted([first, second])
    found = heroctl("osis", "list", "hero.note", "--context", "shown", "--find", "second", "--json")
    assert json.loads(found.stdout) == [second]
    printed = json.loads(heroctl("osis", "get", "hero.note", first, "--context", "shown").stdout)
    assert (printed["version"], printed["written_by"], printed["fields"]["title"]) == (1, "shown", "first")
    assert len(heroctl("osis", "get", "hero.note", first, "--context", "shown", "--history").stdout.splitlines()) == 1


def test_a_context_moves_by_export_and_import(heroctl: Heroctl, tmp_path: Path) -> None:
    sids = {save(heroctl, "old", f"note {n}") for n in range(3)}
    exported = heroctl("osis", "export", "objects.jsonl", "--context", "old")

    assert "exported 3 objects" in exported.stderr
    assert stat.S_IMODE((tmp_path / "objects.jsonl").stat().st_mode) == 0o600
    assert "imported 3 objects" in heroctl("osis", "import", "objects.jsonl", "--context", "new").stderr
    assert set(heroctl("osis", "list", "hero.note", "--context", "new").stdout.split()) == sids
    assert heroctl("osis", "list", "hero.note", "--context", "new", "--find", "script").stdout.split() == sorted(sids)
    # Again: as new versions, or not at all.
    assert "imported 3" in heroctl("osis", "import", "objects.jsonl", "--context", "new").stderr
    kept = heroctl("osis", "import", "-", "--context", "new", "--keep", input=(tmp_path / "objects.jsonl").read_text())
    assert "imported 0 objects into the context new; 3 were kept" in kept.stderr
    one = json.loads(heroctl("osis", "get", "hero.note", min(sids), "--context", "new").stdout)
    assert (one["version"], one["written_by"]) == (2, None)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("not json", "objects.jsonl:2: "),
        ("[]", "a line is an object with type, sid and fields"),
        ('{"type": "hero.note", "sid": "a1", "fields": {"title2": 1}}', "did you mean 'title'?"),
        ('{"type": "hero.nothing", "sid": "a1", "fields": {}}', "there is no type 'nothing'"),
        ('{"type": "hero.note", "sid": "A", "fields": {}}', "invalid name"),
    ],
)  # fmt: skip
def test_a_bad_line_of_an_import_is_named(heroctl: Heroctl, tmp_path: Path, line: str, text: str) -> None:
    (tmp_path / "objects.jsonl").write_text('{"type": "hero.note", "sid": "ok", "fields": {}}\n' + line + "\n")

    done = heroctl("osis", "import", "objects.jsonl", "--context", "bad")

    assert done.returncode == 1
    assert text in done.stderr
    assert "objects.jsonl:2: " in done.stderr
    assert "the 1 lines before it were imported" in done.stderr


def test_an_import_uses_the_schemas_of_the_actor(heroctl: Heroctl, tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/a.oschema").write_text("Ticket = { sid: str, subject: str @index }")
    (tmp_path / "in.jsonl").write_text('{"type": "desk.ticket", "sid": "t1", "fields": {"subject": "Broken lamp"}}\n')

    assert heroctl("osis", "import", "in.jsonl", "--context", "desk", "--schemas", "schemas").returncode == 0
    found = heroctl("osis", "list", "desk.ticket", "--context", "desk", "--find", "lamp", "--schemas", "schemas")
    assert found.stdout.split() == ["t1"]
    (tmp_path / "schemas/a.oschema").write_text("Ticket = { sid: strr }")
    done = heroctl("osis", "import", "in.jsonl", "--context", "desk", "--schemas", "schemas")
    assert done.returncode == 2
    assert "schemas/a.oschema:1:17: the type 'strr' is not defined" in done.stderr


def test_rights_are_shown_and_changed(heroctl: Heroctl) -> None:
    save(heroctl, "team-room", "plan")
    read = ["run", "list_notes().len()", "--type", "osis", "--caller", "bob", "--context", "team-room"]
    assert heroctl(*read).stdout.strip() == "0"

    assert heroctl("osis", "acl", "set", "join", "team", "bob", "--context", "team-room").returncode == 0
    assert heroctl("osis", "acl", "set", "grant", "read", "group:team", "--context", "team-room").returncode == 0

    assert heroctl(*read).stdout.strip() == "1"
    assert json.loads(heroctl("osis", "acl", "show", "--context", "team-room").stdout) == {
        "admin": [], "write": [], "read": ["group:team"], "groups": {"team": ["bob"]},
    }  # fmt: skip
    refused = heroctl("osis", "acl", "set", "grant", "own", "bob", "--context", "team-room")
    assert refused.returncode == 2
    assert "'own' is no right; write read, write or admin" in refused.stderr


def test_what_is_missing_is_named(heroctl: Heroctl) -> None:
    missing = heroctl("osis", "get", "hero.note", "zzzz", "--context", "none")
    assert (missing.returncode, "object not found: zzzz" in missing.stderr) == (5, True)
    assert heroctl("osis", "get", "note", "zzzz", "--context", "none").returncode == 2
    assert "name the context" in heroctl("osis", "list", "hero.note").stderr
    assert heroctl("osis", "import", "nowhere", "--context", "x").returncode == 2
