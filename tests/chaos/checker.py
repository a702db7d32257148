"""The checker: from what the witness saw and what the store holds at the end, what has gone wrong. Pure.

The rules, each with the name that a problem carries:

- `lost`: an acknowledged job is gone, or has not ended;
- `unexpected`: a job, a run or an event of a job that nobody submitted;
- `ends`: not exactly one terminal transition, or one after it, or a transition that the table does not know;
- `replies`: not exactly one reply;
- `outcome`: an end that this kind of job cannot have, a wrong output, or an answer to a waiter that says otherwise;
- `starts`: a script ran again although its holder was neither killed nor frozen nor cut off, and it was not a retry;
- `early`: a delayed job, or one of a schedule, began before its time;
- `acts`: the process of a script did something twice in one run, after the end of its run, or nothing;
- `order`: OSIS jobs began in another order than they were queued, priority regarded, beyond what holders that were hit
  may have held back;
- `exclusion`: two OSIS scripts ran at once although no holder was hit;
- `crash`: the supervisor ended by itself;
- `strays`: what is left in the store, or which process, that should not be;
- `witness`: the witness has not seen everything, so nothing is proven.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hero_job import TRANSITIONS, JobStatus
from tests.chaos.witness import Entry

#: A run may begin so long after its holder was hit and still be that holder's, in seconds: a process that goes on after
#: a freeze learns only at its next word with the store that it was declared dead. The machine may be busy.
_SLACK_S = 2.0
#: After these, near its run, a job may have ended as crashed.
_CRASHES = ("kill job processes", "kill template")
#: Readings of one clock by two processes, and the store's in whole milliseconds, in seconds.
_CLOCK_S = 0.01
TERMINAL = frozenset(status.value for status in JobStatus if status.terminal)


@dataclass(frozen=True, slots=True)
class Final:
    """A job as the store has it at the end.

    Attributes:
        fields: Its hash.
        replies: Entries of its reply list.
    """

    fields: Mapping[str, str]
    replies: int

    @property
    def end(self) -> str:
        """Status, with the kind of the error after a colon."""
        status, kind = self.fields.get("status", ""), self.fields.get("error_kind", "")
        return f"{status}:{kind}" if status != "finished" and kind else status


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a script, as its process noted it; it has no end when the process did not live to note it."""

    job: str
    pid: int
    began: float
    ended: float | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One fault: whom it hit (None: everybody), from when to when."""

    kind: str
    pids: frozenset[int] | None
    begin: float
    end: float


@dataclass(slots=True)
class History:
    """The witness's notes, sorted."""

    submitted: dict[str, Entry] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    answers: list[tuple[str, str]] = field(default_factory=list)
    #: (when it was seen, job, status), in the order of the store.
    events: list[tuple[float, str, str]] = field(default_factory=list)
    #: Job -> when its process did something.
    acts: dict[str, list[float]] = field(default_factory=lambda: collections.defaultdict(list))
    runs: dict[str, list[Run]] = field(default_factory=lambda: collections.defaultdict(list))
    hits: list[Hit] = field(default_factory=list)


