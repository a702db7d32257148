"""The command `events`: prints what has happened to jobs or actors, and follows what happens next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

from hero_client import Supervisor
from hero_ctl.connect.store import namespace_of, open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import StoreOptions
from hero_ctl.output.console import echo, fail
from hero_ctl.parameters import Option
from hero_job.operations.events import BEGINNING, Entry, Events, order

_PAGE = 500
_BLOCK_S = 5.0


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
    keys = Events(namespace_of(store)).keys
    stream = keys.actor_events if actors else keys.events
    with open_supervisor(store) as supervisor:
        for entry in _entries(supervisor, stream, _cursor(after), follow=follow):
            lines = [_actor_event(entry)] if actors else _job_events(entry)
            for line in lines:
                if not wanted or line.get("job_id") in wanted:
                    shown = json.dumps(line, ensure_ascii=False) if as_json else "  ".join(_words(line))
                    echo(shown)


def _entries(supervisor: Supervisor, stream: str, cursor: str, *, follow: bool) -> Iterator[Entry]:
    store = supervisor.store
    while True:
        page = store.run(Events.entries(stream, cursor, _PAGE))
        yield from page
        if page:
            cursor = page[-1][0]
        elif not follow:
            return
        else:
            for found in store.run(Events.follow({stream: cursor}, _PAGE, _BLOCK_S)).values():
                yield from found
                cursor = found[-1][0]


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
    known = {**json.loads(fields.get("entry", "{}")), **fields}
    names = ("event", "name", "host", "incarnation", "reason")
    return {
        "cursor": cursor,
        "at": time_text(order(cursor)[0]),
        **{name: str(known[name]) for name in names if known.get(name)},
    }


def _words(line: dict[str, str]) -> list[str]:
    return [value for name, value in line.items() if name not in ("cursor", "incarnation")]
