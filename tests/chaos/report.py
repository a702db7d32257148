"""Describes a run in words and figures. Pure."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Mapping, Sequence

from tests.chaos.checker import History, StoredJob, Verdict

#: Faults for which the report says how soon each script type runs scripts again.
_OUTAGES = ("lose host", "kill supervisor", "stop supervisor", "kill store", "freeze store", "fill store")


def describe(history: History, jobs: Mapping[str, StoredJob], verdict: Verdict) -> str:
    """Describe the load, the faults, how the jobs ended, and the problems."""
    kinds = collections.Counter(str(entry["kind"]) for entry in history.submitted.values())
    ends = collections.Counter(final.end for final in jobs.values())
    faults = collections.Counter(fault.kind for fault in history.faults)
    again = sum("rerun_reason" in final.fields for final in jobs.values())
    charged = sum(int(final.fields.get("redeliveries", 0)) for final in jobs.values())
    lines = [
        f"jobs: {len(history.submitted)} submitted, {len(history.acknowledged)} acknowledged ({_counts(kinds)})",
        f"ends: {_counts(ends)}",
        f"faults: {sum(faults.values())} ({_counts(faults)})",
        f"runs of scripts: {sum(map(len, history.runs.values()))}; run again: {again} jobs, "
        f"charged {charged} times; OSIS jobs overtaken while a holder was hit: {verdict.overtaken}",
        f"repeated runs: {sum(verdict.excused.values())} ({_counts(verdict.excused)})",
        f"time until scripts run again after an outage: {_quantiles(_recovery_s(history))}",
        f"time until a job runs again after its holder was killed: {_quantiles(_restart_s(history, 'kill actor'))}",
        f"time until a job runs again after its host was lost: {_quantiles(_restart_s(history, 'lose host'))}",
        f"acts of HeroScript processes: {sum(map(len, history.acts.values()))}",
        f"problems: {len(verdict.problems)}",
    ]
    lines += [f"  {rule}: {text}" for rule, text in verdict.problems[:40]]
    return "\n".join(lines)


def _recovery_s(history: History) -> list[float]:
    """List the times from the end of each outage to the first run after it, for each script type, in seconds."""
    found = []
    for script_type in ("osis", "sal", "python"):
        begins = sorted(
            run.began
            for job, runs in history.runs.items()
            for run in runs
            if history.submitted.get(job, {}).get("type") == script_type
        )
        for fault in history.faults:
            if fault.kind.startswith(_OUTAGES):
                after = next((began for began in begins if began > fault.end), None)
                if after is not None:
                    found.append(after - fault.end)
    return found


def _restart_s(history: History, kind: str) -> list[float]:
    """List the times from a fault that killed a job's actor to the next run of that job, in seconds."""
    found = []
    for runs in history.runs.values():
        for run, following in itertools.pairwise(runs):
            kills = (fault for fault in history.faults if fault.kind == kind and run.holder in (fault.hit or ()))
            found += [following.began - fault.begin for fault in kills if run.ended is None]
    return found


def _quantiles(values: Sequence[float]) -> str:
    if not values:
        return "not seen"
    ordered = sorted(values)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.99))
    return f"p50 {p50:.2f} s, p99 {p99:.2f} s, most {ordered[-1]:.2f} s ({len(ordered)} seen)"


def _counts(counter: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items(), key=lambda c: (-c[1], c[0])))
