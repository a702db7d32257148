"""The tables and lists that commands print for people: which fields of a row they show, and how."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hero_config.model.durations import show_duration
from hero_ctl.output.console import echo
from hero_ctl.output.formats import Column, Listing, Row, one_line
from hero_ctl.output.widths import cut, wrapped

_FACT_CHARS: Final = 240
_GAP: Final = 2


def _field(name: str, most: int = 0) -> Callable[[Row], str]:
    """A cell with the text of a field."""

    def of(row: Row) -> str:
        value = row.get(name)
        text = "" if value is None else str(value)
        return cut(one_line(text), most) if most else text

    return of


def _minute(name: str) -> Callable[[Row], str]:
    """A cell with a time, to the second, in UTC."""
    return lambda row: str(row.get(name) or "")[:19].replace("T", " ")


def _clock(name: str) -> Callable[[Row], str]:
    """A cell with a time for narrow tables: month, day, hour and minute."""
    return lambda row: str(row.get(name) or "")[5:16].replace("T", " ")


def _time(head: str, name: str, rank: int = 0) -> Column:
    return Column(head=f"{head} (UTC)", of=_minute(name), short=_clock(name), short_head=head, rank=rank)


def _result(row: Row) -> str:
    text = row.get("output") if row.get("error") is None else row.get("error")
    return cut(one_line(str(text or "")), 40)


def took(row: Row) -> str:
    """How long a job has run; with an ellipsis if it still runs."""
    if not row.get("started_at"):
        return ""
    try:
        begin = datetime.fromisoformat(row["started_at"])
        end = datetime.fromisoformat(row["finished_at"]) if row.get("finished_at") else datetime.now(UTC)
        took_s = max(0.0, (end - begin).total_seconds())
    except (ValueError, TypeError):
        return ""
    running = "" if row.get("finished_at") else "…"
    return (f"{took_s:.3f} s" if took_s < 10 else show_duration(took_s)) + running


def _place(row: Row) -> str:
    return "/".join(str(row[part]) for part in ("group", "instance") if row.get(part))


def when(row: Row) -> str:
    """When a schedule runs, in words or as its cron expression."""
    if row.get("cron"):
        return f"{row['cron']} ({row.get('tz')})"
    interval_s = row.get("interval_s") or 0
    return f"every {interval_s:g} s" if interval_s < 60 else f"every {show_duration(interval_s)}"


def _expiry(row: Row) -> str:
    if not row.get("expires_at"):
        return "never"
    try:
        expired = datetime.fromisoformat(row["expires_at"]).timestamp() <= time.time()
    except ValueError:
        expired = False
    return _minute("expires_at")(row) + (" (expired)" if expired else "")


JOBS: Final = Listing(
    kind="jobs",
    name="id",
    empty="no jobs",
    columns=(
        Column(head="ID", of=_field("id")),
        Column(head="TYPE", of=_field("script_type")),
        Column(head="STATUS", of=_field("status")),
        _time("CREATED", "created_at", rank=3),
        Column(head="TOOK", of=took, rank=2),
        Column(head="CALLER", of=_field("caller_id", 16), rank=1),
        Column(head="CONTEXT", of=_field("context_id", 24), wide=True),
        Column(head="ATTEMPT", of=_field("attempt"), wide=True),
        Column(head="OWNER", of=_field("owner"), wide=True),
        Column(head="RESULT", of=_result, least=8),
    ),
)


def actor_state(row: Row) -> str:
    """What an actor is: alive, silent, unavailable, or how its supervisor keeps it."""
    slot = row.get("supervised") or {}
    if slot.get("held"):
        return "held"
    if row.get("beat_at") is None:
        return str(slot.get("phase") or "silent")
    return "alive" if row.get("unavailable") is None else "unavailable"


ACTORS: Final = Listing(
    kind="actors",
    name="name",
    empty="no actors: start `hero-supervisor`, or a single `hero-actor --type osis`",
    columns=(
        Column(head="NAME", of=_field("name")),
        Column(head="TYPE", of=_field("script_type")),
        Column(head="STATE", of=actor_state),
        Column(head="BUSY", of=lambda row: f"{row.get('busy', 0)}/{row.get('lanes', 0)}"),
        Column(head="JOBS", of=_field("jobs")),
        Column(head="ENGINE", of=lambda row: f"{row.get('engine', '')} {row.get('engine_version', '')}".strip(), rank=2,
               least=8),
        Column(head="GROUP", of=_place, rank=3, least=6),
        Column(head="HOST:PID", of=lambda row: f"{row.get('host', '')}:{row.get('pid') or ''}", least=10, rank=4),
        _time("STARTED", "started_at", rank=1),
    ),
)  # fmt: skip

QUEUES: Final = Listing(
    kind="queues",
    name="name",
    empty="no queues",
    columns=(
        Column(head="TYPE", of=_field("script_type")),
        Column(head="GROUP", of=_place),
        Column(head="WAITING", of=_field("waiting")),
        Column(
            head="PAUSED (UTC)",
            of=lambda row: f"since {_minute('paused_since')(row)}" if row.get("paused_since") else "",
        ),
    ),
)

DEAD: Final = Listing(
    kind="dead",
    name="job_id",
    empty="no dead letters",
    columns=(
        Column(head="ID", of=_field("job_id")),
        Column(head="TYPE", of=lambda row: _of_job(row, "script_type")),
        _time("DIED", "died_at", rank=1),
        Column(head="KIND", of=lambda row: _of_job(row, "error_kind"), least=8, rank=2),
        Column(head="ERROR", of=lambda row: cut(one_line(row.get("problem") or _of_job(row, "error")), 80), least=8),
    ),
)

SCHEDULES: Final = Listing(
    kind="schedules",
    name="name",
    empty="no schedules",
    columns=(
        Column(head="NAME", of=_field("name")),
        Column(head="WHEN", of=when, least=12),
        Column(head="NEXT (UTC)", of=lambda row: "paused" if row.get("paused") else _minute("next_at")(row)),
        Column(head="TYPE", of=lambda row: str(row.get("job", {}).get("script_type", "")), rank=1),
        Column(head="SCRIPT", of=lambda row: cut(one_line(str(row.get("job", {}).get("script", ""))), 40), least=8),
    ),
)

BATCHES: Final = Listing(
    kind="batches",
    name="batch_id",
    empty="no batches",
    columns=(
        Column(head="BATCH", of=_field("batch_id")),
        _time("BEGAN", "began_at", rank=2),
        Column(head="CALLER", of=_field("caller_id", 16), rank=1),
        Column(head="JOBS", of=_field("total")),
        Column(head="OPEN", of=_field("open")),
        Column(head="FINISHED", of=_field("finished")),
        Column(head="ERROR", of=_field("error")),
        Column(head="STOPPED", of=_field("stopped")),
    ),
)

KEYS: Final = Listing(
    kind="keys",
    name="name",
    empty="no keys",
    columns=(
        Column(head="NAME", of=_field("name")),
        Column(head="SCOPE", of=_field("scope")),
        _time("CREATED", "created_at"),
        Column(head="EXPIRES (UTC)", of=_expiry),
    ),
)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print one fact after the other, each wrapped behind its name; those that are empty are left out."""
    width = max(map(len, facts))
    for name, fact in facts.items():
        if fact not in (None, ""):
            begin = width + _GAP
            echo(f"{name:{begin}}{wrapped(one_line(str(fact), _FACT_CHARS), indent=begin, begin=begin)}")


