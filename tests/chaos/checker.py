"""The checker: finds what went wrong, from the witness's entries and from what the store holds at the end. Pure.

The rules, each with the name that its problems carry:

- `lost`: an acknowledged job is gone, or has not ended;
- `unexpected`: a job, a run or an event of a job that nobody submitted;
- `ends`: a job has more or fewer than one terminal transition, or one that the transition table does not allow;
- `replies`: a job has more or fewer than one reply;
- `outcome`: a job ended in a way that its kind cannot, has a wrong output, or a waiter was told something else;
- `starts`: a script ran again, although its holder was not killed, frozen or cut off, and it was no retry;
- `early`: a delayed or scheduled job started before its time;
- `acts`: the process of a script acted twice in one run, after the end of its run or of its actor, or not at all;
- `order`: OSIS jobs started in another order than they were queued, beyond what priorities and faults explain;
- `exclusion`: two OSIS scripts ran simultaneously, although no holder was hit by a fault;
- `crash`: a supervisor ended by itself;
- `strays`: a key or a process is left over;
- `witness`: the witness has missed events, so nothing is proven.
"""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hero_job import TRANSITIONS, JobStatus
from tests.chaos.witness import IN_TIME, Entry

#: How long after a fault its effects may show, in seconds. A process that goes on after a freeze learns only from its
#: next answer of the store that it was declared dead, and the machine may be busy.
_SLACK_S = 2.0
#: A job whose run was near one of these faults may have ended as crashed.
_CRASHES = ("kill job processes", "kill template")
#: What ends an actor, and with it every process that runs a script for it.
_KILLS = ("kill actor", "kill supervisor", "stop supervisor", "lose host")
#: How a job ends whose process its actor has killed.
_ENDED_BY_ACTOR = ("error:timeout", "stopped:stopped")
#: Largest difference between two readings of the clock, in seconds: the store rounds to milliseconds.
_CLOCK_S = 0.01
TERMINAL = frozenset(status.value for status in JobStatus if status.terminal)


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job as the store holds it at the end of a run.

    Attributes:
        fields: Its hash.
        replies: Number of its replies.
    """

    fields: Mapping[str, str]
    replies: int

    @property
    def end(self) -> str:
        """Its status; after an error `status:kind`."""
        status, kind = self.fields.get("status", ""), self.fields.get("error_kind", "")
        return f"{status}:{kind}" if status != "finished" and kind else status


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a script. It has no end if its process died first.

    Attributes:
        job: Its job.
        pid: The process that ran the script: the actor, or a child of it.
        holder: Incarnation of the actor.
        began: Its start, by the host's clock.
        ended: Its end.
        outcome: Class of its outcome.
    """

    job: str
    pid: int
    holder: str
    began: float
    ended: float | None
    outcome: str


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One fault.

    Attributes:
        kind: Its name.
        hit: Incarnations of the actors that it hit; None if it hit all.
        begin: Its start, by the host's clock.
        end: Its end.
    """

    kind: str
    hit: frozenset[str] | None
    begin: float
    end: float


@dataclass(slots=True)
class History:
    """The witness's entries by kind."""

    submitted: dict[str, Entry] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    #: Time, job, and what somebody was told who waited for it.
    answers: list[tuple[float, str, str]] = field(default_factory=list)
    #: Time, job and new status, in the order of the store.
    events: list[tuple[float, str, str]] = field(default_factory=list)
    #: Job -> times at which its process acted, each with the incarnation of its actor.
    acts: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: collections.defaultdict(list))
    runs: dict[str, list[Run]] = field(default_factory=lambda: collections.defaultdict(list))
    faults: list[FaultRecord] = field(default_factory=list)


