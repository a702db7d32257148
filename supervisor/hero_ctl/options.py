"""The options and arguments that several commands share, each declared once.

Options that always come together are a dataclass; `option_groups.py` turns it into the options of a command.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hero_ctl.exits import CtlExitCode
from hero_ctl.output import fail
from hero_job.model.job import ScriptType
from hero_job.protocol.keys import DEFAULT_NAMESPACE

_STORE_PANEL = "Store"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobId = Annotated[str, typer.Argument(metavar="JOB_ID", help="The id that `heroctl submit` printed.")]
Script = Annotated[
    str | None, typer.Argument(metavar="SCRIPT", help="The script itself, @PATH for a file, or - for standard input.")
]
ScriptFile = Annotated[Path | None, typer.Option("--file", "-f", metavar="PATH", help="Read the script from a file.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Which store a command uses, and which part of it.

    Attributes:
        redis_url: As given; None when the command has to find the store itself.
        given_namespace: As given; None for the default.
    """

    redis_url: Annotated[
        str | None,
        typer.Option(
            "--redis-url",
            envvar="HERO_REDIS_URL",
            metavar="URL",
            show_default="the embedded store of a supervisor started in this folder, else redis://127.0.0.1:6379/",
            help="Address of the store: redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None
    given_namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            envvar="HERO_NAMESPACE",
            metavar="NAME",
            show_default=DEFAULT_NAMESPACE,
            help="Prefix of every key in the store.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None

    @property
    def namespace(self) -> str:
        """The prefix of every key."""
        return DEFAULT_NAMESPACE if self.given_namespace is None else self.given_namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """Which queue a command acts on."""

    script_type: Annotated[
        ScriptType, typer.Argument(metavar="TYPE", case_sensitive=False, help="osis, sal, v or python.")
    ]
    group: Annotated[str | None, typer.Option("--group", metavar="NAME", help="Only actors of this group.")] = None
    instance: Annotated[
        str | None, typer.Option("--instance", metavar="NAME", help="Only this actor of the group; needs --group.")
    ] = None

    def __post_init__(self) -> None:
        """End the command if the options name no queue."""
        if self.instance is not None and self.group is None:
            fail("--instance names a member of a group: add --group", CtlExitCode.USAGE)
