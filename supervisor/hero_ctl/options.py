"""The options and arguments that several commands share, each declared once.

Options that always come together are a dataclass; `option_groups.py` turns it into the options of a command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from hero_ctl.exits import CtlExitCode
from hero_ctl.output.console import fail
from hero_ctl.output.formats import Format
from hero_ctl.parameters import Argument, Option
from hero_job.model.job import ScriptType

_STORE_PANEL = "Store"


def live(kind: str) -> Callable[..., list[str]]:
    """Complete values from the deployment; the module that asks it is imported when the shell wants them.

    Args:
        kind: A function of `commands/tools/completion.py`.
    """

    def complete(ctx: Any, incomplete: str) -> list[str]:  # Typer finds what it gives by these names
        import importlib

        module = importlib.import_module("hero_ctl.commands.tools.completion")
        found: list[str] = getattr(module, kind)(ctx.obj or StoreOptions(), incomplete)
        return found

    return complete


def duration(text: str) -> float:
    """Read an option that is a duration: seconds, or 10m, 2h30m, 7d."""
    from hero_config.model.durations import parse_duration

    try:
        return parse_duration(str(text))
    except ValueError as e:
        # Imported late: only a wrong word needs it.
        from typer import BadParameter

        raise BadParameter(f"{text!r} {e}") from None


Json = Annotated[bool, Option("--json", help="Print JSON.")]
Watch = Annotated[bool, Option("--watch", "-w", help="Print again every two seconds, until interrupted.")]
DryRun = Annotated[bool, Option("--dry-run", help="Name what would be changed, but change nothing.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Print the result only.")]
Yes = Annotated[bool, Option("--yes", "-y", help="Do not ask for confirmation.")]
JobId = Annotated[
    str,
    Argument(metavar="JOB_ID", help="The id that `heroctl submit` printed.", autocompletion=live("job_ids")),
]
Script = Annotated[
    str | None,
    Argument(metavar="SCRIPT", help="A file that exists, @PATH for a file, - for standard input, or the script."),
]
ScriptArgs = Annotated[
    list[str] | None,
    Argument(metavar="[-- ARGS]...", help="Texts that the script reads as ARGS.", show_default=False),
]
ScriptFile = Annotated[Path | None, Option("--file", "-f", metavar="PATH", help="Read the script from a file.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOptions:
    """What names a deployment.

    Attributes:
        verbose: Tell on standard error what is done.
        config: As given; None when the command has to find the config itself.
        server: As given; a supervisor that is asked instead of the store.
        profile: As given; names a server in the config file of heroctl.
        ca_file: As given; whom to trust for TLS.
        cert_file: As given; the certificate of this client.
        key_file: As given; its private key.
    """

    server: Annotated[
        str | None,
        Option(
            "--server",
            envvar="HERO_SERVER",
            metavar="URL",
            show_default="none",
            help="Ask this supervisor instead of the store: unix://PATH, https://HOST:PORT, wss://HOST:PORT. "
            "HERO_TOKEN has its token.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None
    profile: Annotated[
        str | None,
        Option(
            "--profile",
            envvar="HERO_PROFILE",
            metavar="NAME",
            show_default="none",
            help="A server with its token, as ~/.config/hero/config.toml names it.",
            autocompletion=live("profile_names"),
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Option(
            "--ca-file",
            metavar="PATH",
            show_default="those of the system",
            help="Certificate authorities to trust for --server.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None
    cert_file: Annotated[
        str | None,
        Option(
            "--cert-file",
            metavar="PATH",
            show_default="none",
            help="Client certificate with its chain (PEM), if --server asks for one.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None
    key_file: Annotated[
        str | None,
        Option(
            "--key-file",
            metavar="PATH",
            show_default="that in --cert-file",
            help="Private key of the client certificate (PEM).",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None
    config: Annotated[
        str | None,
        Option(
            "--config",
            envvar="HERO_CONFIG",
            metavar="FILE",
            show_default="see `heroctl config where`",
            help="Config file of the service.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None

    verbose: Annotated[
        bool,
        Option(
            "--verbose",
            "-v",
            help="Tell on standard error what is connected to, what named it, and each step with its time.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = False

    def tls_files(self) -> dict[str, str]:
        """The files for TLS that were given, by the name of their option in a profile."""
        given = {"ca_file": self.ca_file, "cert_file": self.cert_file, "key_file": self.key_file}
        return {name: path for name, path in given.items() if path}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions(PlaceOptions):
    """Which supervisor a command asks.

    Attributes:
        socket: As given; None for that of the config.
    """

    socket: Annotated[
        str | None,
        Option(
            "--socket",
            envvar="HERO_SOCKET",
            metavar="PATH",
            show_default="that of the config",
            help="Unix socket of the supervisor.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions(PlaceOptions):
    """Which store a command uses, and which part of it.

    Attributes:
        redis_url: As given; None when the command has to find the store itself.
        given_namespace: As given; None for that of the config.
    """

    redis_url: Annotated[
        str | None,
        Option(
            "--redis-url",
            envvar="HERO_REDIS_URL",
            metavar="URL",
            show_default="that of the config",
            help="Address of the store: redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None
    given_namespace: Annotated[
        str | None,
        Option(
            "--namespace",
            envvar="HERO_NAMESPACE",
            metavar="NAME",
            show_default="that of the config",
            help="Prefix of every key in the store.",
            rich_help_panel=_STORE_PANEL,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """In which format a command prints.

    Attributes:
        form: As given.
        as_json: JSON without the version of its fields, as an array.
    """

    form: Annotated[
        Format,
        Option(
            "--output", "-o", case_sensitive=False, help="Format of the result; wide: all columns, name: ids or names."
        ),
    ] = Format.TABLE
    as_json: Annotated[bool, Option("--json", help="Print JSON; -o json adds the version of the fields.")] = False

    @property
    def format(self) -> Format:
        """The format to print in."""
        return Format.JSON if self.as_json else self.form


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """Which queue a command acts on."""

    script_type: Annotated[ScriptType, Argument(metavar="TYPE", case_sensitive=False, help="osis, sal, v or python.")]
    group: Annotated[
        str | None,
        Option("--group", metavar="NAME", help="Only actors of this group.", autocompletion=live("group_names")),
    ] = None
    instance: Annotated[
        str | None,
        Option(
            "--instance",
            metavar="NAME",
            help="Only this actor of the group; needs --group.",
            autocompletion=live("instance_names"),
        ),
    ] = None

    def __post_init__(self) -> None:
        """End the command if the options name no queue."""
        if self.instance is not None and self.group is None:
            fail("--instance names a member of a group: add --group", CtlExitCode.USAGE)
