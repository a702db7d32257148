"""Which queues an actor without its engine serves, and when it finds its engine, without a process."""

from __future__ import annotations

import pytest

from hero_actor.conditions.missing_engine import MissingEnginePolicy, WhenMissing
from hero_job import ScriptType
from hero_job.client.store import Store
from hero_job.model.claim_types import ActorEntry
from hero_job.operations.actor_operations import ActorOperations
from tests.actor.conditions.test_missing_engine import with_engine, without_engine


def join(store: Store, namespace: str, name: str, *, unavailable: str | None = None) -> ActorOperations:
    entry = ActorEntry(
        incarnation=f"{name}.h.1", name=name, script_type=ScriptType.V, host="h", pid=1, lanes=1, engine="v",
        engine_version="1", unavailable=unavailable,
    )  # fmt: skip
    actor = ActorOperations(entry, namespace)
    assert store.run(actor.join())
    return actor


def policy_of(
    store: Store, namespace: str, when: WhenMissing = WhenMissing.FAIL, look_s: float = 0.0
) -> MissingEnginePolicy:
    actor = join(store, namespace, "v-1", unavailable="there is no program")
    return MissingEnginePolicy("v", when, look_s, store=store, operations=actor)


def test_the_engine_is_found_when_it_is_there_and_not_before(
    monkeypatch: pytest.MonkeyPatch, store: Store, namespace: str
) -> None:
    without_engine(monkeypatch)
    policy = policy_of(store, namespace)
    assert not policy.engine_found()

    with_engine(monkeypatch)

    assert policy.engine_found()


def test_nobody_looks_for_the_engine_before_it_is_time_to(
    monkeypatch: pytest.MonkeyPatch, store: Store, namespace: str
) -> None:
    with_engine(monkeypatch)
    assert not policy_of(store, namespace, look_s=3600).engine_found()
    without_engine(monkeypatch)
    policy = policy_of(store, namespace)
    policy._look_s = 3600
    assert not policy.engine_found()
    with_engine(monkeypatch)
    assert not policy.engine_found(), "the last look was a moment ago"


def test_queues_are_served_that_no_actor_with_an_engine_serves_or_has_just_served(store: Store, namespace: str) -> None:
    policy = policy_of(store, namespace)
    mine = [*policy._operations.queues]
    join(store, namespace, "v-2", unavailable="there is no program either")
    assert [*policy.queues()] == mine

    able = join(store, namespace, "v-3")
    assert [*policy.queues()] == []
    assert not store.run(able.leave()).more
    assert [*policy.queues()] == [], "it served them a moment ago"
    policy._served_mono = {queue: then_mono - 61 for queue, then_mono in policy._served_mono.items()}
    assert [*policy.queues()] == mine


def test_an_actor_that_waits_for_its_engine_serves_no_queue(store: Store, namespace: str) -> None:
    assert [*policy_of(store, namespace, WhenMissing.WAIT).queues()] == []
