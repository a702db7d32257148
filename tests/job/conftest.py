"""Fixtures that make jobs, actors and lanes for the tests of the store."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from hero_job import Job, JobBuilder, ScriptType
from hero_job.client.store import Store
from hero_job.model.retention import DEFAULT_RETENTION, Retention
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Recoveries
from tests.job.lane import Lane

MakeJob = Callable[..., Job]
MakeActor = Callable[..., ActorOperations]


@pytest.fixture
def make_job() -> MakeJob:
    """Return a maker of jobs; its fields are calls of the builder."""

    def make(script: str = "40 + 2", script_type: ScriptType = ScriptType.OSIS, **fields: object) -> Job:
        builder = JobBuilder().caller_id("caller").context_id("context").script_type(script_type).script(script)
        for name, value in fields.items():
            getattr(builder, name)(value)
        return builder.build()

    return make


@pytest.fixture
def make_actor(namespace: str, store: Store) -> MakeActor:
    """Return a maker of incarnations that have joined the registry."""
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
def lane(store: Store, make_actor: MakeActor) -> Lane:
    """Lane 0 of an OSIS actor."""
    return Lane(store, make_actor())


@pytest.fixture
def recoveries(namespace: str) -> Recoveries:
    """Return the operations by which a supervisor recovers jobs."""
    return Recoveries(namespace)
