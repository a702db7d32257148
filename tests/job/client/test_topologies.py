"""A server behind sentinels, and a cluster: real processes, with a real failover."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hero_job import Job, JobStatus, ScriptType, StoreError, StoreUnavailable
from hero_job.client.async_store import AsyncStore
from hero_job.client.store import Store
from hero_job.client.streams import StreamUpdate
from hero_job.model.objects.acl import Right
from hero_job.operations.actor_operations import ActorEntry, ActorOperations
from hero_job.operations.events import Events
from hero_job.operations.flow import find_keys
from hero_job.operations.objects.acl_changes import AclChanges
from hero_job.operations.objects.find import find_objects
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op
from tests.eventually import GENEROUS_S, eventually
from tests.job.conftest import MakeJob
from tests.job.lane import Lane
from tests.valkey_server import ValkeyServer, binary, free_port


def actor(namespace: str) -> ActorOperations:
    entry = ActorEntry(
        incarnation="i", name="i", script_type=ScriptType.OSIS, host="h", pid=1, lanes=1, engine="e", engine_version="1"
    )
    return ActorOperations(entry, namespace, lease_s=600)


def run_one_job(url: str, namespace: str, job: Job) -> None:
    """Submit, run and await a job with both stores."""
    operations = Operations(namespace)
    with Store(url) as store:
        lane = Lane(store, actor(namespace))
        store.run(lane.actor.join())
        store.run(operations.create(job, start=True))
        assert store.run(lane.actor.take(0)) == job.id
        lane.finish(*lane.claim())
        assert store.wait_reply(operations, job.id, 5).result() == "42"

    async def main() -> None:
        async with AsyncStore(url) as store_aio:
            assert await store_aio.run(operations.status(job.id)) is JobStatus.FINISHED
            assert (await store_aio.wait_reply(operations, job.id, 5)).result() == "42"

    asyncio.run(main())


@dataclass(frozen=True, slots=True)
class Sentinels:
    """A master, its replica and three sentinels.

    Attributes:
        url: URL of the deployment.
        master: The first primary.
        replica: The server that takes over.
        ports: Ports of the sentinels.
    """

    url: str
    master: ValkeyServer
    replica: ValkeyServer
    ports: list[int]

    def be_patient(self, patience_ms: int) -> None:
        """Set how long a server may be silent. A short time is for servers that are away: a busy one can be as slow."""
        for port in self.ports:
            with Store(f"redis://127.0.0.1:{port}") as store:
                store.run(Op(("SENTINEL", "SET", "hero", "down-after-milliseconds", patience_ms), str))


PATIENT_MS, HASTY_MS = 60_000, 500


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    """Start them; they are patient."""
    with contextlib.ExitStack() as ends:
        servers = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            servers.append(ValkeyServer(tmp_path / name).start())
            ends.callback(servers[-1].stop)
        master, replica = servers
        replica.command("REPLICAOF", "127.0.0.1", master.port)
        eventually(lambda: "master_link_status:up" in str(replica.command("INFO", "replication")))
        ports = []
        for n in range(3):
            port = free_port()
            conf = tmp_path / f"sentinel{n}.conf"
            conf.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
                f"sentinel monitor hero 127.0.0.1 {master.port} 2\n"
                f"sentinel down-after-milliseconds hero {PATIENT_MS}\nsentinel failover-timeout hero 3000\n"
            )
            process = subprocess.Popen([binary(), conf, "--sentinel"], stdout=subprocess.DEVNULL)
            ends.callback(process.wait)
            ends.callback(process.send_signal, signal.SIGKILL)
            ports.append(port)

        def all_know_each_other() -> bool:
            for port in ports:
                try:
                    with Store(f"redis://127.0.0.1:{port}") as store:
                        info = store.run(Op(("INFO", "sentinel"), str))
                except StoreError:
                    return False
                if "slaves=1,sentinels=3" not in info:
                    return False
            return True

        eventually(all_know_each_other)
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        yield Sentinels(f"redis+sentinel://{hosts}/hero", master, replica, ports)


def test_a_job_survives_a_failover_of_sentinels(sentinels: Sentinels, namespace: str, make_job: MakeJob) -> None:
    url, master, replica = sentinels.url, sentinels.master, sentinels.replica
    run_one_job(url, namespace, make_job())
    operations = Operations(namespace)
    open_job = make_job()
    with Store(url) as store:
        store.run(operations.create(open_job, start=True))
        eventually(lambda: replica.command("EXISTS", operations.keys.job(open_job.id)) == 1)
        sentinels.be_patient(HASTY_MS)
        master.kill()

        def status() -> JobStatus | None:
            try:
                return store.run(operations.status(open_job.id))
            except StoreError:
                return None

        assert eventually(status) is JobStatus.DISPATCHED
        eventually(replica.is_primary)
    sentinels.be_patient(PATIENT_MS)

    def asyncio_client_is_back() -> bool:
        async def main() -> None:
            async with AsyncStore(url) as store_aio:
                await store_aio.run(operations.ping())

        try:
            asyncio.run(main())
        except StoreError:
            return False
        return True

    # The client of redis-py wants the sentinels to agree that the new master is up.
    eventually(asyncio_client_is_back)
    run_one_job(url, f"{namespace}2", make_job())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[ValkeyServer]]:
    """Start three nodes that share all slots."""
    with contextlib.ExitStack() as ends:
        nodes = []
        for n in range(3):
            folder = tmp_path / str(n)
            folder.mkdir()
            nodes.append(ValkeyServer(folder, "--cluster-enabled", "yes", "--cluster-port", str(free_port())).start())
            ends.callback(nodes[-1].stop)
        bounds = (0, 5461, 10923, 16384)
        for n, node in enumerate(nodes):
            node.command("CLUSTER", "ADDSLOTSRANGE", bounds[n], bounds[n + 1] - 1)
            bus = int(str(nodes[0].command("CONFIG", "GET", "cluster-port")).split("'")[3])
            if n:
                node.command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, bus)
        eventually(lambda: all("cluster_state:ok" in str(node.command("CLUSTER", "INFO")) for node in nodes))
        yield nodes


@pytest.mark.parametrize("start_at", [0, 1, 2])
def test_a_deployment_in_one_slot_of_a_cluster_works_from_any_node(
    cluster: list[ValkeyServer], make_job: MakeJob, start_at: int
) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[start_at].port}"

    for namespace in ("{a}", "{b}", "{hero}", "{x1}"):
        run_one_job(url, namespace, make_job())


def test_objects_of_a_context_are_in_one_slot_of_a_cluster(cluster: list[ValkeyServer]) -> None:
    objects, owner = Objects("{hero}"), ObjectAccess(context_id="alice", caller_id="alice")
    bob = ObjectAccess(context_id="alice", caller_id="bob")
    with Store(f"redis+cluster://127.0.0.1:{cluster[0].port}") as store:
        sid = store.drive(objects.new(owner, "hero.note"))
        store.drive(objects.put(owner, "hero.note", sid, {"title": "a word"}, indexed=("title",), base=0))
        store.drive(AclChanges("{hero}").change(owner, lambda acl: acl.granted(Right.WRITE, "bob")))
        store.drive(objects.put(bob, "hero.note", sid, {"title": "two words"}, indexed=("title",), base=1))
        page = store.drive(find_objects(objects, bob, "hero.note", "title:words", indexed=("title",)))
        assert page.sids == [sid]
        assert store.drive(objects.types(bob)) == {"hero.note": 1}
        assert len(store.drive(objects.history(bob, "hero.note", sid))) == 2
        store.drive(objects.delete(bob, "hero.note", sid))


async def follow_one_job(url: str, job: Job) -> list[str]:
    """Follow both streams of events; return what they say about a job and an actor."""
    keys, all_heard = Keys("{hero}"), asyncio.Event()
    heard: list[str] = []

    class Listener:
        async def hear(self, update: StreamUpdate) -> None:
            told = [pair for _, fields in update.entries for pair in fields.items()]
            heard.extend(word for name, word in told if name != "token")
            if len(heard) == 2:
                all_heard.set()

    async with AsyncStore(url) as store:
        for key in (keys.events, keys.actor_events):
            await store.streams.join(key, Listener())
        operations = Operations("{hero}")
        made, _ = await store.run_many([operations.create(job, start=True), operations.status(job.id)])
        assert made == job.id
        await store.run(Events("{hero}").note({"event": "ready"}, "token", again=False))
        async with asyncio.timeout(GENEROUS_S):
            await all_heard.wait()
        facts = await store.run(Events("{hero}").facts([job.id, "none"]))
    assert (facts[job.id].caller_id, facts["none"].caller_id) == (job.caller_id, None)
    return sorted(heard)


def test_several_streams_of_a_cluster_are_followed_on_one_connection(
    cluster: list[ValkeyServer], make_job: MakeJob
) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"

    assert asyncio.run(follow_one_job(url, make_job())) == ["dispatched", "ready"]


def test_a_job_is_found_while_its_slot_moves_and_a_blocked_lane_moves_with_it(
    cluster: list[ValkeyServer], make_job: MakeJob
) -> None:
    url, operations, claims = f"redis+cluster://127.0.0.1:{cluster[1].port}", Operations("{hero}"), actor("{hero}")
    slot = int(str(cluster[0].command("CLUSTER", "KEYSLOT", "{hero}")))
    source = next(n for n in range(3) if slot < (5461, 10923, 16384)[n])
    old, new = cluster[source], cluster[(source + 1) % 3]
    taken: list[str] = []

    def lane() -> None:
        with Store(url) as store:
            while not taken:
                with contextlib.suppress(StoreError):
                    taken.extend(filter(None, [store.run(claims.take(0))]))

    async def look_on_the_way(job: Job) -> None:
        async with AsyncStore(url) as store:
            assert await store.run(operations.status(job.id)) is JobStatus.CREATED
            assert await store.run_many([operations.status(job.id)] * 2) == [JobStatus.CREATED] * 2
            with pytest.raises(StoreUnavailable):  # the server wants all keys of a script in one place
                await store.run(operations.create(make_job(), start=True))

    with Store(url) as store:
        first, last = make_job(), make_job()
        store.run(operations.create(first))  # by now the script is known to the old node
        thread = threading.Thread(target=lane)
        thread.start()
        eventually(lambda: "blocked_clients:1" in str(old.command("INFO", "clients")))
        new.command("CLUSTER", "SETSLOT", slot, "IMPORTING", str(old.command("CLUSTER", "MYID")))
        old.command("CLUSTER", "SETSLOT", slot, "MIGRATING", str(new.command("CLUSTER", "MYID")))
        old.command("MIGRATE", "127.0.0.1", new.port, "", 0, 10_000, "KEYS", *store.drive(find_keys("{hero}:")))
        assert store.run(operations.status(first.id)) is JobStatus.CREATED
        assert store.run_many([operations.status(first.id)] * 2) == [JobStatus.CREATED] * 2
        asyncio.run(look_on_the_way(first))
        for node in (new, old, cluster[(source + 2) % 3]):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", str(new.command("CLUSTER", "MYID")))
        store.run(operations.create(last, start=True))
        thread.join()
        assert taken == [last.id]
        for job in (first, last):
            assert new.command("EXISTS", operations.keys.job(job.id)) == 1


def test_a_cluster_is_found_although_the_first_node_of_the_url_is_gone(cluster: list[ValkeyServer]) -> None:
    gone = free_port()

    with Store(f"redis+cluster://127.0.0.1:{gone},127.0.0.1:{cluster[1].port}") as store:
        store.run(Operations("{hero}").ping())
