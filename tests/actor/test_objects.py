"""Objects through a real actor: without any setting, and when the actor dies in the middle of a job."""

from __future__ import annotations

from pathlib import Path

from hero_job.operations.objects.find import find_objects
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects
from tests.actor.conftest import StartActor
from tests.actor.process import JobClient, make_job
from tests.deployment import deployed
from tests.eventually import eventually

OWNER = {"caller_id": "alice", "context_id": "alice"}


def test_an_actor_without_settings_has_objects(start_actor: StartActor, client: JobClient) -> None:
    start_actor("osis")

    assert client.run('save_note(#{sid: "a1", title: "x"}); list_notes()', **OWNER).output == '["a1"]'


def test_a_sal_actor_has_none(start_actor: StartActor, client: JobClient) -> None:
    start_actor("sal")

    assert client.run("list_notes()", script_type="SAL", **OWNER).error_kind == "ErrorFunctionNotFound"


SCRIPT = """
let first = !osis_hero_note_exists("mark");
save_note(#{sid: "fixed", title: "of my own"});
save_note(new_note().title("of new"));
if first { save_note(#{sid: "mark", title: "seen"}); sleep(100); }
"done"
"""


def test_a_job_that_runs_again_replaces_what_it_named_and_repeats_what_it_did_not(tmp_path: Path) -> None:
    objects, alice = Objects(), ObjectAccess(context_id="alice", caller_id="alice")
    with deployed(tmp_path, actors='[[actors]]\ntype = "osis"\n') as running, running.supervisor() as client:
        job_id = client.submit_job(make_job(SCRIPT, "osis", timeout_s=200, **OWNER))
        eventually(lambda: client.store.drive(objects.exists(alice, "hero.note", "mark")))
        (actor,) = running.actors("osis")
        actor.kill()

        assert client.await_result(job_id, 100) == "done"
        fixed = client.store.drive(objects.history(alice, "hero.note", "fixed"))
        assert [(one.version, one.job_id) for one in fixed] == [(2, job_id), (1, job_id)]
        made = client.store.drive(find_objects(objects, alice, "hero.note", '"of new"', indexed=("title",)))
        assert len(made.sids) == 2
