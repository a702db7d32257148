"""A lane that was frozen while it waited on its queue is given a job after its incarnation was recovered."""

from __future__ import annotations

from pathlib import Path

import uvloop

from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from hero_supervisor.upkeep.recovery import JobRecovery
from tests.actor.process import ActorProcess, JobClient
from tests.eventually import eventually, eventually_async
from tests.valkey_server import ValkeyServer

#: An actor whose lanes wait on their queue for a minute at a time, so that the wait outlasts the recovery.
PATIENT = (
    "-c",
    "import sys\n"
    "from hero_job.operations import actor_operations\n"
    "actor_operations.BLOCK_S = 60.0\n"
    "from hero_actor.cli import main\n"
    "sys.exit(main())",
)


def blocked(store: Store, incarnation: str) -> bool:
    """Does a connection of this incarnation wait in BLMOVE?"""
    clients = str(store.run(Op(("CLIENT", "LIST"), str))).splitlines()
    return any(f"name={incarnation} " in line and " flags=b " in line and " cmd=blmove " in line for line in clients)


def test_job_that_a_frozen_lane_is_given_after_its_recovery_is_handed_back_by_the_second_look(
    tmp_path: Path, own_valkey: ValkeyServer, namespace: str, operations: Operations
) -> None:
    lease = ["--lease-s", "60"]
    frozen = ActorProcess(tmp_path, own_valkey.url, namespace, "osis", lease, control=False, program=PATIENT)
    heir: ActorProcess | None = None
    try:
        frozen.wait_ready()
        with Store(own_valkey.url) as store:
            client = JobClient(store, operations)
            (incarnation,) = client.incarnations()
            claimed = operations.keys.claimed(incarnation, 0)
            eventually(lambda: blocked(store, incarnation), what="the lane waits on its queue")
            frozen.freeze()
            assert blocked(store, incarnation)

            async def recover() -> str:
                # No regular round comes in this test, only the second look that follows a recovery.
                async with AsyncStore(own_valkey.url) as async_store:
                    recovery = JobRecovery(async_store, Recoveries(namespace), every_s=3600)
                    await recovery.recover_dead(incarnation)
                    # Nothing else has run on this loop since then: the second look is still to come.
                    job_id = client.submit("40 + 2")
                    taken = store.run(Op(("LRANGE", claimed, 0, -1), list))
                    assert taken == [job_id], "the server gave it to the frozen lane"
                    assert client.queue_length() == 0
                    await eventually_async(lambda: client.queue_length() == 1, what="the job is handed back")
                    assert store.run(Op(("LLEN", claimed), int)) == 0
                    await recovery.close()
                    return job_id

            job_id = uvloop.run(recover())
            heir = ActorProcess(tmp_path, own_valkey.url, namespace, "osis", [], control=False)
            assert client.reply(job_id).output == "42"
            # The frozen actor learns that it was declared dead, changes nothing, and starts again.
            frozen.thaw()
            eventually(lambda: len(client.incarnations()) == 2)
            assert incarnation not in client.incarnations()
            record = client.record(job_id)
            assert (record.output, record.attempt, record.redeliveries) == ("42", 1, 0)
            assert store.run(Op(("LLEN", operations.keys.reply(job_id)), int)) == 1
    finally:
        frozen.close()
        if heir is not None:
            heir.close()
