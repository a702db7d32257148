"""The command `top`: what a deployment does right now, again and again."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hero_ctl.commands.actors import actor_rows
from hero_ctl.connect.store import open_supervisor
from hero_ctl.options import OutputOptions, StoreOptions
from hero_ctl.output.console import echo
from hero_ctl.output.formats import FIELDS_VERSION, Column, Format, Listing, Row, print_rows
from hero_ctl.output.json_views import queue_as_json, to_json
from hero_ctl.output.tables import actor_state

if TYPE_CHECKING:
    from hero_client import Supervisor

_EVERY_S = 2.0


@dataclass
class _Rates:
    """Jobs per second of each actor, from two counts of its jobs."""

    at_mono: float = 0.0
    jobs: dict[str, int] = field(default_factory=dict)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Set the rate of each row; none at the first look."""
        now = time.monotonic()
        for row in rows:
            before = self.jobs.get(row["incarnation"])
            passed_s = now - self.at_mono
            row["jobs_per_s"] = None if before is None else round((row["jobs"] - before) / max(passed_s, 0.001), 1)
        self.at_mono = now
        self.jobs = {row["incarnation"]: row["jobs"] for row in rows}


def _memory(row: Row) -> str:
    rss = (row.get("supervised") or {}).get("rss_bytes")
    return f"{rss / 1e6:.1f} MB" if rss else ""


_ACTORS = Listing(
    kind="actors",
    name="name",
    empty="no actors",
    columns=(
        Column(head="ACTOR", of=lambda row: str(row["name"])),
        Column(head="STATE", of=actor_state),
        Column(head="BUSY", of=lambda row: f"{row['busy']}/{row['lanes']}"),
        Column(head="JOBS/S", of=lambda row: "" if row["jobs_per_s"] is None else f"{row['jobs_per_s']:g}"),
        Column(head="JOBS", of=lambda row: str(row["jobs"])),
        Column(head="MEMORY", of=_memory, rank=1),
        Column(head="HOST", of=lambda row: str(row["host"]), least=8, rank=2),
    ),
)
_QUEUES = Listing(
    kind="queues",
    name="name",
    empty="no queues",
    columns=(
        Column(head="QUEUE", of=lambda row: str(row["name"])),
        Column(head="WAITING", of=lambda row: str(row["waiting"])),
        Column(head="", of=lambda row: "paused" if row["paused_since"] else ""),
    ),
)


def top(*, output: OutputOptions, store: StoreOptions) -> None:
    """Show queues, actors, rates and memory, again every two seconds on a terminal, otherwise once."""
    rates = _Rates()
    with open_supervisor(store) as supervisor:
        if not sys.stdout.isatty() or output.format not in (Format.TABLE, Format.WIDE):
            rates.add(actor_rows(supervisor, store))
            time.sleep(0.5)
            _draw(supervisor, store, output, rates)
            return
        while True:
            echo("\x1b[H\x1b[2J", nl=False)
            _draw(supervisor, store, output, rates)
            sys.stdout.flush()
            time.sleep(_EVERY_S)


def _draw(supervisor: Supervisor, store: StoreOptions, output: OutputOptions, rates: _Rates) -> None:
    actors = actor_rows(supervisor, store)
    rates.add(actors)
    queues = [queue_as_json(queue) for queue in supervisor.list_queues()]
    dead = supervisor.count_dead()
    if output.format not in (Format.TABLE, Format.WIDE):
        echo(to_json({"version": FIELDS_VERSION, "kind": "top", "queues": queues, "actors": actors, "dead": dead}))
        return
    busy, lanes = sum(row["busy"] for row in actors), sum(row["lanes"] for row in actors if row["alive"])
    rate = sum(row["jobs_per_s"] or 0 for row in actors)
    waiting = sum(queue["waiting"] for queue in queues)
    echo(f"{waiting} jobs wait, {busy} of {lanes} lanes busy, {rate:g} jobs/s, {dead} dead letters\n")
    print_rows(queues, _QUEUES, output.format)
    echo("")
    print_rows(actors, _ACTORS, output.format)
