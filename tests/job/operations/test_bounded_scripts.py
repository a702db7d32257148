"""No script does more than a bounded amount of work, however long the lists and sets are that it meets.

The server counts the commands that each call of a script runs; the clock counts nothing here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeVar

import pytest

from hero_job import Job, JobInvalid, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.fields.limits import MAX_IDS
from hero_job.model.overview.pages import SearchPage
from hero_job.model.views import JobPage
from hero_job.operations.actor_operations import Recoveries, Settlement
from hero_job.operations.batches import purge_queue, resume_queue
from hero_job.operations.flow import Flow
from hero_job.operations.operations import Operations
from hero_job.operations.overview.lists import list_active, search_jobs
from hero_job.operations.store_clock import ClockWatch
from hero_job.operations.values import MAX_VALUES, Values
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op
from tests.job.conftest import MakeActor, MakeJob
from tests.valkey_server import ValkeyServer

T = TypeVar("T")
#: Commands of one call: about ten for each of 1,000 records.
MOST = 12_000
#: Commands of one call that moves or ends few jobs of many.
FEW = 400
#: Makes many records in little time. KEYS[1] any key of the namespace; ARGV: prefix, first and last number, what, more.
MAKE = """
local ns, first, last, what = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
table.remove(ARGV, 1)
for n = first, last do
  local id, key = 'm' .. n, ns .. 'job:m' .. n
  if what == 'ids' then redis.call('RPUSH', KEYS[1], id)
  elseif what == 'claimed' then
    redis.call('HSET', key, 'status', 'started', 'owner', ARGV[4], 'attempt', '1', 'script_type', 'osis', 'script', '1',
      'caller_id', 'c', 'context_id', 'x', 'extra', '0')
    redis.call('RPUSH', KEYS[1], id)
  elseif what == 'dependents' then
    redis.call('HSET', key, 'status', 'waiting_for_prerequisites', 'script_type', 'osis', 'script', '1',
      'caller_id', 'c', 'context_id', 'x', 'extra', '1', 'pending', '1', 'prerequisites', '["root"]')
    redis.call('SADD', KEYS[1], id)
  elseif what == 'chain' then
    local last = n > 1 and 'm' .. (n - 1) or 'root'
    redis.call('HSET', key, 'status', 'waiting_for_prerequisites', 'script_type', 'osis', 'script', '1',
      'caller_id', 'c', 'context_id', 'x', 'extra', '1', 'pending', '1', 'prerequisites', cjson.encode({ last }))
    redis.call('SADD', ARGV[4] .. last, id)
  elseif what == 'dead' then redis.call('ZADD', KEYS[1], n, id)
  elseif what == 'values' then redis.call('HSET', KEYS[1], id, '1')
  elseif what == 'actors' then
    redis.call('HSET', KEYS[1], id, '{"suffix":"osis","name":"osis","host":"here","pid":1,"lanes":2,' ..
      '"engine":"rhai","engine_version":"1","spare_lanes":1}')
    if n % 2 == 0 then
      redis.call('HSET', ARGV[4] .. id, 'beat_at', '2999-01-01T00:00:00.000Z')
      redis.call('PEXPIRE', ARGV[4] .. id, 7300000)
    end
    redis.call('RPUSH', ARGV[5] .. id .. ':1', id)
    redis.call('HSET', key, 'status', 'started', 'owner', id .. '/1', 'attempt', '1', 'script_type', 'osis',
      'script', '1', 'caller_id', 'c', 'context_id', 'x', 'extra', '0')
  elseif what == 'scheduled' then
    redis.call('HSET', key, 'status', 'scheduled', 'script_type', 'osis', 'script', '1', 'caller_id', 'c',
      'context_id', 'x', 'extra', '1', 'expires_ms', '1')
    redis.call('ZADD', KEYS[1], n, id)
  end
end
"""


class Counted:
    """A store that knows how many commands the costliest of its round trips has run on the server."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.store = Store(server.url)
        self.most = 0
        server.command("CONFIG", "SET", "appendfsync", "no")

    def make(self, key: str, prefix: str, count: int, what: str, *more: str) -> None:
        for first in range(1, count + 1, 1000):
            last = min(count, first + 999)
            self.store.run(Op(("EVAL", MAKE, 1, key, prefix, first, last, what, *more), lambda answer: answer))

    def run(self, op: Op[T]) -> T:
        self.server.command("CONFIG", "RESETSTAT")
        try:
            return self.store.run(op)
        finally:
            self.most = max(self.most, sum(self.server.command_calls().values()))

    def drive(self, flow: Flow[T]) -> T:
        """Run the operations of a flow one by one."""
        results: list[Any] = []
        try:
            ops = next(flow)
            while True:
                results = [self.run(op) for op in ops]
                ops = flow.send(results)
        except StopIteration as end:
            value: T = end.value
            return value

    def settle(self, operations: Operations) -> int:
        """Let the clock go on until nothing is left; return how many calls that took."""
        calls = 1
        while self.run(operations.admin.promote())[0]:
            calls += 1
        return calls