def read_history(entries: Iterable[Entry]) -> History:
    """Sort the witness's entries by kind."""
    history = History()
    open_runs: dict[tuple[str, int], list[Entry]] = collections.defaultdict(list)
    for entry in sorted(entries, key=lambda e: e["at"]):
        match entry["what"]:
            case "submitted":
                history.submitted[entry["job"]] = entry
            case "acknowledged":
                history.acknowledged.add(entry["job"])
            case "answered":
                history.answers.append((entry["at"], entry["job"], entry["answer"]))
            case "event":
                history.events.append((entry["at"], entry["job"], entry["status"]))
            case "acted":
                history.acts[entry["job"]].append((entry["at"], entry["holder"]))
            case "fault":
                hit = None if entry["hit"] is None else frozenset(entry["hit"])
                history.faults.append(FaultRecord(entry["kind"], hit, entry["begin"], entry["at"]))
            case "began":
                open_runs[entry["job"], entry["pid"]].append(entry)
            case "ended":
                began = open_runs[entry["job"], entry["pid"]].pop(0)
                run = Run(entry["job"], entry["pid"], began["holder"], began["at"], entry["at"], entry["outcome"])
                history.runs[entry["job"]].append(run)
    for (job, pid), left in open_runs.items():
        history.runs[job] += [Run(job, pid, e["holder"], e["at"], None, "") for e in left]
    for runs in history.runs.values():
        runs.sort(key=lambda run: run.began)
    return history


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.

    Attributes:
        problems: Rule and description of each problem.
        excused: Kind of fault -> number of repeated runs that it explains.
        overtaken: Number of OSIS jobs that later ones overtook.
    """

    problems: list[tuple[str, str]]
    excused: collections.Counter[str]
    overtaken: int


def check(history: History, jobs: Mapping[str, StoredJob], strays: Sequence[str], unseen_events: int = 0) -> Verdict:
    """Check a history against the promises of the product.

    Args:
        history: What the witness saw.
        jobs: What the store holds of each job, after all had time to end.
        strays: Descriptions of left-over keys and processes.
        unseen_events: Number of entries of the event stream that the witness missed.
    """
    problems: list[tuple[str, str]] = [("strays", stray) for stray in strays]
    problems += [("crash", f"the {fault.kind}") for fault in history.faults if fault.kind.endswith("by itself")]
    if unseen_events:
        problems.append(("witness", f"{unseen_events} entries of the event stream were not seen"))
    statuses: dict[str, list[str]] = collections.defaultdict(list)
    for _, job, status in history.events:
        if not job.startswith("batch:"):
            statuses[job].append(status)

    for job in sorted(history.acknowledged):
        final = jobs.get(job)
        if final is None:
            problems.append(("lost", f"{job} was acknowledged and is gone"))
        elif final.fields.get("status") not in TERMINAL:
            problems.append(("lost", f"{job} was acknowledged and is still {final.end or 'nothing'}"))
    strangers = sorted({*jobs, *statuses, *history.runs, *history.acts} - history.submitted.keys())
    problems += [("unexpected", f"{job} was never submitted") for job in strangers]

    for job, final in jobs.items():
        problems += [("ends", f"{job} {text}") for text in _check_ends(statuses.get(job, []), final)]
        if final.fields.get("status") in TERMINAL and final.replies != 1:
            problems.append(("replies", f"{job} has {final.replies} replies"))
        if job in history.submitted:
            problems += [("outcome", f"{job} {text}") for text in _check_outcome(history, job, final)]
            problems += [("acts", f"{job} {text}") for text in _check_acts(history, job, final)]
    ended = {job: at for at, job, status in history.events if status in TERMINAL}
    for at, job, answer in history.answers:
        final = jobs.get(job)
        if answer == IN_TIME and ended.get(job, math.inf) + _SLACK_S > at:
            continue
        said = f"finished:{final.fields.get('output')}" if final and final.end == "finished" else final and final.end
        if answer != said:
            problems.append(("outcome", f"{job}: somebody was told {answer}, the store says {said}"))

    excused: collections.Counter[str] = collections.Counter()
    for job, runs in history.runs.items():
        problems += [("starts", f"{job} {text}") for text in _check_starts(history, job, runs, jobs.get(job), excused)]
        early_s = history.submitted.get(job, {}).get("earliest", 0) - runs[0].began
        if early_s > _CLOCK_S:
            problems.append(("early", f"{job} started {early_s:.3f} s before its time"))
    overtaken, order = _check_order(history)
    return Verdict(problems + order + _check_exclusion(history, jobs), excused, overtaken)


def _check_ends(statuses: Sequence[str], final: StoredJob) -> Iterable[str]:
    ends = [status for status in statuses if status in TERMINAL]
    status = final.fields.get("status", "")
    if status in TERMINAL and (len(ends) != 1 or statuses[-1] != status):
        yield f"ended {len(ends)} times; its life was {' '.join(statuses)}, its hash says {status}"
    for old, new in itertools.pairwise(statuses):
        if JobStatus(new) not in TRANSITIONS[JobStatus(old)]:
            yield f"went from {old} to {new}"


def _check_outcome(history: History, job: str, final: StoredJob) -> Iterable[str]:
    submitted = history.submitted[job]
    # A job ends when its fourth holder is lost. The rule `starts` checks that they were.
    lost = final.end == "error:lost" and len(history.runs.get(job, ())) >= 4
    # A script whose template process ends runs again once; if that run loses its template too, the job ends.
    ends = ("error:crashed", "error:engine_failed")
    crashed = final.end in ends and submitted["type"] == "python" and _crash_near(history, job)
    if final.fields.get("status") in TERMINAL and final.end not in submitted["ends"] and not lost and not crashed:
        yield f"({submitted['kind']}) ended as {final.end}: {final.fields.get('error')}"
    if final.end == "finished" and final.fields.get("output") != submitted["output"]:
        yield f"has the output {final.fields.get('output')!r}, not {submitted['output']!r}"


def _crash_near(history: History, job: str) -> bool:
    run = history.runs[job][-1] if history.runs.get(job) else None
    return run is not None and any(
        fault.begin <= (run.ended or fault.begin) and fault.end + _SLACK_S >= run.began
        for fault in history.faults
        if fault.kind in _CRASHES
    )


def _check_acts(history: History, job: str, final: StoredJob) -> Iterable[str]:
    acts, runs = history.acts.get(job, []), history.runs.get(job, [])
    if len(acts) > len(runs):
        yield f"acted {len(acts)} times in {len(runs)} runs"
    for at, holder in acts:
        if not any(run.holder == holder and run.began <= at <= _latest_end(history, run) for run in runs):
            yield "acted when it did not run"
    if final.end == "finished" and history.submitted[job]["kind"] == "acting" and not acts:
        yield "finished without having acted"


def _latest_end(history: History, run: Run) -> float:
    """Tell when no process can run a script for this run any more."""
    if run.ended is not None:
        return run.ended
    kills = (f.end for f in history.faults if f.kind in _KILLS and run.holder in (f.hit or ()) and f.end >= run.began)
    return min(kills, default=math.inf) + _SLACK_S


def _cause(history: History, run: Run, following: Run) -> str | None:
    """Name the fault because of which a run followed another one; None if there is none.

    It hit the actor of the first run. Or it hit that of the second one, from before the first run until shortly before
    the second: an actor that was frozen after its claim and before the run learns afterwards that it was declared dead.
    """
    near = [fault for fault in history.faults if fault.begin <= following.began and fault.end + _SLACK_S >= run.began]
    late = (f for f in near if f.begin <= run.began and f.end + _SLACK_S >= following.began)
    hits = [fault for fault in near if fault.hit and run.holder in fault.hit]
    hits = hits or [f for f in near if f.hit is None] or [f for f in late if f.hit and following.holder in f.hit]
    return hits[-1].kind if hits else None


def _check_starts(
    history: History, job: str, runs: Sequence[Run], final: StoredJob | None, excused: collections.Counter[str]
) -> Iterable[str]:
    if final is not None and len(runs) > int(final.fields.get("attempt", 0)):
        yield f"ran {len(runs)} times under {final.fields.get('attempt', 0)} claims"
    retries = int(history.submitted.get(job, {}).get("retries", 0))
    for run, following in itertools.pairwise(runs):
        if run.outcome in ("Failed", "TimedOut") and retries > 0:
            retries -= 1
            continue
        cause = _cause(history, run, following)
        if cause is None:
            later_s = following.began - run.began
            yield f"ran again {later_s:.2f} s after its run in process {run.pid} of {run.holder}, which no fault hit"
        else:
            excused[cause] += 1


def _check_order(history: History) -> tuple[int, list[tuple[str, str]]]:
    """Replay the OSIS queue from the events: a job that starts for the first time must be the first in the queue.

    An idle lane takes one job. If its process is killed, frozen or cut off, later jobs may overtake that job. So each
    fault explains one overtaken job, and only near the fault.
    """
    queue = _OsisQueue()
    started: set[str] = set()
    overtaken: set[str] = set()
    problems = []
    for at, job, status in history.events:
        submitted = history.submitted.get(job, {})
        if submitted.get("type") != "osis":
            continue
        if status == "dispatched" and job not in started:
            queue.join(job, submitted.get("priority", "normal"))
        elif status == "started" and job not in started:
            started.add(job)
            for ahead in queue.ahead_of(job):
                if ahead not in overtaken:
                    overtaken.add(ahead)
                    if not any(fault.begin - _SLACK_S <= at <= fault.end + 10 for fault in history.faults):
                        problems.append(("order", f"{job} started before {ahead}, and no fault was near"))
            queue.leave(job)
        elif status in TERMINAL or status == "scheduled":
            queue.leave(job)
    if len(overtaken) > len(history.faults):
        text = f"{len(overtaken)} jobs were overtaken by later ones in {len(history.faults)} faults"
        problems.append(("order", text))
    return len(overtaken), problems


class _OsisQueue:
    """The jobs in the OSIS queue, and which of them must start before which.

    Events do not show the job that an idle lane has taken and not started. So the job that was first when an urgent one
    came may start before the urgent one. A patient job must start after all jobs that were queued when it came. It may
    start before jobs that came later and before other patient ones, because it is put aside only if others wait.
    """

    def __init__(self) -> None:
        self._line: list[str] = []
        self._urgent: set[str] = set()
        self._perhaps_taken: set[str] = set()
        #: Patient job -> jobs that were queued when it came.
        self._patient: dict[str, set[str]] = {}

    def join(self, job: str, priority: str) -> None:
        """Add a job."""
        self.leave(job)
        if priority == "low":
            self._patient[job] = set(self._line)
        elif priority == "high":
            self._perhaps_taken |= {self._line[0]} if self._line else self._patient.keys()
            self._line.insert(0, job)
            self._urgent.add(job)
        else:
            self._line.append(job)

    def leave(self, job: str) -> None:
        """Remove a job, if it is there."""
        if job in self._line:
            self._line.remove(job)
        self._patient.pop(job, None)
        self._urgent.discard(job)
        self._perhaps_taken.discard(job)

    def ahead_of(self, job: str) -> list[str]:
        """List the jobs that must start before this one."""
        first = self._urgent if job not in self._perhaps_taken else set()
        if job in self._patient:
            return [other for other in self._line if other in self._patient[job] or other in first]
        if job not in self._line:
            return []
        before = self._line[: self._line.index(job)]
        return [other for other in before if other not in self._urgent or other in first]


def _check_exclusion(history: History, jobs: Mapping[str, StoredJob]) -> list[tuple[str, str]]:
    osis = sorted(
        (run for job, runs in history.runs.items() for run in runs if _type(history, job) == "osis"),
        key=lambda run: run.began,
    )
    problems = []
    for run, following in itertools.pairwise(osis):
        ended = run.ended is not None and run.ended <= following.began
        over = ended or _was_killed_by_actor(history, jobs, run)
        if not over and _cause(history, run, following) is None:
            problems.append(("exclusion", f"{following.job} started while {run.job} ran in process {run.pid}"))
    return problems


def _was_killed_by_actor(history: History, jobs: Mapping[str, StoredJob], run: Run) -> bool:
    """Did the actor kill the process of a run: a suspect's, at its deadline or to stop it? It notes no end then."""
    final = jobs.get(run.job)
    is_last = run is history.runs[run.job][-1]
    return run.ended is None and is_last and final is not None and final.end in _ENDED_BY_ACTOR


def _type(history: History, job: str) -> str:
    return str(history.submitted.get(job, {}).get("type", ""))
