"""A lane that is frozen while it waits on its queue is given an id after its incarnation was recovered."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import uvloop

from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.operations.actor_operations import Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from hero_supervisor.upkeep.recovery import JobRecovery
from tests.actor.process import ActorProcess, Client
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def blocked(store: Store, incarnation: str) -> bool:
    """Does a connection of this incarnation wait in BLMOVE?"""
    clients = str(store.run(Op(("CLIENT", "LIST"), str))).splitlines()
    return any(f"name={incarnation} " in line and " flags=b " in line and " cmd=blmove " in line for line in clients)


def test_an_id_that_a_frozen_lane_is_given_after_its_recovery_is_handed_back_by_the_second_look(
    tmp_path: Path, own_valkey: ValkeyServer, namespace: str, operations: Operations
) -> None:
    frozen = ActorProcess(tmp_path, own_valkey.url, namespace, "osis", ["--lease-s", "60"], control=False)
    heir: ActorProcess | None = None
    try:
        frozen.wait_ready()
        with Store(own_valkey.url) as store:
            client = Client(store, operations)
            (incarnation,) = client.incarnations()
            claimed = operations.keys.claimed(incarnation, 0)
            # It waits for a second at a time: frozen while it waits, and not between.
            eventually(lambda: blocked(store, incarnation), what="the lane waits on its queue")
            frozen.signal(signal.SIGSTOP)
            eventually(lambda: blocked(store, incarnation), what="it was frozen while it waited")

            async def recover() -> str:
                # No round comes in this test: only the looks that follow from its being seen to end.
                async with AsyncStore(own_valkey.url) as aio:
                    sweep = JobRecovery(aio, Recoveries(namespace), every_s=3600)
                    await sweep.recover_dead(incarnation)
                    # Nothing else has run on this loop since: the second look is yet to come.
                    job_id = client.submit("40 + 2")
                    taken = store.run(Op(("LRANGE", claimed, 0, -1), list))
                    assert taken == [job_id], "the server gave it to the frozen lane"
                    assert client.queue_length() == 0
                    async with asyncio.timeout(20):
                        while not client.queue_length():  # noqa: ASYNC110  another process's doing
                            await asyncio.sleep(0.01)
                    assert store.run(Op(("LLEN", claimed), int)) == 0
                    await sweep.close()
                    return job_id

            job_id = uvloop.run(recover())
            heir = ActorProcess(tmp_path, own_valkey.url, namespace, "osis", [], control=False)
            assert client.reply(job_id).output == "42"
            # and who was frozen learns that it was declared dead, changes nothing, and begins anew
            frozen.signal(signal.SIGCONT)
            eventually(lambda: len(client.incarnations()) == 2)
            assert incarnation not in client.incarnations()
            record = client.record(job_id)
            assert (record.output, record.attempt, record.redeliveries) == ("42", 1, 0)
            assert store.run(Op(("LLEN", operations.keys.reply(job_id)), int)) == 1
    finally:
        frozen.close()
        if heir is not None:
            heir.close()
