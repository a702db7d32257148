"""The figures of a run, as text. Pure."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Mapping, Sequence

from tests.chaos.checker import Final, History, Verdict

#: Faults after which it is of interest how soon each type of actor begins a script again.
_OUTAGES = ("lose host", "kill supervisor", "stop supervisor", "kill store", "freeze store", "fill store")


def describe(history: History, jobs: Mapping[str, Final], verdict: Verdict) -> str:
    """Say what was done, what became of it, and what has gone wrong."""
    kinds = collections.Counter(str(entry["kind"]) for entry in history.submitted.values())
    ends = collections.Counter(final.end for final in jobs.values())
    faults = collections.Counter(hit.kind for hit in history.hits)
    redelivered = [int(final.fields.get("redeliveries", 0)) for final in jobs.values()]
    lines = [
        f"jobs: {len(history.submitted)} submitted, {len(history.acknowledged)} acknowledged ({_counts(kinds)})",
        f"ends: {_counts(ends)}",
        f"faults: {sum(faults.values())} ({_counts(faults)})",
        f"runs of scripts: {sum(map(len, history.runs.values()))}; redelivered: {sum(map(bool, redelivered))} jobs, "
        f"{sum(redelivered)} times; OSIS jobs overtaken while a holder was hit: {verdict.overtaken}",
        f"second starts: {sum(verdict.excused.values())} ({_counts(verdict.excused)})",
        f"a script begins again after an outage: {_quantiles(_recovery_s(history))}",
        f"a job starts anew after its holder was killed: {_quantiles(_restart_s(history, 'kill actor'))}",
        f"the same after its host was lost: {_quantiles(_restart_s(history, 'lose host'))}",
        f"acts of HeroScript processes: {sum(map(len, history.acts.values()))}",
        f"problems: {len(verdict.problems)}",
    ]
    lines += [f"  {rule}: {text}" for rule, text in verdict.problems[:40]]
    return "\n".join(lines)


def _recovery_s(history: History) -> list[float]:
    """From the end of each outage to the first run after it, for each type of actor that it concerned."""
    found = []
    for script_type in ("osis", "sal", "python"):
        begins = sorted(
            run.began
            for job, runs in history.runs.items()
            for run in runs
            if history.submitted.get(job, {}).get("type") == script_type
        )
        for hit in history.hits:
            if hit.kind.startswith(_OUTAGES):
                after = next((began for began in begins if began > hit.end), None)
                if after is not None:
                    found.append(after - hit.end)
    return found


def _restart_s(history: History, kind: str) -> list[float]:
    """From the kill of an actor to the next run of a job that it was running."""
    found = []
    for runs in history.runs.values():
        for run, following in itertools.pairwise(runs):
            kills = (hit for hit in history.hits if hit.kind == kind and run.pid in (hit.pids or ()))
            found += [following.began - hit.begin for hit in kills if run.ended is None]
    return found


def _quantiles(values: Sequence[float]) -> str:
    if not values:
        return "not seen"
    ordered = sorted(values)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.99))
    return f"p50 {p50:.2f} s, p99 {p99:.2f} s, most {ordered[-1]:.2f} s ({len(ordered)} seen)"


def _counts(counter: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items(), key=lambda c: (-c[1], c[0])))
