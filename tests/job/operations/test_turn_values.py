"""What a turn of a lane sends to the store and gets from it: results, and the fields of jobs."""

from __future__ import annotations

import random

import pytest

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.operations.actor_operations import Settlement
from hero_job.operations.operations import Op, Operations
from hero_job.protocol.op import as_is
from tests.job.conftest import MakeActor, MakeJob

#: Values of a hash in the store, as we, other programs and accidents write them. None: the field is missing.
VALUES: dict[str, list[str | None]] = {
    "status": [*["dispatched"] * 12, "Dispatched", "created", "started", "finished", "nonsense", None],
    "extra": [*["0"] * 8, "1", "", None],
    "attempt": [None, None, None, "0", "7", "x", "", "1e3", "9007199254740993"],
    "script_type": ["OSIS", "OSIS", "OSIS", "SAL", "", "osis", None],
    "script": ["'a'", "", "\udcff\udcfe", "'\u20ac'", "x" * 5000, None],
    "caller_id": ["a", "a", "b", "", "\udcff", None],
    "context_id": ["x", "x", "y", "", None],
    "timeout": ["5", "5", "0", "-1", "many", "", None],
    "env_vars": ["{}", "{}", '{"K":"v"}', "", "no JSON", None],
    "updated_at": ["2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00.000Z", "", "then", None],
    "owner": [None, None, None, "somebody"],
    "scriptType": [None, None, "SAL"],
    "callerId": [None, None, "c"],
    "contextId": [None, None, "z"],
    "log_path": [None, None, "a.log"],
    "script_args": [None, "1"],
}


def test_each_job_of_a_turn_has_the_fields_that_it_was_submitted_with(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    callers = ["a", "a", "b", "b", "b", "a", "a"]
    contexts = ["x", "x", "x", "y", "y", "x", "x"]
    timeouts = [5, 5, 5, 5, 7, 5, 5]
    variables = [{}, {}, {}, {}, {}, {}, {"K": "v"}]
    jobs = [
        make_job(f"'{n}'", caller_id=caller, context_id=context, timeout=timeout, env_vars=env, **options)
        for n, (caller, context, timeout, env) in enumerate(zip(callers, contexts, timeouts, variables, strict=True))
        # From one with an option on, the script takes its longer way.
        for options in [{"retries": 1} if n == 5 else {}]
    ]
    for job in jobs:
        store.run(operations.create(job, start=True))

    claimed = store.run(make_actor().turn(0, [], 10)).jobs

    assert [job.id for job in claimed] == [job.id for job in jobs]
    assert [(job.script, job.caller_id, job.context_id, job.timeout, job.env_vars) for job in claimed] == [
        (f"'{n}'", callers[n], contexts[n], str(timeouts[n]), '{"K":"v"}' if variables[n] else "{}") for n in range(7)
    ]
    assert {(job.script_type, job.attempt) for job in claimed} == {("OSIS", "1")}
    assert all(job.queued_at for job in claimed)


@pytest.mark.parametrize("is_plain", [True, False])
@pytest.mark.parametrize(("output", "as_json"), [("it ran", ""), ("42", "42"), ("42", '"42"')])
def test_the_result_of_a_job_is_stored_with_its_json_if_it_has_one(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, output: str, as_json: str,
    is_plain: bool,
) -> None:  # fmt: skip
    job = make_job() if is_plain else make_job(retries=1)
    store.run(operations.create(job, start=True))
    actor = make_actor()
    (claimed,) = store.run(actor.turn(0, [], 1)).jobs

    done = Settlement(job.id, claimed.attempt, JobStatus.FINISHED, output, output_json=as_json)
    assert store.run(actor.turn(0, [done], 0)).refused == []

    fields = store.run(Op(("HMGET", operations.keys.job(job.id), "status", "output", "output_json"), list))
    assert fields == ["finished", output, as_json or None]
    assert store.run(operations.status(job.id)) is JobStatus.FINISHED


@pytest.mark.parametrize("seed", range(60))
def test_plain_and_other_jobs_are_seen_as_they_are_stored(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, seed: int
) -> None:
    """The longer way of the script, on which a first job with an option leads it, is the oracle of the short one."""
    rng = random.Random(seed)
    hashes = [{name: rng.choice(values) for name, values in VALUES.items()} for _ in range(12)]
    if seed % 2:  # mostly plain ones, so that the short way goes far
        for fields in hashes[:9]:
            fields |= {"status": "dispatched", "extra": rng.choice("00001"), "owner": None}
            fields |= {name: fields[name] or "a" for name in ("script_type", "caller_id")}
    ids = [f"job-{n}" for n in range(12)]
    if seed % 5 == 0:
        ids[rng.randrange(12)] = ""
    queue = operations.keys.work("osis")
    seen = []
    for leader in (False, True):
        if leader:
            store.run(operations.create(make_job(retries=1), start=True))
        for job_id, fields in zip(ids, hashes, strict=True):
            key = operations.keys.job(job_id)
            store.run(Op(("DEL", key, operations.keys.reply(job_id)), as_is))
            stored = [part for name, value in fields.items() if value is not None for part in (name, value)]
            if stored:
                store.run(Op(("HSET", key, *stored), as_is))
        if seed % 3 == 0:
            store.run(Op(("DEL", operations.keys.job(ids[4])), as_is))
            store.run(Op(("SET", operations.keys.job(ids[4]), "no hash"), as_is))
        store.run(Op(("RPUSH", queue, *ids, ids[3]), as_is))
        turn = store.run(make_actor().turn(0, [], 64))
        assert turn.alive
        assert not leader or turn.jobs[0].options is not None
        jobs = turn.jobs[leader:]
        seen.append(
            [
                (job.id, job.attempt, job.script_type, job.script, job.caller_id, job.context_id, job.timeout,
                 job.env_vars, job.queued_at if job.queued_at in VALUES["updated_at"] else "now", str(job.options))
                for job in jobs
            ]
        )  # fmt: skip

    assert seen[0] == seen[1]
    assert seen[0]
