"""Objects through a real actor: without any setting, and when the actor dies in the middle of a job."""

from __future__ import annotations

from tests.actor.conftest import StartActor
from tests.actor.process import JobClient

OWNER = {"caller_id": "alice", "context_id": "alice"}


def test_an_actor_without_settings_has_objects(start_actor: StartActor, client: JobClient) -> None:
    start_actor("osis")

    assert client.run('save_note(#{sid: "a1", title: "x"}); list_notes()', **OWNER).output == '["a1"]'


def test_a_sal_actor_has_none(start_actor: StartActor, client: JobClient) -> None:
    start_actor("sal")

    assert client.run("list_notes()", script_type="SAL", **OWNER).error_kind == "ErrorFunctionNotFound"
