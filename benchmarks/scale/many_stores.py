"""More threads in one store, or more stores: deployments on a cluster share its nodes, each with its own slot."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.scale.finding import Finding
from benchmarks.stalls import create, join
from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.operations.actor_operations import Settlement
from hero_job.operations.operations import Operations
from tests.storms.store_cluster import running_cluster
from tests.valkey_server import ValkeyServer

#: Deployments, each with one producer that is its own actor, and their jobs. The names hash to different primaries.
NAMESPACES = ("{a}", "{b}", "{c}")
JOBS = 40_000


def measure(folder: Path, scale: float) -> Iterator[Finding]:
    """Let three deployments create, claim and settle jobs on one server, on one with threads, and on three primaries.

    Args:
        folder: For the servers.
        scale: Share of the full number of jobs.
    """
    count = max(200, int(JOBS * scale))
    one = {}
    for threads in (1, 2):
        own = folder / f"threads{threads}"
        own.mkdir()
        server = ValkeyServer(own, "--appendfsync", "everysec", "--io-threads", str(threads)).start()
        try:
            one[threads] = rate([server.unix_url] * len(NAMESPACES), count)
        finally:
            server.stop()
    yield Finding(what="three deployments, one server", value=one[1], unit="jobs/s", more_is_better=True)
    yield Finding(what="... with two io-threads, as a multiple", value=one[2] / one[1], unit="", more_is_better=True)
    with running_cluster(folder, NAMESPACES[0]) as cluster:
        urls = [cluster.url] * len(NAMESPACES)
        before = [calls(node) for node in cluster.nodes[:3]]
        together = rate(urls, count)
        after = [calls(node) for node in cluster.nodes[:3]]
    yield Finding(what="... on three primaries, as a multiple", value=together / one[1], unit="", more_is_better=True)
    done = [late - early for late, early in zip(after, before, strict=True)]
    yield Finding(what="... share of the busiest primary", value=100 * max(done) / sum(done), unit="% of the calls")


def calls(node: ValkeyServer) -> int:
    """Count the calls of scripts on a server."""
    for line in str(node.command("INFO", "commandstats")).replace("\\r\\n", "\n").splitlines():
        if line.startswith("cmdstat_evalsha:"):
            return int(line.split("calls=")[1].split(",")[0])
    return 0


def rate(urls: Sequence[str], count: int) -> float:
    """Measure the jobs per second of all deployments together."""
    # Forks of a process that has imported this module: the imports take longer than a small number of jobs.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pipes, processes = [], []
    for url, namespace in zip(urls, NAMESPACES, strict=True):
        ours, theirs = context.Pipe()
        process = context.Process(target=deployment, args=(url, namespace, count, theirs), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    began = time.perf_counter()
    for pipe in pipes:
        pipe.send(None)
    for pipe in pipes:
        pipe.recv()
    took_s = time.perf_counter() - began
    for process in processes:
        process.join()
    return count * len(pipes) / took_s


def deployment(url: str, namespace: str, count: int, pipe: Connection) -> None:
    """Create, claim and settle jobs in one namespace when told to begin."""
    with Store(url) as store:
        operations, actor = Operations(namespace), join(store, namespace, 1)
        pipe.send(None)
        pipe.recv()
        create(store, operations, count)
        settled: list[Settlement] = []
        while jobs := store.run(actor.turn(0, settled, 64)).jobs:
            settled = [Settlement(each.id, each.attempt, JobStatus.FINISHED, "42") for each in jobs]
        pipe.send(None)
