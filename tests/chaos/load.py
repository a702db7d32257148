"""The load: jobs of many kinds at a fixed rate, whether the deployment keeps up or not (open loop).

`plan` is pure: seed and number give the job and what may become of it. `Load` submits: each job again and again until
it is acknowledged, which its id makes harmless. A few jobs are stopped on their way, a few are waited for.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hero_job import HeroJobError, Job, JobBuilder, JobFailed, JobInvalid, ScriptType, StoreError, WaitTimeout
from hero_job.model.job import Priority
from hero_supervisor import Supervisor
from tests.chaos.witness import Witness


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    Attributes:
        name: Named in the report.
        weights: How many in a hundred, among the jobs for OSIS, for SAL and for Python.
        ends: What may become of it: a terminal status, with the kind of its error after a colon.
    """

    name: str
    weights: tuple[int, int, int]
    ends: frozenset[str]


def _kind(name: str, weights: tuple[int, int, int], *ends: str) -> Kind:
    return Kind(name, weights, frozenset(ends))


#: OSIS runs one job at a time: its jobs must be short for the load to be one that it can carry.
KINDS = {
    kind.name: kind
    for kind in (
        _kind("quick", (60, 28, 40), "finished"),
        _kind("urgent", (8, 5, 5), "finished"),
        _kind("patient", (8, 5, 5), "finished"),
        _kind("delayed", (4, 5, 5), "finished"),
        _kind("short", (8, 20, 0), "finished"),
        _kind("acting", (0, 0, 40), "finished"),
        _kind("long", (0, 6, 0), "finished"),
        _kind("failing", (5, 8, 0), "error:ErrorRuntime"),
        _kind("retried", (2, 3, 0), "error:ErrorRuntime"),
        _kind("endless", (1, 3, 5), "error:timeout"),
        _kind("stopped", (2, 6, 0), "finished", "stopped:stopped"),
        _kind("follower", (2, 5, 0), "finished", "error:prerequisite_failed"),
        _kind("limited", (0, 3, 0), "finished"),
        _kind("batch", (0, 2, 0), "finished"),
        _kind("purged", (0, 1, 0), "stopped:stopped"),
    )
}
#: A group that no actor serves: what is given to it waits until its queue is purged.
NOBODY = "nobody"
#: How many submissions in a hundred are for OSIS, for SAL and for Python.
_TYPES = {ScriptType.OSIS: 36, ScriptType.SAL: 52, ScriptType.PYTHON: 12}
#: From one purge to the next, in submissions.
_PURGE_EVERY = 100


@dataclass(frozen=True, slots=True)
class Planned:
    """One submission.

    Attributes:
        kind: Of all its jobs.
        jobs: One, or those of a batch.
        output: Of each job that finishes.
        stop_after_s: When somebody stops it.
        awaited: Somebody waits for its result.
    """

    kind: Kind
    jobs: tuple[Job, ...]
    output: str
    stop_after_s: float | None = None
    awaited: bool = False


def plan(seed: int, number: int, earlier: tuple[str, ...] = ()) -> Planned:
    """Say what the submission with this number is.

    Args:
        seed: Of the run.
        number: From 0.
        earlier: Ids of jobs that exist, for one to wait for.
    """
    rng = random.Random(f"{seed}:{number}")
    (script_type,) = rng.choices(list(_TYPES), list(_TYPES.values()))
    weights = [kind.weights[list(_TYPES).index(script_type)] for kind in KINDS.values()]
    (kind,) = rng.choices(list(KINDS.values()), weights)
    if kind.name == "follower" and not earlier:
        kind = KINDS["quick"]
    slow = 0.2 if script_type is ScriptType.OSIS else 1.0
    answer = f"{number} + 1"
    script = {
        "quick": f"sleep({rng.choice((0.0, 0.0, 0.001, 0.004))}); {answer}",
        "short": f"sleep({slow * rng.uniform(0.01, 0.2):.3f}); {answer}",
        "long": f"sleep({rng.uniform(0.5, 2):.3f}); {answer}",
        "failing": "throw \"it fails\"",
        "retried": "throw \"it fails, and again\"",
        "endless": "loop {}",
        "stopped": f"sleep({slow * 0.8:.3f}); {answer}",
        "limited": f"sleep(0.05); {answer}",
    }.get(kind.name, answer)  # fmt: skip
    if script_type is ScriptType.PYTHON:
        sleep_s = {"acting": rng.uniform(0.0, 0.6), "endless": 60}.get(kind.name, 0.0)
        acts = kind.name in ("acting", "endless")
        script = (
            f"!!chaos.act value:{number + 1} sleep_s:{sleep_s:.3f}" if acts else f"!!play.echo content:{number + 1}"
        )
    builder = JobBuilder().caller_id("02" + "c" * 64).context_id("03" + "d" * 64).script_type(script_type)
    builder.script(script).timeout(slow * 0.3 if kind.name == "endless" else 60)
    if kind.name == "retried":
        builder.retries(1)
    elif kind.name == "follower":
        builder.prerequisites([rng.choice(earlier)])
    elif kind.name == "limited":
        builder.concurrency(rng.choice("xyz"), 2)
    elif kind.name == "urgent":
        builder.priority(Priority.HIGH)
    elif kind.name == "patient":
        builder.priority(Priority.LOW)
    elif kind.name == "delayed":
        builder.delay(rng.uniform(0.1, 3))
    elif kind.name == "purged":
        builder.group(NOBODY)
    elif kind.name == "acting":
        # Its process may be killed: half of these jobs ask to be run again then.
        builder.retries(number % 2)
    count = 5 if kind.name == "batch" else 1
    job_ids = [f"{seed}-{number}-{n}" for n in range(count)]
    jobs = tuple(builder.id(job_id).build() for job_id in job_ids)
    stop_after_s = rng.uniform(0, 0.5) if kind.name == "stopped" else None
    return Planned(kind, jobs, str(number + 1), stop_after_s, awaited=rng.random() < 0.05)


