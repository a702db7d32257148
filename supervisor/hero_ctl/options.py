"""The options that several commands share, spelled once."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from hero_job.model.job import Priority, ScriptType

_STORE_PANEL = "Store"
_JOB_PANEL = "Job"
_LIFE_PANEL = "When and how often"

RedisUrl = Annotated[
    str | None,
    typer.Option(
        "--redis-url",
        envvar="HERO_REDIS_URL",
        metavar="URL",
        show_default="the embedded store of a supervisor started in this folder, else redis://127.0.0.1:6379/",
        help="Where the store is: redis://, rediss://, unix://, or redis+sentinel://, redis+cluster://.",
        rich_help_panel=_STORE_PANEL,
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        envvar="HERO_NAMESPACE",
        metavar="NAME",
        help="First part of every key in the store.",
        rich_help_panel=_STORE_PANEL,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Script = Annotated[
    str | None, typer.Argument(metavar="SCRIPT", help="The script; @PATH for a file, - for standard input.")
]
File = Annotated[Path | None, typer.Option("--file", "-f", metavar="PATH", help="Read the script from a file.")]
Type = Annotated[
    ScriptType,
    typer.Option("--type", "-t", case_sensitive=False, help="Which actors run it.", rich_help_panel=_JOB_PANEL),
]
Caller = Annotated[
    str | None,
    typer.Option(
        "--caller",
        envvar="HERO_CALLER_ID",
        metavar="ID",
        show_default="your login name",
        help="Who asks, as the script sees it in CALLER_ID.",
        rich_help_panel=_JOB_PANEL,
    ),
]
Context = Annotated[
    str,
    typer.Option(
        "--context",
        envvar="HERO_CONTEXT_ID",
        metavar="ID",
        help="For which context, as the script sees it in CONTEXT_ID.",
        rich_help_panel=_JOB_PANEL,
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="SECONDS", help="Longest time that the script may run.", rich_help_panel=_JOB_PANEL
    ),
]
Env = Annotated[
    list[str] | None,
    typer.Option(
        "--env", "-e", metavar="NAME=VALUE", help="A variable for the script; may repeat.", rich_help_panel=_JOB_PANEL
    ),
]
Group = Annotated[
    str | None,
    typer.Option("--group", metavar="NAME", help="Only actors of this group.", rich_help_panel=_JOB_PANEL),
]
Instance = Annotated[
    str | None,
    typer.Option("--instance", metavar="NAME", help="Only this actor of the group.", rich_help_panel=_JOB_PANEL),
]
JobIdOption = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="ID",
        show_default="a new UUID",
        help="Choose the id: submitting the same job twice is then harmless.",
        rich_help_panel=_JOB_PANEL,
    ),
]
PriorityOption = Annotated[
    Priority | None,
    typer.Option(
        "--priority",
        case_sensitive=False,
        show_default="normal",
        help="high goes to the front of the queue, low behind all others.",
        rich_help_panel=_LIFE_PANEL,
    ),
]
Delay = Annotated[
    float | None,
    typer.Option("--delay", metavar="SECONDS", help="Begin so long from now.", rich_help_panel=_LIFE_PANEL),
]
NotBefore = Annotated[
    str | None,
    typer.Option(
        "--not-before",
        metavar="TIME",
        help="Begin then: ISO 8601 with its zone, as 2026-11-24T06:00:00Z.",
        rich_help_panel=_LIFE_PANEL,
    ),
]
Expires = Annotated[
    float | None,
    typer.Option(
        "--expires",
        metavar="SECONDS",
        help="Do not run it when it has not begun by then.",
        rich_help_panel=_LIFE_PANEL,
    ),
]
Retries = Annotated[
    int | None,
    typer.Option(
        "--retries",
        metavar="N",
        show_default="0",
        help="Run it so often again if it fails.",
        rich_help_panel=_LIFE_PANEL,
    ),
]
After = Annotated[
    list[str] | None,
    typer.Option(
        "--after",
        metavar="JOB_ID",
        help="Begin when this job has finished; may repeat.",
        rich_help_panel=_LIFE_PANEL,
    ),
]
Unique = Annotated[
    str | None,
    typer.Option(
        "--unique",
        metavar="KEY",
        help="While a job with this key is open, take that one instead.",
        rich_help_panel=_LIFE_PANEL,
    ),
]
JobId = Annotated[str, typer.Argument(metavar="JOB_ID", help="As `heroctl submit` prints it.")]


def login_name() -> str:
    """Who is at the keyboard; "heroctl" where the system does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "heroctl"
