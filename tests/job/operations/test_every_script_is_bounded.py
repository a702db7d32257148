"""Every script, called where thousands of records of each kind are, does bounded work.

One test calls all of them, and the server counts the commands that each call runs. Another one looks for commands that
take a whole collection, because the count does not show the work of one command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import pytest

from hero_job.client.store import Store
from hero_job.model.job import ScriptType
from hero_job.model.status import JobStatus
from hero_job.model.views import Reply
from hero_job.operations import foreign_ends
from hero_job.operations.actor_operations import Recoveries, Settlement
from hero_job.operations.events import Events
from hero_job.operations.flow import Flow
from hero_job.operations.objects.acl_changes import AclChanges
from hero_job.operations.objects.find import find_objects
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects
from hero_job.operations.operations import Operations
from hero_job.operations.overview.lists import list_active, list_jobs, list_waiting, search_jobs
from hero_job.operations.schedules import Schedule, Schedules
from hero_job.operations.store_clock import ClockWatch
from hero_job.operations.values import MAX_VALUES, Values
from hero_job.protocol import lua
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op
from tests.job.conftest import MakeActor, MakeJob
from tests.job.operations.test_bounded_scripts import MOST, Counted
from tests.valkey_server import ValkeyServer

T = TypeVar("T")
MANY = 3_000
JOB = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"}
#: Commands that take a whole collection, and why that is bounded where it is.
WHOLE = {
    ("create", "SMEMBERS"): "after SCARD has told that they are few",
    ("page", "HGETALL"): "one job's hash",
    ("values", "HGETALL"): "the values of one context, of which there are MAX_VALUES at most",
    ("value_names", "HKEYS"): "the values of one context, of which there are MAX_VALUES at most",
    ("selection", "HGETALL"): "one job's hash",
}


class CountedScripts(Counted):
    """Notes the most commands that one call of each script has run."""

    def __init__(self, server: ValkeyServer) -> None:
        super().__init__(server)
        self.of_script: dict[str, int] = {}

    def run(self, op: Op[T]) -> T:
        self.most = 0
        try:
            return super().run(op)
        finally:
            if op.script is not None:
                self.of_script[op.script.name] = max(self.of_script.get(op.script.name, 0), self.most)

    def work(self, *work: Op[Any] | Flow[Any]) -> Any:
        """Run operations and procedures one after another; gives the result of the last."""
        result = None
        for one in work:
            result = self.run(one) if isinstance(one, Op) else self.drive(one)
        return result


def crowd(counted: CountedScripts, operations: Operations) -> None:
    """Make thousands of records of each kind; all jobs have the same ids."""
    keys = operations.keys
    made = {
        keys.work("osis"): "ids", keys.work("osis") + KeyPart.LOW: "ids", keys.work("osis") + KeyPart.HELD: "ids",
        keys.dead_jobs: "dead", keys.values("x"): "values", keys.value_ends("x"): "values",
        keys.scheduled: "scheduled", keys.expiring: "scheduled", keys.moving_scheduled: "scheduled",
        keys.moving_expiring: "scheduled", keys.ticks: "dead", keys.blocked: "dead", keys.batches: "dead",
        keys.prefix + KeyPart.LIMIT_WAITING + "k": "ids",
        keys.prefix + KeyPart.UNSETTLED: "values", keys.dead: "values", keys.schedules: "values",
    }  # fmt: skip
    for key, what in made.items():
        counted.make(key, keys.prefix, MAX_VALUES if "value" in key else MANY, what)
    counted.make(keys.actors, keys.prefix, MANY, "actors", keys.actor(""), keys.claimed("x", 0).removesuffix("x:0"))
    counted.make(keys.prefix + KeyPart.DEPENDENTS + "root", keys.prefix, MANY, "dependents")
    for n in range(0, MANY, 100):
        entry = [part for i in range(100) for part in (f"m{n + i + 1}", "dispatched")]
        counted.store.run(Op(("XADD", keys.prefix + KeyPart.EVENTS, "*", *entry), str))


@pytest.fixture
def counted(own_valkey: ValkeyServer) -> Iterator[CountedScripts]:
    counted = CountedScripts(own_valkey)
    yield counted
    counted.store.close()


@pytest.fixture
def store(counted: CountedScripts) -> Store:
    return counted.store


def test_every_script_runs_few_commands_per_call(
    counted: CountedScripts, operations: Operations, make_job: MakeJob, make_actor: MakeActor, recoveries: Recoveries
) -> None:
    work, keys, admin, namespace = counted.work, operations.keys, operations.admin, operations.keys.namespace
    actor = make_actor()
    me = actor.entry.incarnation
    crowd(counted, operations)

    work(operations.open_batch("b", MANY), operations.shrink_batch("b"))
    names = [f"m{n}" for n in range(1, 1001)]
    work(operations.create(make_job(id="root", concurrency="k")), operations.start("root"))
    work(operations.create(make_job(id="wide", prerequisites=names)))
    work(operations.stop("root"), operations.retry("root"), operations.delete("root"))

    counted.make(keys.claimed(me, 0), keys.prefix, MANY, "claimed", f"{me}/0")
    claimed = work(actor.turn(0, [], 500)).jobs
    assert len(claimed) == 500
    work(actor.write_log(0, claimed[0], [("info", "line")] * 1000), actor.beat(busy=1, jobs=1))
    work(actor.turn(0, [Settlement(one.id, one.attempt, JobStatus.FINISHED, "1") for one in claimed[:250]], 0))
    work(actor.release(0, claimed[250:]))
    work(recoveries.recover(me, proven_dead=True), recoveries.expired(), admin.actors(), admin.promote())
    work(foreign_ends._end(operations, Reply(job_id="m2", status=JobStatus.FINISHED, output="1")))
    work(ClockWatch(namespace).look())

    work(admin.pause(ScriptType.OSIS), admin.queue(ScriptType.OSIS), admin.queue_head(ScriptType.OSIS))
    work(admin.resume(ScriptType.OSIS), admin.purge(ScriptType.OSIS, most=500))
    work(admin.page(count=10_000), list_jobs(operations), list_waiting(operations), list_active(operations))
    work(search_jobs(operations, keys_per_page=5_000), Events(namespace).facts(names))
    work(Events.edges(keys.prefix + KeyPart.EVENTS))
    work(Events(namespace).note({"event": "crashed"}, "token", again=True))

    schedules = Schedules(namespace)
    work(schedules.put(Schedule(name="s", job=JOB, interval_s=60), 1), schedules.due(), schedules.due(skip=MANY))
    work(schedules.move_on("s", 1, 2, "s@1"), schedules.delete("s"))

    values = Values(namespace)
    work(values.names("x"), values.set("y", "n", "1"), values.add("y", "n", 1), values.get("y", "n"))
    work(values.expire("y", "n", 60), values.delete("y", "n"))

    objects, access = Objects(namespace), ObjectAccess(context_id="a", caller_id="a")
    words = {"title": " ".join(f"w{n}" for n in range(500))}
    for n in range(300):
        counted.store.drive(objects.put(access, "hero.task", f"s{n:03}", {"title": "same"}, indexed=("title",)))
    work(AclChanges(namespace).change(access, lambda acl: acl.joined("g", "bob")))
    work(objects.put(access, "hero.task", "s000", words, indexed=("title",)), objects.get(access, "hero.task", "s001"))
    work(find_objects(objects, access, "hero.task", "same", indexed=("title",)))
    work(objects.history(access, "hero.task", "s000"), objects.delete(access, "hero.task", "s000"))

    assert counted.of_script.keys() == {script.name for script in lua.ALL}
    assert {name: most for name, most in counted.of_script.items() if most > MOST} == {}


def test_no_script_takes_a_whole_collection_whose_size_is_not_bounded() -> None:
    found = set()
    for path in [*lua._FOLDER.glob("*.lua"), *lua._FOLDER.glob("parts/*.lua")]:
        code = re.sub(r"--.*", "", path.read_text("utf-8"))
        found |= {(path.stem, name) for name in re.findall(r"'(HGETALL|HKEYS|HVALS|SMEMBERS|KEYS|SORT|SUNION)'", code)}
        ranges = re.findall(r"'(?:LRANGE|ZRANGE|ZREVRANGE|XRANGE)', [^()]*?, (?:0|'-'), (?:-1|'\+')\)", code)
        assert ranges == [], f"{path.name} reads a whole list"
    assert found == WHOLE.keys()