class Load:
    """Submits for a while, at a rate.

    Args:
        supervisor: Through the proxy, like every client.
        witness: Where it notes what was submitted and acknowledged.
        seed: Of the run.
        rate: Submissions a second.
    """

    def __init__(self, supervisor: Supervisor, witness: Witness, *, seed: int, rate: float) -> None:
        self._supervisor = supervisor
        self._witness = witness
        self._seed = seed
        self._rate = rate
        self._acknowledged: list[str] = []
        self._give_up = threading.Event()
        # So many that those which wait for a store that is away do not slow down the rate.
        self._submitting = ThreadPoolExecutor(64, "submit")
        self._waiting = ThreadPoolExecutor(64, "wait")

    def run(self, seconds: float) -> None:
        """Submit; returns when the last submission is on its way."""
        begin_mono = time.monotonic()
        number = 0
        while (due_s := number / self._rate) < seconds and not self._give_up.is_set():
            time.sleep(max(0.0, begin_mono + due_s - time.monotonic()))
            planned = plan(self._seed, number, tuple(self._acknowledged[-200:]))
            for job in planned.jobs:
                ends = sorted(planned.kind.ends)
                self._witness.note(
                    "submitted", job=job.id, type=job.script_type.suffix, kind=planned.kind.name, ends=ends,
                    output=planned.output, retries=job.retries, priority=job.priority,
                    earliest=time.time() + job.delay_s,
                )  # fmt: skip
            self._submitting.submit(self._submit, planned)
            number += 1
            if number % _PURGE_EVERY == 0:
                self._submitting.submit(self._purge)

    def finish(self) -> list[str]:
        """Wait until everything is acknowledged and everybody has their answer; gives the acknowledged ids."""
        self._submitting.shutdown()
        self._purge()
        self._waiting.shutdown()
        return list(self._acknowledged)

    def abort(self) -> None:
        """Give up what is not acknowledged yet."""
        self._give_up.set()
        self._submitting.shutdown(cancel_futures=True)
        self._waiting.shutdown(cancel_futures=True)

    def _submit(self, planned: Planned) -> None:
        if len(planned.jobs) > 1:
            # A batch is announced once: after a lost answer it cannot be sent again under its id.
            created = self._until_done(lambda: self._supervisor.create_jobs(planned.jobs).job_ids, once=True) or ()
        else:
            created = self._until_done(lambda: (self._supervisor.submit_job(planned.jobs[0]),)) or ()
        for job_id in created:
            self._witness.note("acknowledged", job=job_id)
        self._acknowledged += created
        if planned.stop_after_s is not None and created:
            time.sleep(planned.stop_after_s)
            self._witness.note("stop_asked", job=created[0])
            self._until_done(lambda: self._supervisor.stop_job(created[0]))
        elif planned.awaited and created:
            self._waiting.submit(self._wait, created[0])

    def _purge(self) -> None:
        self._until_done(lambda: self._supervisor.purge_queue(ScriptType.SAL, NOBODY))

    def _until_done(self, call: Callable[[], object], *, once: bool = False) -> tuple[str, ...] | None:
        while not self._give_up.is_set():
            try:
                done = call()
            except JobInvalid as e:  # its prerequisite is gone, for example
                self._witness.note("refused", reason=str(e))
                return None
            except HeroJobError:
                if once:
                    return None
                self._give_up.wait(0.05)
            else:
                return done if isinstance(done, tuple) else None
        return None

    def _wait(self, job_id: str) -> None:
        try:
            answer = "finished:" + self._supervisor.await_result(job_id, 90)
        except JobFailed as e:
            answer = f"{'stopped' if e.kind == 'stopped' else 'error'}:{e.kind}"
        except (WaitTimeout, StoreError) as e:
            answer = f"nothing:{type(e).__name__}"
        self._witness.note("answered", job=job_id, answer=answer)
