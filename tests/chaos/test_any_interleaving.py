"""Two actors, a stopper, an operator and a sweep in any order: the store does what a model of the contract does.

The model is the transition table with queue and claimed lists, in Python, written from the documents and not from the
Lua. After every step status, owner, attempt and replies of every job, the queue and the claimed lists are compared.
"""

from __future__ import annotations

import collections
import itertools
import tempfile
from dataclasses import dataclass, field
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

from hero_job import TRANSITIONS, JobBuilder, JobStateError, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.retention import Retention
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, ClaimedJob, Recoveries, Settlement
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.valkey_server import ValkeyServer

KEEP = Retention(max_redeliveries=2)
_NAMESPACES = itertools.count()
_S = JobStatus


@dataclass(slots=True)
class Model:
    """One job as it should be."""

    status: JobStatus = _S.DISPATCHED
    owner: str | None = None
    attempt: int = 0
    redeliveries: int = 0
    seen: list[JobStatus] = field(default_factory=lambda: [_S.DISPATCHED])

    def go(self, status: JobStatus) -> None:
        """Make a transition, one that the table knows."""
        assert status in TRANSITIONS[self.status], f"{self.status} -> {status}"
        self.status = status
        self.seen.append(status)


class Interleaving(RuleBasedStateMachine):
    """The store and the model of it, side by side."""

    server: ClassVar[ValkeyServer]

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(self.server.url)
        self.operations = Operations(f"i{next(_NAMESPACES)}", KEEP)
        self.keys = self.operations.keys
        self.recoveries = Recoveries(self.keys.namespace, KEEP)
        self.jobs: dict[str, Model] = {}
        self.queue: collections.deque[str] = collections.deque()
        self.numbers = itertools.count(1)
        self.actors: list[ActorOperations] = []
        #: What the model says each incarnation, living or dead, has in its claimed list.
        self.claimed: dict[str, list[str]] = {}
        #: What each incarnation believes that it holds: it may be wrong about that.
        self.held: dict[str, list[ClaimedJob]] = {}
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
        claims = ActorOperations(entry, self.keys.namespace, lease_s=600, retention=KEEP)
        assert self.store.run(claims.join())
        self.actors.append(claims)
        self.claimed[name], self.held[name] = [], []

    # -- submitters, stoppers, operators -------------------------------------------------------------------------------

    @rule()
    @precondition(lambda self: len(self.jobs) < 4)
    def submit(self) -> None:
        job = (
            JobBuilder().id(f"j{len(self.jobs)}").caller_id("a").context_id("b").script_type("osis").script("1").build()
        )
        self.store.run(self.operations.create(job, start=True))
        self.jobs[job.id] = Model()
        self.queue.append(job.id)

    @rule(pick=st.integers(0, 3))
    @precondition(lambda self: self.jobs)
    def stop(self, pick: int) -> None:
        job_id = f"j{pick % len(self.jobs)}"
        job = self.jobs[job_id]
        answer = self.store.run(self.operations.stop(job_id))
        if job.status is _S.STARTED:
            job.go(_S.STOPPING)
        elif job.status in (_S.DISPATCHED, _S.SCHEDULED):
            job.go(_S.STOPPED)  # its id may stay in a list: the claim drops it
        assert answer is job.status

    @rule(pick=st.integers(0, 3))
    @precondition(lambda self: self.jobs)
    def retry(self, pick: int) -> None:
        job_id = f"j{pick % len(self.jobs)}"
        job = self.jobs[job_id]
        if job.status not in (_S.ERROR, _S.STOPPED):
            with pytest.raises(JobStateError):
                self.store.run(self.operations.retry(job_id))
            return
        self.store.run(self.operations.retry(job_id))
        job.go(_S.DISPATCHED)
        job.owner, job.redeliveries = None, 0
        self.queue.append(job_id)

    @rule()
    def promote(self) -> None:
        self.store.run(self.operations.admin.promote())
        for job_id, job in self.jobs.items():
            if job.status is _S.SCHEDULED:  # all are due at once here
                job.go(_S.DISPATCHED)
                self.queue.append(job_id)

    # -- actors --------------------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 1))
    def take(self, which: int) -> None:
        """BLMOVE, as an idle lane does, one with nothing to settle; its answer may as well be lost."""
        claims = self.actors[which]
        if self.queue and not self.held[claims.entry.incarnation]:
            self.store.run(claims.take(0))
            self.claimed[claims.entry.incarnation].append(self.queue.popleft())

    @rule(which=st.integers(0, 1), most=st.integers(0, 3), outcome=st.sampled_from(["finished", "error", "retry"]),
          settle=st.booleans(), lost=st.booleans())  # fmt: skip
    def turn(self, which: int, most: int, outcome: str, settle: bool, lost: bool) -> None:
        """A turn that settles all that the lane holds, or nothing; with lost, its answer does not arrive."""
        claims = self.actors[which]
        me = claims.entry.incarnation
        held = self.held[me] if settle or most else []
        # A lane with unsettled jobs asks for nothing new: it would be given its own again.
        answer = self.store.run(claims.turn(0, [_settled(job, outcome) for job in held], most))
        refused = [job.id for job in held if not self._settle(me, job, outcome)]
        expected = self._claim(me, most)
        assert answer.alive
        assert answer.refused == refused
        assert [(job.id, int(job.attempt)) for job in answer.jobs] == expected
        self.held[me] = list(held) if lost else answer.jobs if most else []

    @rule(which=st.integers(0, 1))
    def release(self, which: int) -> None:
        """The beat takes away what waits behind a slow job."""
        claims = self.actors[which]
        me = claims.entry.incarnation
        behind = self.held[me][1:]
        if behind:
            self.held[me] = self.held[me][:1]
            self._release(claims, behind)

    def _release(self, claims: ActorOperations, behind: list[ClaimedJob]) -> None:
        me = claims.entry.incarnation
        count = self.store.run(claims.release(0, behind))
        handed_back = 0
        for claimed in reversed(behind):
            job = self.jobs[claimed.id]
            if not self._fenced(me, claimed) or job.status not in (_S.STARTED, _S.STOPPING):
                continue
            self.claimed[me].remove(claimed.id)
            if job.status is _S.STOPPING:
                job.go(_S.STOPPED)
                continue
            job.go(_S.DISPATCHED)
            job.owner = None
            self.queue.appendleft(claimed.id)
            handed_back += 1
        assert count == handed_back

    @rule(which=st.integers(0, 1), leaving=st.booleans())
    def die(self, which: int, leaving: bool) -> None:
        """An incarnation is recovered, by itself or by a supervisor, and another joins; the old one may come back."""
        claims = self.actors.pop(which)
        me = claims.entry.incarnation
        self.store.run(claims.leave() if leaving else self.recoveries.recover(me, proven_dead=True))
        for job_id in reversed(self.claimed[me]):
            job = self.jobs[job_id]
            if job.status is _S.STARTED and job.owner == _owner(me):
                job.redeliveries += not leaving
                if job.redeliveries > KEEP.max_redeliveries:
                    job.go(_S.ERROR)
                else:
                    job.go(_S.DISPATCHED)
                    job.owner = None
                    self.queue.appendleft(job_id)
            elif job.status is _S.STOPPING and job.owner == _owner(me):
                job.go(_S.STOPPED)
            elif job.status is _S.DISPATCHED:
                self.queue.appendleft(job_id)
        self.claimed[me] = []
        self.zombies.append(claims)
        self._join()

    @rule(outcome=st.sampled_from(["finished", "error", "retry"]))
    @precondition(lambda self: self.zombies)
    def zombie(self, outcome: str) -> None:
        """Whoever was declared dead comes back with its results, and changes nothing."""
        claims = self.zombies.pop()
        held = self.held[claims.entry.incarnation]
        answer = self.store.run(claims.turn(0, [_settled(job, outcome) for job in held], 3))
        assert (answer.alive, answer.jobs) == (False, [])
        # It may hold one that it had settled in time, with the answer lost: that is none of its refused.
        assert not {j.id for j in held} - set(answer.refused) - {i for i, j in self.jobs.items() if j.status.terminal}

    # -- the model's actors --------------------------------------------------------------------------------------------

    def _fenced(self, me: str, claimed: ClaimedJob) -> bool:
        job = self.jobs[claimed.id]
        return job.owner == _owner(me) and str(job.attempt) == claimed.attempt

    def _settle(self, me: str, claimed: ClaimedJob, outcome: str) -> bool:
        """Says whether it is not refused."""
        job = self.jobs[claimed.id]
        mine = self._fenced(me, claimed)
        if mine and claimed.id in self.claimed[me]:
            self.claimed[me].remove(claimed.id)
        if mine and job.status in (_S.STARTED, _S.STOPPING):
            if outcome == "retry":
                stopped = job.status is _S.STOPPING
                job.go(_S.STOPPED if stopped else _S.SCHEDULED)
                job.owner = _owner(me) if stopped else None
            else:
                job.go(_S.FINISHED if outcome == "finished" else _S.ERROR)
            return True
        return mine and job.status.terminal

    def _claim(self, me: str, most: int) -> list[tuple[str, int]]:
        mine = self.claimed[me]
        ids = mine[:most]
        while len(ids) < most and self.queue:
            ids.append(self.queue.popleft())
            mine.append(ids[-1])
        given: list[tuple[str, int]] = []
        for job_id in ids:
            job = self.jobs[job_id]
            if job.status is _S.STOPPING and job.owner == _owner(me):
                job.go(_S.STOPPED)  # it was claimed, and stopped before it could begin
            again = job.status is _S.STARTED and job.owner == _owner(me)
            if job.status is _S.DISPATCHED:
                job.go(_S.STARTED)
                job.owner, job.attempt = _owner(me), job.attempt + 1
            elif not again or (job_id, job.attempt) in given:
                mine.remove(job_id)
                continue
            given.append((job_id, job.attempt))
        return given

    # -- comparison ----------------------------------------------------------------------------------------------------

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        def run(*args: str | int) -> Any:
            return self.store.run(Op(args, lambda answer: answer))

        for job_id, job in self.jobs.items():
            status, owner, attempt = run("HMGET", self.keys.job(job_id), "status", "owner", "attempt")
            assert (status, int(attempt or 0)) == (job.status.value, job.attempt)
            if not job.status.terminal:
                assert owner == job.owner
            assert run("LLEN", self.keys.reply(job_id)) == job.status.terminal
        assert run("LRANGE", self.keys.work("osis"), 0, -1) == list(self.queue)
        for incarnation, ids in self.claimed.items():
            assert run("LRANGE", self.keys.claimed(incarnation, 0), 0, -1) == ids
        told: dict[str, list[JobStatus]] = collections.defaultdict(list)
        for _, flat in run("XRANGE", self.keys.events, "-", "+"):
            for job_id, status in zip(flat[::2], flat[1::2], strict=True):
                told[job_id].append(JobStatus(status))
        assert told == {job_id: job.seen for job_id, job in self.jobs.items()}


