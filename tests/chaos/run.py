"""One run of the harness: load and faults on two hosts that share a store behind the proxy, and then the check.

Everything is real: two services with their actors, and a Valkey that syncs every write. The harness itself bypasses
the proxy. The hosts are on one machine, but each knows of the other's processes only through the store.

Order of the end: the faults end, the submissions end, all jobs get time to end, the store is read, all jobs are
deleted, the rest is searched for strays, and the deployments stop.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from hero_job import HeroJobError, StoreError
from hero_job.client.store import Store
from hero_job.model.retention import Retention
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, pairs
from hero_supervisor import SupervisorBuilder
from tests.chaos.checker import TERMINAL, StoredJob, Verdict, check, read_history
from tests.chaos.faults import Faults, kill_all, processes_that_name
from tests.chaos.load import LoadGenerator
from tests.chaos.proxy import Proxy
from tests.chaos.report import describe
from tests.chaos.schedules import ScheduledLoad
from tests.chaos.witness import WITNESS, Witness
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

ROOT = Path(__file__).parents[2]
#: Lease in the config of `tests.deployment`, in seconds.
LEASE_S = 3.0
#: Long enough for the replies of the first jobs of a long run.
RETENTION = Retention(reply_ttl_s=86_400)
JOBS = """
[jobs]
reply_ttl_s = 86400
"""
#: Without a limit of restarts, because faults cause many.
ACTOR = """
[[actors]]
type = "{type}"
count = {count}
{more}
max_restarts = 10000
backoff_max_s = 0.5
env = {{ PYTHONPATH = "{path}", {variable} = "{witness}"{env} }}
"""
RHAI = 'engine = "tests.chaos.traced:create_engine"'
HEROSCRIPT = 'engine = "tests.chaos.traced:create_heroscript_engine"\nlanes = 2'
#: Additional environment of Python actors.
ENV = f', HERO_OUTPUT = "last", HERO_ACTIONS = "module:tests.chaos.actions", HERO_ACTIONS_ENV = "{WITNESS}"'
#: Script type, number of processes and other settings of each host's actors. Only one OSIS actor keeps the order. One
#: SAL actor runs its scripts in children, as all do with suspects.
HOSTS = (
    (("osis", 1, RHAI), ("sal", 2, f"{RHAI}\nlanes = 8"), ("python", 1, HEROSCRIPT)),
    (("sal", 1, f'{RHAI}\nlanes = 8\nisolation = "process"'), ("python", 1, HEROSCRIPT)),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run: the verdict, the report, and the number of jobs and faults."""

    verdict: Verdict
    report: str
    jobs: int
    faults: int


class EventReader:
    """Follows the event stream, bypassing the proxy, and notes each transition."""

    def __init__(self, url: str, witness: Witness) -> None:
        self._store = Store(url, name="harness-events")
        self._key = Operations().keys.events
        self._witness = witness
        self._last = "0"
        self._ended = threading.Event()
        self.entries = 0
        self._thread = threading.Thread(target=self._main, name="events", daemon=True)

    def start(self) -> None:
        """Start to follow."""
        self._thread.start()

    def finish(self) -> None:
        """Read all events that there are, and end."""
        self._ended.set()
        self._thread.join()
        self._store.close()

    def _main(self) -> None:
        while True:
            last_look = self._ended.is_set()
            args = ("XREAD", "COUNT", "1000", "BLOCK", "100", "STREAMS", self._key, self._last)
            try:
                answer = self._store.run(Op(args, lambda a: a, block_s=0.1))
            except StoreError:
                time.sleep(0.02)  # the store is down
                continue
            for _, entries in answer or ():
                for entry_id, fields in entries:
                    self._last = entry_id
                    self.entries += 1
                    for job, status in zip(fields[::2], fields[1::2], strict=True):
                        self._witness.note("event", job=job, status=status)
            if last_look and not answer:
                return


