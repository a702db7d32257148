"""Partitions between hosts that are network namespaces: a primary, clients, and the host of actors are cut off."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from hero_job import JobStatus, ScriptType, StoreError
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.eventually import eventually
from tests.job.conftest import MakeJob, make_job
from tests.storms.conftest import ROUNDS
from tests.storms.hosts import both_deployed
from tests.storms.net_spaces import NetSpaces
from tests.storms.submitters import Submitters
from tests.valkey_server import ValkeyServer, binary, free_port

__all__ = ["make_job"]

_SAL = """
[[actors]]
type = "sal"
lanes = 4
"""


class HostedServer(ValkeyServer):
    """A server in a namespace. The test speaks to it through its Unix socket, which no partition cuts."""

    def __init__(self, folder: Path, spaces: NetSpaces, host: str) -> None:
        super().__init__(folder, "--bind", "0.0.0.0", "--protected-mode", "no", "--repl-diskless-sync-delay", "0")
        self.url = self.unix_url
        self.host = host
        self.spaces = spaces

    def start(self) -> HostedServer:
        self.spaces.run_in(self.host, super().start)
        return self

    def replication(self) -> str:
        """What it says of its role, its replicas and its primary; "" while it says nothing."""
        with contextlib.suppress(StoreError):
            return str(self.command("INFO", "replication"))
        return ""

    def refuses_writes(self) -> bool:
        """Does no replica follow it, and does it need one?"""
        return "min_slaves_good_slaves:0" in self.replication()


class Network:
    """Two servers, three sentinels on a host of their own, and two hosts for clients."""

    def __init__(self, spaces: NetSpaces, servers: tuple[HostedServer, HostedServer], ports: list[int]) -> None:
        self.spaces = spaces
        self.servers = servers
        self._sentinels = [f"{spaces.address('watch')}:{port}" for port in ports]

    def url(self, host: str) -> str:
        """URL of the store for clients on a host. Each host has its own, as stores with one URL share their watch."""
        first = 0 if host == "client" else 1
        return f"redis+sentinel://{','.join(self._sentinels[first:] + self._sentinels[:first])}/hero"

    def pair(self) -> tuple[HostedServer, HostedServer]:
        """Wait until there are a primary and a replica that follows it, and the sentinels agree; return both."""

        def find() -> tuple[HostedServer, HostedServer] | None:
            for primary, replica in (self.servers, self.servers[::-1]):
                ours, theirs = primary.replication(), replica.replication()
                if "role:master" in ours and "state=online" in ours and "master_link_status:up" in theirs:
                    return (primary, replica) if self.spaces.run_in("watch", partial(self._agreed, primary)) else None
            return None

        found = eventually(find, every_s=0.1, what="a primary and a replica")
        assert found is not None
        return found

    def heal(self, replica: HostedServer, primary: HostedServer) -> None:
        """Lose nothing any more, and make a server a replica, which the sentinels do some eight seconds later."""
        self.spaces.heal()
        replica.command("REPLICAOF", self.spaces.address(primary.host), primary.port)
        self.pair()

    def _agreed(self, primary: HostedServer) -> bool:
        for place in self._sentinels:
            with Store(f"redis://{place}/") as sentinel:
                (facts,) = sentinel.run(Op(("SENTINEL", "MASTERS"), lambda answer: answer))
            told = dict(zip(facts[::2], facts[1::2], strict=True))
            healthy = told["flags"] == "master" and (told["num-slaves"], told["num-other-sentinels"]) == ("1", "2")
            if not healthy or told["ip"] != self.spaces.address(primary.host):
                return False
        return True


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Make the network. Each test heals it and leaves a primary with a replica."""
    folder = tmp_path_factory.mktemp("network")
    with NetSpaces(("one", "two", "watch", "client", "other")).made() as spaces, contextlib.ExitStack() as ends:
        servers = []
        for host in ("one", "two"):
            (folder / host).mkdir()
            servers.append(HostedServer(folder / host, spaces, host).start())
            ends.callback(servers[-1].stop)
        one, two = servers
        two.command("REPLICAOF", spaces.address("one"), one.port)
        ports = []
        for n in range(3):
            ports.append(free_port())
            conf = folder / f"sentinel{n}.conf"
            conf.write_text(
                f"port {ports[-1]}\nbind 0.0.0.0\nprotected-mode no\ndir {folder}\n"
                f"sentinel monitor hero {spaces.address('one')} {one.port} 2\n"
                "sentinel down-after-milliseconds hero 3000\nsentinel failover-timeout hero 2000\n"
            )
            command = [binary(), conf, "--sentinel"]
            process = spaces.run_in("watch", partial(subprocess.Popen, command, stdout=subprocess.DEVNULL))
            ends.callback(process.wait)
            ends.callback(process.send_signal, signal.SIGKILL)
        made = Network(spaces, (one, two), ports)
        eventually(lambda: made.pair() is not None)
        yield made


