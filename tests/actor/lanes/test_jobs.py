"""What becomes of one job: its result, its error, and what happens if its hash is damaged."""

from __future__ import annotations

import pytest

from hero_job.model.status import JobStatus
from tests.actor.conftest import StartActor
from tests.actor.process import JobClient
from tests.valkey_server import ValkeyServer


@pytest.mark.parametrize("script_type", ["osis", "sal"])
def test_result_of_a_script_is_in_the_reply_and_in_the_record(
    start_actor: StartActor, client: JobClient, script_type: str
) -> None:
    start_actor(script_type)

    job_id = client.submit("40 + 2", script_type)

    assert client.reply(job_id).result() == "42"
    record = client.record(job_id)
    assert record.status is JobStatus.FINISHED
    assert (record.output, record.output_json) == ("42", "42")
    assert record.attempt == 1


def test_string_result_is_stored_without_a_typed_form(start_actor: StartActor, client: JobClient) -> None:
    start_actor()

    job_id = client.submit('"42"')

    assert client.reply(job_id).result() == "42"
    assert client.record(job_id).output_json is None


def test_ping_is_answered_pong_without_the_engine(start_actor: StartActor, client: JobClient) -> None:
    start_actor()

    assert client.run("ping").result() == "pong"


def test_script_sees_its_constants_inside_functions_too(start_actor: StartActor, client: JobClient) -> None:
    start_actor()
    script = 'fn who() { `${CALLER_ID} ${CONTEXT_ID} ${JOB_ID} ${ENV["COLOR"]}` } who()'

    job_id = client.submit(script, env_vars={"COLOR": "red"})

    assert client.reply(job_id).result() == f"caller-1 context-1 {job_id} red"


def test_failed_script_reports_kind_message_and_line(start_actor: StartActor, client: JobClient) -> None:
    start_actor()

    reply = client.run('let x = 1;\nthrow "no " + x;')

    assert reply.status is JobStatus.ERROR
    assert reply.error_kind
    assert "no 1" in (reply.error or "")
    assert reply.line == 2


@pytest.mark.parametrize("script", ["loop {}", "sleep(600)", "let a = []; loop { a.push(1); a.clear(); }"])
def test_script_past_its_timeout_is_ended_and_the_lane_goes_on(
    start_actor: StartActor, client: JobClient, script: str
) -> None:
    start_actor()

    reply = client.run(script, timeout_s=0.2)

    assert (reply.status, reply.error_kind) == (JobStatus.ERROR, "timeout")
    assert client.run("1").result() == "1"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (("HSET", "{job}", "timeout", "soon"), "timeout"),
        (("HSET", "{job}", "timeout", "-5"), "timeout"),
        (("HSET", "{job}", "timeout", "nan"), "timeout"),
        (("HSET", "{job}", "env_vars", "{]"), "env_vars"),
        (("HSET", "{job}", "script_type", "COBOL"), "COBOL"),
        (("HSET", "{job}", "script_type", "SAL"), "script_type"),
        (("HDEL", "{job}", "script"), "script"),
        (("HDEL", "{job}", "caller_id"), "caller_id"),
        (("SET", "{job}", "no hash at all"), "hash"),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, tuple) else "",
)
def test_damaged_job_ends_in_an_error_that_names_the_damage_and_the_lane_goes_on(
    start_actor: StartActor, client: JobClient, valkey: ValkeyServer, damage: tuple[str, ...], named: str
) -> None:
    job_id = client.submit("40 + 2")
    valkey.command(*(arg.format(job=client.operations.keys.job(job_id)) if "{job}" in arg else arg for arg in damage))

    start_actor()

    reply = client.reply(job_id)
    assert (reply.status, reply.error_kind) == (JobStatus.ERROR, "damaged")
    assert named in (reply.error or "")
    assert client.run("1").result() == "1"


def test_script_that_is_not_utf8_ends_in_an_error(
    start_actor: StartActor, client: JobClient, valkey: ValkeyServer
) -> None:
    job_id = client.submit("40 + 2")
    valkey.command(
        "EVAL", r"return redis.call('HSET', KEYS[1], 'script', '40 \255')", 1, client.operations.keys.job(job_id)
    )

    start_actor()

    assert client.reply(job_id).error_kind == "damaged"
    assert client.run("1").result() == "1"


def test_job_of_a_foreign_client_with_camel_case_fields_is_run(
    start_actor: StartActor, client: JobClient, valkey: ValkeyServer
) -> None:
    keys = client.operations.keys
    start_actor()

    fields = ("id", "j1", "callerId", "a", "contextId", "b", "script", "CALLER_ID + 1", "scriptType", "osis")
    valkey.command("HSET", keys.job("j1"), *fields)
    valkey.command("LPUSH", keys.work("osis"), "j1")

    assert client.reply("j1").result() == "a1"


def test_result_that_is_too_large_for_the_store_ends_in_an_error(start_actor: StartActor, client: JobClient) -> None:
    start_actor()

    reply = client.run('let s = "x"; s.pad(70_000_000, "x"); s')

    assert reply.error_kind == "result_too_large"
