"""How far a deployment is behind, queue by queue."""

from __future__ import annotations

import pytest

from hero_job import ScriptType
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.operations.overview.backlog import Backlog, QueueBacklog, backlog
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit, submit_many
from tests.valkey_server import ValkeyServer


def read(store: Store, operations: Operations) -> tuple[Backlog, dict[str, QueueBacklog]]:
    found = store.drive(backlog(operations))
    return found, {queue.name: queue for queue in found.queues}


def test_each_queue_tells_how_long_its_first_job_waits_and_whether_it_is_served(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, valkey: ValkeyServer
) -> None:
    make_actor(ScriptType.SAL, group="g")
    make_actor()
    old = submit(store, operations, make_job, script_type=ScriptType.SAL, group="g")
    valkey.command("HSET", operations.keys.job(old), "updated_at", "2020-01-01T00:00:00.000Z")
    submit(store, operations, make_job)
    submit(store, operations, make_job, script_type=ScriptType.V)

    _, queues = read(store, operations)

    assert queues["sal/g"].oldest_wait_s > 86_400
    assert {name for name, queue in queues.items() if queue.unserved} == {"v"}
    assert {name: queue.waiting for name, queue in queues.items() if queue.waiting} == {"sal/g": 1, "osis": 1, "v": 1}
    assert queues["python"].oldest_wait_s == 0


def test_a_paused_queue_has_what_it_holds_aside(
    store: Store, operations: Operations, make_job: MakeJob, lane: Lane
) -> None:
    store.run(operations.admin.pause(ScriptType.OSIS))
    submit_many(store, operations, make_job, 2)

    _, queues = read(store, operations)

    assert (queues["osis"].paused, queues["osis"].waiting, queues["osis"].unserved) == (True, 2, False)


def test_delayed_blocked_and_silent_are_counted(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, valkey: ValkeyServer
) -> None:
    silent = make_actor()
    valkey.command("DEL", operations.keys.actor(silent.entry.incarnation))
    first = submit(store, operations, make_job)
    submit(store, operations, make_job, prerequisites=[first])
    late = submit(store, operations, make_job, delay=500)
    valkey.command("ZADD", operations.keys.scheduled, "1000", late)

    found, queues = read(store, operations)

    assert (found.delayed, found.blocked, found.silent_actors) == (1, 1, 1)
    assert found.delayed_late_s > 86_400
    assert queues["osis"].unserved


@pytest.mark.parametrize("part", ["scheduled", "blocked", "paused", "ticks"])
def test_something_else_in_the_place_of_one_list_hides_no_other_figure(
    store: Store, operations: Operations, make_job: MakeJob, valkey: ValkeyServer, part: str
) -> None:
    submit(store, operations, make_job)
    valkey.command("DEL", getattr(operations.keys, part))
    valkey.command("SET", getattr(operations.keys, part), "something else")

    assert read(store, operations)[1]["osis"].waiting == 1
