"""Which queues an actor serves, and which of them another actor with an engine serves too."""

from __future__ import annotations

import dataclasses

import pytest

from hero_job import ScriptType
from hero_job.client.store import Store
from hero_job.model.views import ActorPresence
from hero_job.operations.actor_operations import ActorEntry, ActorOperations
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart, Keys

KEYS = Keys("n")
TYPE, GROUP, INSTANCE = KEYS.work("sal"), KEYS.work("sal", "g"), KEYS.work("sal", "g", "i")
LOW = {TYPE + KeyPart.LOW, GROUP + KeyPart.LOW, INSTANCE + KeyPart.LOW}


def actor(*, group: str | None = None, instance: str | None = None, legacy: bool = False) -> ActorOperations:
    entry = ActorEntry(
        incarnation="me", name="sal", script_type=ScriptType.SAL, host="h", pid=1, lanes=1, engine="e",
        engine_version="1", group=group, instance=instance,
    )  # fmt: skip
    return ActorOperations(entry, "n", legacy_queues=legacy)


OTHER = ActorPresence(
    incarnation="other", name="sal", script_type=ScriptType.SAL, host="h", pid=2, lanes=1, engine="e",
    engine_version="1", group=None, instance=None, started_at=None, beat_at="now", busy=0, jobs=0,
)  # fmt: skip


def test_the_nearest_queue_is_served_first_and_low_priority_last() -> None:
    assert list(actor().queues) == [TYPE, TYPE + KeyPart.LOW]
    assert not actor().routed
    assert list(actor(group="g", instance="i").queues) == [
        *(INSTANCE, GROUP, TYPE),
        *(INSTANCE + KeyPart.LOW, GROUP + KeyPart.LOW, TYPE + KeyPart.LOW),
    ]
    assert actor(group="g").routed
    assert list(actor(legacy=True).queues)[2:] == KEYS.legacy("sal", "sal")
    assert actor(legacy=True).routed


@pytest.mark.parametrize(
    ("other", "served"),
    [
        ({}, {TYPE}),
        ({"group": "g"}, {TYPE, GROUP}),
        ({"group": "g", "instance": "i"}, {TYPE, GROUP, INSTANCE}),
        ({"group": "g", "instance": "k"}, {TYPE, GROUP}),
        ({"group": "h", "instance": "i"}, {TYPE}),
        ({"instance": "i"}, {TYPE}),
        ({"script_type": ScriptType.OSIS}, set()),
        ({"incarnation": "me"}, set()),
        ({"beat_at": None}, set()),
        ({"unavailable": "it has no engine"}, set()),
    ],
)
def test_a_queue_is_served_elsewhere_if_a_living_actor_with_an_engine_looks_at_it(
    other: dict[str, object], served: set[str]
) -> None:
    me = actor(group="g", instance="i")
    found = me.served_elsewhere([dataclasses.replace(OTHER, **other)])  # type: ignore[arg-type]
    assert found == served | {queue + KeyPart.LOW for queue in served}


def test_one_actor_that_serves_nothing_here_hides_no_other() -> None:
    others = [
        dataclasses.replace(OTHER, script_type=ScriptType.OSIS),
        dataclasses.replace(OTHER, unavailable="x"),
        OTHER,
        dataclasses.replace(OTHER, group="g"),
    ]
    assert actor(group="g").served_elsewhere(others) == {TYPE, GROUP} | {TYPE + KeyPart.LOW, GROUP + KeyPart.LOW}
    assert actor().served_elsewhere([]) == set()


def test_queues_of_older_programs_count_as_served_by_each_actor_of_the_type() -> None:
    me = actor(legacy=True)
    assert me.served_elsewhere([OTHER]) == set(me.queues)


def test_an_actor_finds_those_that_serve_its_queue_in_the_registry(store: Store, namespace: str) -> None:
    def make(incarnation: str, script_type: ScriptType = ScriptType.SAL) -> ActorOperations:
        entry = dataclasses.replace(actor().entry, incarnation=incarnation, script_type=script_type)
        joined = ActorOperations(entry, namespace)
        assert store.run(joined.join())
        return joined

    me = make("me")
    make("osis", ScriptType.OSIS)
    admin = Operations(namespace).admin
    assert me.served_elsewhere(store.drive(admin.actors())) == set()
    make("other")
    assert me.served_elsewhere(store.drive(admin.actors())) == set(me.queues)
