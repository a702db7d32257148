"""An id may have many lives. Nothing of one is left for the next: no entry, key, place, reply, line or count.

Hypothesis chooses the steps: create, start, stop, delete, retry, expire, purge, run, create again, in any order. After
each step everything in the store that names an id is compared with the model.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import orjson
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

from hero_job import JobBuilder, JobInvalid, JobNotFound, JobStateError, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.job import Job
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, ClaimedJob, Settlement
from hero_job.operations.batches import purge_queue
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is
from tests.chaos.lives_model import IDLE, Life, LivesModel
from tests.valkey_server import ValkeyServer

IDS = ("x", "y", "z")
_NAMESPACES = itertools.count()
_ids = st.sampled_from(IDS)


class Lives(RuleBasedStateMachine):
    """The store and the model, side by side."""

    server: ClassVar[ValkeyServer]

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(self.server.unix_url)
        self.operations = Operations(f"l{next(_NAMESPACES)}")
        self.keys = self.operations.keys
        self.model = LivesModel()
        self.held: dict[str, ClaimedJob] = {}

    def teardown(self) -> None:
        self.store.close()

    @initialize()
    def an_actor(self) -> None:
        entry = ActorEntry(incarnation="a", name="a", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1,
                           engine="rhai", engine_version="1")  # fmt: skip
        self.actor = ActorOperations(entry, self.keys.namespace, lease_s=600)
        assert self.store.run(self.actor.join())

    def _status(self, job_id: str) -> JobStatus | None:
        life = self.model.lives.get(job_id)
        return None if life is None else life.status

    def _raw(self, *command: str | int) -> Any:
        return self.store.run(Op(command, as_is))

    # -- submitters and operators --------------------------------------------------------------------------------------

    @rule(job_id=_ids, reads=st.lists(_ids, max_size=2, unique=True), asks=st.tuples(*[st.booleans()] * 4),
          start=st.booleans())  # fmt: skip
    def create(self, job_id: str, reads: list[str], asks: tuple[bool, bool, bool, bool], start: bool) -> None:
        if job_id in self.model.lives:
            return
        reads = [other for other in reads if other in self.model.lives]
        unique, limited, batch, delayed = asks
        life = self.model.new_life(reads=reads, unique=unique, limited=limited, batch=batch, delayed=delayed)
        answer = self.store.run(self.operations.create(_job(job_id, life), start=start))
        holder = self.model.holder
        if not self.model.create(job_id, life):
            assert answer == holder
            return
        assert answer == job_id
        if start:
            self.model.start(job_id)

    @rule(job_id=_ids)
    def start(self, job_id: str) -> None:
        if self._status(job_id) is JobStatus.CREATED:
            self.store.run(self.operations.start(job_id))
            self.model.start(job_id)
        else:
            with pytest.raises((JobNotFound, JobStateError)):
                self.store.run(self.operations.start(job_id))

    @rule(job_id=_ids)
    def stop(self, job_id: str) -> None:
        status = self._status(job_id)
        if status is None:
            with pytest.raises(JobNotFound):
                self.store.run(self.operations.stop(job_id))
            return
        if status in IDLE:
            self.model.end(job_id, JobStatus.STOPPED)
        elif status is JobStatus.STARTED:
            self.model.lives[job_id].status = JobStatus.STOPPING
        assert self.store.run(self.operations.stop(job_id)) is self._status(job_id)

    @rule(job_id=_ids)
    def delete(self, job_id: str) -> None:
        status = self._status(job_id)
        if status in (None, JobStatus.STARTED, JobStatus.STOPPING):
            with pytest.raises((JobNotFound, JobStateError)):
                self.store.run(self.operations.delete(job_id))
        else:
            self.store.run(self.operations.delete(job_id))
            self.model.delete(job_id)

    @rule(job_id=_ids, reads=st.lists(_ids, max_size=1), asks=st.tuples(*[st.booleans()] * 4), start=st.booleans())
    def live_again(self, job_id: str, reads: list[str], asks: tuple[bool, bool, bool, bool], start: bool) -> None:
        """Chance alone rarely takes these steps one after the other."""
        self.delete(job_id)
        self.nothing_of_a_former_life_is_left()
        self.create(job_id, reads, asks, start)

    @rule(job_id=_ids)
    def retry(self, job_id: str) -> None:
        life = self.model.lives.get(job_id)
        refused: tuple[type[Exception], ...] = ()
        if life is None:
            refused = (JobNotFound,)
        elif life.status not in (JobStatus.ERROR, JobStatus.STOPPED):
            refused = (JobStateError,)
        elif life.unique and self.model.holder not in (None, job_id):
            refused = (JobInvalid,)
        if refused:
            with pytest.raises(refused):
                self.store.run(self.operations.retry(job_id))
        else:
            self.store.run(self.operations.retry(job_id))
            self.model.retry(job_id)

    @rule()
    def purge(self) -> None:
        queued = {*self._raw("LRANGE", self.keys.work("osis"), 0, -1)}
        self.store.drive(purge_queue(self.operations, ScriptType.OSIS))
        for job_id in sorted(queued & self.model.lives.keys()):
            if self._status(job_id) is JobStatus.DISPATCHED:
                self.model.end(job_id, JobStatus.STOPPED)

    # -- time ----------------------------------------------------------------------------------------------------------

    @rule(job_id=_ids)
    def expire(self, job_id: str) -> None:
        life = self.model.lives.get(job_id)
        if life is None or life.is_plain or life.status not in IDLE[1:]:
            return
        self._raw("ZADD", self.keys.expiring, 1, job_id)
        self.store.run(self.operations.admin.promote())
        self.model.end(job_id, JobStatus.ERROR)

    @rule(job_id=_ids)
    def become_due(self, job_id: str) -> None:
        if self._status(job_id) is JobStatus.SCHEDULED:
            self._raw("ZADD", self.keys.scheduled, 1, job_id)
            self.store.run(self.operations.admin.promote())
            self.model.lives[job_id].status = JobStatus.DISPATCHED

    # -- an actor ------------------------------------------------------------------------------------------------------

    @rule()
    @precondition(lambda self: not self.held)
    def claim(self) -> None:
        lives = self.model.lives
        jobs = self.store.run(self.actor.turn(0, [], len(self.held) + 10)).jobs
        new = [job for job in jobs if job.id not in self.held]
        for job_id in [i for i, life in lives.items() if life.status is JobStatus.DISPATCHED]:
            # What it was to read is over. It may also stand in the line of its key, and learn that later.
            if self.model.lacks_input(job_id) and self.store.run(self.operations.status(job_id)) is JobStatus.ERROR:
                self.model.end(job_id, JobStatus.ERROR)
        for job in new:
            assert lives[job.id].status is JobStatus.DISPATCHED
            assert job.script == str(lives[job.id].number)
            assert not self.model.lacks_input(job.id) or -1 in lives[job.id].reads.values()
            lives[job.id].status = JobStatus.STARTED
            self.held[job.id] = job
            number = str(lives[job.id].number)
            assert self.store.run(self.actor.write_log(0, job, [("info", number)]))
        running = [life for life in lives.values() if life.limited and life.status in _RUNNING]
        assert len(running) <= 1
        left = [life for life in lives.values() if life.status is JobStatus.DISPATCHED]
        assert all(life.limited and running for life in left), "nobody is left in the queue without a reason"

    @rule(outcome=st.sampled_from(["finished", "error", "repeat"]))
    @precondition(lambda self: self.held)
    def settle(self, outcome: str) -> None:
        job_id, job = next(iter(self.held.items()))
        del self.held[job_id]
        settlement = Settlement(job.id, job.attempt, JobStatus.FINISHED, "42")
        if outcome != "finished":
            settlement = Settlement(job.id, job.attempt, JobStatus.ERROR, error="it broke", error_kind="oops")
            settlement.retry_in_s = 3600 if outcome == "repeat" else None
        life = self.model.lives[job_id]
        assert self.store.run(self.actor.turn(0, [settlement], 0)).refused == []
        if outcome == "repeat" and life.status is JobStatus.STARTED:
            life.status = JobStatus.SCHEDULED
        else:
            self.model.end(job_id, JobStatus.STOPPED if outcome == "repeat" else settlement.status)

    # -- comparison ----------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_of_a_former_life_is_left(self) -> None:
        lives, prefix, keys = self.model.lives, self.keys.prefix, self.keys
        commands: list[tuple[str | int, ...]] = []
        for job_id in IDS:
            commands += [
                ("HMGET", keys.job(job_id), "status", "script"),
                ("LRANGE", keys.reply(job_id), 0, -1),
                ("XRANGE", keys.log(job_id), "-", "+"),
                ("SMEMBERS", prefix + KeyPart.DEPENDENTS + job_id),
                ("SMEMBERS", prefix + KeyPart.READERS + job_id),
            ]
        commands += [
            ("ZRANGE", keys.dead_jobs, 0, -1),
            ("ZRANGE", keys.scheduled, 0, -1),
            ("ZRANGE", keys.expiring, 0, -1),
            ("SMEMBERS", f"{prefix}{KeyPart.LIMIT_RUNNING}c"),
            ("GET", f"{prefix}{KeyPart.UNIQUE}u"),
            ("HGETALL", keys.batch("b")),
        ]
        answers: list[Any] = self.store.run_many([Op(command, as_is) for command in commands])
        for number, job_id in enumerate(IDS):
            (status, script), replies, lines, dependents, readers = answers[5 * number : 5 * number + 5]
            life = lives.get(job_id)
            if life is None:
                assert (status, script) == (None, None)
            else:
                assert (status, script) == (life.status.value, str(life.number)), job_id
            ended = life is not None and life.status.terminal
            assert [orjson.loads(reply)["status"] for reply in replies] == ([status] if ended else [])
            assert {flat[-1] for _, flat in lines} <= ({str(life.number)} if life else set())
            assert {*dependents} == {other for other, waits in lives.items() if job_id in waits.pending}
            assert {*readers} <= {
                i for i, reader in lives.items() if job_id in reader.reads and not reader.status.terminal
            }
        dead, scheduled, expiring, running, holder, batch = answers[5 * len(IDS) :]

        def with_status(fits: Callable[[Life], bool]) -> set[str]:
            return {job_id for job_id, life in lives.items() if fits(life)}

        assert {*dead} == with_status(lambda life: life.status is JobStatus.ERROR)
        assert {*scheduled} == with_status(lambda life: life.status is JobStatus.SCHEDULED)
        assert expiring == []
        assert {*running} <= with_status(lambda life: life.limited and life.status in (JobStatus.DISPATCHED, *_RUNNING))
        assert holder == self.model.holder
        counts = batch if isinstance(batch, dict) else dict(zip(batch[::2], batch[1::2], strict=True))
        for name in ("open", "finished", "error", "stopped"):
            assert int(counts.get(name, 0)) == self.model.batch[name], name


_RUNNING = (JobStatus.STARTED, JobStatus.STOPPING)


def _job(job_id: str, life: Life) -> Job:
    builder = JobBuilder().id(job_id).caller_id("a").context_id("b").script_type("osis").script(str(life.number))
    if life.reads:
        builder = builder.prerequisites(list(life.reads))
    if life.unique:
        builder = builder.unique("u")
    if life.limited:
        builder = builder.concurrency("c")
    if life.delayed:
        builder = builder.delay(3600)
    return dataclasses.replace(builder.build(), batch="b" if life.batch else None)


@pytest.mark.timeout(900)
def test_nothing_of_a_former_life_of_an_id_is_left_for_the_next(own_valkey: ValkeyServer) -> None:
    own_valkey.command("CONFIG", "SET", "appendfsync", "no")
    Lives.server = own_valkey
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=100, stateful_step_count=40, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
