"""Each fault at each moment of a job's life: the job ends exactly once, with one reply and the right output.

To reach a moment, the proxy holds the exchange between actor and store that belongs to it. All combinations use one
deployment, and each leaves it as it found it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hero_job import JobBuilder, JobStatus
from hero_job.client.store import Store
from hero_job.operations.operations import Op, Operations
from hero_job.protocol import lua
from tests.chaos.proxy import Act, Proxy, StoreExchange, Trap
from tests.deployment import Deployment, alive
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

#: A little more than the lease of `tests.deployment`, in seconds.
PAST_LEASE_S = 3.5
ACTORS = """
[[actors]]
type = "sal"
lanes = 1
max_restarts = 10000
backoff_max_s = 0.5
"""
KEYS = Operations().keys


class Stage:
    """A deployment with its store, the proxy between them, and the job of the current combination."""

    def __init__(self, folder: Path) -> None:
        self.valkey = ValkeyServer(folder).start()
        self.proxy = Proxy(self.valkey.port).start()
        self.deployment = Deployment(folder, redis_url=self.proxy.url, actors=ACTORS).start()
        self.store = Store(self.valkey.unix_url)
        self.job_id = ""

    def close(self) -> None:
        """End everything."""
        self.proxy.mend()
        self.valkey.thaw()
        self.deployment.stop()
        self.store.close()
        self.proxy.close()
        self.valkey.stop()

    def redis(self, *args: str | int) -> Any:
        return self.store.run(Op(args, lambda answer: answer))

    def actor(self) -> psutil.Process:
        (actor,) = eventually(lambda: self.deployment.actors("sal"))
        return actor

    def status(self) -> str:
        return str(self.redis("HGET", KEYS.job(self.job_id), "status"))

    def submit(self, script: str = "40 + 2") -> None:
        job = JobBuilder().caller_id("a").context_id("b").script_type("sal").script(script).build()
        self.job_id = self.store.run(Operations().create(job, start=True))

    # -- moments -------------------------------------------------------------------------------------------------------

    def trap(self, act: Act, fits: Callable[[StoreExchange], bool]) -> Trap:
        return self.proxy.trap(act, lambda e: e.client.startswith("sal-") and fits(e))

    def reach(self, moment: str) -> None:
        """Submit a job and hold it at a moment of its life."""
        turn, take = lua.TURN.sha.encode(), b"BLMOVE"
        match moment:
            case "queued":  # the actor asks for a job, and the request is held
                held = self.trap(Act.HOLD_REQUEST, lambda e: e.command[0] == take)
                held.wait_caught()
                self.submit()
            case "claimed":  # the store has handed it out, and the reply is held
                held = self.trap(Act.HOLD_REPLY, lambda e: e.command[0] == take and e.reply is not None)
                self.submit()
                held.wait_caught()
                assert self.status() == "dispatched"
            case "running":
                self.submit("sleep(1.0); 40 + 2")
                eventually(lambda: self.status() != "dispatched")
            case "settling":  # it has run, and the settlement is held
                held = self.trap(Act.HOLD_REQUEST, lambda e: turn in e.command and self.settles(e))
                self.submit()
                held.wait_caught()
                assert self.status() == "started"
            case "replying":  # the store has settled it, and the reply is held
                held = self.trap(Act.HOLD_REPLY, lambda e: turn in e.command and self.settles(e))
                self.submit()
                held.wait_caught()
                assert self.status() == "finished"

    @staticmethod
    def settles(exchange: StoreExchange) -> bool:
        return any(part.startswith(b"finished") for part in exchange.command)

    # -- faults --------------------------------------------------------------------------------------------------------

    def kill_actor(self) -> None:
        actor = self.actor()
        actor.kill()
        eventually(lambda: not alive(actor))
        self.proxy.mend()

    def freeze_actor_past_lease(self) -> None:
        actor = self.actor()
        incarnation = actor.cmdline()[actor.cmdline().index("--incarnation") + 1]
        actor.suspend()
        eventually(lambda: not self.redis("HEXISTS", KEYS.actors, incarnation), what="it is declared dead")
        self.proxy.mend()
        actor.resume()
        eventually(lambda: not alive(actor), what="the actor that was declared dead ends")

    def kill_supervisor(self) -> None:
        left = self.deployment.kill()
        self.proxy.mend()
        eventually(lambda: not any(alive(p) for p in left))
        self.deployment.start()

    def restart_store(self) -> None:
        self.valkey.kill()
        self.proxy.mend()
        self.valkey.start()

    def freeze_store(self) -> None:
        self.valkey.freeze()
        self.proxy.mend()
        time.sleep(PAST_LEASE_S)  # the length of the fault
        self.valkey.thaw()

    def fill_store(self) -> None:
        self.valkey.command("CONFIG", "SET", "maxmemory", "1")
        self.proxy.mend()
        time.sleep(1)  # the length of the fault
        self.valkey.command("CONFIG", "SET", "maxmemory", "0")


@pytest.fixture(scope="module")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    yield stage
    stage.close()


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    yield shared_stage
    shared_stage.proxy.mend()
    shared_stage.valkey.thaw()
    shared_stage.valkey.command("CONFIG", "SET", "maxmemory", "0")


FAULTS = {
    "the actor is killed": Stage.kill_actor,
    "the actor is frozen past its lease": Stage.freeze_actor_past_lease,
    "the supervisor is killed": Stage.kill_supervisor,
    "the store is restarted": Stage.restart_store,
    "the store is frozen past the lease": Stage.freeze_store,
    "the store is out of memory": Stage.fill_store,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("moment", ["queued", "claimed", "running", "settling", "replying"])
def test_a_job_ends_exactly_once_for_each_fault_at_each_moment(stage: Stage, moment: str, fault: str) -> None:
    eventually(lambda: len(stage.store.drive(Operations().admin.actors())) == 1, what="one actor is registered")
    stage.reach(moment)
    FAULTS[fault](stage)

    reply = stage.store.wait_reply(Operations(), stage.job_id, 60)

    assert (reply.status, reply.output) == (JobStatus.FINISHED, "42")
    # It stays ended: the deployment goes on, no lane holds the job, and late results were refused.
    first = stage.job_id
    stage.submit("1 + 1")
    assert stage.store.wait_reply(Operations(), stage.job_id, 60).output == "2"
    eventually(lambda: stage.redis("KEYS", "hero:meta:claimed:*") == [])
    assert stage.redis("HGET", KEYS.job(first), "output") == "42"
    assert stage.redis("LLEN", KEYS.reply(first)) == 1
    entries = stage.redis("XRANGE", KEYS.events, "-", "+")
    events = [pair for _, flat in entries for pair in zip(flat[::2], flat[1::2], strict=True)]
    assert events.count((first, "finished")) == 1
    assert not {(first, "error"), (first, "stopped")} & set(events)
