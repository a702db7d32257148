"""The tables that commands print for people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from hero_ctl.output.json_views import next_time_text, time_text
from hero_job.model.views import ActorPresence, DeadJob, JobRecord, QueueStatus
from hero_job.operations.credentials import StoredToken
from hero_job.operations.schedules import Schedule

if TYPE_CHECKING:
    from rich.console import Console

_SHORT_CHARS = 40
_WIDE_COLUMNS = 240


def print_jobs(records: Iterable[JobRecord], damaged: Iterable[tuple[str, str]]) -> None:
    """Print jobs as a table; those that cannot be read come last."""
    rows = []
    for record in records:
        result = record.output if record.error is None else record.error
        rows.append(
            [
                record.job.id,
                record.job.script_type.value,
                record.status.value,
                _minute(record.created_at or ""),
                _took(record),
                _short(record.job.caller_id, 16),
                _short(result or "", _SHORT_CHARS),
            ]
        )
    rows += [[job_id, "", "damaged", "", "", "", _short(reason, _SHORT_CHARS)] for job_id, reason in damaged]
    _print_table(["ID", "TYPE", "STATUS", "CREATED (UTC)", "TOOK", "CALLER", "RESULT"], rows, "no jobs")


def print_job(record: JobRecord) -> None:
    """Print what happened to a job, one line per fact; its script and its output are left out."""
    job, progress = record.job, record.progress
    place = ":".join(str(part) for part in (record.error_line, record.error_column) if part is not None)
    facts: dict[str, object] = {
        "id": job.id,
        "script type": job.script_type.value,
        "caller": job.caller_id,
        "context": job.context_id,
        "status": record.status.value,
        "created": record.created_at,
        "started": record.started_at,
        "finished": record.finished_at,
        "took": _took(record),
        "owner": record.owner,
        "attempts": record.attempt,
        "ran again": record.rerun_reason,
        "ended its process": f"{record.redeliveries} times" if record.redeliveries else "",
        "failures": record.failures or "",
        "progress": f"{progress.done:g} of {progress.total:g} {progress.text}" if progress else "",
        "error": f"{record.error_kind}: {record.error}" if record.error is not None else "",
        "error at": place,
    }
    width = max(map(len, facts))
    for name, fact in facts.items():
        if fact not in (None, ""):
            typer.echo(f"{name:{width}}  {_short(str(fact), _WIDE_COLUMNS)}")


def print_actors(actors: Sequence[ActorPresence], queued: Mapping[str, int]) -> None:
    """Print actors as a table, then how many jobs wait for each type."""
    rows = [
        [
            actor.name,
            actor.script_type.value,
            _state(actor),
            f"{actor.busy}/{actor.lanes}",
            str(actor.jobs),
            f"{actor.engine} {actor.engine_version}",
            "/".join(part for part in (actor.group, actor.instance) if part),
            f"{actor.host}:{actor.pid}",
            _minute(actor.started_at or ""),
        ]
        for actor in actors
    ]
    heads = ["NAME", "TYPE", "STATE", "BUSY", "JOBS", "ENGINE", "GROUP", "HOST:PID", "STARTED (UTC)"]
    _print_table(heads, rows, "no actors: start `hero-supervisor`, or a single `hero-actor --type osis`")
    for actor in actors:
        if actor.unavailable is not None:
            print(f"{actor.name}: {actor.unavailable}")  # noqa: T201
    print("waiting: " + ", ".join(f"{name} {count}" for name, count in queued.items()))  # noqa: T201


def _state(actor: ActorPresence) -> str:
    if actor.beat_at is None:
        return "silent"
    return "alive" if actor.unavailable is None else "unavailable"


def print_entry(entry: Mapping[str, Any]) -> None:
    """Print the processes of an `[[actors]]` entry as a table, then how many are wanted and why.

    Args:
        entry: What the RPC method `get_actor` returned.
    """
    rows = [
        [
            slot["slot"],
            _phase(slot),
            f"{slot['for_s']:.0f} s",
            str(slot["pid"] or ""),
            str(slot["restarts"]),
            f"{slot['rss_bytes'] / 1e6:.1f} MB" if slot["rss_bytes"] else "",
            _note(slot),
        ]
        for slot in entry["slots"]
    ]
    _print_table(["NAME", "PHASE", "FOR", "PID", "RESTARTS", "MEMORY", "NOTE"], rows, f"{entry['name']}: no processes")
    limits = f"{entry['min']} to {entry['max']}, by load" if entry["max"] else "as requested"
    print(f"{entry['name']}: {entry['count']} wanted, {limits}")  # noqa: T201
    if entry["scaling"] is not None:
        scaling = entry["scaling"]
        last = f"; last changed because {scaling['reason']}" if scaling["reason"] else ""
        print(f"jobs wait {scaling['wait_s']:.1f} s, {scaling['use']:.0%} of the lanes are busy{last}")  # noqa: T201


def _phase(slot: Mapping[str, Any]) -> str:
    phase: str = slot["phase"] + (" (held)" if slot["held"] else "")
    return phase if slot["role"] == "owner" else f"{phase}, {slot['role']}"


def _note(slot: Mapping[str, Any]) -> str:
    if slot["waits_for"]:
        return f"waits for {', '.join(slot['waits_for'])}"
    if slot["unavailable"]:
        return str(slot["unavailable"])
    ended = f"ended: {slot['last_exit']}" if slot["last_exit"] else ""
    return ended if slot["starts_in_s"] is None else f"{ended}, starts in {slot['starts_in_s']:.1f} s"


def print_dead(letters: Iterable[tuple[DeadJob, JobRecord | str]]) -> None:
    """Print dead letters as a table.

    Args:
        letters: Each with its job, or with why that cannot be shown.
    """
    rows = [
        [
            letter.job_id,
            "" if isinstance(record, str) else record.job.script_type.value,
            _minute(time_text(letter.died_ms)),
            "" if isinstance(record, str) else record.error_kind or "",
            _short(record if isinstance(record, str) else record.error or "", 2 * _SHORT_CHARS),
        ]
        for letter, record in letters
    ]
    _print_table(["ID", "TYPE", "DIED (UTC)", "KIND", "ERROR"], rows, "no dead letters")


def print_queues(queues: Iterable[QueueStatus]) -> None:
    """Print queues as a table."""
    rows = [
        [
            queue.script_type.value,
            "/".join(part for part in (queue.group, queue.instance) if part),
            str(queue.waiting),
            f"since {_minute(queue.paused_since)}" if queue.paused_since else "",
        ]
        for queue in queues
    ]
    _print_table(["TYPE", "GROUP", "WAITING", "PAUSED (UTC)"], rows, "no queues")


def print_schedules(schedules: Iterable[Schedule]) -> None:
    """Print schedules as a table."""
    rows = [
        [
            schedule.name,
            f"{schedule.cron} ({schedule.tz})" if schedule.cron else f"every {schedule.interval_s:g} s",
            _minute(next_time_text(schedule)),
            str(schedule.job.get("script_type", "")),
            _short(str(schedule.job.get("script", "")), _SHORT_CHARS),
        ]
        for schedule in schedules
    ]
    _print_table(["NAME", "WHEN", "NEXT (UTC)", "TYPE", "SCRIPT"], rows, "no schedules")


def print_keys(tokens: Iterable[StoredToken]) -> None:
    """Print keys as a table."""
    rows = [[token.name, token.scope, _minute(token.created_at), _expiry(token)] for token in tokens]
    _print_table(["NAME", "SCOPE", "CREATED (UTC)", "EXPIRES (UTC)"], rows, "no keys")


def _expiry(token: StoredToken) -> str:
    if token.expires_at is None or token.expires_s is None:
        return "never"
    return _minute(token.expires_at) + (" (expired)" if token.expires_s <= time.time() else "")


def _minute(text: str) -> str:
    return text[:19].replace("T", " ")


def console_for_output() -> Console:
    """A console on standard output. In a pipe or a file it is wide enough not to cut cells."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE_COLUMNS)
    return console


def _print_table(heads: list[str], rows: list[list[str]], empty: str) -> None:
    from rich.table import Table
    from rich.text import Text

    console = console_for_output()
    if not rows:
        console.print(Text(empty))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, head in enumerate(heads):
        table.add_column(head, no_wrap=i == 0, overflow="fold" if i == 0 else "ellipsis")
    for row in rows:
        # Text, never markup: "[red]" in a script is printed as it is.
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _short(text: str, chars: int) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: chars * 4]).split())
    return line if len(line) <= chars else line[: chars - 1] + "…"


def _took(record: JobRecord) -> str:
    if record.started_at is None:
        return ""
    try:
        begin = datetime.fromisoformat(record.started_at)
        end = datetime.fromisoformat(record.finished_at) if record.finished_at else datetime.now(UTC)
    except (ValueError, TypeError):
        return ""
    took_s = max(0.0, (end - begin).total_seconds())
    running = "" if record.finished_at else "…"
    return f"{took_s:.3f} s{running}" if took_s < 10 else f"{took_s:.0f} s{running}"