def run(folder: Path, *, seed: int, seconds: float, rate: float) -> Outcome:
    """Run the harness once.

    Args:
        folder: Empty folder for the deployments and the witness's file.
        seed: Seed of load, faults and noise.
        seconds: Duration of load and faults.
        rate: Submissions per second.
    """
    witness = Witness(folder / "witness.jsonl")
    valkey = ValkeyServer(folder).start()
    proxy = Proxy(valkey.port, seed).start()
    deployments = _make_hosts(folder, proxy.url, witness)
    events = EventReader(valkey.unix_url, witness)
    events.start()
    builder = SupervisorBuilder().redis_url(proxy.url).retention(RETENTION)
    try:
        for deployment in deployments:
            deployment.start()
        with builder.build() as supervisor, Store(valkey.unix_url, name="harness") as store:
            scheduled = ScheduledLoad(supervisor, witness)
            load = LoadGenerator(supervisor, witness, seed=seed, rate=rate)
            faults = Faults(deployments, valkey, proxy, witness, random.Random(seed), LEASE_S)
            try:
                submitting = threading.Thread(target=load.run, args=(seconds,), name="load")
                submitting.start()
                faults.run(seconds)
                submitting.join()
                load.finish()
            finally:
                load.abort()
            scheduled.finish(store, Operations())
            submitted = [e["job"] for e in witness.read() if e["what"] == "submitted"]
            _wait_for_ends(store, submitted)
            events.finish()
            jobs = _read_jobs(store, submitted)
            unseen = _events_added(store) - events.entries
            strays = _find_strays(store, jobs)
            for deployment in deployments:
                deployment.stop()
        strays += _left_processes(folder)
    finally:
        proxy.mend()
        valkey.thaw()
        kill_all(processes_that_name(f"{folder}/"))
        proxy.close()
        valkey.stop()
    history = read_history(witness.read())
    verdict = check(history, jobs, strays, unseen)
    return Outcome(verdict, describe(history, jobs, verdict), len(history.submitted), len(history.faults))


def _make_hosts(folder: Path, url: str, witness: Witness) -> list[Deployment]:
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
    hosts = []
    for number, entries in enumerate(HOSTS, 1):
        actors = JOBS
        for script_type, count, more in entries:
            env = ENV if script_type == "python" else ""
            actors += ACTOR.format(
                type=script_type, count=count, more=more, path=path, variable=WITNESS, witness=witness.path, env=env
            )
        host = folder / f"host-{number}"
        host.mkdir()
        hosts.append(Deployment(host, redis_url=url, actors=actors))
    return hosts


def _wait_for_ends(store: Store, job_ids: list[str]) -> None:
    """Give all jobs time to end. The checker reports those that do not."""
    operations = Operations()

    def all_ended() -> bool:
        ops = [Op(("HGET", operations.keys.job(i), "status"), lambda a: a) for i in job_ids]
        return all(status is None or status in TERMINAL for status in store.run_many(ops))

    try:
        eventually(all_ended, every_s=0.2)
    except AssertionError:
        return


def _read_jobs(store: Store, job_ids: list[str]) -> dict[str, StoredJob]:
    keys = Operations().keys
    hashes = store.run_many([Op(("HGETALL", keys.job(i)), pairs) for i in job_ids])
    replies = store.run_many([Op(("LLEN", keys.reply(i)), int) for i in job_ids])
    return {i: StoredJob(h, n) for i, h, n in zip(job_ids, hashes, replies, strict=True) if h}


def _events_added(store: Store) -> int:
    info: Any = store.run(Op(("XINFO", "STREAM", Operations().keys.events), pairs))
    return int(info["entries-added"])


def _find_strays(store: Store, jobs: dict[str, StoredJob]) -> list[str]:
    """Delete all jobs and describe what is left, except the entries of living actors and bounded histories."""
    operations = Operations(retention=RETENTION)
    deleted = store.run_many([operations.delete(job_id) for job_id in jobs])
    strays = [f"not deleted: {error}" for error in deleted if isinstance(error, HeroJobError)]
    keys = operations.keys
    # Batches expire by themselves. One that was created without an answer stays open until then.
    bounded = {keys.events, keys.actor_events, keys.actors, keys.batches, keys.dead, keys.dead_jobs, keys.clock}
    kept = (keys.actor(""), f"{keys.prefix}batch:", keys.batch_reply(""), keys.counts)

    def left() -> list[str]:
        found = store.run(Op(("KEYS", f"{keys.prefix}*"), list))
        return sorted(key for key in found if key not in bounded and not key.startswith(kept))

    # Claims drop deleted ids, and the ids of a frozen lane are handed back by the next round of recovery.
    try:
        eventually(lambda: not left(), every_s=0.1)
    except AssertionError:
        strays += [f"key {key}" for key in left()]
    wanted = sum(count for entries in HOSTS for _, count, _ in entries)

    def registered() -> int:
        return len(store.drive(operations.admin.actors()))

    # The last fault may have been a moment ago.
    try:
        eventually(lambda: registered() == wanted, every_s=0.1)
    except AssertionError:
        strays.append(f"{registered()} actors in the registry, not {wanted}")
    return strays


def _left_processes(folder: Path) -> list[str]:
    """Describe what the deployments have left running. What dies with its parent may end a moment later."""

    def left() -> list[str]:
        found = []
        for process in processes_that_name(f"{folder}/"):
            with contextlib.suppress(psutil.Error):
                if (name := process.name()) != "valkey-server":
                    found.append(f"process {process.pid}: {name}")
        return found

    try:
        eventually(lambda: not left(), every_s=0.1)
    except AssertionError:
        return left()
    return []
