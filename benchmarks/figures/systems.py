"""The compared systems: how to start, drive and watch each of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from benchmarks.figures.environments import (
    PEERS_DIR,
    Environment,
    make_go_environment,
    make_node_environment,
    make_python_environment,
    make_rust_environment,
)

Pending = Callable[[redis.Redis, int, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One line of the table.

    Attributes:
        name: Its name in the table.
        family: One of `FAMILIES`.
        worker: Command line of its one worker or actor process.
        client: Start of the client's command line (see peers/protocol.py).
        pending: Counts the submitted jobs without a stored result. Gets a client of the server, the number of submitted
            jobs, and the number of keys before the worker started.
        env: Variables added to the environment of worker and client.
        cwd: Working folder of worker and client.
        weight: Number of jobs in a drain, as a multiple of the base number, so that all drains take about as long.
        versions: Package name -> installed version.
    """

    name: str
    family: str
    worker: tuple[str, ...]
    client: tuple[str, ...]
    pending: Pending
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path = PEERS_DIR
    weight: float = 1.0
    versions: dict[str, str] = field(default_factory=dict)


def hero_systems() -> list[System]:
    """List ours: an OSIS actor with one lane and a SAL actor with 16."""
    client = (sys.executable, str(PEERS_DIR / "hero_peer.py"))
    return [
        System(
            name=f"Hero {script_type.upper()}, {lanes}",
            family="hero",
            worker=(sys.executable, "-m", "hero_actor", "--type", script_type, "--name", f"bench-{script_type}"),
            client=client,
            pending=_without_reply,
            env={"BENCH_HERO_TYPE": script_type},
            weight=4.0,
        )
        for script_type, lanes in (("osis", "1 lane"), ("sal", "16 lanes"))
    ]


def dramatiq_systems() -> list[System]:
    """List Dramatiq with one thread and with 8; a prefetch of 64 makes it eight times as fast as its default."""
    made = make_python_environment("dramatiq", ("dramatiq", "redis", "hiredis"))
    return [
        System(
            name=f"Dramatiq, {threads} thread{'s' if threads > 1 else ''}, prefetch 64",
            family="dramatiq",
            worker=(
                *_script(made, "dramatiq"), "dramatiq_peer", "--processes", "1", "--threads", str(threads),
            ),
            client=(*made.program, "dramatiq_peer.py"),
            pending=lambda client, _jobs, _keys: int(client.hlen("dramatiq:bench.msgs")),
            env={"dramatiq_queue_prefetch": "64"},
            versions=made.versions,
        )
        for threads in (1, 8)
    ]  # fmt: skip


def taskiq_systems() -> list[System]:
    """List Taskiq with its list broker, one worker process, its default of 100 concurrent tasks, and uvloop."""
    made = make_python_environment("taskiq", ("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop"))
    return [
        System(
            name="Taskiq, list broker",
            family="taskiq",
            worker=(*_script(made, "taskiq"), "worker", "taskiq_peer:broker", "--workers", "1"),
            client=(*made.program, "taskiq_peer.py"),
            # There is one key per result; the queue is the only other key.
            pending=lambda client, jobs, _keys: jobs - int(client.dbsize()) + int(client.exists("bench")),
            versions=made.versions,
        )
    ]


def huey_systems() -> list[System]:
    """List Huey with one thread and result notification."""
    made = make_python_environment("huey", ("huey", "redis", "hiredis"))
    return [
        System(
            name="Huey, 1 thread",
            family="huey",
            worker=(*_script(made, "huey_consumer"), "huey_peer.huey", "-w", "1", "-k", "thread", "-q"),
            client=(*made.program, "huey_peer.py"),
            pending=lambda client, jobs, _keys: jobs - int(client.hlen("huey.results.bench")),
            env={"PYTHONPATH": str(PEERS_DIR)},
            versions=made.versions,
        )
    ]


def bullmq_systems() -> list[System]:
    """List BullMQ with 50 concurrent jobs: it is not Python, but it was the fastest of the systems that we tried."""
    made = make_node_environment("bullmq", ("bullmq", "ioredis"))
    return [
        System(
            name="BullMQ (Node), 50 concurrent",
            family="bullmq",
            worker=(*made.program, "bullmq_peer.mjs", "worker", "50"),
            client=(*made.program, "bullmq_peer.mjs"),
            pending=lambda client, jobs, _keys: jobs - int(client.zcard("bull:bench:completed")),
            cwd=made.folder,
            weight=2.0,
            versions=made.versions,
        )
    ]


def asynq_systems() -> list[System]:
    """List Asynq (Go) with 10 and with 50 concurrent tasks, and a look at the empty queue each millisecond."""
    made = make_go_environment("asynq", "asynq_peer.go", "github.com/hibiken/asynq")
    return [
        System(
            name=f"Asynq (Go), {concurrency} concurrent",
            family="asynq",
            worker=(*made.program, "worker", str(concurrency)),
            client=made.program,
            pending=lambda client, jobs, _keys: jobs - int(client.zcard("asynq:{bench}:completed")),
            cwd=made.folder,
            weight=2.0,
            versions=made.versions,
        )
        for concurrency in (10, 50)
    ]


def apalis_systems() -> list[System]:
    """List apalis-redis (Rust), which takes 100 tasks with one call, without locks and news of tasks.

    Its fetch script unpacks the ids of all tasks that wait, and Lua refuses that from about 8,000 on. So fewer are
    drained.
    """
    crates = ("apalis-redis", "apalis-core", "apalis", "tokio --features rt-multi-thread,macros,signal,time", "ulid@3")
    made = make_rust_environment("apalis", "apalis_peer.rs", crates)
    return [
        System(
            name="apalis-redis (Rust), batches of 100",
            family="apalis",
            worker=(*made.program, "worker", "100"),
            client=made.program,
            pending=lambda client, jobs, _keys: jobs - int(client.scard("bench:done")),
            cwd=made.folder,
            weight=0.7,
            versions=made.versions,
        )
    ]


#: Family -> function that lists its systems and makes their environment: call it only for families that are measured.
FAMILIES: dict[str, Callable[[], list[System]]] = {
    "hero": hero_systems,
    "dramatiq": dramatiq_systems,
    "taskiq": taskiq_systems,
    "huey": huey_systems,
    "bullmq": bullmq_systems,
    "asynq": asynq_systems,
    "apalis": apalis_systems,
}

#: The families of the aim "5 times as fast as the fastest of these".
THE_THREE = ("dramatiq", "taskiq", "huey")


def _without_reply(client: redis.Redis, jobs: int, keys_before: int) -> int:
    # A settled job has one more key than before, its reply. The actor's own few keys (presence, claimed lists, event
    # stream) are in the difference too, but their number is constant during a drain and does not change its rate.
    return jobs - (int(client.dbsize()) - keys_before)


def _script(made: Environment, name: str) -> tuple[str, ...]:
    """Return the command of a console script in an environment; Huey has used both of these names."""
    folder = made.folder / "bin"
    return (str(next(path for path in (folder / name, folder / f"{name}.py") if path.exists())),)