class Late(Interleaving):
    """The same over a network that delivers late: requests of broken connections arrive after those of new ones."""

    def __init__(self) -> None:
        super().__init__()
        #: Every claim that was ever answered, with who made it.
        self.given: dict[tuple[str, str, str], tuple[ActorOperations, ClaimedJob]] = {}

    @invariant()
    def nothing_is_lost(self) -> None:
        for claims in self.actors:
            me = claims.entry.incarnation
            self.given |= {(me, job.id, job.attempt): (claims, job) for job in self.held[me]}
        for job_id, job in self.jobs.items():
            if job.status is _S.DISPATCHED:
                assert job_id in self.queue or any(job_id in ids for ids in self.claimed.values())
            elif job.status in (_S.STARTED, _S.STOPPING):
                assert job.owner is not None
                assert job_id in self.claimed[job.owner.partition("/")[0]]

    @rule(pick=st.integers(0, 19), outcome=st.sampled_from(["finished", "error", "retry"]))
    @precondition(lambda self: self.given)
    def settle_late(self, pick: int, outcome: str) -> None:
        claims, job = list(self.given.values())[-1 - pick % len(self.given)]
        answer = self.store.run(claims.turn(0, [_settled(job, outcome)], 0))
        assert answer.refused == ([] if self._settle(claims.entry.incarnation, job, outcome) else [job.id])

    @rule(pick=st.integers(0, 19))
    @precondition(lambda self: self.given)
    def release_late(self, pick: int) -> None:
        claims, claimed = list(self.given.values())[-1 - pick % len(self.given)]
        me = claims.entry.incarnation
        self.held[me] = [job for job in self.held[me] if job != claimed]
        self._release(claims, [claimed])

    @rule(which=st.integers(0, 1))
    def claim_again(self, which: int) -> None:
        """A job fails, an operator has it run again, and the same lane claims it: one holder, two attempts."""
        held = self.held[self.actors[which].entry.incarnation]
        if held:
            self.turn(which, 0, "error", True, False)
            self.retry(int(held[0].id[1:]))
            self.turn(which, 4, "finished", True, False)

    @rule(which=st.integers(0, 1))
    def take_late(self, which: int) -> None:
        """A blocked command of a broken connection is served, whatever the lane holds by now."""
        claims = self.actors[which]
        if self.queue:
            self.store.run(claims.take(0))
            self.claimed[claims.entry.incarnation].append(self.queue.popleft())


def _owner(incarnation: str) -> str:
    """The one lane of an incarnation, as a job names its holder."""
    return f"{incarnation}/0"


def _settled(job: ClaimedJob, outcome: str) -> Settlement:
    if outcome == "finished":
        return Settlement(job.id, job.attempt, _S.FINISHED, "42")
    failed = Settlement(job.id, job.attempt, _S.ERROR, error="it broke", error_kind="oops")
    failed.retry_in_s = 0 if outcome == "retry" else None
    return failed


@pytest.mark.parametrize("machine", [Interleaving, Late])
def test_in_any_interleaving_the_store_does_what_the_model_does(tmp_path: Path, machine: type[Interleaving]) -> None:
    Interleaving.server = ValkeyServer(Path(tempfile.mkdtemp(dir=tmp_path))).start()
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


def test_a_late_result_of_an_earlier_attempt_by_the_same_holder_is_refused(own_valkey: ValkeyServer) -> None:
    """A walk that chance takes too seldom: the owner is right, the attempt alone tells."""
    Interleaving.server = own_valkey
    walk = Late()
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
    assert [job.status for job in walk.jobs.values()] == [_S.STARTED]
    walk.teardown()
