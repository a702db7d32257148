"""Recovery: jobs whose holder dies, freezes, leaves or comes back late."""

from __future__ import annotations

import random
import re

import pytest

from hero_job import JobFailed, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.retention import Retention
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, ClaimedJob, Recoveries, Settlement
from hero_job.operations.operations import Op, Operations
from tests.eventually import eventually
from tests.job.conftest import MakeActor, MakeJob
from tests.job.steps import finished, submit_many
from tests.valkey_server import ValkeyServer


def test_a_late_zombie_changes_nothing(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    zombie, heir = make_actor(), make_actor()
    held = store.run(zombie.turn(0, [], 1)).jobs
    store.run(recoveries.recover(zombie.entry.incarnation, proven_dead=True))

    # before the heir has it, while the heir runs it, and after it ended
    assert store.run(zombie.turn(0, finished(held, "late"), 1)).refused == [job_id]
    taken = store.run(heir.turn(0, [], 1)).jobs
    during = store.run(zombie.turn(0, finished(held, "late"), 1))
    assert (during.alive, during.refused, during.jobs) == (False, [job_id], [])
    store.run(heir.turn(0, finished(taken, "42"), 0))
    assert store.run(zombie.turn(0, finished(held, "late"), 1)).refused == [job_id]

    record = store.run(operations.record(job_id))
    assert (record.status, record.output, record.attempt, record.redeliveries) == (JobStatus.FINISHED, "42", 2, 0)
    assert store.run(Op(("LLEN", operations.keys.reply(job_id)), int)) == 1


def test_the_dead_hand_their_jobs_back_to_the_head_in_order(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    ids = submit_many(store, operations, make_job, 6)
    dead = make_actor()
    store.run(dead.turn(0, [], 3))
    store.run(Op(("BLMOVE", operations.keys.work("osis"), operations.keys.claimed(dead.entry.incarnation, 0),
                  "LEFT", "RIGHT", 1), str))  # fmt: skip

    recovery = store.run(recoveries.recover(dead.entry.incarnation, proven_dead=True))

    assert sorted(recovery.handed_back) == sorted(ids[:4])
    assert [j.id for j in store.run(make_actor().turn(0, [], 10)).jobs] == ids
    assert store.run(operations.record(ids[0])).rerun_reason == "its actor ended unexpectedly"
    assert store.run(operations.record(ids[3])).rerun_reason is None, "it was taken, but not started"


def test_recovery_covers_every_lane(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    ids = submit_many(store, operations, make_job, 8, script_type=ScriptType.SAL)
    dead = make_actor(ScriptType.SAL, lanes=4)
    for lane in range(4):
        store.run(dead.turn(lane, [], 2))

    recovery = store.run(recoveries.recover(dead.entry.incarnation, proven_dead=True))

    assert sorted(recovery.handed_back) == sorted(ids)


def test_the_end_of_its_actor_never_charges_a_job_but_makes_it_a_suspect(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    for number in range(10):
        holder = make_actor()
        (job,) = store.run(holder.turn(0, [], 1)).jobs
        assert job.is_suspect == (number > 0)
        store.run(recoveries.recover(holder.entry.incarnation, proven_dead=True, reason=f"end {number}"))

    record = store.run(operations.record(job_id))
    assert (record.status, record.redeliveries, record.rerun_reason) == (JobStatus.DISPATCHED, 0, "end 9")


def test_a_job_whose_actor_was_stopped_is_no_suspect(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    submit_many(store, operations, make_job, 1)
    for leaves in (True, False):
        holder = make_actor()
        (job,) = store.run(holder.turn(0, [], 1)).jobs
        assert not job.is_suspect
        dead = recoveries.recover(holder.entry.incarnation, proven_dead=True, stopped=True)
        store.run(holder.leave() if leaves else dead)


def test_a_suspect_that_ends_its_own_process_is_charged_and_ends_as_lost_after_three_redeliveries(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    first, actor = make_actor(), make_actor()
    store.run(first.turn(0, [], 1))
    store.run(recoveries.recover(first.entry.incarnation, proven_dead=True))
    for number in range(4):
        (job,) = store.run(actor.turn(0, [], 1)).jobs
        assert (job.id, job.is_suspect) == (job_id, True)
        assert store.run(operations.record(job_id)).redeliveries == number
        crash = Settlement(job.id, job.attempt, JobStatus.ERROR, error="boom %s", ended_its_process=True)
        assert store.run(actor.turn(0, [crash], 0)).refused == []
        assert store.run(actor.turn(0, [crash], 0)).refused == ([job_id] if number < 3 else []), "it counts once"

    record = store.run(operations.record(job_id))
    assert (record.status, record.error_kind, record.attempt) == (JobStatus.ERROR, "lost", 5)
    assert record.rerun_reason == "it ran alone, and boom %s"
    with pytest.raises(JobFailed, match="ended 4 times while it ran alone; the last time, boom %s"):
        store.wait_reply(operations, job_id, 5).result()
    assert store.run(operations.admin.queue_length(ScriptType.OSIS)) == 0
    store.run(operations.retry(job_id))
    again = store.run(operations.record(job_id))
    assert (again.redeliveries, again.rerun_reason) == (0, None)
    assert not store.run(actor.turn(0, [], 1)).jobs[0].is_suspect, "an operator's retry is a new life"


def test_a_suspect_that_was_asked_to_stop_is_stopped_when_its_process_ends(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    actor = make_actor()
    (job,) = store.run(actor.turn(0, [], 1)).jobs
    store.run(operations.stop(job_id))

    store.run(actor.turn(0, [Settlement(job.id, job.attempt, JobStatus.ERROR, ended_its_process=True)], 0))

    assert store.run(operations.status(job_id)) is JobStatus.STOPPED


def test_a_live_incarnation_is_left_alone_and_an_expired_one_is_recovered(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    ids = submit_many(store, operations, make_job, 2)
    living, expiring = make_actor(), make_actor(lease_s=0.05)
    store.run(living.turn(0, [], 1))
    store.run(expiring.turn(0, [], 1))
    found = eventually(lambda: store.drive(recoveries.expired())[1])

    assert found == [expiring.entry.incarnation]
    assert store.run(recoveries.recover(living.entry.incarnation, proven_dead=False)).alive
    assert store.run(recoveries.recover(expiring.entry.incarnation, proven_dead=False)).handed_back == ids[1:]
    assert not store.run(expiring.beat(busy=0, jobs=0)), "an incarnation that was declared dead does not come back"


def test_an_id_that_a_frozen_lane_takes_after_its_death_is_found_by_the_next_recovery(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    frozen = make_actor()
    incarnation = frozen.entry.incarnation
    store.run(recoveries.recover(incarnation, proven_dead=True))
    (job_id,) = submit_many(store, operations, make_job, 1)
    assert store.run(frozen.take(0)) == job_id

    assert incarnation in store.run(recoveries.buried())
    assert store.run(recoveries.recover(incarnation, proven_dead=False)).handed_back == [job_id]
    assert [j.id for j in store.run(make_actor().turn(0, [], 1)).jobs] == [job_id]


def test_a_leaving_incarnation_hands_back_its_jobs_without_counting_a_redelivery(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    leaving = make_actor()
    store.run(leaving.turn(0, [], 1))

    assert store.run(leaving.leave()).handed_back == [job_id]

    record = store.run(operations.record(job_id))
    assert (record.redeliveries, record.rerun_reason) == (0, "its actor was stopped")
    assert store.drive(operations.admin.actors()) == []
    assert store.drive(recoveries.expired())[1] == store.run(recoveries.buried()) == []


def test_any_interleaving_of_claims_deaths_and_settlements_ends_every_job_once(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    """Twenty random walks with fixed seeds over four incarnations; a count outside Redis checks each settlement."""
    for seed in range(20):
        rng = random.Random(seed)
        ids = submit_many(store, operations, make_job, 30)
        actors = [make_actor(retention=Retention(max_redeliveries=100)) for _ in range(4)]
        held: dict[str, list[ClaimedJob]] = {c.entry.incarnation: [] for c in actors}
        accepted: dict[str, int] = dict.fromkeys(ids, 0)

        def settle(
            c: ActorOperations,
            jobs: list[ClaimedJob],
            most: int,
            held: dict[str, list[ClaimedJob]] = held,
            accepted: dict[str, int] = accepted,
        ) -> None:
            turn = store.run(c.turn(0, finished(jobs, c.entry.incarnation), most))
            for job in jobs:
                if job.id not in turn.refused:
                    accepted[job.id] += 1
            kept = [j for j in held[c.entry.incarnation] if j not in jobs]
            held[c.entry.incarnation] = kept + [j for j in turn.jobs if j not in kept]

        while any(accepted[i] == 0 for i in ids):
            c = rng.choice(actors)
            mine = held[c.entry.incarnation]
            match rng.randrange(5):
                case 0 | 1:
                    settle(c, list(mine), rng.randrange(4))
                case 2 if mine:
                    store.run(c.release(0, mine[1:]))
                    held[c.entry.incarnation] = mine[:1]
                case 3 if rng.random() < 0.3:
                    store.run(Recoveries(operations.keys.namespace, Retention(max_redeliveries=100)).recover(
                        c.entry.incarnation, proven_dead=True))  # fmt: skip
                    settle(c, list(mine), 1)  # The dead holder tries to settle.
                    actors.remove(c)
                    actors.append(make_actor(retention=Retention(max_redeliveries=100)))
                    held[actors[-1].entry.incarnation] = []
                case _:
                    settle(c, [], 0)

        assert set(accepted.values()) == {1}, f"seed {seed}"
        for job_id in ids:
            assert store.run(Op(("LLEN", operations.keys.reply(job_id)), int)) == 1, f"seed {seed}"
            assert store.run(operations.status(job_id)) is JobStatus.FINISHED
        assert store.run(operations.admin.queue_length(ScriptType.OSIS)) == 0


def test_a_full_server_does_not_cost_an_actor_its_lease(
    own_valkey: ValkeyServer, namespace: str, operations: Operations
) -> None:
    entry = ActorEntry(incarnation="i", name="i", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1, engine="e",
                       engine_version="1")  # fmt: skip
    actor = ActorOperations(entry, namespace, lease_s=60)
    with Store(own_valkey.url) as store:
        store.run(actor.join())
        store.run(Op(("PEXPIRE", operations.keys.actor("i"), 5000), int))
        own_valkey.command("CONFIG", "SET", "maxmemory", "1")

        store.run(actor.beat(busy=0, jobs=0))

        assert store.run(Op(("PTTL", operations.keys.actor("i")), int)) > 30_000


def test_an_incarnation_that_joins_again_after_a_lost_answer_is_announced_once(
    store: Store, operations: Operations, make_actor: MakeActor
) -> None:
    actor = make_actor()
    assert store.run(actor.join())

    events = store.run(Op(("XRANGE", operations.keys.actor_events, "-", "+"), list))
    assert [fields[1] for _, fields in events] == ["joined"]


@pytest.mark.parametrize("proven_dead", [True, False])
def test_late_ids_of_a_dead_incarnation_are_found_again_and_again_until_its_time_is_over(
    store: Store,
    operations: Operations,
    make_job: MakeJob,
    make_actor: MakeActor,
    recoveries: Recoveries,
    proven_dead: bool,
) -> None:
    dead = make_actor()
    incarnation = dead.entry.incarnation
    store.run(Op(("DEL", operations.keys.actor(incarnation)), int))
    store.run(recoveries.recover(incarnation, proven_dead=proven_dead))
    for _ in range(3):
        (job_id,) = submit_many(store, operations, make_job, 1)
        move = ("LMOVE", operations.keys.work("osis"), operations.keys.claimed(incarnation, 0), "LEFT", "RIGHT")
        assert store.run(Op(move, str)) == job_id
        assert store.run(recoveries.buried()) == [incarnation]
        assert store.run(recoveries.recover(incarnation, proven_dead=proven_dead)).handed_back == [job_id]
        store.run(operations.delete(job_id))
        store.run(make_actor().turn(0, [], 1))

    tomb = store.run(Op(("HGET", operations.keys.dead, incarnation), str))
    over = re.sub(r'"until_ms":[0-9.e+]+', '"until_ms":1', tomb)
    assert over != tomb
    store.run(Op(("HSET", operations.keys.dead, incarnation, over), int))
    store.run(recoveries.recover(incarnation, proven_dead=proven_dead))
    assert store.run(recoveries.buried()) == []


def test_an_incarnation_that_left_in_order_is_not_looked_at_again(
    store: Store, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    store.run(make_actor().leave())

    assert store.run(recoveries.buried()) == []


def test_a_claimed_job_whose_key_is_no_hash_is_ended_and_says_so(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    dead = make_actor()
    assert len(store.run(dead.turn(0, [], 1)).jobs) == 1
    key = operations.keys.job(job_id)
    store.run_many([Op(("DEL", key), int), Op(("SET", key, "no hash"), str)])

    store.run(recoveries.recover(dead.entry.incarnation, proven_dead=True))

    reply = store.wait_reply(operations, job_id, 1)
    assert (reply.error_kind, reply.error) == ("damaged", "the job's key does not hold a hash")


def test_a_job_that_was_being_stopped_by_another_actor_is_left_to_that_one(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    """Its id is left in a list of the dead actor as well."""
    (job_id,) = submit_many(store, operations, make_job, 1)
    dead, runs = make_actor(), make_actor()
    assert len(store.run(runs.turn(0, [], 1)).jobs) == 1
    assert store.run(operations.stop(job_id)) is JobStatus.STOPPING
    store.run(Op(("RPUSH", operations.keys.claimed(dead.entry.incarnation, 0), job_id), int))

    store.run(recoveries.recover(dead.entry.incarnation, proven_dead=True))

    assert store.run(operations.status(job_id)) is JobStatus.STOPPING


def test_a_job_that_the_dead_was_stopping_has_stopped(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    (job_id,) = submit_many(store, operations, make_job, 1)
    dead = make_actor()
    assert len(store.run(dead.turn(0, [], 1)).jobs) == 1
    assert store.run(operations.stop(job_id)) is JobStatus.STOPPING

    assert store.run(recoveries.recover(dead.entry.incarnation, proven_dead=True)).handed_back == []

    assert store.run(operations.status(job_id)) is JobStatus.STOPPED
