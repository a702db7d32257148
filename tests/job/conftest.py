"""Makers of jobs and incarnations for the tests of the store."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from hero_job import Job, JobBuilder, ScriptType
from hero_job.client.store import Store
from hero_job.model.retention import DEFAULT_RETENTION, Retention
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Recoveries

MakeJob = Callable[..., Job]
MakeActor = Callable[..., ActorOperations]


@pytest.fixture
def make_job() -> MakeJob:
    def make(script: str = "40 + 2", script_type: ScriptType = ScriptType.OSIS, **fields: object) -> Job:
        builder = JobBuilder().caller_id("caller").context_id("context").script_type(script_type).script(script)
        for name, value in fields.items():
            getattr(builder, name)(value)
        return builder.build()

    return make


@pytest.fixture
def make_actor(namespace: str, store: Store) -> MakeActor:
    """Make an incarnation that has joined."""
    numbers = itertools.count(1)

    def make(
        script_type: ScriptType = ScriptType.OSIS,
        *,
        lanes: int = 1,
        group: str | None = None,
        instance: str | None = None,
        lease_s: float = 60,
        retention: Retention = DEFAULT_RETENTION,
    ) -> ActorOperations:
        n = next(numbers)
        entry = ActorEntry(
            incarnation=f"{script_type.suffix}-{n}", name=f"{script_type.suffix}", script_type=script_type, host="here",
            pid=n, lanes=lanes, engine="rhai", engine_version="1", group=group, instance=instance,
        )  # fmt: skip
        actor = ActorOperations(entry, namespace, lease_s=lease_s, retention=retention)
        assert store.run(actor.join())
        return actor

    return make


@pytest.fixture
def recoveries(namespace: str) -> Recoveries:
    return Recoveries(namespace)
