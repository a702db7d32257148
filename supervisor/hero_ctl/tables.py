"""Tables for people and JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hero_job.model.job import Job
from hero_job.model.views import ActorPresence, DeadJob, JobRecord, QueueStatus
from hero_job.operations.credentials import StoredToken
from hero_job.operations.schedules import Schedule

if TYPE_CHECKING:
    from rich.console import Console

_SHORT_CHARS = 40
_WIDE_COLUMNS = 240


def record_as_json(record: JobRecord) -> dict[str, Any]:
    """A job with everything that the store knows of it, in one level; names as in its hash in Redis."""
    job = {name: plain(getattr(record.job, name)) for name in Job.__dataclass_fields__}
    run = {name: plain(getattr(record, name)) for name in JobRecord.__dataclass_fields__ if name != "job"}
    return {"id": record.job.id, "status": run["status"], **job, **run}


def actor_as_json(actor: ActorPresence) -> dict[str, Any]:
    """An actor with everything that the registry knows of it, and whether it is alive."""
    fields = {name: plain(getattr(actor, name)) for name in ActorPresence.__dataclass_fields__}
    return {**fields, "alive": actor.beat_at is not None}


def to_json(value: object) -> str:
    """Indented JSON that keeps characters of all scripts readable."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def print_jobs(records: Iterable[JobRecord], damaged: Iterable[tuple[str, str]]) -> None:
    """Print jobs as a table, and below them those that cannot be read."""
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


def print_actors(actors: Sequence[ActorPresence], queued: Mapping[str, int]) -> None:
    """Print actors as a table, and below it how many jobs wait for each type."""
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
    _print_table(heads, rows, "no actors: start `hero-supervisor`, or `hero-actor --type osis`")
    for actor in actors:
        if actor.unavailable is not None:
            print(f"{actor.name}: {actor.unavailable}")  # noqa: T201
    print("waiting: " + ", ".join(f"{name} {count}" for name, count in queued.items()))  # noqa: T201


def _state(actor: ActorPresence) -> str:
    if actor.beat_at is None:
        return "silent"
    return "alive" if actor.unavailable is None else "unavailable"


def print_entry(entry: Mapping[str, Any]) -> None:
    """Print the processes of an entry, as the supervisor shows it, as a table, and below it what may change them."""
    rows = [
        [
            slot["slot"],
            _phase(slot),
            f"{slot['for_s']:.0f} s",
            str(slot["pid"] or ""),
            str(slot["restarts"]),
            f"{slot['rss_bytes'] / 1e6:.1f} MB" if slot["rss_bytes"] else "",
            _why(slot),
        ]
        for slot in entry["slots"]
    ]
    _print_table(["NAME", "PHASE", "FOR", "PID", "RESTARTS", "MEMORY", "NOTE"], rows, f"{entry['name']}: no processes")
    limits = f"{entry['min']} to {entry['max']}, by load" if entry["max"] else "as asked"
    print(f"{entry['name']}: {entry['count']} wanted, {limits}")  # noqa: T201
    if entry["scaling"] is not None:
        scaling = entry["scaling"]
        last = f"; last changed because {scaling['reason']}" if scaling["reason"] else ""
        print(f"jobs wait {scaling['wait_s']:.1f} s, {scaling['use']:.0%} of the lanes are busy{last}")  # noqa: T201


def _phase(slot: Mapping[str, Any]) -> str:
    phase: str = slot["phase"] + (" (held)" if slot["held"] else "")
    return phase if slot["role"] == "owner" else f"{phase}, {slot['role']}"


def _why(slot: Mapping[str, Any]) -> str:
    if slot["waits_for"]:
        return f"waits for {', '.join(slot['waits_for'])}"
    if slot["unavailable"]:
        return str(slot["unavailable"])
    ended = f"ended: {slot['last_exit']}" if slot["last_exit"] else ""
    return ended if slot["starts_in_s"] is None else f"{ended}, starts in {slot['starts_in_s']:.1f} s"


def dead_as_json(letter: DeadJob, record: JobRecord | None) -> dict[str, Any]:
    """A dead letter, and its job where it is still there."""
    job = None if record is None else record_as_json(record)
    return {"job_id": letter.job_id, "died_at": time_text(letter.died_ms), "job": job}


def print_dead(letters: Iterable[tuple[DeadJob, JobRecord | None]]) -> None:
    """Print dead letters as a table."""
    rows = [
        [
            letter.job_id,
            "" if record is None else record.job.script_type.value,
            _minute(time_text(letter.died_ms)),
            "" if record is None else record.error_kind or "",
            "past its retention" if record is None else _short(record.error or "", 2 * _SHORT_CHARS),
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


def schedule_as_json(schedule: Schedule) -> dict[str, Any]:
    """A schedule with the time of its next job, by this machine's clock."""
    return {**plain(schedule), "next_at": time_text(next(schedule.ticks_after(time.time())))}


def print_schedules(schedules: Iterable[Schedule]) -> None:
    """Print schedules as a table."""
    rows = [
        [
            schedule.name,
            f"{schedule.cron} ({schedule.tz})" if schedule.cron else f"every {schedule.interval_s:g} s",
            _minute(time_text(next(schedule.ticks_after(time.time())))),
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


def time_text(at_ms: int) -> str:
    """A time in milliseconds since 1970, as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _minute(text: str) -> str:
    return text[:19].replace("T", " ")


def console_for_output() -> Console:
    """A console on standard output that does not cut what goes into a pipe or a file."""
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
        # Text, never markup: a script's "[red]" is shown, not obeyed.
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def plain(value: Any) -> Any:
    """Give mappings, tuples, enums and small dataclasses as JSON has them."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value


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
