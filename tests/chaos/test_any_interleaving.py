"""In any interleaving of two actors, a stopper, an operator and recovery, the store does what the model does.

Hypothesis chooses the steps. After each step the test compares status, owner, attempt, replies and events of every job,
the queue, and the claimed lists with those of the model.
"""

from __future__ import annotations

import collections
import itertools
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hero_job import JobBuilder, JobStateError, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.retention import Retention
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, ClaimedJob, Recoveries, Settlement
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.chaos.contract_model import ContractModel
from tests.valkey_server import ValkeyServer

RETENTION = Retention(max_redeliveries=2)
_NAMESPACES = itertools.count()
_OUTCOMES = st.sampled_from(["finished", "error", "retry", "crash"])


class Interleaving(RuleBasedStateMachine):
    """The store and the model, side by side."""

    server: ClassVar[ValkeyServer]

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(self.server.unix_url)
        self.operations = Operations(f"i{next(_NAMESPACES)}", RETENTION)
        self.keys = self.operations.keys
        self.recoveries = Recoveries(self.keys.namespace, RETENTION)
        self.model = ContractModel(RETENTION.max_redeliveries)
        self.numbers = itertools.count(1)
        self.actors: list[ActorOperations] = []
        #: What each incarnation believes to hold; it may be wrong.
        self.held: dict[str, list[ClaimedJob]] = {}
        #: Incarnations that were declared dead or have left, and may come back.
        self.zombies: list[ActorOperations] = []

    def teardown(self) -> None:
        self.store.close()

    @initialize()
    def two_actors(self) -> None:
        self._join()
        self._join()

    def _join(self) -> None:
        name = f"osis-{next(self.numbers)}"
        entry = ActorEntry(incarnation=name, name="osis", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1,
                           engine="rhai", engine_version="1")  # fmt: skip
        actor = ActorOperations(entry, self.keys.namespace, lease_s=600, retention=RETENTION)
        assert self.store.run(actor.join())
        self.actors.append(actor)
        self.model.claimed[name], self.held[name] = [], []

    # -- submitters, stoppers, operators -------------------------------------------------------------------------------

    @rule()
    @precondition(lambda self: len(self.model.jobs) < 4)
    def submit(self) -> None:
        builder = JobBuilder().caller_id("a").context_id("b").script_type("osis").script("1")
        job = builder.id(f"j{len(self.model.jobs)}").build()
        self.store.run(self.operations.create(job, start=True))
        self.model.submit(job.id)

    @rule(pick=st.integers(0, 3))
    @precondition(lambda self: self.model.jobs)
    def stop(self, pick: int) -> None:
        job_id = f"j{pick % len(self.model.jobs)}"
        assert self.store.run(self.operations.stop(job_id)) is self.model.stop(job_id)

    @rule(pick=st.integers(0, 3))
    @precondition(lambda self: self.model.jobs)
    def retry(self, pick: int) -> None:
        job_id = f"j{pick % len(self.model.jobs)}"
        if self.model.retry(job_id):
            self.store.run(self.operations.retry(job_id))
        else:
            with pytest.raises(JobStateError):
                self.store.run(self.operations.retry(job_id))

    @rule()
    def promote(self) -> None:
        flat = self.store.run(Op(("ZRANGE", self.keys.scheduled, 0, -1, "WITHSCORES"), list))
        self.store.run(self.operations.admin.promote())
        self.model.promote({job_id: float(due_ms) for job_id, due_ms in zip(flat[::2], flat[1::2], strict=True)})

    # -- actors --------------------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 1))
    def take(self, which: int) -> None:
        """An idle lane, with nothing to settle, blocks on its queue. The lane may not learn what it was given."""
        actor = self.actors[which]
        if self.model.queue and not self.held[actor.entry.incarnation]:
            self.store.run(actor.take(0))
            self.model.take(actor.entry.incarnation)

    @rule(which=st.integers(0, 1), most=st.integers(0, 3), outcome=_OUTCOMES, settle=st.booleans(), lost=st.booleans())
    def turn(self, which: int, most: int, outcome: str, settle: bool, lost: bool) -> None:
        """A lane settles all that it holds, or nothing, and claims; if lost, the answer does not arrive."""
        actor = self.actors[which]
        me = actor.entry.incarnation
        # A lane that claims settles: otherwise the store would give it its own jobs again.
        held = self.held[me] if settle or most else []
        answer = self.store.run(actor.turn(0, [_settlement(job, outcome) for job in held], most))
        refused = [job.id for job in held if not self.model.settle(me, job, outcome)]
        expected = self.model.claim(me, most)
        assert answer.alive
        assert answer.refused == refused
        assert [(job.id, int(job.attempt)) for job in answer.jobs] == expected
        self.held[me] = list(held) if lost else answer.jobs if most else []

    @rule(which=st.integers(0, 1))
    def release(self, which: int) -> None:
        """The beat hands back what waits behind a slow job."""
        actor = self.actors[which]
        me = actor.entry.incarnation
        behind = self.held[me][1:]
        if behind:
            self.held[me] = self.held[me][:1]
            assert self.store.run(actor.release(0, behind)) == self.model.release(me, behind)

    @rule(which=st.integers(0, 1), leaving=st.booleans())
    def die(self, which: int, leaving: bool) -> None:
        """An incarnation leaves, or a supervisor recovers it; another one joins."""
        actor = self.actors.pop(which)
        me = actor.entry.incarnation
        self.store.run(actor.leave() if leaving else self.recoveries.recover(me, proven_dead=True))
        self.model.recover(me)
        self.zombies.append(actor)
        self._join()

    @rule(outcome=_OUTCOMES)
    @precondition(lambda self: self.zombies)
    def zombie(self, outcome: str) -> None:
        """An incarnation that was declared dead comes back with its results, and changes nothing."""
        actor = self.zombies.pop()
        held = self.held[actor.entry.incarnation]
        answer = self.store.run(actor.turn(0, [_settlement(job, outcome) for job in held], 3))
        assert (answer.alive, answer.jobs) == (False, [])
        # A job that it had settled in time, with a lost answer, is not refused.
        ended = {job_id for job_id, job in self.model.jobs.items() if job.status.terminal}
        assert not {job.id for job in held} - set(answer.refused) - ended

    # -- comparison ----------------------------------------------------------------------------------------------------

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        jobs, claimed = self.model.jobs, self.model.claimed
        commands: list[tuple[str | int, ...]] = [
            *(("HMGET", self.keys.job(job_id), "status", "owner", "attempt") for job_id in jobs),
            *(("LLEN", self.keys.reply(job_id)) for job_id in jobs),
            *(("LRANGE", self.keys.claimed(incarnation, 0), 0, -1) for incarnation in claimed),
            ("LRANGE", self.keys.work("osis"), 0, -1),
            ("XRANGE", self.keys.events, "-", "+"),
        ]
        answers: list[Any] = self.store.run_many([Op(command, as_is) for command in commands])

        for job, (status, owner, attempt), replies in zip(
            jobs.values(), answers[: len(jobs)], answers[len(jobs) : 2 * len(jobs)], strict=True
        ):
            assert (status, int(attempt or 0)) == (job.status.value, job.attempt)
            if not job.status.terminal:
                assert owner == job.owner
            assert replies == job.status.terminal
        assert answers[2 * len(jobs) : -2] == list(claimed.values())
        assert answers[-2] == list(self.model.queue)
        events: dict[str, list[JobStatus]] = collections.defaultdict(list)
        for _, flat in answers[-1]:
            for job_id, status in zip(flat[::2], flat[1::2], strict=True):
                events[job_id].append(JobStatus(status))
        assert events == {job_id: job.seen for job_id, job in jobs.items()}


