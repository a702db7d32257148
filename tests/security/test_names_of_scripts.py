"""Names that scripts choose for the jobs that they create belong to their caller in their context."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from hero_actor.lanes.script_access import ScriptAccess
from hero_engine.engine import Asker
from hero_engine.errors import AccessRefused
from hero_job import Job
from hero_job.client.store import Store
from hero_job.model.fields.job_field import ID, IDS, KEY
from hero_job.model.fields.names import RESERVED_WORDS
from hero_job.model.job import JOB_FIELDS
from hero_job.model.retention import DEFAULT_RETENTION
from hero_job.operations.operations import Operations

Create = Callable[..., Any]
#: Caller and context of scripts that must not meet.
OWNERS = [("alice", "c1"), ("alice", "c2"), ("bob", "c1"), ("alicec1", ""), ('alice","c1', "c1"), ("ali", "cec1")]


@pytest.fixture
def create(store: Store, namespace: str) -> Create:
    """Create a job as a script of a caller in a context; return its id."""
    access = ScriptAccess(store, namespace, DEFAULT_RETENTION)

    def run(caller: str, context: str, **fields: Any) -> Any:
        asker = Asker(job_id="j", caller_id=caller, context_id=context, deadline_mono=time.monotonic() + 60)
        given = {"script": "1", "script_type": "sal", **fields}
        return access.call(asker, "job.create", {"fields": given, "start": False})

    return run


def test_scripts_choose_only_these_fields_that_name_something() -> None:
    named = {field.name for field in JOB_FIELDS if field.kind in (ID, IDS, KEY) and field.for_scripts}

    assert named == {"id", "prerequisites", "unique_key", "concurrency_key", "rate_key"}


@pytest.mark.parametrize("field", ["unique_key", "concurrency_key", "rate_key"])
def test_keys_of_two_owners_never_meet(store: Store, operations: Operations, create: Create, field: str) -> None:
    owners = [owner for owner in OWNERS if owner[1]]
    ids = [create(*owner, **{field: "k"}) for owner in owners]
    plain = Job.from_fields(
        {"id": "p", "caller_id": "alice", "context_id": "c1", "script": "1", "script_type": "sal", field: "k"}
    )
    ids.append(store.run(operations.create(plain)))

    records = [store.run(operations.record(job_id)) for job_id in ids]
    assert len(set(ids)) == len(owners) + 1
    assert len({getattr(record.job, field) for record in records}) == len(owners) + 1
    if field == "unique_key":
        assert [create(*owner, unique_key="k") for owner in owners] == ids[:-1]


@pytest.mark.parametrize("other", [("alice", "c2"), ("bob", "c1")])
def test_a_script_cannot_wait_for_a_job_that_it_cannot_get(create: Create, other: tuple[str, str]) -> None:
    create(*other, id="theirs")
    create("alice", "c1", id="ours")

    with pytest.raises(AccessRefused, match="no job with id 'theirs'"):
        create("alice", "c1", prerequisites=["theirs"])
    with pytest.raises(AccessRefused, match="no job with id 'none'"):
        create("alice", "c1", prerequisites=["none"])
    assert create("alice", "c1", id="next", prerequisites=["ours"]) == "next"


@pytest.mark.parametrize("field", ["dependents", "batch", "caller_id", "context_id", "signatures"])
def test_a_script_cannot_set_what_belongs_to_others(create: Create, field: str) -> None:
    with pytest.raises(AccessRefused, match="cannot be chosen by a script"):
        create("alice", "c1", **{field: "x"})


def test_a_script_cannot_take_a_reserved_id_or_that_of_a_tick(create: Create) -> None:
    for taken in [*(f"{word}:x" for word in RESERVED_WORDS), "Batch:x", "nightly@2030-01-01T03:00:00Z"]:
        with pytest.raises(AccessRefused, match="'id'"):
            create("alice", "c1", id=taken)


def test_a_script_cannot_take_over_the_id_of_another_job(create: Create) -> None:
    create("bob", "c1", id="theirs")

    with pytest.raises(AccessRefused, match="exists already"):
        create("alice", "c1", id="theirs")
