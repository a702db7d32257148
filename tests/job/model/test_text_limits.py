"""Every text of a job has a limit: one more is refused, from a program as from the hash of another program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hero_job.model.errors import JobDamaged, JobInvalid
from hero_job.model.fields.job_field import SCRIPT, JobField
from hero_job.model.job import JOB_FIELDS, Job
from hero_job.operations.schedules import MAX_CRON, Schedule
from hero_job.protocol.codec import decode_record, encode_job

BASE: Mapping[str, Any] = {
    "id": "j1", "caller_id": "c", "context_id": "x", "script": "1", "script_type": "sal", "group": "g",
    "concurrency_key": "k", "rate_key": "r", "unique_key": "u",
}  # fmt: skip
#: The type of the value says which bounds the row must have.
TEXTS = [field for field in JOB_FIELDS if field.kind.json_type is str and field.kind is not SCRIPT]
LISTS = [field for field in JOB_FIELDS if field.kind.json_type in (list[str], list[dict[str, str]])]
OBJECTS = [field for field in JOB_FIELDS if field.kind.json_type == dict[str, str]]


#: Texts that have more to obey than a length.
_WITH_A_FORM = frozenset({"script_type", "not_before", "traceparent"})


def named(fields: list[JobField]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("field", fields, ids=[field.name for field in fields])


def test_every_field_has_the_bounds_of_its_type() -> None:
    others = {int, float, bool, str}
    assert {field.name for field in JOB_FIELDS if field.kind.json_type not in others} == {
        field.name for field in (*LISTS, *OBJECTS)
    }
    for field in (*TEXTS, *LISTS, *OBJECTS):
        assert "max_length" in field.kind.bounds, field.name
    for field in (*LISTS, *OBJECTS):
        assert "max_length" in field.kind.item_bounds, field.name


@named(TEXTS)
def test_a_text_that_is_too_long_is_refused(field: JobField) -> None:
    too_long = "x" * (field.kind.bounds["max_length"] + 1)

    with pytest.raises(JobInvalid) as refused:
        Job.from_fields({**BASE, field.name: too_long})
    assert refused.value.field == field.name
    assert len(str(refused.value)) < 1000

    flat = encode_job(Job.from_fields(BASE))
    stored = {**dict(zip(flat[::2], flat[1::2], strict=True)), field.name: too_long}
    if field.name not in {"id", "priority"}:  # the key of the hash has the id; an unknown priority is a normal one
        with pytest.raises((JobInvalid, JobDamaged)):
            decode_record("j1", stored)


@named([field for field in TEXTS if not field.kind.choices and field.name not in _WITH_A_FORM])
def test_the_longest_text_is_accepted(field: JobField) -> None:
    longest = "x" * field.kind.bounds["max_length"]

    assert getattr(Job.from_fields({**BASE, field.name: longest}), field.name) == longest


@named(LISTS)
def test_a_list_that_is_too_long_and_an_item_that_is_too_long_are_refused(field: JobField) -> None:
    one = {"public_key": "02" + "a" * 64, "signature": "ab" * 64}
    if field.kind.json_type == list[str]:
        many: list[Any] = [f"j{n}" for n in range(2, field.kind.bounds["max_length"] + 3)]
        long: list[Any] = ["x" * (field.kind.item_bounds["max_length"] + 1)]
        Job.from_fields({**BASE, field.name: many[:-1]})
    else:
        many = [{**one, "public_key": f"02{n:064x}"} for n in range(field.kind.bounds["max_length"] + 1)]
        long = [{**one, "signature": "ab" * (field.kind.item_bounds["max_length"] // 2 + 1)}]
        Job.from_fields({**BASE, field.name: many[:-1]})
    for value in (many, long):
        with pytest.raises(JobInvalid):
            Job.from_fields({**BASE, field.name: value})


@named(OBJECTS)
def test_an_object_with_too_many_or_too_long_members_is_refused(field: JobField) -> None:
    kind = field.kind
    longest = {"n" * kind.name_bounds["max_length"]: "v" * kind.item_bounds["max_length"]}
    assert dict(getattr(Job.from_fields({**BASE, field.name: longest}), field.name)) == longest

    for value in (
        {"n" * (kind.name_bounds["max_length"] + 1): "v"},
        {"n": "v" * (kind.item_bounds["max_length"] + 1)},
        {f"n{number}": "v" for number in range(kind.bounds["max_length"] + 1)},
    ):
        with pytest.raises(JobInvalid):
            Job.from_fields({**BASE, field.name: value})


@pytest.mark.parametrize("change", [{"name": "n" * 101}, {"cron": "0 " * MAX_CRON}, {"tz": "Europe/" + "x" * 100}])
def test_texts_of_a_schedule_have_limits_too(change: dict[str, str]) -> None:
    job = {"caller_id": "c", "context_id": "x", "script": "1", "script_type": "sal"}
    with pytest.raises(JobInvalid):
        Schedule(**{"name": "n", "job": job, "cron": "0 3 * * *", **change})  # type: ignore[arg-type]