@pytest.fixture
def counted(own_valkey: ValkeyServer) -> Iterator[Counted]:
    counted = Counted(own_valkey)
    yield counted
    counted.store.close()
    assert 0 < counted.most <= MOST


@pytest.fixture
def store(counted: Counted) -> Store:
    return counted.store


@pytest.mark.parametrize(
    ("end", "many"), [("finished", 10_000), ("stopped", 4_000), ("deleted", 10_000), ("purged", 10_000)]
)
def test_the_end_of_a_job_with_very_many_dependents(
    counted: Counted, operations: Operations, make_job: MakeJob, make_actor: MakeActor, end: str, many: int
) -> None:
    actor, prefix = make_actor(), operations.keys.prefix
    counted.store.run(operations.create(make_job(id="root"), start=True))
    counted.make(prefix + KeyPart.DEPENDENTS + "root", prefix, many, "dependents")
    counted.store.run(Op(("HSET", operations.keys.job("root"), "extra", "1"), int))
    if end == "finished":
        (job,) = counted.run(actor.turn(0, [], 1)).jobs
        counted.run(actor.turn(0, [Settlement(job.id, job.attempt, JobStatus.FINISHED, "42")], 0))
    else:
        ops: dict[str, Op[Any]] = {
            "stopped": operations.stop("root"),
            "deleted": operations.delete("root"),
            "purged": operations.admin.purge(ScriptType.OSIS),
        }
        counted.run(ops[end])
    assert counted.settle(operations) > many / 1000
    expected = JobStatus.DISPATCHED if end == "finished" else JobStatus.ERROR
    for n in range(1, many + 1, 1999):
        assert counted.store.run(operations.status(f"m{n}")) is expected
    assert counted.store.run(Op(("EXISTS", prefix + KeyPart.UNSETTLED), int)) == 0
    assert counted.store.run(Op(("EXISTS", prefix + KeyPart.DEPENDENTS + "root"), int)) == 0


def test_a_registry_of_very_many_actors(counted: Counted, operations: Operations, recoveries: Recoveries) -> None:
    keys, many = operations.keys, 6_000
    counted.make(keys.actors, keys.prefix, many, "actors", keys.actor(""), keys.claimed("x", 0).removesuffix("x:0"))
    names = {f"m{n}" for n in range(1, many + 1)}
    assert {actor.incarnation for actor in counted.drive(operations.admin.actors())} == names
    now_ms, expired = counted.drive(recoveries.expired())
    assert set(expired) == {f"m{n}" for n in range(1, many + 1, 2)}
    assert now_ms > 0

    running: list[str] = []
    cursor = ""
    while True:
        page = counted.drive(list_active(operations, cursor=cursor, count=500))
        running += [job.record.job.id for job in page.jobs]
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(running) == sorted(names)

    # A clock that was set back makes every lease longer, by an hour here; each is shortened once.
    counted.server.command("HSET", keys.clock, "at", str(now_ms + 3_600_000))
    watch = ClockWatch(keys.namespace)
    looks = 1
    while counted.run(watch.look()).left:
        looks += 1
    assert looks > many / 1000
    for n in range(2, many + 1, 398):
        left_ms = int(str(counted.server.command("PTTL", keys.actor(f"m{n}"))))
        assert 0 < left_ms <= 3_700_000
    assert counted.server.command("HEXISTS", keys.clock, "leases_ms") == 0


@pytest.mark.parametrize("leaves", [True, False])
def test_the_recovery_of_an_actor_that_has_claimed_very_many_jobs(
    counted: Counted, operations: Operations, make_actor: MakeActor, recoveries: Recoveries, leaves: bool
) -> None:
    many, actor = 4_000, make_actor()
    me = actor.entry.incarnation
    claimed = operations.keys.claimed(me, 0)
    counted.make(claimed, operations.keys.prefix, many, "claimed", f"{me}/0")
    recovery = counted.run(actor.leave() if leaves else recoveries.recover(me, proven_dead=True))
    assert recovery.more
    # Its caller may die: another supervisor finds the rest among the dead.
    assert counted.run(recoveries.buried()) == [me]
    while recovery.more:
        recovery = counted.run(recoveries.recover(me, proven_dead=False))
    queue = operations.keys.work("osis")
    assert counted.store.run(Op(("LLEN", queue), int)) == many
    assert counted.store.run(Op(("LRANGE", queue, 0, 1), list)) == ["m1", "m2"]
    assert counted.store.run(Op(("HEXISTS", operations.keys.job("m1"), "suspect"), bool)) is not leaves
    assert not counted.store.run(Op(("EXISTS", claimed), int))


