"""In any order of creating, stopping, retrying, expiring, claiming, settling and dying, what jobs with options promise
holds: batches count right and end once, a unique key has one open job, a context runs one job, and no job is lost.

Hypothesis chooses the steps; two actors serve jobs by context. Any answer may be lost: then the same operation is sent
again, as its sender would do. After each step the promises are compared with the records in the store. At the end the
actors run everything that is left.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, ClassVar, TypeVar

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

from hero_job import Job, JobInvalid, JobStateError, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, ClaimedJob, Recoveries, Settlement
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.valkey_server import ValkeyServer

T = TypeVar("T")

#: Jobs that each batch is announced with, and jobs in all.
BATCH, MOST = 4, 10
_NAMESPACES = itertools.count()
_OUTCOMES = st.sampled_from(["finished", "error", "retry"])
#: Rounds in which two actors run ten jobs, with all their retries, many times over.
_ROUNDS = 100


class OptionsInAnyOrder(RuleBasedStateMachine):
    """The store, and what the senders know."""

    server: ClassVar[ValkeyServer]

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(self.server.unix_url)
        self.operations = Operations(f"o{next(_NAMESPACES)}")
        self.keys = self.operations.keys
        self.recoveries = Recoveries(self.keys.namespace)
        self.numbers = itertools.count(1)
        #: Created jobs, by id. A job that its unique key has kept out is not among them.
        self.jobs: dict[str, Job] = {}
        self.actors: list[ActorOperations] = []
        self.held: dict[str, list[ClaimedJob]] = {}

    def send(self, op: Op[T], *, lost: bool) -> T:
        """Run an operation; if its answer is lost, run it again."""
        if lost:
            self.store.run(op)
        return self.store.run(op)

    @initialize(lost=st.booleans())
    def begin(self, lost: bool) -> None:
        for batch in ("b0", "b1"):
            assert self.send(self.operations.open_batch(batch, BATCH), lost=lost)
        self._join()
        self._join()

    def _join(self) -> None:
        name = f"osis-{next(self.numbers)}"
        entry = ActorEntry(incarnation=name, name="osis", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1,
                           engine="rhai", engine_version="1")  # fmt: skip
        actor = ActorOperations(entry, self.keys.namespace, lease_s=600, by_context=True)
        assert self.store.run(actor.join())
        self.actors.append(actor)
        self.held[name] = []

    def teardown(self) -> None:
        try:
            if self.actors:
                self._run_the_rest()
        finally:
            self.store.close()

    # -- submitters and operators --------------------------------------------------------------------------------------

    @rule(
        context=st.integers(0, 1),
        batch=st.sampled_from([None, "b0", "b1"]),
        unique=st.sampled_from([None, None, "u"]),
        expires=st.booleans(),
        lost=st.booleans(),
    )
    @precondition(lambda self: len(self.jobs) < MOST)
    def create(self, context: int, batch: str | None, unique: str | None, expires: bool, lost: bool) -> None:
        fields: dict[str, Any] = {"id": f"j{next(self.numbers)}", "caller_id": "a", "context_id": f"c{context}"}
        fields |= {"script": "1", "script_type": "osis", "retries": 2}
        if batch is not None and sum(job.batch == batch for job in self.jobs.values()) < BATCH:
            fields["batch"] = batch
        if unique is not None:
            fields["unique_key"] = unique
        if expires:
            fields["expires_s"] = 600
        job = Job.from_fields(fields)
        same = {job_id for job_id, one in self.jobs.items() if one.unique_key == unique is not None}
        open_before = {job_id for job_id in same if not self._status(job_id).terminal}
        answer = self.send(self.operations.create(job, start=True), lost=lost)
        if open_before:
            assert {answer} == open_before
        else:
            assert answer == job.id
            self.jobs[job.id] = job

    @rule(pick=st.integers(0, MOST - 1), lost=st.booleans())
    @precondition(lambda self: self.jobs)
    def create_again(self, pick: int, lost: bool) -> None:
        """A submitter whose answer was lost long ago asks again, no matter what has become of the job meanwhile."""
        job = self._pick(pick)
        assert self.send(self.operations.create(job, start=True), lost=lost) in self.jobs

    @rule(pick=st.integers(0, MOST - 1), lost=st.booleans())
    @precondition(lambda self: self.jobs)
    def stop(self, pick: int, lost: bool) -> None:
        status = self.send(self.operations.stop(self._pick(pick).id), lost=lost)
        assert status.terminal or status is JobStatus.STOPPING

    @rule(pick=st.integers(0, MOST - 1))
    @precondition(lambda self: self.jobs)
    def retry(self, pick: int) -> None:
        job = self._pick(pick)
        others = [one for one in self.jobs.values() if one.unique_key == job.unique_key is not None and one is not job]
        taken = any(not self._status(one.id).terminal for one in others)
        try:
            self.store.run(self.operations.retry(job.id))
        except JobStateError:
            assert not self._status(job.id).terminal or self._status(job.id) is JobStatus.FINISHED
        except JobInvalid as error:
            assert (error.field, taken) == ("unique_key", True)
        else:
            assert not taken, "two jobs hold one key"

    @rule(pick=st.integers(0, MOST - 1))
    @precondition(lambda self: self.jobs)
    def expire(self, pick: int) -> None:
        """The time passes in which a job has to start."""
        job = self._pick(pick)
        if self.store.run(Op(("HGET", self.keys.job(job.id), "expires_ms"), as_is)) is not None:
            self.store.run(Op(("HSET", self.keys.job(job.id), "expires_ms", 1), as_is))
            self.store.run(Op(("ZADD", self.keys.expiring, "XX", 1, job.id), as_is))

    @rule(lost=st.booleans())
    def promote(self, lost: bool) -> None:
        self.send(self.operations.admin.promote(), lost=lost)

    # -- actors --------------------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 1), most=st.integers(0, 2), outcome=_OUTCOMES, lost=st.booleans())
    def turn(self, which: int, most: int, outcome: str, lost: bool) -> None:
        """A lane settles what it holds, and claims; if the answer is lost, it sends the same again later."""
        actor = self.actors[which]
        me = actor.entry.incarnation
        answer = self.store.run(actor.turn(0, [_settlement(job, outcome) for job in self.held[me]], most))
        assert answer.alive
        if not lost:
            self.held[me] = answer.jobs

    @rule(which=st.integers(0, 1), leaving=st.booleans(), lost=st.booleans())
    def die(self, which: int, leaving: bool, lost: bool) -> None:
        actor = self.actors.pop(which)
        me = actor.entry.incarnation
        self.send(actor.leave() if leaving else self.recoveries.recover(me, proven_dead=True), lost=lost)
        late = self.store.run(actor.turn(0, [_settlement(job, "finished") for job in self.held.pop(me)], 2))
        assert (late.alive, late.jobs) == (False, [])
        self._join()

    # -- promises ------------------------------------------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        ids, batches = list(self.jobs), ("b0", "b1") if self.actors else ()
        answers = self.store.run_many(
            [
                *(self.operations.status(job_id) for job_id in ids),
                *(Op(("LLEN", self.keys.reply(job_id)), int) for job_id in ids),
                *(self.operations.batch(batch) for batch in batches),
                *(Op(("LLEN", self.keys.batch_reply(batch)), int) for batch in batches),
            ]
        )
        status: dict[str, JobStatus] = dict(zip(ids, answers, strict=False))
        assert answers[len(ids) : 2 * len(ids)] == [one.terminal for one in status.values()]
        running = [self.jobs[i].context_id for i, s in status.items() if s in (JobStatus.STARTED, JobStatus.STOPPING)]
        assert len(running) == len(set(running)), "two jobs of one context run"
        assert sum(not s.terminal and self.jobs[i].unique_key == "u" for i, s in status.items()) <= 1
        rest = answers[2 * len(ids) :]
        for batch, counts, replies in zip(batches, rest, rest[len(batches) :], strict=False):
            ended = [s.value for i, s in status.items() if self.jobs[i].batch == batch and s.terminal]
            found = (counts.total, counts.open, counts.finished, counts.error, counts.stopped)
            ends = (ended.count("finished"), ended.count("error"), ended.count("stopped"))
            assert found == (BATCH, BATCH - len(ended), *ends)
            assert replies == (counts.open == 0)

    def _run_the_rest(self) -> None:
        for _ in range(_ROUNDS):
            self.store.run(self.operations.admin.promote())
            for which in (0, 1):
                self.turn(which, 2, "finished", lost=False)
            self.promises_hold()
            if all(self._status(job_id).terminal for job_id in self.jobs):
                break
        left = {job_id: status for job_id in self.jobs if not (status := self._status(job_id)).terminal}
        assert not left, "no actor is given these jobs"
        for batch in ("b0", "b1"):
            joined = sum(job.batch == batch for job in self.jobs.values())
            if joined < BATCH:
                self.store.run(self.operations.shrink_batch(batch))
            counts = self.store.run(self.operations.batch(batch))
            assert counts is not None
            assert (counts.total, counts.open) == (joined, 0)
            replies = self.store.run(Op(("LLEN", self.keys.batch_reply(batch)), int))
            assert replies == 1, (batch, joined, replies)

    def _pick(self, number: int) -> Job:
        return list(self.jobs.values())[number % len(self.jobs)]

    def _status(self, job_id: str) -> JobStatus:
        return self.store.run(self.operations.status(job_id))


def _settlement(job: ClaimedJob, outcome: str) -> Settlement:
    if outcome == "finished":
        return Settlement(job.id, job.attempt, JobStatus.FINISHED, "42")
    failed = Settlement(job.id, job.attempt, JobStatus.ERROR, error="it broke", error_kind="oops")
    failed.retry_in_s = 0 if outcome == "retry" else None
    return failed


@pytest.mark.timeout(600)
def test_in_any_order_jobs_with_options_keep_their_promises(tmp_path: Path) -> None:
    OptionsInAnyOrder.server = ValkeyServer(tmp_path, "--appendonly", "no").start()
    try:
        run_state_machine_as_test(
            OptionsInAnyOrder,
            settings=settings(
                max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
    finally:
        OptionsInAnyOrder.server.stop()
