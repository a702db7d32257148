"""A deployment, and each operation that writes to it: what `test_lost_answers.py` sends twice."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hero_job import JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.claim_types import ClaimedJob, Settlement
from hero_job.model.objects.acl import Right
from hero_job.model.overview.acts import ActKind, BulkAct
from hero_job.operations.actor_operations import ActorOperations, Recoveries
from hero_job.operations.batches import create_jobs
from hero_job.operations.credentials import Credentials, StoredToken
from hero_job.operations.damaged_records import damaged_records, delete_damaged
from hero_job.operations.events import Events
from hero_job.operations.flow import Flow
from hero_job.operations.foreign_ends import end_foreign_jobs
from hero_job.operations.objects.acl_changes import AclChanges
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects
from hero_job.operations.operations import Operations
from hero_job.operations.overview.acts import Acts
from hero_job.operations.schedules import Schedule, Schedules
from hero_job.operations.store_clock import ClockWatch
from hero_job.operations.values import Values
from hero_job.protocol.op import Op
from tests.job.conftest import MakeJob

ANY_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\b1\d{12}\b")  # as a text, and in ms

Step: TypeAlias = Op[Any] | Flow[Any]
Case: TypeAlias = "Callable[[Deployment], Step]"


class Deployment:
    """A store with an actor, and what the cases need."""

    def __init__(self, store: Store, operations: Operations, actor: ActorOperations, make_job: MakeJob) -> None:
        self.store, self.operations, self.actor, self.make_job = store, operations, actor, make_job
        namespace = operations.keys.namespace
        self.recoveries, self.schedules, self.values = Recoveries(namespace), Schedules(namespace), Values(namespace)
        self.credentials, self.events, self.objects = Credentials(namespace), Events(namespace), Objects(namespace)
        self.acls, self.acts, self.clock = AclChanges(namespace), Acts(operations), ClockWatch(namespace)
        self.me = actor.entry.incarnation

    def create(self, job_id: str = "j", *, start: bool = True, batch: str | None = None, **fields: Any) -> None:
        """Create a job."""
        job = dataclasses.replace(self.make_job(id=job_id, **fields), batch=batch)
        self.store.run(self.operations.create(job, start=start))

    def claim(self, **fields: Any) -> ClaimedJob:
        """Create a job that the actor holds."""
        self.create(**fields)
        return self.store.run(self.actor.turn(0, [], 1)).jobs[0]

    def fail(self) -> None:
        """Create a job that has failed."""
        job = self.claim()
        self.store.run(self.actor.turn(0, [Settlement(job.id, job.attempt, JobStatus.ERROR, error="e")], 0))

    def command(self, *words: Any) -> Any:
        """Send a command."""
        return self.store.run(Op(words, lambda answer: answer))

    def content(self) -> dict[str, object]:
        """Read the whole namespace, without times; streams without the ids of their entries."""
        found: dict[str, object] = {}
        prefix = self.operations.keys.prefix
        for key in sorted(self.command("KEYS", f"{prefix}*")):
            match self.command("TYPE", key):
                case "string":
                    value = self.command("GET", key)
                case "hash":
                    value = sorted(_pairs(self.command("HGETALL", key)))
                case "set":
                    value = sorted(self.command("SMEMBERS", key))
                case "list":
                    value = self.command("LRANGE", key, 0, -1)
                case "zset":
                    value = sorted(_pairs(self.command("ZRANGE", key, 0, -1, "WITHSCORES")))
                case _:
                    value = [fields for _, fields in self.command("XRANGE", key, "-", "+")]
            if key == self.operations.keys.control(self.me):
                value = sorted(set(value))  # an order that is sent again is obeyed once
            found[key.removeprefix(prefix)] = (ANY_TIME.sub("(time)", str(value)), self.command("PTTL", key) >= 0)
        return found


def _pairs(flat: Any) -> list[tuple[str, str]]:
    return list(zip(flat[::2], flat[1::2], strict=True)) if isinstance(flat, list) else list(flat.items())


def settle(d: Deployment, **fields: Any) -> Step:
    job = d.claim(batch="b", unique="u", **({"retries": 1} if fields.get("retry_in_s") else {}))
    d.create("next", prerequisites=["j"])
    return d.actor.turn(0, [Settlement(job.id, job.attempt, fields.pop("status", JobStatus.FINISHED), **fields)], 1)


def arranged(arrange: Callable[[Deployment], object], step: Case) -> Case:
    """A case whose step needs something in the store."""

    def case(d: Deployment) -> Step:
        arrange(d)
        return step(d)

    return case


def in_batch(d: Deployment) -> None:
    d.create(batch="b")


def three_queued(d: Deployment) -> None:
    for n in range(3):
        d.create(f"j{n}")


def paused_queue(d: Deployment) -> None:
    d.create()
    d.store.run(d.operations.admin.pause(ScriptType.OSIS))
    d.create("k")


def opened(d: Deployment) -> None:
    d.store.run(d.operations.open_batch("b", 3))
    d.create(batch="b")


def half_refused(d: Deployment) -> Step:
    jobs = [d.make_job(id="good"), d.make_job(id="lost", prerequisites=["ghost"])]
    return create_jobs(d.operations, jobs, batch_id="b")


def ended_by_another_program(d: Deployment) -> Step:
    d.create()
    d.command("HSET", d.operations.keys.job("j"), "status", "finished", "output", "42")
    return end_foreign_jobs(d.operations, ["j"], {"j"})


def due(d: Deployment) -> None:
    d.create(delay=1000)
    d.create("late", expires=1000)
    d.command("ZADD", d.operations.keys.scheduled, 1, "j")
    d.command("ZADD", d.operations.keys.expiring, 1, "late")


SCHEDULE = Schedule(
    name="s", job={"caller_id": "c", "context_id": "x", "script": "1", "script_type": "osis"}, interval_s=60
)
TOKEN = StoredToken(name="t", scope="read", sha256="0" * 64, created_at="2026-01-01T00:00:00Z")
ACT = BulkAct(act_id="a", kind=ActKind.STOP, reason="", who="", selects="", started_ms=1, updated_ms=1)
OWNER = ObjectAccess(context_id="alice", caller_id="alice")
SOON = "9999-01-01T00:00:00.000Z"


def put_schedule(d: Deployment) -> None:
    d.store.run(d.schedules.put(SCHEDULE, 60_000))


def put_value(d: Deployment) -> None:
    d.store.run(d.values.set("c", "v", "1"))


def put_token(d: Deployment) -> None:
    d.store.run(d.credentials.add_token(TOKEN))


def put_object(d: Deployment, title: str = "one") -> Flow[Any]:
    return d.objects.put(OWNER, "hero.task", "000001", {"title": title}, indexed=("title",))


def has_object(d: Deployment) -> None:
    d.store.drive(put_object(d))


def damaged_batch(d: Deployment) -> Step:
    d.command("HSET", d.operations.keys.batch("b"), "total", "many")
    return delete_damaged(d.operations, d.store.drive(damaged_records(d.operations)))


CASES: Mapping[str, Case] = {
    "create": lambda d: d.operations.create(d.make_job(id="j")),
    "create and start": lambda d: d.operations.create(d.make_job(id="j"), start=True),
    "create with options": arranged(
        lambda d: d.create("first"),
        lambda d: d.operations.create(
            dataclasses.replace(d.make_job(id="j", prerequisites=["first"], unique="u", expires=1000), batch="b"),
            start=True,
        ),
    ),
    "start": arranged(lambda d: d.create(start=False), lambda d: d.operations.start("j")),
    "stop, queued": arranged(lambda d: d.create(batch="b"), lambda d: d.operations.stop("j")),
    "stop, running": arranged(lambda d: d.claim(), lambda d: d.operations.stop("j")),
    "retry": arranged(Deployment.fail, lambda d: d.operations.retry("j")),
    "delete": arranged(lambda d: d.create(batch="b"), lambda d: d.operations.delete("j")),
    "open batch": lambda d: d.operations.open_batch("b", 3, "caller"),
    "shrink batch": arranged(opened, lambda d: d.operations.shrink_batch("b")),
    "create a batch with refused jobs": half_refused,
    "join": lambda d: d.actor.join(),
    "beat": lambda d: d.actor.beat(busy=1, jobs=2),
    "leave": arranged(lambda d: d.claim(), lambda d: d.actor.leave()),
    "recover": arranged(lambda d: d.claim(), lambda d: d.recoveries.recover(d.me, proven_dead=True)),
    "hand over": arranged(
        lambda d: d.create(group="ping", instance="1"),
        lambda d: d.recoveries.hand_over(d.make_job(group="ping", instance="1"), d.me, 0),
    ),
    "claim": arranged(three_queued, lambda d: d.actor.turn(0, [], 2)),
    "settle": settle,
    "settle as failed": lambda d: settle(d, status=JobStatus.ERROR, error="e", error_kind="k"),
    "settle as failed, to be repeated": lambda d: settle(d, status=JobStatus.ERROR, error="e", retry_in_s=60),
    "settle as crashed": lambda d: settle(d, status=JobStatus.ERROR, error="e", ended_its_process=True),
    "release": lambda d: d.actor.release(0, [d.claim(expires=1000)]),
    "promote": arranged(due, lambda d: d.operations.admin.promote()),
    "purge": arranged(in_batch, lambda d: d.operations.admin.purge(ScriptType.OSIS, None, None, 10)),
    "pause": arranged(in_batch, lambda d: d.operations.admin.pause(ScriptType.OSIS)),
    "resume": arranged(paused_queue, lambda d: d.operations.admin.resume(ScriptType.OSIS)),
    "forget a dead letter": arranged(Deployment.fail, lambda d: d.operations.admin.forget_dead(["j"])),
    "end of another program": ended_by_another_program,
    "note an actor's event": lambda d: d.events.note({"event": "ready", "name": "osis"}, "token", again=True),
    "delete what is damaged": damaged_batch,
    "put schedule": lambda d: d.schedules.put(SCHEDULE, 60_000),
    "delete schedule": arranged(put_schedule, lambda d: d.schedules.delete("s")),
    "pause schedule": arranged(put_schedule, lambda d: d.schedules.pause("s")),
    "move a schedule on": arranged(put_schedule, lambda d: d.schedules.move_on("s", 60_000, 120_000, "s@1")),
    "move a schedule back": arranged(put_schedule, lambda d: d.clock.reschedule(SCHEDULE, 1)),
    "schedules were moved": lambda d: d.clock.rescheduled(1),
    "look at the clock": arranged(due, lambda d: d.clock.look()),
    "add a token": lambda d: d.credentials.add_token(TOKEN),
    "remove a token": arranged(put_token, lambda d: d.credentials.remove_token("t")),
    "put a nonce": lambda d: d.credentials.put_nonce("n", "key"),
    "begin an act": lambda d: d.acts.begin(ACT),
    "put an act": lambda d: d.acts.put(ACT),
    "do an act": arranged(Deployment.fail, lambda d: d.acts.do(ActKind.RETRY, ["j"], None, SOON)),
    "set a value": lambda d: d.values.set("c", "v", "1"),
    "compare and set a value": arranged(put_value, lambda d: d.values.compare_and_set("c", "v", "1", "2")),
    "let a value expire": arranged(put_value, lambda d: d.values.expire("c", "v", 1000)),
    "delete a value": arranged(put_value, lambda d: d.values.delete("c", "v")),
    "put an object": put_object,
    "put an object again": arranged(has_object, lambda d: put_object(d, "two")),
    "delete an object": arranged(has_object, lambda d: d.objects.delete(OWNER, "hero.task", "000001")),
    "change rights": lambda d: d.acls.change(OWNER, lambda acl: acl.granted(Right.READ, "bob")),
}