def test_a_lane_with_very_many_claimed_jobs_takes_its_turn(
    counted: Counted, operations: Operations, make_actor: MakeActor
) -> None:
    actor = make_actor()
    me = actor.entry.incarnation
    counted.make(operations.keys.claimed(me, 0), operations.keys.prefix, 4_000, "claimed", f"{me}/0")
    assert [job.id for job in counted.run(actor.turn(0, [], 2)).jobs] == ["m1", "m2"]


def test_a_queue_is_resumed_in_which_another_program_has_put_very_many_ids(
    counted: Counted, operations: Operations, make_job: MakeJob
) -> None:
    many, queue = 40_000, operations.keys.work("osis")
    counted.store.run(operations.admin.pause(ScriptType.OSIS))
    counted.store.run(operations.create(make_job(id="held"), start=True))
    counted.make(queue, operations.keys.prefix, many, "ids")
    assert counted.drive(resume_queue(operations, ScriptType.OSIS))
    assert counted.store.run(Op(("LRANGE", queue, 0, 1), list)) == ["held", "m1"]
    assert counted.store.run(Op(("LLEN", queue), int)) == many + 1
    assert not counted.drive(resume_queue(operations, ScriptType.OSIS))


def test_a_job_before_the_end_of_a_very_long_chain_of_prerequisites(
    counted: Counted, operations: Operations, make_job: MakeJob
) -> None:
    many = 4_000
    counted.store.run(operations.create(make_job(id="root")))
    prefix = operations.keys.prefix
    counted.make(operations.keys.job("root"), prefix, many, "chain", prefix + KeyPart.DEPENDENTS)
    counted.store.run(Op(("HSET", operations.keys.job("root"), "extra", "1"), int))
    counted.store.run(operations.create(make_job(id="last")))
    # The chain is too long to be walked, but the dependent has nothing after it.
    counted.run(operations.create(before(make_job(id="before", prerequisites=[f"m{many}"]), ["last"])))
    assert counted.store.run(operations.record("last")).status is JobStatus.CREATED
    # Nobody can tell this in few steps, from neither end.
    with pytest.raises(JobInvalid, match="too many jobs come before"):
        counted.run(operations.create(before(make_job(prerequisites=[f"m{many}"]), ["root"])))
    # These can be told.
    with pytest.raises(JobInvalid, match="would wait for itself"):
        counted.run(operations.create(before(make_job(prerequisites=["m900"]), ["root"])))
    with pytest.raises(JobInvalid, match="would wait for itself"):
        counted.run(operations.create(before(make_job(prerequisites=[f"m{many}"]), [f"m{many - 500}", "m9"])))
    # The end of the chain goes on in pages, too.
    counted.run(operations.stop("root"))
    counted.settle(operations)
    assert counted.store.run(operations.status(f"m{many}")) is JobStatus.ERROR


def test_jobs_with_very_many_prerequisites(
    counted: Counted, operations: Operations, make_job: MakeJob, make_actor: MakeActor
) -> None:
    actor, names = make_actor(), [f"m{n}" for n in range(1, MAX_IDS + 1)]
    counted.make(operations.keys.claimed("nobody", 0), operations.keys.prefix, MAX_IDS, "claimed", "nobody/0")
    wide = [make_job(id=f"w{n}", prerequisites=names) for n in range(8)]
    for job in wide:
        counted.run(operations.create(job, start=True))
    with pytest.raises(JobInvalid, match="more than"):
        make_job(prerequisites=[*names, "one"])
    # One more job takes no more prerequisites than it may have by itself.
    counted.store.run(operations.create(make_job(id="full")))
    for n in range(MAX_IDS):
        counted.store.run(operations.create(before(make_job(id=f"b{n}"), ["full"])))
    with pytest.raises(JobInvalid, match="takes no more"):
        counted.run(operations.create(before(make_job(), ["full"])))
    for n in range(1, MAX_IDS + 1):
        counted.store.run(Op(("HSET", operations.keys.job(f"m{n}"), "status", "finished", "output", "1"), int))
    for job in wide:
        counted.store.run(Op(("HSET", operations.keys.job(job.id), "pending", 0, "status", "dispatched"), int))
        counted.store.run(Op(("RPUSH", operations.keys.work("osis"), job.id), int))
    # A turn that reads the outputs of very many prerequisites leaves the jobs behind it in their queue, in order.
    order: list[str] = []
    while jobs := counted.run(actor.turn(0, [], 8)).jobs:
        order += [job.id for job in jobs]
        assert len(jobs) == 1
        counted.store.run(Op(("DEL", operations.keys.claimed(actor.entry.incarnation, 0)), int))
    assert order == [job.id for job in wide]