def print_entry(entry: Mapping[str, Any]) -> None:
    """Print the processes of an `[[actors]]` entry as a table, then how many are wanted and why.

    Args:
        entry: What the RPC method `get_actor` returned.
    """
    from hero_ctl.output.formats import Format, print_rows

    listing = Listing(
        kind="processes",
        name="slot",
        empty=f"{entry['name']}: no processes",
        columns=(
            Column(head="NAME", of=_field("slot")),
            Column(head="PHASE", of=_phase),
            Column(head="FOR", of=lambda slot: show_duration(slot["for_s"])),
            Column(head="PID", of=_field("pid")),
            Column(head="RESTARTS", of=_field("restarts")),
            Column(
                head="MEMORY", of=lambda slot: f"{slot['rss_bytes'] / 1e6:.1f} MB" if slot["rss_bytes"] else "", rank=1
            ),
            Column(head="NOTE", of=_note, least=10),
        ),
    )
    print_rows(entry["slots"], listing, Format.TABLE)
    limits = f"{entry['min']} to {entry['max']}, by load" if entry["max"] else "as requested"
    echo(wrapped(f"{entry['name']}: {entry['count']} wanted, {limits}", indent=2))
    if entry["scaling"] is not None:
        scaling = entry["scaling"]
        last = f"; last changed because {scaling['reason']}" if scaling["reason"] else ""
        said = f"jobs wait {scaling['wait_s']:.1f} s, {scaling['use']:.0%} of the lanes are busy{last}"
        echo(wrapped(said, indent=2))


def _phase(slot: Row) -> str:
    phase: str = slot["phase"] + (" (held)" if slot["held"] else "")
    return phase if slot["role"] == "owner" else f"{phase}, {slot['role']}"


def _note(slot: Row) -> str:
    if slot["waits_for"]:
        return f"waits for {', '.join(slot['waits_for'])}"
    if slot["unavailable"]:
        return str(slot["unavailable"])
    ended = f"ended: {slot['last_exit']}" if slot["last_exit"] else ""
    return ended if slot["starts_in_s"] is None else f"{ended}, starts in {slot['starts_in_s']:.1f} s"


def _of_job(row: Row, name: str) -> str:
    job = row.get("job")
    return "" if not isinstance(job, Mapping) or job.get(name) is None else str(job[name])
