"""The command that shows what has happened, and what happens: `heroctl events`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from hero_client.api import Supervisor
from hero_ctl import options
from hero_ctl.connect import open_supervisor
from hero_ctl.exits import HELP
from hero_job.operations.events import BEGINNING, Entry, Events, order
from hero_job.protocol.keys import DEFAULT_NAMESPACE

_PAGE = 500
_BLOCK_S = 5.0

app = typer.Typer()


@app.command(epilog=HELP)
def events(
    *,
    job: Annotated[
        list[str] | None, typer.Option("--job", metavar="ID", help="Only of this job; may be given several times.")
    ] = None,
    actors: Annotated[bool, typer.Option("--actors", help="Those of actors instead of jobs.")] = False,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="CURSOR", help="Only those after this one, as --json gives it."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until interrupted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Print what has happened to jobs, as far back as the store tells: about the last 10,000 moves.

    Jobs that are moved by actors of another make are not told.
    """
    wanted = frozenset(job or ())
    told = Events(namespace)
    stream = told.keys.actor_events if actors else told.keys.events
    with open_supervisor(redis_url, namespace) as supervisor:
        for entry in _entries(supervisor, stream, _cursor(after), follow=follow):
            lines = [_of_actor(entry)] if actors else _of_jobs(entry)
            for line in lines:
                if not wanted or line.get("job_id") in wanted:
                    shown = json.dumps(line, ensure_ascii=False) if as_json else "  ".join(_words(line))
                    typer.echo(shown)


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
        raise typer.BadParameter(f"no cursor: {text!r}; --json gives them", param_hint="--after") from None


def _of_jobs(entry: Entry) -> list[dict[str, str]]:
    from hero_ctl.tables import time_text

    cursor, moves = entry
    at = time_text(order(cursor)[0])
    return [
        {"cursor": cursor, "at": at, "job_id": job_id, "status": status}
        for job_id, status in moves.items()
        if not job_id.startswith("batch:")
    ]


def _of_actor(entry: Entry) -> dict[str, str]:
    from hero_ctl.tables import time_text

    cursor, fields = entry
    known = json.loads(fields.get("entry", "{}"))
    said = {**known, **fields}
    names = ("event", "name", "host", "incarnation", "reason")
    return {
        "cursor": cursor,
        "at": time_text(order(cursor)[0]),
        **{name: str(said[name]) for name in names if said.get(name)},
    }


def _words(line: dict[str, str]) -> list[str]:
    return [value for name, value in line.items() if name not in ("cursor", "incarnation")]