class LateInterleaving(Interleaving):
    """The same over a network in which requests of broken connections arrive after those of new ones."""

    def __init__(self) -> None:
        super().__init__()
        #: Every claim that was ever answered, with its actor.
        self.given: dict[tuple[str, str, str], tuple[ActorOperations, ClaimedJob]] = {}

    @invariant()
    def nothing_is_lost(self) -> None:
        for actor in self.actors:
            me = actor.entry.incarnation
            self.given |= {(me, job.id, job.attempt): (actor, job) for job in self.held[me]}
        for job_id, job in self.model.jobs.items():
            if job.status is JobStatus.DISPATCHED:
                assert job_id in self.model.queue or any(job_id in ids for ids in self.model.claimed.values())
            elif job.status in (JobStatus.STARTED, JobStatus.STOPPING):
                assert job.owner is not None
                assert job_id in self.model.claimed[job.owner.partition("/")[0]]

    @rule(pick=st.integers(0, 19), outcome=_OUTCOMES)
    @precondition(lambda self: self.given)
    def settle_late(self, pick: int, outcome: str) -> None:
        actor, job = list(self.given.values())[-1 - pick % len(self.given)]
        answer = self.store.run(actor.turn(0, [_settlement(job, outcome)], 0))
        assert answer.refused == ([] if self.model.settle(actor.entry.incarnation, job, outcome) else [job.id])

    @rule(pick=st.integers(0, 19))
    @precondition(lambda self: self.given)
    def release_late(self, pick: int) -> None:
        actor, claimed = list(self.given.values())[-1 - pick % len(self.given)]
        me = actor.entry.incarnation
        self.held[me] = [job for job in self.held[me] if job != claimed]
        assert self.store.run(actor.release(0, [claimed])) == self.model.release(me, [claimed])

    @rule(which=st.integers(0, 1))
    def claim_again(self, which: int) -> None:
        """A job fails, an operator retries it, and the same lane claims it: one holder, two attempts."""
        held = self.held[self.actors[which].entry.incarnation]
        if held:
            self.turn(which, 0, "error", True, False)
            self.retry(int(held[0].id[1:]))
            self.turn(which, 4, "finished", True, False)

    @rule(which=st.integers(0, 1))
    def take_late(self, which: int) -> None:
        """The server serves a blocked command of a broken connection, even if the lane holds jobs by now."""
        actor = self.actors[which]
        if self.model.queue:
            self.store.run(actor.take(0))
            self.model.take(actor.entry.incarnation)


