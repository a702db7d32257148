"""The options of `run`, `submit` and `schedule add` that describe a job, and how they become its fields.

Each option is one field of a dataclass and has the name of the job's field that it sets.
"""

from __future__ import annotations

import dataclasses
import getpass
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import typer

from hero_ctl.exits import ExitCode
from hero_ctl.options import GROUP_HELP, INSTANCE_HELP
from hero_ctl.output import fail
from hero_job.model.job import DEFAULT_LIMITS, Priority, ScriptType

_JOB_PANEL = "Job"
_TIMING_PANEL = "When and how often"

ScriptTypeOption = Annotated[
    ScriptType,
    typer.Option("--type", "-t", case_sensitive=False, help="Which actors run it.", rich_help_panel=_JOB_PANEL),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What may be said about every job."""

    script_type: ScriptTypeOption = ScriptType.SAL
    caller_id: Annotated[
        str | None,
        typer.Option(
            "--caller",
            envvar="HERO_CALLER_ID",
            metavar="ID",
            show_default="your login name",
            help="Who submits it; the script sees this as CALLER_ID.",
            rich_help_panel=_JOB_PANEL,
        ),
    ] = None
    context_id: Annotated[
        str,
        typer.Option(
            "--context",
            envvar="HERO_CONTEXT_ID",
            metavar="ID",
            help="The context it belongs to; the script sees this as CONTEXT_ID.",
            rich_help_panel=_JOB_PANEL,
        ),
    ] = "default"
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", help="Longest time that the script may run.", rich_help_panel=_JOB_PANEL
        ),
    ] = DEFAULT_LIMITS.default_timeout_s
    env_vars: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            "-e",
            metavar="NAME=VALUE",
            help="An environment variable for the script; may be repeated.",
            rich_help_panel=_JOB_PANEL,
        ),
    ] = None
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help=GROUP_HELP, rich_help_panel=_JOB_PANEL)
    ] = None
    instance: Annotated[
        str | None, typer.Option("--instance", metavar="NAME", help=INSTANCE_HELP, rich_help_panel=_JOB_PANEL)
    ] = None
    priority: Annotated[
        Priority | None,
        typer.Option(
            "--priority",
            case_sensitive=False,
            show_default="normal",
            help="high: to the front of the queue; low: after everything else.",
            rich_help_panel=_TIMING_PANEL,
        ),
    ] = None
    expires_s: Annotated[
        float | None,
        typer.Option(
            "--expires",
            metavar="SECONDS",
            help="Do not run it if it has not started within this time.",
            rich_help_panel=_TIMING_PANEL,
        ),
    ] = None
    retries: Annotated[
        int | None,
        typer.Option(
            "--retries",
            metavar="N",
            show_default="0",
            help="Run it up to N more times if it fails.",
            rich_help_panel=_TIMING_PANEL,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeJobOptions(JobOptions):
    """What may be said about a job that runs once, beside `JobOptions`."""

    id: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="ID",
            show_default="a new UUID",
            help="Choose the id; submitting the same job twice is then harmless.",
            rich_help_panel=_JOB_PANEL,
        ),
    ] = None
    delay_s: Annotated[
        float | None,
        typer.Option("--delay", metavar="SECONDS", help="Start it this long from now.", rich_help_panel=_TIMING_PANEL),
    ] = None
    not_before: Annotated[
        str | None,
        typer.Option(
            "--not-before",
            metavar="TIME",
            help="Start it then: ISO 8601 with a time zone, such as 2026-11-24T06:00:00Z.",
            rich_help_panel=_TIMING_PANEL,
        ),
    ] = None
    prerequisites: Annotated[
        list[str] | None,
        typer.Option(
            "--after",
            metavar="JOB_ID",
            help="Start it when this job has finished; may be repeated.",
            rich_help_panel=_TIMING_PANEL,
        ),
    ] = None
    unique_key: Annotated[
        str | None,
        typer.Option(
            "--unique",
            metavar="KEY",
            help="If a job with this key has not ended yet, use that job instead.",
            rich_help_panel=_TIMING_PANEL,
        ),
    ] = None


def job_fields(script: str, options: JobOptions) -> dict[str, Any]:
    """Collect the fields of a job, as `Job.from_fields` takes them.

    Args:
        script: Source text.
        options: The options that were given.

    Returns:
        Fields that are not checked yet; options that were not given are left out.
    """
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    fields = {name: _plain(value) for name, value in given.items() if value not in (None, [])}
    if "env_vars" in fields:
        fields["env_vars"] = _variables(fields["env_vars"])
    return {"script": script, **fields, "caller_id": options.caller_id or _login_name()}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _variables(pairs: list[str]) -> dict[str, str]:
    variables: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            fail(f"--env takes NAME=VALUE, not '{pair}'", ExitCode.USAGE)
        variables[name] = value
    return variables


def _login_name() -> str:
    """The name of the user at the keyboard; "heroctl" if the system does not know it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "heroctl"
