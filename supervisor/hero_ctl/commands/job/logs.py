"""The command `logs`: what the script of a job has printed, and what it prints next."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

from hero_client import Supervisor
from hero_ctl.commands.job.selection import moment
from hero_ctl.connect.store import is_remote, open_supervisor
from hero_ctl.options import JobId, StoreOptions
from hero_ctl.output.console import print_note, print_result
from hero_ctl.output.json_views import time_text
from hero_ctl.output.visible import json_text
from hero_ctl.parameters import Option
from hero_job.model.views import LogLine
from hero_job.operations.events import BEGINNING, Events
from hero_job.protocol.op import Op, as_is

_PAGE = 500
#: How long one look at the stream lasts, in seconds. Between two, the status tells whether the job has ended.
_LOOK_S = 1.0


def logs(
    *,
    job_id: JobId,
    follow: Annotated[bool, Option("--follow", "-f", help="Keep printing new lines until the job has ended.")] = False,
    tail: Annotated[int | None, Option("--tail", "-n", min=0, metavar="N", help="Begin with the last N lines.")] = None,
    since: Annotated[
        str | None, Option("--since", metavar="TIME", help="Lines since: 10m ago, or an ISO 8601 time.")
    ] = None,
    timestamps: Annotated[bool, Option("--timestamps", "-t", help="Print when each line was stored.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object per line.")] = False,
    store: StoreOptions,
) -> None:
    """Print what the script of a job has printed."""
    begin = moment(since, "--since")

    def show(line: LogLine) -> None:
        if begin and time_text(line.at_ms)[:19] < begin:
            return
        if as_json:
            print_result(_as_json(line))
        else:
            print_result(f"{time_text(line.at_ms)}  {line.text}\n" if timestamps else line.text + "\n")

    with open_supervisor(store) as supervisor:
        ended = supervisor.get_job_status(job_id).terminal
        lines = list(_pages(supervisor, job_id, ""))
        if tail is None and not begin:
            _note_dropped(supervisor, job_id, len(lines))
        for line in lines if tail is None else lines[max(0, len(lines) - tail) :]:
            show(line)
        cursor = lines[-1].cursor if lines else ""
        while follow and not ended:
            if is_remote(supervisor):
                time.sleep(_LOOK_S)
            else:
                stream = supervisor.operations.keys.log(job_id)
                supervisor.store.run(Events.follow({stream: cursor or BEGINNING}, 1, _LOOK_S))
            # Ask for the status first: lines that were printed before the end are then in the pages that follow.
            ended = supervisor.get_job_status(job_id).terminal
            for line in _pages(supervisor, job_id, cursor):
                show(line)
                cursor = line.cursor


def _pages(supervisor: Supervisor, job_id: str, cursor: str) -> Iterator[LogLine]:
    while True:
        page = supervisor.get_job_log(job_id, cursor, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        cursor = page[-1].cursor


def _note_dropped(supervisor: Supervisor, job_id: str, kept: int) -> None:
    """Say that the log does not begin with the first line; a stream counts what was ever added to it."""
    if kept < _PAGE or is_remote(supervisor):
        return
    answer = supervisor.store.run(Op(("XINFO", "STREAM", supervisor.operations.keys.log(job_id)), as_is))
    facts = answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=False))
    dropped = int(facts.get("entries-added", kept)) - kept
    if dropped > 0:
        print_note(f"the first {dropped:,} lines were dropped: a log keeps its newest {kept:,}")


def _as_json(line: LogLine) -> str:
    shown = {"cursor": line.cursor, "at": time_text(line.at_ms), "level": line.level, "text": line.text}
    return json_text(shown)