def _settlement(job: ClaimedJob, outcome: str) -> Settlement:
    if outcome == "finished":
        return Settlement(job.id, job.attempt, JobStatus.FINISHED, "42")
    failed = Settlement(job.id, job.attempt, JobStatus.ERROR, error="it broke", error_kind="oops")
    failed.retry_in_s = 0 if outcome == "retry" else None
    failed.ended_its_process = outcome == "crash"
    return failed


@pytest.mark.timeout(600)
@pytest.mark.parametrize("machine", [Interleaving, LateInterleaving])
def test_in_any_interleaving_the_store_does_what_the_model_does(tmp_path: Path, machine: type[Interleaving]) -> None:
    Interleaving.server = ValkeyServer(tmp_path, "--appendonly", "no").start()
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=200, stateful_step_count=50, deadline=None, derandomize=True, database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
    finally:
        Interleaving.server.stop()


def test_jobs_that_are_due_are_queued_in_the_order_of_their_times(own_valkey: ValkeyServer) -> None:
    """Not in that of their ids, unless their times are equal, and no matter how fast the steps follow each other."""
    Interleaving.server = own_valkey
    walk = Interleaving()
    walk.two_actors()
    for _ in range(2):
        walk.submit()
    for which in (0, 1):
        walk.turn(which, 1, "finished", True, False)
    for which in (1, 0):
        walk.turn(which, 0, "retry", True, False)
        walk.the_store_is_as_the_model()
    walk.promote()
    walk.the_store_is_as_the_model()
    walk.teardown()


def test_a_late_result_of_an_earlier_attempt_by_the_same_holder_is_refused(own_valkey: ValkeyServer) -> None:
    """Chance rarely takes these steps. The owner is right, so only the attempt shows that the result is late."""
    Interleaving.server = own_valkey
    walk = LateInterleaving()
    walk.two_actors()
    walk.submit()
    walk.turn(0, 1, "finished", True, False)
    walk.nothing_is_lost()
    walk.claim_again(0)
    walk.nothing_is_lost()
    assert [job.attempt for _, job in walk.given.values()] == ["1", "2"]
    walk.settle_late(1, "finished")
    walk.the_store_is_as_the_model()
    walk.nothing_is_lost()
    assert [job.status for job in walk.model.jobs.values()] == [JobStatus.STARTED]
    walk.teardown()