def test_a_primary_that_is_cut_off_loses_nothing_that_a_replica_has_nor_anything_after_it_has_noticed(
    network: Network, namespace: str, make_job: MakeJob
) -> None:
    enter = partial(network.spaces.enter, "client")
    confirmed = Submitters(f"{network.url('client')}?wait_replicas=1", namespace, make_job, enter=enter)
    plain = Submitters(network.url("client"), namespace, make_job, enter=enter)
    with confirmed.submitting(), plain.submitting():
        for lost_direction in ("both", "from it", "to it")[: 1 + ROUNDS]:
            old, new = network.pair()
            for server, replicas in ((old, 1), (new, 0)):
                server.command("CONFIG", "SET", "min-replicas-to-write", replicas)
                server.command("CONFIG", "SET", "min-replicas-max-lag", 1)
            confirmed.go_on("before the cut")
            for other in (new.host, "watch"):
                if lost_direction != "to it":
                    network.spaces.cut(old.host, other)
                if lost_direction != "from it":
                    network.spaces.cut(other, old.host)
            eventually(old.refuses_writes, what="it refuses writes")
            eventually(new.is_primary, every_s=0.05)
            noticed_mono = time.monotonic()
            plain.go_on(f"after a cut: {lost_direction}")
            assert old.is_primary(), "it knows of nothing"
            network.heal(old, new)
            confirmed.go_on("after the heal")
            late = [at for at in plain.lost(new.unix_url) if at > noticed_mono]
            assert not late, f"{lost_direction}: {len(late)} jobs are gone that were sent after the switch"
    primary, _ = network.pair()
    assert not confirmed.lost(primary.unix_url)
    print(
        f"confirmed: {sum(map(len, confirmed.acknowledged))} acknowledged, none lost;"
        f" guarded: {sum(map(len, plain.acknowledged))} acknowledged, {len(plain.lost(primary.unix_url))} lost,"
        f" longest pause {plain.longest_gap_s():.1f} s"
    )


def test_clients_that_are_cut_off_go_on_after_the_heal_and_nothing_acknowledged_is_lost(
    network: Network, namespace: str, make_job: MakeJob
) -> None:
    clients = {
        host: Submitters(network.url(host), namespace, make_job, enter=partial(network.spaces.enter, host))
        for host in ("client", "other")
    }
    primary, replica = network.pair()
    primary.command("CONFIG", "SET", "min-replicas-to-write", 0)
    with clients["client"].submitting(), clients["other"].submitting():
        for lost_direction in ("both", "answers", "requests")[: 1 + ROUNDS]:
            clients["client"].go_on("before the cut")
            for host in (primary.host, replica.host, "watch"):
                if lost_direction != "answers":
                    network.spaces.cut("client", host)
                if lost_direction != "requests":
                    network.spaces.cut(host, "client")
            clients["other"].go_on("to another client", 50)
            network.spaces.heal()
            clients["client"].go_on(f"after the heal: {lost_direction}")
    for one in clients.values():
        assert not one.lost(primary.unix_url)
    assert primary.is_primary()


def test_a_host_that_is_cut_off_loses_its_jobs_to_another_and_only_those_run_again(
    network: Network, tmp_path: Path, make_job: MakeJob
) -> None:
    operations, script = Operations("hero"), "sleep(2); 40 + 2"
    jobs = [make_job(script=script, script_type=ScriptType.SAL) for _ in range(16)]
    names = ("client", "other")
    folders = [tmp_path / name for name in names]
    for folder in folders:
        folder.mkdir()
    urls = [network.url(name) for name in names]
    with (
        both_deployed(
            folders,
            urls,
            actors=_SAL,
            lease_s=6,  # the host that is not cut off must not lose its jobs by a pause of the machine
            run_on=lambda n, start: network.spaces.run_in(names[n], start),
        ) as hosts,
        contextlib.ExitStack() as ends,
    ):
        primary, replica = network.pair()
        store = ends.enter_context(Store(primary.unix_url))

        def incarnations() -> set[str]:
            """Those of the host that is to be cut off."""
            pids = {process.pid for process in hosts[1].actors("sal")}
            return {actor.incarnation for actor in store.drive(operations.admin.actors()) if actor.pid in pids}

        def held() -> set[str]:
            records = [store.run(operations.record(job.id)) for job in jobs]
            running = [record for record in records if record.status is JobStatus.STARTED]
            return {one.job.id for one in running if (one.owner or "").partition("/")[0] in before}

        before = incarnations()
        assert before
        for job in jobs:
            store.run(operations.create(job, start=True))
        eventually(held)
        for place in (primary.host, replica.host, "watch"):
            network.spaces.cut("other", place)
            network.spaces.cut(place, "other")
        lost = held()
        eventually(lambda: _all_finished(store, [job.id for job in jobs]), every_s=0.1, what="the other host runs all")
        network.spaces.heal()
        eventually(lambda: incarnations() - before, every_s=0.1, what="the host that was cut off is back")
        for job in jobs:
            record = store.run(operations.record(job.id))
            assert record.output == "42"
            assert record.attempt == (2 if job.id in lost else 1)
        assert lost
    network.pair()


def _all_finished(store: Store, job_ids: Sequence[str]) -> bool:
    operations = Operations("hero")
    return {store.run(operations.status(job_id)) for job_id in job_ids} == {JobStatus.FINISHED}
