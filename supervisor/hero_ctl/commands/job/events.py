"""The command `events`: prints what has happened to jobs or actors, and follows what happens next."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

from hero_client import Supervisor
from hero_ctl.connect.store import namespace_of, open_supervisor, remote_of
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import StoreOptions
from hero_ctl.output.console import echo, fail, print_note
from hero_ctl.output.visible import json_text, visible
from hero_ctl.parameters import Option
from hero_job.operations.events import BEGINNING, Entry, Events, entries_after, order

if TYPE_CHECKING:
    from hero_client.remote.supervisor import RemoteSupervisor

_PAGE: Final = 500
_BLOCK_S: Final = 5.0
#: How often a server is asked for new events.
_POLL_S: Final = 1.0
_JOB_FIELDS: Final = ("cursor", "at", "job_id", "status")
_ACTOR_FIELDS: Final = ("cursor", "at", "event", "name", "host", "incarnation", "reason")


def events(
    *,
    job: Annotated[
        list[str] | None, Option("--job", metavar="ID", help="Only events of this job; may be repeated.")
    ] = None,
    actors: Annotated[bool, Option("--actors", help="Events of actors instead of jobs.")] = False,
    after: Annotated[
        str | None,
        Option("--after", metavar="CURSOR", help="Only events after this one; --json prints the cursors."),
    ] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Keep printing new events until interrupted.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object per line.")] = False,
    store: StoreOptions,
) -> None:
    """Print the newest events of jobs: about the last 10,000 changes of status.

    Changes that third-party actors make are not recorded.
    """
    wanted = frozenset(job or ())
    cursor = _cursor(after)
    with open_supervisor(store) as supervisor:
        remote = remote_of(supervisor)
        if remote is not None:
            lines = _lines_of_server(remote, job or [], cursor, actors=actors, follow=follow)
        else:
            keys = Events(namespace_of(store)).keys
            stream = keys.actor_events if actors else keys.events
            entries = _entries(supervisor, stream, cursor, follow=follow)
            lines = (line for entry in entries for line in ([_actor_event(entry)] if actors else _job_events(entry)))
        for line in lines:
            if not wanted or line.get("job_id") in wanted:
                echo(json_text(line) if as_json else visible("  ".join(_words(line))))


def _entries(supervisor: Supervisor, stream: str, cursor: str, *, follow: bool) -> Iterator[Entry]:
    store = supervisor.store
    while True:
        page = store.drive(entries_after(stream, cursor, _PAGE))
        _tell_gap(gap=page.gap)
        yield from page.entries
        cursor = page.cursor
        if not page.entries:
            if not follow:
                return
            for found in store.run(Events.follow({stream: cursor}, _PAGE, _BLOCK_S)).values():
                yield from found
                cursor = found[-1][0]


def _lines_of_server(
    remote: RemoteSupervisor, job_ids: Sequence[str], cursor: str, *, actors: bool, follow: bool
) -> Iterator[dict[str, str]]:
    params: dict[str, Any] = {"topic": "actors" if actors else "jobs", "count": _PAGE}
    if job_ids and not actors:
        params["job_ids"] = list(job_ids)
    names = _ACTOR_FIELDS if actors else _JOB_FIELDS
    while True:
        page = remote.ask("list_events", {**params, "after": cursor})
        _tell_gap(gap=page["gap"])
        for event in page["events"]:
            yield {name: str(event[name]) for name in names if event.get(name)}
        cursor = page["cursor"]
        if not page["more"]:
            if not follow:
                return
            time.sleep(_POLL_S)


def _tell_gap(*, gap: bool) -> None:
    if gap:
        print_note("events may be missing here: the store keeps only the newest")


def _cursor(text: str | None) -> str:
    if text is None:
        return BEGINNING
    try:
        return "{}-{}".format(*order(text))
    except ValueError:
        fail(f"--after: not a cursor: {text!r}; --json prints them", CtlExitCode.USAGE)


def _job_events(entry: Entry) -> list[dict[str, str]]:
    from hero_ctl.output.json_views import time_text

    cursor, moves = entry
    at = time_text(order(cursor)[0])
    return [
        {"cursor": cursor, "at": at, "job_id": job_id, "status": status}
        for job_id, status in moves.items()
        if not job_id.startswith("batch:")
    ]


def _actor_event(entry: Entry) -> dict[str, str]:
    from hero_ctl.output.json_views import time_text

    cursor, fields = entry
    known: Any = {}
    # Another program may have written the entry; the fields that can be read are still shown.
    with contextlib.suppress(ValueError):
        known = json.loads(fields.get("entry", "{}"))
    line = {**(known if isinstance(known, dict) else {}), **fields, "cursor": cursor, "at": time_text(order(cursor)[0])}
    return {name: str(line[name]) for name in _ACTOR_FIELDS if line.get(name)}


def _words(line: dict[str, str]) -> list[str]:
    return [value for name, value in line.items() if name not in ("cursor", "incarnation")]
