"""The scripts that treat plain jobs first do to a plain job what they do to every other job.

`turn.lua` and `create.lua` have a short half for plain jobs, and one for all jobs. The same random state, settled and
claimed by the whole script and by the second half alone, must become the same state.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from hero_job import Job, JobStatus
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Settlement
from hero_job.operations.operations import Op, Operations
from hero_job.protocol import lua
from hero_job.protocol.lua import LuaScript
from tests.job.conftest import MakeJob

ANY_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|\b1\d{12}\b")  # as a text, and in ms
Arrange = Callable[[Store, Operations, Job], None]


def without(script: LuaScript, *plain_conditions: str) -> LuaScript:
    """The script, but these conditions of its plain half never hold."""
    source = script.source
    for condition in plain_conditions:
        assert source.count(condition) == 1
        source = source.replace(condition, "false")
    return LuaScript(script.name, source)


CAREFUL_TURN = without(lua.TURN, "next_settlement <= settlements_end", "claims < #ids and not by_context")
CAREFUL_CREATE = without(lua.CREATE, "start and not options")


def command(store: Store, *args: Any) -> Any:
    return store.run(Op(args, lambda answer: answer))


def set_fields(*fields: str) -> Arrange:
    return lambda store, ops, job: command(store, "HSET", ops.keys.job(job.id), *fields)


def drop_field(field: str) -> Arrange:
    return lambda store, ops, job: command(store, "HDEL", ops.keys.job(job.id), field)


def as_set(store: Store, ops: Operations, job: Job) -> None:
    command(store, "DEL", ops.keys.job(job.id))
    command(store, "SADD", ops.keys.job(job.id), "odd")


def foreign(store: Store, ops: Operations, job: Job) -> None:
    command(store, "DEL", ops.keys.job(job.id))
    command(
        store, "HSET", ops.keys.job(job.id), "script", "1", "scriptType", "osis", "callerId", "c", "contextId", "x",
        "status", "pending",
    )  # fmt: skip


#: What may be odd about a job. The first ones leave it plain.
ODD: list[Arrange] = [
    lambda *_: None,
    lambda *_: None,
    lambda *_: None,
    set_fields("output", "of a former run"),
    lambda store, ops, job: command(store, "SET", ops.keys.reply(job.id), "not a list"),
    lambda store, ops, job: command(store, "RPUSH", ops.keys.work("osis"), job.id),
    lambda store, ops, job: command(store, "DEL", ops.keys.job(job.id)),
    set_fields("status", "stopping"),
    set_fields("status", "finished"),
    set_fields("status", "Dispatched"),
    set_fields("attempt", "many"),
    set_fields("extra", "2", "retries", "3"),
    set_fields("owner", "somebody else"),
    set_fields("script_type", "SAL"),
    drop_field("script_type"),
    drop_field("status"),
    drop_field("extra"),
    as_set,
    foreign,
]
OPTIONS: list[dict[str, Any]] = [
    {}, {}, {}, {"caller_id": "other"}, {"timeout": 7}, {"retries": 2}, {"concurrency": "k"}, {"expires": 90},
]  # fmt: skip


def state_of(store: Store, ops: Operations) -> dict[str, Any]:
    """All keys of a namespace, without times."""
    state: dict[str, Any] = {}
    for key in command(store, "KEYS", ops.keys.prefix + "*"):
        kind = command(store, "TYPE", key)
        read = {
            "hash": ("HGETALL", key), "list": ("LRANGE", key, 0, -1), "set": ("SMEMBERS", key), "string": ("GET", key),
            "zset": ("ZRANGE", key, 0, -1), "stream": ("XRANGE", key, "-", "+"),
        }[kind]  # fmt: skip
        value = command(store, *read)
        if kind == "stream":  # in which entry a move is does not count
            value = [text for _, fields in value for text in fields]
        elif kind == "hash":
            value = sorted(zip(value[::2], value[1::2], strict=True))
        elif kind in ("set", "zset"):  # two jobs may get the same time or different ones
            value = sorted(value)
        name = re.sub(r":\d{10}$", ":TIME", key.removeprefix(ops.keys.prefix))  # of a minute or an hour
        state[name] = (ANY_TIME.sub("TIME", repr(value).replace(ops.keys.prefix, "")), command(store, "TTL", key) >= 0)
    return state


def run_turns(store: Store, namespace: str, seed: int, script: LuaScript, make_job: MakeJob) -> list[Any]:
    """Make a random state, settle and claim in it, and return the answers and the states."""
    dice = random.Random(seed)
    ops = Operations(namespace)
    entry = ActorEntry(
        incarnation="osis-1", name="osis", script_type=make_job().script_type, host="here", pid=1, lanes=1,
        engine="rhai", engine_version="1",
    )  # fmt: skip
    actor = ActorOperations(entry, namespace, by_context=seed % 7 == 0)
    store.run(actor.join())
    seen: list[Any] = []

    def turn(settlements: list[Settlement], most: int) -> None:
        op = actor.turn(0, settlements, most)
        answer = store.run(Op(op.args, op.decode, script, op.key_count))
        seen.append(answer)
        seen.append([job.queued_at is None for job in answer.jobs])
        seen.append(state_of(store, ops))

    def add(first: int, last: int) -> None:
        for n in range(first, last):
            job = make_job(id=f"j{n}", **dice.choice(OPTIONS))
            store.run(ops.create(job, start=True))
            dice.choice(ODD)(store, ops, job)

    add(0, 8)
    turn([], 6)
    ends = []
    for job in seen[0].jobs:
        odd = dice.choice(ODD)
        if odd is not foreign:
            odd(store, ops, make_job(id=job.id))
        ends.append(
            dice.choice(
                [
                    Settlement(job.id, job.attempt, JobStatus.FINISHED, "42"),
                    Settlement(job.id, job.attempt, JobStatus.FINISHED, "42", output_json="42"),
                    Settlement(job.id, job.attempt, JobStatus.FINISHED, "42", output_json='"42"'),
                    Settlement(job.id, "9", JobStatus.FINISHED, "42"),
                    Settlement(job.id, job.attempt, JobStatus.ERROR, error="e", error_kind="k"),
                ]
            )
        )
    add(8, 12)
    turn(ends[: dice.randrange(len(ends) + 1)], dice.choice([0, 1, 20]))
    turn(ends, 20)
    return seen


@pytest.mark.parametrize("seed", range(60))
def test_a_turn_does_the_same_with_and_without_its_half_for_plain_jobs(
    store: Store, namespace: str, make_job: MakeJob, seed: int
) -> None:
    whole = run_turns(store, f"{namespace}a", seed, lua.TURN, make_job)
    careful = run_turns(store, f"{namespace}b", seed, CAREFUL_TURN, make_job)

    for one, other in zip(whole, careful, strict=True):
        assert one == other


@pytest.mark.parametrize("before", ["nothing", "a reply", "a log", "a set", "the same job", "another job", "a pause"])
def test_a_job_is_created_the_same_with_and_without_the_half_for_plain_jobs(
    store: Store, namespace: str, make_job: MakeJob, before: str
) -> None:
    states = []
    for name, script in ((f"{namespace}a", lua.CREATE), (f"{namespace}b", CAREFUL_CREATE)):
        ops = Operations(name)
        key = ops.keys.job("j")
        if before == "a reply":
            command(store, "RPUSH", ops.keys.reply("j"), "old")
        elif before == "a log":
            command(store, "RPUSH", ops.keys.log("j"), "old")
        elif before == "a set":
            command(store, "SADD", key, "odd")
        elif before == "the same job":
            store.run(ops.create(make_job(id="j")))
        elif before == "another job":
            store.run(ops.create(make_job("1", id="j")))
        elif before == "a pause":
            command(store, "HSET", ops.keys.paused, ops.keys.work("osis"), "now")
        op = ops.create(make_job(id="j"), start=True)
        answer = store.run(Op(op.args, list, script, op.key_count))
        states.append((answer, state_of(store, ops)))

    assert states[0] == states[1]
