"""The keys of the whole deployment, damaged: no job is refused for them, and what they hold is still listed.

`test_damage.py` damages single records; here it is the streams of events, the paused queues and the dead letters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.model.errors import StoreRefused
from hero_job.operations.actor_operations import Recoveries, Settlement
from hero_job.operations.damaged_records import damaged_records, delete_damaged
from hero_job.operations.events import Events
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is
from tests.eventually import eventually
from tests.job.conftest import MakeActor, MakeJob
from tests.valkey_server import ValkeyServer

#: The last id that a stream may have: behind it, nothing can be added.
LAST_ID: Final = f"{2**64 - 1}-{2**64 - 1}"
DAMAGES: Final[dict[str, Callable[[str], list[tuple[Any, ...]]]]] = {
    "no next id": lambda key: [("XADD", key, LAST_ID, "a", "b")],
    "a text": lambda key: [("SET", key, "x")],
    "a hash": lambda key: [("DEL", key), ("HSET", key, "a", "b")],
}


@pytest.fixture
def damage(store: Store, operations: Operations) -> Callable[[KeyPart, str], str]:
    """Put something else under a key; returns the key."""

    def put(part: KeyPart, how: str) -> str:
        key = operations.keys.prefix + part
        for command in DAMAGES[how](key):
            store.run(Op(command, as_is))
        return key

    return put


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("options", [{}, {"retries": 1, "unique": "u"}], ids=["plain", "with options"])
def test_a_damaged_stream_of_events_begins_anew_and_refuses_no_job(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor,
    damage: Callable[[KeyPart, str], str], how: str, options: dict[str, Any],
) -> None:  # fmt: skip
    actor = make_actor()

    events = damage(KeyPart.EVENTS, how)
    job_id = store.run(operations.create(make_job(**options), start=True))
    assert store.run(Op(("XLEN", events), as_is)) == 1
    damage(KeyPart.EVENTS, how)
    claimed = store.run(actor.turn(0, [], 1)).jobs
    assert [job.id for job in claimed] == [job_id]
    damage(KeyPart.EVENTS, how)
    store.run(actor.turn(0, [Settlement(job_id, claimed[0].attempt, JobStatus.FINISHED, "42")], 0))

    assert store.run(operations.output(job_id)) == "42"
    assert store.run(Op(("XLEN", events), as_is)) == 1


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_stream_of_actors_keeps_none_from_joining_and_none_from_recovery(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries,
    damage: Callable[[KeyPart, str], str], how: str,
) -> None:  # fmt: skip
    damage(KeyPart.ACTOR_EVENTS, how)
    dying = make_actor()
    job_id = store.run(operations.create(make_job(), start=True))
    assert store.run(dying.turn(0, [], 1)).jobs

    damage(KeyPart.ACTOR_EVENTS, how)

    assert store.run(recoveries.recover(dying.entry.incarnation, proven_dead=True)).handed_back == [job_id]
    damage(KeyPart.ACTOR_EVENTS, how)
    events = Events(operations.keys.prefix.removesuffix(":"))
    assert store.run(events.note({"event": "restarted"}, "t", again=True)) is True
    assert store.run(events.note({"event": "restarted"}, "t", again=True)) is False


@pytest.mark.parametrize("options", [{}, {"retries": 1}], ids=["plain", "with options"])
def test_a_damaged_list_of_paused_queues_pauses_none(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor,
    damage: Callable[[KeyPart, str], str], options: dict[str, Any],
) -> None:  # fmt: skip
    damage(KeyPart.PAUSED, "a text")

    job_id = store.run(operations.create(make_job(**options), start=True))

    assert [job.id for job in store.run(make_actor().turn(0, [], 1)).jobs] == [job_id]


@pytest.mark.parametrize("score", ["inf", "-inf", "1e300", "-1e300", "0.5", "1e15"])
def test_a_dead_letter_with_any_time_hides_no_other(store: Store, operations: Operations, score: str) -> None:
    for name, at in (("good", "1000"), ("odd", score)):
        store.run(Op(("ZADD", operations.keys.dead_jobs, at, name), as_is))

    found = {letter.job_id: letter.died_ms for letter in store.run(operations.admin.dead())}

    assert set(found) == {"good", "odd"}
    assert found["good"] == 1000


@pytest.mark.parametrize("left_out", ["level", "text", "both"])
def test_a_line_of_a_log_that_misses_something_hides_no_other(
    store: Store, operations: Operations, left_out: str
) -> None:
    full = {"level": "warning", "text": "water rises"}
    damaged = {name: value for name, value in full.items() if left_out not in (name, "both")} or {"other": "x"}
    for fields in (full, damaged, full):
        store.run(
            Op(("XADD", operations.keys.log("j"), "*", *[part for pair in fields.items() for part in pair]), as_is)
        )

    lines = store.run(operations.log("j"))

    assert [(line.level, line.text) for line in lines] == [
        ("warning", "water rises"),
        (damaged.get("level", "info"), damaged.get("text", "")),
        ("warning", "water rises"),
    ]


#: Parts that are inside a key, not at its end.
_INNER: Final = {KeyPart.GROUP, KeyPart.INSTANCE, KeyPart.LOW, KeyPart.HELD}
#: Every key that a namespace has once.
SINGLE_KEYS: Final = [part for part in KeyPart if not part.endswith(":") and part not in _INNER]
QUEUES: Final = [f"{KeyPart.QUEUE}{suffix}{end}" for suffix in ("osis", "v") for end in ("", KeyPart.LOW, KeyPart.HELD)]


@pytest.mark.parametrize("name", [*SINGLE_KEYS, *QUEUES])
@pytest.mark.parametrize("kind", ["string", "set"])
def test_a_key_of_another_type_is_named_and_deleted_and_then_jobs_run(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, name: str, kind: str
) -> None:
    key = operations.keys.prefix + name
    store.run(Op(("SET", key, "x") if kind == "string" else ("SADD", key, "x"), as_is))

    (found,) = store.drive(damaged_records(operations, walk=False))
    assert found.name in (name, "*")
    assert store.drive(delete_damaged(operations, [found])) == [found]
    assert store.drive(damaged_records(operations)) == []

    actor = make_actor()
    ids = [store.run(operations.create(make_job(**options), start=True)) for options in ({}, {"delay": 0.001})]
    eventually(lambda: store.run(operations.admin.promote())[0] == 1)
    assert [job.id for job in store.run(actor.turn(0, [], 2)).jobs] == ids


def test_a_user_who_may_not_write_events_deletes_none(own_valkey: ValkeyServer, make_job: MakeJob) -> None:
    operations = Operations("t")
    own_valkey.command("ACL", "SETUSER", "quiet", "on", ">secret", "~*", "&*", "+@all", "-xadd")
    with Store(own_valkey.url) as store:
        store.run(operations.create(make_job(), start=True))
    with (
        Store(own_valkey.url.replace("redis://", "redis://quiet:secret@")) as quiet,
        pytest.raises(StoreRefused, match=r"(?i)xadd"),
    ):
        quiet.run(operations.create(make_job(), start=True))
    with Store(own_valkey.url) as store:
        assert store.run(Op(("XLEN", operations.keys.events), as_is)) == 1
