"""The load: jobs of many kinds, submitted at a fixed rate even if the deployment does not keep up (open loop).

`plan` is pure: it derives a job and its possible ends from a seed and a number. `LoadGenerator` submits each job again
and again until it is acknowledged, which is harmless because the job has an id. It stops a few of the jobs and waits
for the results of a few.
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
from tests.chaos.witness import IN_TIME, Witness
from tests.eventually import GENEROUS_S


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of job.

    Attributes:
        name: Its name in the report.
        weights: Its share of the jobs for OSIS, for SAL and for Python, in percent.
        ends: Its possible ends: a terminal status; after an error `status:kind`.
    """

    name: str
    weights: tuple[int, int, int]
    ends: frozenset[str]


def _kind(name: str, weights: tuple[int, int, int], *ends: str) -> JobKind:
    return JobKind(name, weights, frozenset(ends))


#: OSIS runs one job at a time, so its jobs must be short.
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
#: A group that no actor serves: its jobs wait until the queue is purged.
NOBODY = "nobody"
#: Share of the submissions, in percent.
_TYPES = {ScriptType.OSIS: 36, ScriptType.SAL: 52, ScriptType.PYTHON: 12}
#: Number of submissions between two purges.
_PURGE_EVERY = 100


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission.

    Attributes:
        kind: Kind of its jobs.
        jobs: One job, or those of a batch.
        output: Output of each job that finishes.
        stop_after_s: When to stop it, in seconds after the submission; None for never.
        awaited: Wait for its result.
    """

    kind: JobKind
    jobs: tuple[Job, ...]
    output: str
    stop_after_s: float | None = None
    awaited: bool = False


def plan(seed: int, number: int, earlier: tuple[str, ...] = ()) -> Submission:
    """Plan the submission with a number.

    Args:
        seed: Seed of the run.
        number: Number of the submission, from 0.
        earlier: Ids of existing jobs, of which it may wait for one.
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
        # Its process may be killed; half of these jobs ask for a retry.
        builder.retries(number % 2)
    count = 5 if kind.name == "batch" else 1
    job_ids = [f"{seed}-{number}-{n}" for n in range(count)]
    jobs = tuple(builder.id(job_id).build() for job_id in job_ids)
    stop_after_s = rng.uniform(0, 0.5) if kind.name == "stopped" else None
    return Submission(kind, jobs, str(number + 1), stop_after_s, awaited=rng.random() < 0.05)


class LoadGenerator:
    """Submits jobs at a fixed rate.

    Args:
        supervisor: A client behind the proxy.
        witness: Gets what was submitted, acknowledged and answered.
        seed: Seed of the run.
        rate: Submissions per second.
    """

    def __init__(self, supervisor: Supervisor, witness: Witness, *, seed: int, rate: float) -> None:
        self._supervisor = supervisor
        self._witness = witness
        self._seed = seed
        self._rate = rate
        self._acknowledged: list[str] = []
        self._give_up = threading.Event()
        # So many threads that those which wait for the store do not slow down the rate.
        self._submitting = ThreadPoolExecutor(64, "submit")
        self._waiting = ThreadPoolExecutor(64, "wait")

    def run(self, seconds: float) -> None:
        """Submit for some seconds; return when the last submission is on its way."""
        begin_mono = time.monotonic()
        number = 0
        while (due_s := number / self._rate) < seconds and not self._give_up.is_set():
            time.sleep(max(0.0, begin_mono + due_s - time.monotonic()))
            submission = plan(self._seed, number, tuple(self._acknowledged[-200:]))
            for job in submission.jobs:
                ends = sorted(submission.kind.ends)
                self._witness.note(
                    "submitted", job=job.id, type=job.script_type.suffix, kind=submission.kind.name, ends=ends,
                    output=submission.output, retries=job.retries, priority=job.priority,
                    earliest=time.time() + job.delay_s,
                )  # fmt: skip
            self._submitting.submit(self._submit, submission)
            number += 1
            if number % _PURGE_EVERY == 0:
                self._submitting.submit(self._purge)

    def finish(self) -> None:
        """Wait until all jobs are acknowledged and all awaited results are there."""
        self._submitting.shutdown()
        self._purge()
        self._waiting.shutdown()

    def abort(self) -> None:
        """Give up the jobs that are not acknowledged yet."""
        self._give_up.set()
        self._submitting.shutdown(cancel_futures=True)
        self._waiting.shutdown(cancel_futures=True)

    def _submit(self, submission: Submission) -> None:
        if len(submission.jobs) > 1:
            # A batch has a new id for every call, so it cannot be sent again after a lost answer.
            created = self._until_done(lambda: self._supervisor.create_jobs(submission.jobs).job_ids, once=True) or ()
        else:
            created = self._until_done(lambda: (self._supervisor.submit_job(submission.jobs[0]),)) or ()
        for job_id in created:
            self._witness.note("acknowledged", job=job_id)
        self._acknowledged += created
        if submission.stop_after_s is not None and created:
            time.sleep(submission.stop_after_s)
            self._witness.note("stop_asked", job=created[0])
            self._until_done(lambda: self._supervisor.stop_job(created[0]))
        elif submission.awaited and created:
            self._waiting.submit(self._wait, created[0])

    def _purge(self) -> None:
        self._until_done(lambda: self._supervisor.purge_queue(ScriptType.SAL, NOBODY))

    def _until_done(self, call: Callable[[], object], *, once: bool = False) -> tuple[str, ...] | None:
        while not self._give_up.is_set():
            try:
                done = call()
            except JobInvalid as e:  # for example because its prerequisite is gone
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
            answer = "finished:" + self._supervisor.await_result(job_id, GENEROUS_S)
        except JobFailed as e:
            answer = f"{'stopped' if e.kind == 'stopped' else 'error'}:{e.kind}"
        except WaitTimeout:
            answer = IN_TIME
        except StoreError as e:
            answer = f"nothing: {e}"
        self._witness.note("answered", job=job_id, answer=answer)