def test_a_foreign_job_with_too_many_prerequisites_is_damaged(
    counted: Counted, operations: Operations, make_actor: MakeActor
) -> None:
    actor, ids = make_actor(), ",".join(f'"m{n}"' for n in range(40_000))
    counted.store.run(
        Op(("HSET", operations.keys.job("f"), "script_type", "osis", "script", "1", "prerequisites", f"[{ids}]"), int)
    )
    counted.store.run(Op(("RPUSH", operations.keys.work("osis"), "f"), int))
    assert counted.run(actor.turn(0, [], 1)).jobs == []
    record = counted.store.run(operations.outcome("f"))
    assert record is not None
    assert record.error_kind == "damaged"
    assert f"more than {MAX_IDS} jobs" in str(record.error)


def test_dead_letters_that_grow_old_together(counted: Counted, operations: Operations, make_job: MakeJob) -> None:
    counted.make(operations.keys.dead_jobs, operations.keys.prefix, 40_000, "dead")
    gone = []
    for _ in range(3):
        before = counted.store.run(operations.admin.dead_count())
        job_id = counted.store.run(operations.create(make_job(prerequisites=[stopped(counted, operations, make_job)])))
        counted.run(operations.start(job_id))
        gone.append(before + 1 - counted.store.run(operations.admin.dead_count()))
    assert gone == [1000, 1000, 1000]


def before(job: Job, dependents: list[str]) -> Job:
    return dataclasses.replace(job, dependents=tuple(dependents))


def stopped(counted: Counted, operations: Operations, make_job: MakeJob) -> str:
    job_id = counted.store.run(operations.create(make_job()))
    counted.store.run(operations.stop(job_id))
    return job_id


def test_very_many_jobs_that_are_due_and_expire_together(counted: Counted, operations: Operations) -> None:
    counted.make(operations.keys.scheduled, operations.keys.prefix, 3_000, "scheduled")
    counted.make(operations.keys.expiring, operations.keys.prefix, 3_000, "scheduled")
    assert counted.settle(operations) > 3
    assert counted.store.run(Op(("ZCARD", operations.keys.expiring), int)) == 0
    assert counted.most <= 2 * FEW, "of two kinds"


def test_a_long_queue_is_purged_in_calls_of_few_commands(
    counted: Counted, operations: Operations, make_job: MakeJob
) -> None:
    for _ in range(300):
        counted.store.run(operations.create(make_job(), start=True))
    counted.most = 0

    assert counted.drive(purge_queue(operations, ScriptType.OSIS)) == 300

    assert counted.most <= FEW


def test_values_that_end_together(counted: Counted, operations: Operations) -> None:
    values = Values(operations.keys.namespace)
    context, ends = operations.keys.values("x"), operations.keys.value_ends("x")
    counted.make(context, operations.keys.prefix, MAX_VALUES, "values")
    counted.make(ends, operations.keys.prefix, MAX_VALUES, "values")
    assert counted.run(values.names("x", "")) == []


def test_a_page_of_jobs_is_short(counted: Counted, operations: Operations) -> None:
    counted.make(operations.keys.claimed("nobody", 0), operations.keys.prefix, 6_000, "claimed", "nobody/0")
    page = counted.run(operations.admin.page(count=10_000))
    assert page.records
    assert page.cursor


@pytest.mark.parametrize("walk", ["page", "search"])
def test_a_page_of_jobs_with_large_results_ends_early(
    counted: Counted, operations: Operations, make_job: MakeJob, walk: str
) -> None:
    ids = {f"large{n}" for n in range(120)}
    for job_id in ids:
        counted.store.run(operations.create(make_job(id=job_id)))
        counted.store.run(Op(("HSET", operations.keys.job(job_id), "output", "x" * 500_000), int))

    found, pages, cursor = list[str](), 0, ""
    while pages == 0 or cursor:
        page: JobPage | SearchPage = (
            counted.run(operations.admin.page(cursor, 1000))
            if walk == "page"
            else counted.run(search_jobs(operations, cursor, 5000))
        )
        # Jobs of 4 MiB and what one SCAN finds, which is a little more than 20 keys.
        assert len(page.records) < 9 + 40
        found += [record.job.id for record in page.records]
        cursor, pages = page.cursor, pages + 1

    assert set(found) == ids
    assert pages > 2
