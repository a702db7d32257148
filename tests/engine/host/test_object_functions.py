"""The functions by which Rhai scripts use objects, over a real store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from hero_actor.lanes.script_access import ScriptAccess
from hero_engine.engine import Done, Failed, Limits, Outcome, RunHandle, Script
from hero_engine.errors import EngineUnavailable, RightsInvalid
from hero_engine.host.objects import object_family
from hero_engine.host.objects.object_family import plural
from hero_engine.isolated import IsolatedEngine, IsolationSettings
from hero_engine.rights import ObjectOffer, ScriptRights, offer_objects
from hero_job.client.store import Store
from hero_job.model.retention import DEFAULT_RETENTION
from tests.engine.host.bench_script import ScriptBench


class OwnersBench(ScriptBench):
    """Runs scripts for the owner of their context, unless told otherwise."""

    def run(self, source: str, **fields: Any) -> Outcome:
        return super().run(source, **{"caller_id": "circle", **fields})


MakeBench = Callable[..., ScriptBench]


@pytest.fixture
def make_bench(store: Store, namespace: str) -> MakeBench:
    def make(schemas: str = "", objects: str = "hero", max_bytes: int = 1 << 20) -> ScriptBench:
        bench = OwnersBench(ScriptRights(objects=ObjectOffer(schemas=schemas, namespace=objects)))
        bench.engine.give_access(ScriptAccess(store, namespace, DEFAULT_RETENTION, max_object_bytes=max_bytes))
        return bench

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> ScriptBench:
    return make_bench()


def result(outcome: Outcome) -> Any:
    assert isinstance(outcome, Done), outcome
    return orjson.loads(outcome.output_json) if outcome.output_json is not None else outcome.output


def thrown(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.kind == "function_failed", outcome
    return outcome.message


#: The facts of the crate's example scripts, in our own words.
TASKS = """
let made = [];
for title in ["Implement login", "Design the front page", "Write the manual"] {
    let task = osis_project_task_new();
    task.title = title;
    task.name = title.sub_string(0, 6);
    task.status = "pending";
    task.priority = "high";
    task.tags = ["one", "two"];
    osis_project_task_set(task);
    made.push(task.sid);
}
let loaded = osis_project_task_get(made[0]);
let missing = loaded.description == () && loaded.assignee == ();
let updated = osis_project_task_get(made[0]);
updated.status = "in_progress";
osis_project_task_set(updated);
let found = osis_project_task_find("login");
let facts = [
    loaded.title, loaded.tags.len(), missing, osis_project_task_get(made[0]).status,
    osis_project_task_list().len(), found.len(), found[0] == made[0],
    osis_project_task_exists(made[0]), osis_project_task_exists("9999"),
];
for sid in made { osis_project_task_delete(sid); }
facts.push(osis_project_task_list().len());
facts
"""


def test_the_long_form_does_what_scripts_of_the_rust_system_expect(make_bench: MakeBench) -> None:
    bench = make_bench(objects="project")

    assert result(bench.run(TASKS)) == [
        "Implement login", 2, True, "in_progress", 3, 1, True, True, False, 0,
    ]  # fmt: skip


def test_the_short_form_builds_saves_finds_and_deletes(bench: ScriptBench) -> None:
    script = """
    let note = new_note().title("Hello").content("World of words").tag("project", "apollo");
    let id = save_note(note);
    let read = get_note(id);
    let facts = [id == note.sid, read.title, read.tags, list_notes() == [id], find_notes("apollo") == [id],
                 find_notes("content:word*") == [id], find_notes("title:words")];
    delete_note(id);
    facts.push(list_notes());
    facts
    """
    assert result(bench.run(script)) == [True, "Hello", {"project": "apollo"}, True, True, True, [], []]


def test_objects_are_checked_against_their_type(bench: ScriptBench) -> None:
    assert result(bench.run('let t = task_new(); t.title = "x"; [t.validate(), t.sid, t.status]')) == [
        True,
        "",
        "pending",
    ]
    assert thrown(bench.run('let t = task_new(); t.priority = "hig"; t.validate()')).startswith(
        'Field \'priority\' must be one of "medium", "low", "high", "critical"'
    )
    for wrong in ("save_task(t)", "osis_hero_task_set(t)", "t.json()", "t.validate()"):
        assert "Field 'titel2' is unknown" in thrown(bench.run(f"let t = new_task(); t.titel2 = 1; {wrong}"))
    assert thrown(bench.run("save_note(new_task())")) == "serialization error: this is a task, not a note"
    assert thrown(bench.run('new_note().priority("high")')) == "a note has no field priority"
    assert thrown(bench.run('title(#{}, "x")')) == "Function not found: title (map, string)"
    assert thrown(bench.run('title(#{_type: "x"}, "x")')).startswith("this map is no object; objects are made by new_")
    assert thrown(bench.run('new_note().tag("only a name")')) == "tag() does not fit the fields of a note"
    assert result(bench.run("list_tasks()")) == []


def test_numbers_out_of_range_are_named_with_the_range(make_bench: MakeBench, tmp_path: Path) -> None:
    (tmp_path / "a.oschema").write_text("SmallNumbers = { sid: str, byte_val: u8, rate: f64 }")
    bench = make_bench(str(tmp_path))

    text = thrown(bench.run("let data = small_numbers_new(); data.byte_val = 300; data.validate();"))

    assert text == "Field 'byte_val' out of range [0, 255]"
    assert (
        result(
            bench.run("let n = new_small_numbers(); n.rate = 3; save_small_numbers(n); get_small_numbers(n.sid).rate")
        )
        == 3.0
    )


def test_an_object_is_json(bench: ScriptBench) -> None:
    made = orjson.loads(result(bench.run('let n = new_note().title("x"); n.json()')))

    assert made.pop("sid")
    assert made.pop("created")
    assert made == {"title": "x", "content": "", "tags": {}}
    # The answer of an HTTP server is another map with this function, and another right.
    assert thrown(bench.run('#{body: "[1]"}.json()')).startswith("http: json is not allowed here")


def test_enumerations_have_their_values_as_functions(bench: ScriptBench) -> None:
    assert result(bench.run("task_status_values()")) == ["pending", "in_progress", "done", "cancelled"]
    assert result(bench.run('[task_status_is_valid("done"), task_status_is_valid("x")]')) == [True, False]
    assert result(bench.run('task_status_from_str("done").to_str()')) == "done"
    assert thrown(bench.run('task_status_from_str("x")')).startswith("Invalid task_status value: x")


def test_what_a_script_catches_is_a_text(bench: ScriptBench) -> None:
    script = """
    let texts = [];
    for wrong in ["zzzz", "NOT A SID"] { try { get_note(wrong) } catch (e) { texts.push(e.to_string()) } }
    try { find_notes("status:x") } catch (e) { if e.contains("not indexed") { texts.push("caught") } }
    texts
    """
    first, second, third = result(bench.run(script))
    assert first == "object not found: zzzz"
    assert second.startswith("invalid name: 'NOT A SID' is no SID")
    assert third == "caught"


def test_only_the_owner_and_those_whom_it_names_can_write(bench: ScriptBench) -> None:
    """The same script by three callers in the context of the first."""
    script = """
    let own = save_note(new_note().title("from " + CALLER_ID));
    get_note(own).title
    """
    assert result(bench.run(script, caller_id="alice", context_id="alice")) == "from alice"
    for stranger in ("bob", "charlie"):
        assert thrown(bench.run(script, caller_id=stranger, context_id="alice")) == (
            f"Insufficient authorization: {stranger} may not write note in alice"
        )
        assert result(bench.run('[list_notes(), find_notes("from")]', caller_id=stranger, context_id="alice")) == [
            [],
            [],
        ]
    grant = 'osis_acl_join("team", "bob"); osis_acl_grant("write", "group:team"); osis_acl().write'
    assert "bob may not change the rights in alice" in thrown(bench.run(grant, caller_id="bob", context_id="alice"))
    assert result(bench.run(grant, caller_id="alice", context_id="alice")) == ["group:team"]
    assert result(bench.run(script, caller_id="bob", context_id="alice")) == "from bob"
    bench.run(
        'osis_acl_leave("team", "bob"); osis_acl_revoke("write", "group:team")', caller_id="alice", context_id="alice"
    )
    assert "Insufficient authorization" in thrown(bench.run(script, caller_id="bob", context_id="alice"))


def test_a_map_cannot_name_a_caller_or_a_context(bench: ScriptBench) -> None:
    for name in ("context_id", "caller_id", "_context", "type", "namespace"):
        script = f'let n = new_note(); n.{name} = "alice"; save_note(n)'
        assert f"Field '{name}' is unknown" in thrown(bench.run(script, caller_id="bob", context_id="bob"))


def test_a_change_of_an_old_version_is_refused(bench: ScriptBench) -> None:
    sid = result(bench.run('save_note(new_note().title("first"))', job_id="job-1"))
    change = f'let n = get_note("{sid}"); n.title = "second"; save_note(n); n.title = "third"; save_note(n); n._version'
    assert result(bench.run(change, job_id="job-2")) == 1
    old = f'let n = get_note("{sid}"); n._version = 1; save_note(n)'
    assert "it has version 3 now, the change starts from version 1" in thrown(bench.run(old, job_id="job-3"))
    # Without a version it replaces whatever there is.
    assert result(bench.run(f'save_note(#{{sid: "{sid}", title: "replaced"}})', job_id="job-3")) == sid
    history = result(bench.run(f'osis_hero_note_history("{sid}")'))
    assert [one["version"] for one in history] == [4, 3, 2, 1]
    assert [one["job_id"] for one in history] == ["job-3", "job-2", "job-2", "job-1"]
    assert history[1]["object"]["title"] == "third"
    back = f'let old = osis_hero_note_history("{sid}")[3].object; old.remove("_version"); save_note(old)'
    result(bench.run(back, job_id="job-4"))
    assert result(bench.run(f'get_note("{sid}").title')) == "first"
    for wrong in ('"x"', "-1", "true", "1.5"):
        assert "_version is the version that get returned" in thrown(
            bench.run(f'let n = get_note("{sid}"); n._version = {wrong}; save_note(n)')
        )


def test_lists_have_pages_and_refuse_to_be_cut_short(bench: ScriptBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_family, "_PAGE", 2)
    monkeypatch.setattr(object_family, "MAX_LISTED", 4)
    bench.run('for n in 0..4 { save_note(new_note().title("note " + n)) }')
    assert len(result(bench.run("list_notes()"))) == 4
    bench.run('save_note(new_note().title("note 5"))')
    for call in ("list_notes()", 'find_notes("note")'):
        assert "there are more than 4 notes; read them in pages with osis_hero_note_" in thrown(bench.run(call))
    pages = """
    let all = [];
    let page = osis_hero_note_find_page("note", "", 2);
    loop {
        all += page.sids;
        if page.cursor == "" { break }
        page = osis_hero_note_find_page("note", page.cursor, 2);
    }
    [all.len(), osis_hero_note_list_page().sids.len(), osis_hero_note_list_page("", 3).sids.len()]
    """
    assert result(bench.run(pages)) == [5, 5, 3]
    assert "a page has 1 to 1000 objects" in thrown(bench.run('osis_hero_note_list_page("", 0)'))


def test_a_search_ends_with_its_run(bench: ScriptBench) -> None:
    """A run that is stopped or out of time asks for no further page."""
    run: RunHandle = bench.engine.new_run()
    script = "stop_now(); loop { list_notes() }"
    bench.engine._engine.register("stop_now", run.cancel)
    assert type(bench.run(script, run=run)).__name__ == "Stopped"
    assert type(bench.run("loop { list_notes() }", timeout_s=0.2)).__name__ == "TimedOut"


def test_an_object_that_is_too_large_is_refused(make_bench: MakeBench) -> None:
    bench = make_bench(max_bytes=2000)

    text = 'let s = "x"; s.pad(3000, "x"); save_note(new_note().content(s))'
    assert "2000 are allowed" in thrown(bench.run(text))


def test_an_actor_without_objects_has_no_such_functions() -> None:
    outcome = ScriptBench().run("new_note()")

    assert isinstance(outcome, Failed)
    assert outcome.kind == "ErrorFunctionNotFound"


def test_a_script_without_objects_reads_no_schema(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_family, "load_family", None)

    assert result(make_bench().run("let title = 40; title + 2")) == 42


def test_a_schema_that_cannot_be_used_is_found_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "a.oschema").write_text("A = { x: strr }")

    with pytest.raises(EngineUnavailable, match=r"a\.oschema:1:10: the type 'strr' is not defined"):
        ScriptBench(ScriptRights(objects=ObjectOffer(schemas=str(tmp_path))))


def test_a_script_in_a_process_of_its_own_has_the_same_objects(
    store: Store, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERO_ALLOW", '{"objects": {"namespace": "desk"}}')
    engine = IsolatedEngine("rhai", IsolationSettings())
    engine.give_access(ScriptAccess(store, namespace, DEFAULT_RETENTION, max_object_bytes=1 << 20))
    script = 'let n = osis_desk_note_new().title("alone"); save_note(n); find_notes("alone") == [n.sid]'
    outcome = engine.run(
        Script(source=script), constants={"CALLER_ID": "a", "CONTEXT_ID": "a", "JOB_ID": "j"},
        limits=Limits(timeout_s=60), run=engine.new_run(),
    )  # fmt: skip
    engine.close()

    assert result(outcome) is True


def test_the_list_of_functions_has_those_of_the_actors_types(tmp_path: Path) -> None:
    (tmp_path / "a.oschema").write_text("Ticket = { sid: str }")
    table = orjson.dumps({"objects": {"schemas": str(tmp_path), "namespace": "desk"}}).decode()
    done = subprocess.run(
        [sys.executable, "-m", "hero_engine.host.describe", "json"],
        env=os.environ | {"HERO_ALLOW": table}, capture_output=True, check=True,
    )  # fmt: skip

    found = {row["name"]: row["signature"] for row in orjson.loads(done.stdout)}
    assert found["osis_desk_ticket_get"] == "osis_desk_ticket_get(sid: string) -> map"
    assert found["list_tickets"] == "list_tickets() -> array"


@pytest.mark.parametrize("table", ["", "{}", '{"jobs": true}'])
def test_an_osis_actor_without_settings_has_the_built_in_types(table: str) -> None:
    rights = ScriptRights.from_json(offer_objects(table))

    assert (rights.objects, rights.jobs) == (ObjectOffer(), "jobs" in table)
    other = '{"objects": {"namespace": "desk"}}'
    assert offer_objects(other) == other
    with pytest.raises(RightsInvalid, match="objects"):
        ScriptRights.from_json('{"objects": {"folder": "x"}}')


def test_every_function_has_documentation(make_bench: MakeBench) -> None:
    family = object_family.load_family(ObjectOffer())

    assert {"osis_hero_note_new", "new_note", "note_new", "title", "tag", "osis_acl_grant"} <= {
        function.name for function in family.functions
    }
    for function in family.functions:
        assert function.summary.endswith("."), function.name
        assert not {"caller", "context", "path"} & {parameter.name for parameter in function.parameters}


@pytest.mark.parametrize(
    ("name", "many"),
    [("note", "notes"), ("category", "categories"), ("day", "days"), ("address", "addresses"), ("box", "boxes")],
)
def test_lists_have_the_plural_of_the_type(name: str, many: str) -> None:
    assert plural(name) == many
