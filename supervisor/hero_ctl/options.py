"""The options that several commands share, spelled once."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from hero_job.job import ScriptType

_STORE_PANEL = "Store"
_JOB_PANEL = "Job"

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
JobId = Annotated[str, typer.Argument(metavar="JOB_ID", help="As `heroctl submit` prints it.")]


def login_name() -> str:
    """Who is at the keyboard; "heroctl" where the system does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "heroctl"