def read_history(entries: Iterable[Entry]) -> History:
    """Sort the witness's notes."""
    history = History()
    open_runs: dict[tuple[str, int], list[Entry]] = collections.defaultdict(list)
    for entry in sorted(entries, key=lambda e: e["at"]):
        match entry["what"]:
            case "submitted":
                history.submitted[entry["job"]] = entry
            case "acknowledged":
                history.acknowledged.add(entry["job"])
            case "answered":
                history.answers.append((entry["job"], entry["answer"]))
            case "event":
                history.events.append((entry["at"], entry["job"], entry["status"]))
            case "acted":
                history.acts[entry["job"]].append(entry["at"])
            case "fault":
                pids = entry["pids"]
                who = None if pids is None else frozenset(pids)
                history.hits.append(Hit(entry["kind"], who, entry["begin"], entry["at"]))
            case "began":
                open_runs[entry["job"], entry["pid"]].append(entry)
            case "ended":
                began = open_runs[entry["job"], entry["pid"]].pop(0)
                run = Run(entry["job"], entry["pid"], began["at"], entry["at"], entry["outcome"])
                history.runs[entry["job"]].append(run)
    for (job, pid), left in open_runs.items():
        history.runs[job] += [Run(job, pid, e["at"], None, "") for e in left]
    for runs in history.runs.values():
        runs.sort(key=lambda run: run.began)
    return history


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has gone wrong, a rule and a sentence each; and the second starts that are excused, by fault."""

    problems: list[tuple[str, str]]
    excused: collections.Counter[str]
    overtaken: int


def check(history: History, jobs: Mapping[str, Final], strays: Sequence[str], unseen_events: int = 0) -> Verdict:
    """Hold a history against the promise.

    Args:
        history: What the witness saw.
        jobs: What the store holds of each job, after everything had time to end.
        strays: What is left that should not be, in words.
        unseen_events: How many entries of the event stream the witness has missed.
    """
    problems: list[tuple[str, str]] = [("strays", stray) for stray in strays]
    problems += [("crash", f"the {hit.kind}") for hit in history.hits if hit.kind.endswith("by itself")]
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
    for job, answer in history.answers:
        final = jobs.get(job)
        said = f"finished:{final.fields.get('output')}" if final and final.end == "finished" else final and final.end
        if answer != said:
            problems.append(("outcome", f"{job}: somebody was told {answer}, the store says {said}"))

    excused: collections.Counter[str] = collections.Counter()
    for job, runs in history.runs.items():
        problems += [("starts", f"{job} {text}") for text in _check_starts(history, job, runs, jobs.get(job), excused)]
        early_s = history.submitted.get(job, {}).get("earliest", 0) - runs[0].began
        if early_s > _CLOCK_S:
            problems.append(("early", f"{job} began {early_s:.3f} s before its time"))
    overtaken, order = _check_order(history)
    return Verdict(problems + order + _check_exclusion(history), excused, overtaken)


def _check_ends(statuses: Sequence[str], final: Final) -> Iterable[str]:
    ends = [status for status in statuses if status in TERMINAL]
    status = final.fields.get("status", "")
    if status in TERMINAL and (len(ends) != 1 or statuses[-1] != status):
        yield f"ended {len(ends)} times; its life was {' '.join(statuses)}, its hash says {status}"
    for old, new in itertools.pairwise(statuses):
        if JobStatus(new) not in TRANSITIONS[JobStatus(old)]:
            yield f"went from {old} to {new}"


def _check_outcome(history: History, job: str, final: Final) -> Iterable[str]:
    submitted = history.submitted[job]
    # Four holders lost is the end of a job; that they were is for the rule of starts to prove.
    lost = final.end == "error:lost" and len(history.runs.get(job, ())) >= 4
    crashed = final.end == "error:crashed" and submitted["type"] == "python" and _crash_near(history, job)
    if final.fields.get("status") in TERMINAL and final.end not in submitted["ends"] and not lost and not crashed:
        yield f"({submitted['kind']}) ended as {final.end}: {final.fields.get('error')}"
    if final.end == "finished" and final.fields.get("output") != submitted["output"]:
        yield f"has the output {final.fields.get('output')!r}, not {submitted['output']!r}"


def _crash_near(history: History, job: str) -> bool:
    run = history.runs[job][-1] if history.runs.get(job) else None
    return run is not None and any(
        hit.begin <= (run.ended or hit.begin) and hit.end + _SLACK_S >= run.began
        for hit in history.hits
        if hit.kind in _CRASHES
    )


def _check_acts(history: History, job: str, final: Final) -> Iterable[str]:
    acts, runs = history.acts.get(job, []), history.runs.get(job, [])
    if len(acts) > len(runs):
        yield f"acted {len(acts)} times in {len(runs)} runs"
    for at in acts:
        if not any(run.began <= at and (run.ended is None or at <= run.ended) for run in runs):
            yield "acted when it did not run"
    if final.end == "finished" and history.submitted[job]["kind"] == "acting" and not acts:
        yield "finished without having acted"


def _hit(history: History, pid: int, since: float, until: float) -> str | None:
    """What hit a process in a time, in words; None when nothing did. What hit it alone counts before what hit all."""
    near = [hit for hit in history.hits if hit.begin <= until and hit.end + _SLACK_S >= since]
    causes = [hit for hit in near if hit.pids and pid in hit.pids] or [hit for hit in near if hit.pids is None]
    return causes[-1].kind if causes else None


def _check_starts(
    history: History, job: str, runs: Sequence[Run], final: Final | None, excused: collections.Counter[str]
) -> Iterable[str]:
    if final is not None and len(runs) > int(final.fields.get("attempt", 0)):
        yield f"ran {len(runs)} times under {final.fields.get('attempt', 0)} claims"
    retries = int(history.submitted.get(job, {}).get("retries", 0))
    for run, following in itertools.pairwise(runs):
        if run.outcome in ("Failed", "TimedOut") and retries > 0:
            retries -= 1
            continue
        cause = _hit(history, run.pid, run.began, following.began)
        if cause is None:
            yield f"ran again {following.began - run.began:.2f} s after its run in process {run.pid}, which nothing hit"
        else:
            excused[cause] += 1


def _check_order(history: History) -> tuple[int, list[tuple[str, str]]]:
    """Play the OSIS queue by the events; a job that begins for the first time must be the first that has not begun.

    A holder that is killed, frozen or cut off may hold one id that it has taken and not begun: idle lanes take one. So
    many jobs may be overtaken as there were faults, and each only near one.
    """
    line = _Line()
    begun: set[str] = set()
    overtaken: set[str] = set()
    problems = []
    for at, job, status in history.events:
        submitted = history.submitted.get(job, {})
        if submitted.get("type") != "osis":
            continue
        if status == "dispatched" and job not in begun:
            line.join(job, submitted.get("priority", "normal"))
        elif status == "started" and job not in begun:
            begun.add(job)
            for ahead in line.ahead_of(job):
                if ahead not in overtaken:
                    overtaken.add(ahead)
                    if not any(hit.begin - _SLACK_S <= at and hit.end + 10 >= at for hit in history.hits):
                        problems.append(("order", f"{job} began before {ahead}, and no fault was near"))
            line.leave(job)
        elif status in TERMINAL or status == "scheduled":
            line.leave(job)
    if len(overtaken) > len(history.hits):
        problems.append(("order", f"{len(overtaken)} jobs were overtaken by later ones in {len(history.hits)} faults"))
    return len(overtaken), problems


class _Line:
    """Who waits in the OSIS queue, and who of them must begin before whom.

    Events do not tell what an idle lane has taken and not begun. So whoever was first when an urgent job came may begin
    before it. And a patient job stands behind all that were there when it came, but perhaps before those that came
    later, and before other patient ones: it is put aside only if others wait.
    """

    def __init__(self) -> None:
        self._line: list[str] = []
        self._urgent: set[str] = set()
        self._perhaps_taken: set[str] = set()
        #: Patient job -> who was there when it came.
        self._patient: dict[str, set[str]] = {}

    def join(self, job: str, priority: str) -> None:
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
        if job in self._line:
            self._line.remove(job)
        self._patient.pop(job, None)
        self._urgent.discard(job)
        self._perhaps_taken.discard(job)

    def ahead_of(self, job: str) -> list[str]:
        """Who must begin before it."""
        first = self._urgent if job not in self._perhaps_taken else set()
        if job in self._patient:
            return [other for other in self._line if other in self._patient[job] or other in first]
        if job not in self._line:
            return []
        before = self._line[: self._line.index(job)]
        return [other for other in before if other not in self._urgent or other in first]


def _check_exclusion(history: History) -> list[tuple[str, str]]:
    osis = sorted(
        (run for job, runs in history.runs.items() for run in runs if _type(history, job) == "osis"),
        key=lambda run: run.began,
    )
    problems = []
    for run, following in itertools.pairwise(osis):
        over = run.ended is not None and run.ended <= following.began
        if not over and _hit(history, run.pid, run.began, following.began) is None:
            problems.append(("exclusion", f"{following.job} began while {run.job} ran in process {run.pid}"))
    return problems


def _type(history: History, job: str) -> str:
    return str(history.submitted.get(job, {}).get("type", ""))
