"""What a turn of a lane sends to the store and gets from it: results, and the fields of jobs."""

from __future__ import annotations

import pytest

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.operations.actor_operations import Settlement
from hero_job.operations.operations import Op, Operations
from tests.job.conftest import MakeActor, MakeJob


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
