"""Hashes and replies: what is written, and everything that is read."""

from __future__ import annotations

from datetime import UTC

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hero_job import Job, JobBuilder, JobDamaged, JobStatus, Reply, ScriptType
from hero_job.model.fields.checks import time_text
from hero_job.model.fields.wire_values import format_seconds, parse_timeout
from hero_job.model.job import Priority
from hero_job.protocol.codec import decode_record, encode_job
from hero_job.protocol.replies import decode_reply, encode_reply, encode_result

text = st.text(min_size=1).filter(lambda s: not s.isspace()).filter(lambda s: s.isprintable())
ids = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
jobs = st.builds(
    Job,
    id=ids.map("job-{}".format),
    caller_id=text,
    context_id=text,
    script=text,
    script_type=st.sampled_from(ScriptType),
    timeout=st.integers(1, 86400) | st.floats(0.001, 86400),
    retries=st.integers(0, 1000),
    concurrent=st.booleans(),
    log_path=st.none() | text,
    env_vars=st.dictionaries(st.sampled_from(["A", "B_2", "ä"]), st.text().filter(lambda s: "\0" not in s)),
    prerequisites=st.lists(ids.map("before-{}".format), unique=True, max_size=3).map(tuple),
    priority=st.sampled_from(Priority),
    not_before=st.none() | st.datetimes(timezones=st.just(UTC)).map(lambda t: time_text("not_before", t)),
    delay_s=st.just(0) | st.floats(0.001, 1000),
    expires_s=st.none() | st.integers(1, 1000),
    unique_key=st.none() | text,
    concurrency_key=st.none() | text,
    batch=st.none() | ids,
    traceparent=st.none() | st.just("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    run_after_failure=st.booleans(),
    group=st.none() | st.sampled_from(["io", "a.b"]),
)


def as_hash(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


@given(jobs)
def test_every_job_is_read_as_it_was_written(job: Job) -> None:
    # The runtime adds `extra` to each hash of ours. Without it, "null" would mean a field that is not set.
    assert decode_record(job.id, {**as_hash(encode_job(job)), "extra": "0"}).job == job


def test_the_hash_has_the_fields_that_the_rust_documents_list() -> None:
    job = JobBuilder().id("j").caller_id("a").context_id("b").script("1").script_type("python").timeout(10).build()

    assert as_hash(encode_job(job)) == {
        "id": "j",
        "caller_id": "a",
        "context_id": "b",
        "script": "1",
        "script_type": "Python",
        "timeout": "10",
        "retries": "0",
        "concurrent": "false",
        "env_vars": "{}",
        "prerequisites": "[]",
        "dependents": "[]",
    }


@pytest.mark.parametrize(("seconds", "written"), [(10, "10"), (10.0, "10"), (0.5, "0.5"), (1e-3, "0.001")])
def test_whole_seconds_are_written_without_a_fraction(seconds: float, written: str) -> None:
    assert format_seconds(seconds) == written
    assert parse_timeout(written) == seconds


def test_a_camel_case_hash_of_the_rust_family_is_read() -> None:
    record = decode_record(
        "j", {"callerId": "a", "contextId": "b", "script": "1", "scriptType": "sal", "status": "Dispatched"}
    )

    assert (record.job.caller_id, record.job.script_type, record.status) == ("a", ScriptType.SAL, JobStatus.DISPATCHED)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout", "soon"),
        ("timeout", "0"),
        ("timeout", "nan"),
        ("script_type", "cobol"),
        ("script", None),
        ("script", "\udcff"),
        ("status", "confused"),
        ("env_vars", "{"),
        ("env_vars", "[1]"),
        ("prerequisites", "{}"),
        ("prerequisites", "["),
        ("retries", "many"),
        ("attempt", "x"),
    ],
)
def test_a_damaged_hash_names_the_job_and_the_field(field: str, value: str | None) -> None:
    fields = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "sal"}
    if value is None:
        del fields[field]
    else:
        fields[field] = value

    with pytest.raises(JobDamaged) as damaged:
        decode_record("j", fields)

    assert (damaged.value.job_id, damaged.value.field) == ("j", field)


def test_a_reply_has_exactly_the_fields_of_the_contract_and_a_position_where_known() -> None:
    plain = orjson.loads(encode_reply(Reply(job_id="j", status=JobStatus.FINISHED, output="42")))
    placed = orjson.loads(encode_reply(Reply(job_id="j", status=JobStatus.ERROR, error="e", line=3, column=7)))

    assert plain == {"job_id": "j", "status": "finished", "output": "42", "error": None, "error_kind": None}
    assert placed.keys() - plain.keys() == {"line", "column"}


@given(ids, st.text())
def test_the_fast_encoding_of_a_result_equals_the_general_one(job_id: str, output: str) -> None:
    reply = Reply(job_id=job_id, status=JobStatus.FINISHED, output=output)

    assert encode_result(job_id, output) == encode_reply(reply)


@given(
    st.builds(Reply, job_id=ids, status=st.just(JobStatus.FINISHED), output=st.text())
    | st.builds(
        Reply, job_id=ids, status=st.sampled_from([JobStatus.ERROR, JobStatus.STOPPED]), error=st.text(),
        error_kind=st.text(), line=st.none() | st.integers(1, 9), column=st.integers(1, 9),
    ).filter(lambda r: r.line is not None)
)  # fmt: skip
def test_every_reply_is_read_as_it_was_written(reply: Reply) -> None:
    assert decode_reply(reply.job_id, encode_reply(reply).decode()) == reply


@pytest.mark.parametrize(
    ("entry", "status", "output", "error"),
    [
        ("42", JobStatus.FINISHED, "42", None),
        ("", JobStatus.FINISHED, "", None),
        ("some text", JobStatus.FINISHED, "some text", None),
        ('{"x": 1}', JobStatus.FINISHED, '{"x": 1}', None),
        ('[1, 2]', JobStatus.FINISHED, "[1, 2]", None),
        ('{"output": "7"}', JobStatus.FINISHED, "7", None),
        ('{"result": "7"}', JobStatus.FINISHED, "7", None),
        ('{"result": 7}', JobStatus.FINISHED, "7", None),
        ('{"error": "bad"}', JobStatus.ERROR, None, "bad"),
        ('{"status": "Error", "error": "bad"}', JobStatus.ERROR, None, "bad"),
        ('{"status": "completed", "result": "7"}', JobStatus.FINISHED, "7", None),
        ('{"status": "started", "output": "7"}', JobStatus.FINISHED, "7", None),
    ],
)  # fmt: skip
def test_foreign_replies_are_read(entry: str, status: JobStatus, output: str | None, error: str | None) -> None:
    reply = decode_reply("j", entry)

    assert (reply.status, reply.output, reply.error) == (status, output, error)
