"""The systems that are compared: how each is started, driven, and watched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from figures.environments import PEERS_DIR, Environment, make_node_environment, make_python_environment

Pending = Callable[[redis.Redis, int, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One line of the table.

    Attributes:
        name: As printed.
        family: "hero", "dramatiq", "taskiq", "huey" or "bullmq".
        worker: Command line of the one worker or actor process.
        client: Start of the client's command line (see peers/protocol.py).
        env: Added to the environment of both.
        cwd: Folder of both.
        pending: How many of the submitted jobs have no stored result yet, asked of the server; gets the client, the
            number submitted, and the number of keys before the worker started.
        weight: Jobs of a drain, as a multiple of the base number: a drain should last about as long for each.
        versions: What was installed.
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
    """Ours: one OSIS actor with its one lane, one SAL actor with 16."""
    client = (sys.executable, str(PEERS_DIR / "hero_client.py"))
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
    """Dramatiq with one thread and a prefetch of 64 (eight times its default speed), and with 8 threads."""
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
    """Taskiq with its list broker, one worker process, its default of 100 tasks at once, uvloop."""
    made = make_python_environment("taskiq", ("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop"))
    return [
        System(
            name="Taskiq, list broker",
            family="taskiq",
            worker=(*_script(made, "taskiq"), "worker", "taskiq_peer:broker", "--workers", "1"),
            client=(*made.program, "taskiq_peer.py"),
            # One key a result; the queue is the only other key.
            pending=lambda client, jobs, _keys: jobs - int(client.dbsize()) + int(client.exists("bench")),
            versions=made.versions,
        )
    ]


def huey_systems() -> list[System]:
    """Huey with one thread and result notification."""
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
    """BullMQ (Node) with 50 jobs at once: not Python, and the fastest of the systems that were looked at."""
    made = make_node_environment("bullmq", ("bullmq", "ioredis"))
    return [
        System(
            name="BullMQ (Node), 50 at once",
            family="bullmq",
            worker=(*made.program, "bullmq_peer.mjs", "worker", "50"),
            client=(*made.program, "bullmq_peer.mjs"),
            pending=lambda client, jobs, _keys: jobs - int(client.zcard("bull:bench:completed")),
            cwd=made.folder,
            weight=2.0,
            versions=made.versions,
        )
    ]


#: Family -> its systems. Making them makes their environment, so they are made only when asked for.
FAMILIES: dict[str, Callable[[], list[System]]] = {
    "hero": hero_systems,
    "dramatiq": dramatiq_systems,
    "taskiq": taskiq_systems,
    "huey": huey_systems,
    "bullmq": bullmq_systems,
}

#: The three that the aim "5 times the fastest of them" is about.
THE_THREE = ("dramatiq", "taskiq", "huey")


def _without_reply(client: redis.Redis, jobs: int, keys_before: int) -> int:
    # A settled job has one key more than before: its reply. The actor's own few keys (presence, claimed lists, the
    # event stream) are in the difference too; they are constant while a drain runs, so its rate is not touched.
    return jobs - (int(client.dbsize()) - keys_before)


def _script(made: Environment, name: str) -> tuple[str, ...]:
    """A console script of an environment; Huey's has carried both of these names."""
    folder = made.folder / "bin"
    return (str(next(path for path in (folder / name, folder / f"{name}.py") if path.exists())),)
