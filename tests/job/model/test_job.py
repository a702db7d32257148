"""Jobs and their builder: what is refused, and by which name."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from typing import Any

import pytest

from hero_job import Job, JobBuilder, JobInvalid, JobLimits, ScriptType
from hero_job.model.fields.shown_values import type_word


def complete() -> JobBuilder:
    return JobBuilder().caller_id("caller").context_id("context").script_type(ScriptType.OSIS).script("40 + 2")


def test_a_job_has_the_documented_defaults() -> None:
    job = complete().build()

    assert (job.timeout, job.retries, job.concurrent, job.log_path) == (300, 0, False, None)
    assert (job.env_vars, job.prerequisites, job.dependents) == ({}, (), ())
    assert len(job.id) == 36


def test_a_job_without_an_id_gets_a_random_uuid() -> None:
    ids = [uuid.UUID(complete().build().id) for _ in range(200)]

    assert {(one.version, one.variant) for one in ids} == {(4, uuid.RFC_4122)}
    assert len(set(ids)) == len(ids)
    # Each bit but those of version and variant is both 0 and 1.
    either = functools.reduce(int.__or__, (one.int ^ ids[0].int for one in ids))
    assert either == ~(0xF << 76 | 0x3 << 62) & (1 << 128) - 1


def test_a_job_cannot_be_changed() -> None:
    job = complete().build()

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(job, "script", "1")  # noqa: B010  # mypy refuses the assignment too


@pytest.mark.parametrize("field", ["caller_id", "context_id", "script", "script_type"])
def test_build_names_the_field_that_is_missing(field: str) -> None:
    values = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "sal"}
    builder = JobBuilder()
    for name, value in values.items():
        if name != field:
            getattr(builder, name)(value)

    with pytest.raises(JobInvalid) as refused:
        builder.build()

    assert refused.value.field == field
    assert "is missing" in str(refused.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("caller_id", ""),
        ("caller_id", "  "),
        ("caller_id", 7),
        ("context_id", ""),
        ("script", ""),
        ("script", "\n\t "),
        ("script", "\ud800"),
        ("script", b"40 + 2"),
        ("script_type", "lua"),
        ("script_type", ""),
        ("script_type", 3),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("timeout", "10"),
        ("timeout", True),
        ("timeout", 86_401),
        ("retries", -1),
        ("retries", 1.5),
        ("retries", True),
        ("concurrent", "yes"),
        ("log_path", ""),
        ("env_vars", {"A": 1}),
        ("env_vars", {"A=B": "1"}),
        ("env_vars", {"": "1"}),
        ("env_vars", {"A": "x\0y"}),
        ("env_vars", [1]),
        ("prerequisites", "id"),
        ("prerequisites", ["a", "a"]),
        ("prerequisites", ["a b"]),
        ("group", "a:b"),
        ("group", ""),
        ("instance", "1"),
        ("id", ""),
        ("id", "a b"),
        ("id", "x" * 201),
        ("id", "ä"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(field: str, value: Any) -> None:
    fields = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "sal", field: value}

    with pytest.raises(JobInvalid) as refused:
        Job.from_fields(fields)

    assert refused.value.field == field


def test_an_unknown_field_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(JobInvalid, match="unknown field; known are batch, caller_id, concurrency_key"):
        Job.from_fields({"caller": "a"})


def test_camel_case_fields_are_read() -> None:
    job = Job.from_fields(
        {"jobId": "j", "callerId": "a", "contextId": "b", "script": "1", "scriptType": "python", "envVars": {"K": "v"}}
    )

    assert (job.id, job.caller_id, job.script_type, job.env_vars) == ("j", "a", ScriptType.PYTHON, {"K": "v"})


def test_a_field_in_both_spellings_is_refused() -> None:
    with pytest.raises(JobInvalid, match="given twice"):
        Job.from_fields({"callerId": "a", "caller_id": "b"})


@pytest.mark.parametrize("text", ["OSIS", "osis", "Osis", ScriptType.OSIS])
def test_script_types_are_read_in_any_case(text: str) -> None:
    assert ScriptType.parse(text) is ScriptType.OSIS


def test_a_script_of_exactly_the_limit_is_taken_and_one_byte_more_is_refused() -> None:
    limits = JobLimits(max_script_bytes=1000)
    fields = {"caller_id": "a", "context_id": "b", "script_type": "sal"}

    Job.from_fields({**fields, "script": "ä" * 500}, limits)
    with pytest.raises(JobInvalid, match="has 1001 bytes; the limit is 1000") as refused:
        Job.from_fields({**fields, "script": "ä" * 500 + "x"}, limits)

    assert refused.value.field == "script"


def test_a_job_without_timeout_gets_the_default_of_the_deployment() -> None:
    job = Job.from_fields(
        {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "sal"}, JobLimits(default_timeout_s=7)
    )

    assert job.timeout == 7


def test_env_var_adds_to_those_given() -> None:
    job = complete().env_vars({"A": "1"}).env_var("B", "2").build()

    assert job.env_vars == {"A": "1", "B": "2"}


def test_the_limits_hold_for_a_job_made_without_the_builder() -> None:
    with pytest.raises(JobInvalid):
        Job(id="j", caller_id="", context_id="b", script="1", script_type=ScriptType.SAL)


@pytest.mark.parametrize("job_id", ["batch:1", "Batch:1", "log:", "job:a:b"])
def test_an_id_that_could_spell_the_key_of_something_else_is_refused(job_id: str) -> None:
    with pytest.raises(JobInvalid, match=f"must not begin with '{job_id.partition(':')[0]}:'") as refused:
        JobBuilder().id(job_id).caller_id("c").context_id("x").script_type("osis").script("1").build()
    assert refused.value.field == "id"


@pytest.mark.parametrize(
    ("value", "word"),
    [(None, "null"), (True, "true or false"), (1.5, "a number"), ("", "a string"), ([], "an array"), ({}, "an object")],
)
def test_types_are_named_as_json_names_them(value: object, word: str) -> None:
    assert type_word(value) == word
