"""The objects on the wire have every field that the job package has, also after a field is added."""

from __future__ import annotations

import dataclasses

from hero_job.model.job import Job
from hero_job.model.views import ActorPresence, JobRecord, Progress
from hero_supervisor.rpc.methods import job_shapes, shapes


def fields(cls: type) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)}


def test_a_job_on_the_wire_has_every_field_of_a_job() -> None:
    assert set(job_shapes.JobFields.__annotations__) == fields(Job)


def test_a_job_is_shown_with_every_field_of_its_record() -> None:
    assert set(job_shapes.JobView.__annotations__) == fields(Job) | fields(JobRecord) - {"job"}
    assert set(job_shapes.ProgressView.__annotations__) == fields(Progress)


def test_an_actor_is_shown_with_every_field_of_its_presence() -> None:
    assert set(shapes.ActorView.__annotations__) == fields(ActorPresence)
