"""Why a job does not run, for each reason; and what is kept of its attempts."""

from __future__ import annotations

import pytest

from hero_job import JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.claim_types import Settlement
from hero_job.model.overview.attempts import MAX_ATTEMPTS
from hero_job.model.overview.explanation import Explanation, WaitReason
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Recoveries
from hero_job.operations.operations import Operations
from hero_job.operations.overview.explain import explain_job, job_attempts
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit, submit_many
from tests.valkey_server import ValkeyServer


def explained(store: Store, operations: Operations, job_id: str) -> Explanation:
    found = store.drive(explain_job(operations, job_id))
    assert found.job_id == job_id
    assert found.text.endswith((".", "!")) or found.reason is WaitReason.ACTORS_UNAVAILABLE
    return found


def test_queued_job_has_its_place_and_who_serves_it(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    ids = submit_many(store, operations, make_job, 3)

    found = explained(store, operations, ids[1])

    assert (found.reason, found.place, found.waiting) == (WaitReason.QUEUED, 2, 3)
    assert found.actors == (lane.actor.entry.name,)


def test_nobody_serves_the_type_or_the_group(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    make_actor(ScriptType.SAL, group="g")
    alone = submit(store, operations, make_job, script_type=ScriptType.V)
    other_group = submit(store, operations, make_job, script_type=ScriptType.SAL, group="h")

    for job_id, queue in ((alone, "v"), (other_group, "sal/h")):
        found = explained(store, operations, job_id)
        assert (found.reason, found.queue, found.place) == (WaitReason.NO_ACTOR, queue, 1)


def test_actors_that_cannot_run_it_say_why(
    store: Store, operations: Operations, make_job: MakeJob, namespace: str
) -> None:
    entry = ActorEntry(
        incarnation="v-1", name="v", script_type=ScriptType.V, host="here", pid=1, lanes=1, engine="v",
        engine_version="", unavailable="the program hero is missing",
    )  # fmt: skip
    store.run(ActorOperations(entry, namespace, lease_s=60).join())

    found = explained(store, operations, submit(store, operations, make_job, script_type=ScriptType.V))

    assert found.reason is WaitReason.ACTORS_UNAVAILABLE
    assert "the program hero is missing" in found.text


def test_silent_actors_are_named(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, valkey: ValkeyServer
) -> None:
    actor = make_actor()
    valkey.command("DEL", operations.keys.actor(actor.entry.incarnation))

    assert explained(store, operations, submit(store, operations, make_job)).reason is WaitReason.ACTORS_SILENT


def test_paused_queue_is_named_with_the_place_in_it(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    before = submit(store, operations, make_job)
    store.run(operations.admin.pause(ScriptType.OSIS))
    after = submit(store, operations, make_job)

    for job_id, place in ((before, 1), (after, 2)):
        found = explained(store, operations, job_id)
        assert (found.reason, found.place) == (WaitReason.PAUSED, place)
        assert found.paused_since is not None


def test_delayed_repeated_and_late_jobs_tell_their_time(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, valkey: ValkeyServer
) -> None:
    failed = submit(store, operations, make_job)
    (claimed,) = lane.claim()
    lane.fail(claimed, retry_in_s=500)
    delayed = submit(store, operations, make_job, delay=500)
    late = submit(store, operations, make_job, delay=500)
    lost = submit(store, operations, make_job, delay=500)
    valkey.command("ZADD", operations.keys.scheduled, "1000", late)
    valkey.command("ZREM", operations.keys.scheduled, lost)

    reasons = {i: explained(store, operations, i) for i in (failed, delayed, late, lost)}

    assert [reasons[i].reason for i in (failed, delayed, late, lost)] == [
        WaitReason.REPEATED,
        WaitReason.DELAYED,
        WaitReason.LATE,
        WaitReason.NOT_QUEUED,
    ]
    assert (reasons[delayed].due_at_ms or 0) > 1_700_000_000_000
    assert "it broke" in reasons[failed].text


def test_prerequisites_are_named_until_they_have_ended(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    first, second = submit_many(store, operations, make_job, 2)
    dependent = submit(store, operations, make_job, prerequisites=[first, second])
    (claimed,) = lane.claim(1)
    lane.finish(claimed)

    found = explained(store, operations, dependent)

    assert found.reason is WaitReason.PREREQUISITES
    assert [(p.job_id, p.status) for p in found.prerequisites] == [(second, JobStatus.DISPATCHED)]


def test_line_for_a_key_is_told_with_those_who_hold_the_places(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    ids = [submit(store, operations, make_job, concurrency="k") for _ in range(3)]
    lane.claim()

    found = explained(store, operations, ids[2])

    assert (found.reason, found.key, found.place, found.waiting) == (WaitReason.IN_LINE, "k", 2, 2)
    assert found.held_by == (ids[0],)
    assert explained(store, operations, ids[0]).reason is WaitReason.RUNNING


def test_other_states_are_explained(store: Store, operations: Operations, make_job: MakeJob, lane: Lane) -> None:
    created = store.run(operations.create(make_job()))
    ended = submit(store, operations, make_job)
    (claimed,) = lane.claim()
    lane.fail(claimed)
    running = submit(store, operations, make_job)
    lane.claim()
    stopping = submit(store, operations, make_job)
    lane.claim()
    store.run(operations.stop(stopping))

    reasons = [explained(store, operations, i).reason for i in (created, ended, running, stopping)]

    assert reasons == [WaitReason.NOT_STARTED, WaitReason.ENDED, WaitReason.RUNNING, WaitReason.STOPPING]


def test_a_damaged_neighbour_hides_nothing_about_the_job(
    store: Store, operations: Operations, make_job: MakeJob, valkey: ValkeyServer
) -> None:
    keys = operations.keys
    first = submit(store, operations, make_job)
    dependent = submit(store, operations, make_job, prerequisites=[first])
    valkey.command("DEL", keys.job(first))
    valkey.command("SET", keys.job(first), "no hash")
    valkey.command("HSET", keys.actors, "broken", "no JSON")

    found = explained(store, operations, dependent)

    assert (found.reason, found.prerequisites[0].status) == (WaitReason.PREREQUISITES, None)
    other = submit(store, operations, make_job)
    valkey.command("DEL", keys.work("osis"))
    valkey.command("SET", keys.work("osis"), "no list")
    assert explained(store, operations, other).reason is WaitReason.CLAIMED


# Attempts.


def test_a_job_that_succeeds_the_first_time_keeps_no_attempts_of_its_own(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, valkey: ValkeyServer
) -> None:
    job_id = submit(store, operations, make_job)
    (claimed,) = lane.claim()
    lane.finish(claimed)

    (attempt,) = store.run(job_attempts(operations, job_id))

    assert (attempt.attempt, attempt.outcome, attempt.error) == (1, "finished", None)
    assert attempt.owner == f"{lane.actor.entry.incarnation}/0"
    assert valkey.command("HEXISTS", operations.keys.job(job_id), "attempts") == 0


def test_the_newest_ten_attempts_are_kept_with_who_when_and_how(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, valkey: ValkeyServer
) -> None:
    job_id = submit(store, operations, make_job)
    for n in range(13):
        (claimed,) = lane.claim()
        settled = Settlement(job_id, claimed.attempt, JobStatus.ERROR, error=f"{n} é" + "é" * 300, error_kind="oops")
        settled.retry_in_s = 0.0
        lane._held.clear()
        store.run(lane.actor.turn(0, [settled], 0))
        store.run(operations.admin.promote())
    (claimed,) = lane.claim()
    lane.finish(claimed)

    attempts = store.run(job_attempts(operations, job_id))

    assert [a.attempt for a in attempts] == list(range(5, 15))
    assert [a.outcome for a in attempts] == ["failed"] * 9 + ["finished"]
    assert all(a.started_at and a.ended_at and a.owner for a in attempts)
    assert attempts[0].error_kind == "oops"
    assert attempts[0].error is not None
    assert attempts[0].error.startswith("4 é")
    size = valkey.command("HSTRLEN", operations.keys.job(job_id), "attempts")
    assert int(str(size)) < 10 * 500


def test_interrupted_crashed_and_retried_attempts_are_told_apart(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    job_id = submit(store, operations, make_job)
    first = Lane(store, make_actor())
    first.claim()
    store.run(recoveries.recover(first.actor.entry.incarnation, proven_dead=True))
    second = Lane(store, make_actor())
    (claimed,) = second.claim()
    crash = Settlement(job_id, claimed.attempt, JobStatus.ERROR, error="it died by signal 11", ended_its_process=True)
    store.run(second.actor.turn(0, [crash], 0))
    second._held.clear()
    (claimed,) = second.claim()
    second.fail(claimed)
    store.run(operations.retry(job_id))
    (claimed,) = second.claim()

    attempts = store.run(job_attempts(operations, job_id))

    assert [a.outcome for a in attempts] == ["interrupted", "crashed", "error", "running"]
    assert attempts[0].owner != attempts[1].owner
    assert attempts[3].ended_at is None


@pytest.mark.parametrize("text", ["no JSON", '"text"', "{}", "[1, null, {}]", '[{"attempt": "x", "owner": 5}]'])
def test_damaged_attempts_hide_nothing_else(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane, valkey: ValkeyServer, text: str
) -> None:
    job_id = submit(store, operations, make_job)
    valkey.command("HSET", operations.keys.job(job_id), "attempts", text)
    (claimed,) = lane.claim()
    lane.fail(claimed, retry_in_s=100)

    attempts = store.run(job_attempts(operations, job_id))

    assert attempts[-1].outcome == "failed"
    assert len(attempts) <= MAX_ATTEMPTS


def test_a_queued_job_whose_time_is_over_is_about_to_end(
    store: Store, operations: Operations, make_job: MakeJob, valkey: ValkeyServer
) -> None:
    job_id = submit(store, operations, make_job, expires=500)
    valkey.command("HSET", operations.keys.job(job_id), "expires_ms", 1)

    found = explained(store, operations, job_id)

    assert found.reason is WaitReason.EXPIRED
    assert "not started in its time" in found.text
