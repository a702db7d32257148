"""The options of `run`, `submit` and `schedule add` that describe a job, and how they become its fields.

Each option is one field of a dataclass and has the name of the job's field that it sets. Most are derived from the rows
of `Job`.
"""

from __future__ import annotations

import dataclasses
import functools
import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

from hero_ctl.exits import CtlExitCode
from hero_ctl.options import duration
from hero_ctl.output.console import fail
from hero_ctl.parameters import Option
from hero_job.model.fields.job_field import PRIORITY, CommandLineOption, JobField
from hero_job.model.job import DEFAULT_LIMITS, JOB_FIELDS, Priority, ScriptType

_job_option = functools.partial(Option, rich_help_panel="Job")

ScriptTypeOption = Annotated[ScriptType, _job_option("--type", "-t", case_sensitive=False, help="Which actors run it.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SubmitterOptions:
    """The options that have a default or a form of their own here; the rows of the job's fields add the others."""

    script_type: ScriptTypeOption = ScriptType.SAL
    caller_id: Annotated[
        str | None,
        _job_option(
            "--caller",
            envvar="HERO_CALLER_ID",
            metavar="ID",
            show_default="your login name",
            help="Who submits it; the script sees this as CALLER_ID.",
        ),
    ] = None
    context_id: Annotated[
        str,
        _job_option(
            "--context",
            envvar="HERO_CONTEXT_ID",
            metavar="ID",
            help="The context it belongs to; the script sees this as CONTEXT_ID.",
        ),
    ] = "default"
    timeout: Annotated[
        float,
        _job_option("--timeout", parser=duration, metavar="TIME", help="Longest time that the script may run."),
    ] = DEFAULT_LIMITS.default_timeout_s
    env_vars: Annotated[
        list[str] | None,
        _job_option(
            "--env", "-e", metavar="NAME=VALUE", help="An environment variable for the script; may be repeated."
        ),
    ] = None


def _derived(name: str, about: str, *, once: bool) -> type[_SubmitterOptions]:
    """Add the options that the rows of the job's fields describe.

    Args:
        name: Name of the class.
        about: Its docstring.
        once: Also add those for jobs that run once, behind those for all jobs.
    """
    rows = [(field, field.command_line) for field in JOB_FIELDS if field.command_line is not None]
    added = [
        (field.name, _annotation(field, option), None)
        for of_once in ((False, True) if once else (False,))
        for field, option in rows
        if option.once is of_once
    ]
    return dataclasses.make_dataclass(
        name, added, bases=(_SubmitterOptions,), namespace={"__doc__": about}, frozen=True, slots=True, kw_only=True
    )


def _annotation(field: JobField, option: CommandLineOption) -> Any:
    kind = Priority if field.kind is PRIORITY else field.kind.json_type
    is_time = kind is float
    annotated: Any = Annotated  # as a value: mypy knows it only as a part of annotations
    return annotated[
        kind | None,
        Option(
            option.flag,
            metavar="TIME" if is_time else option.metavar,
            parser=duration if is_time else None,
            case_sensitive=False,
            show_default=option.default_text or True,
            help=option.help,
            rich_help_panel=option.panel,
        ),
    ]


if TYPE_CHECKING:

    class JobOptions(_SubmitterOptions):
        """The options of every job."""

    class OneTimeJobOptions(JobOptions):
        """The options of a job that runs once."""


def __getattr__(name: str) -> Any:
    """Each of the two classes is made when it is first asked for: no command needs both."""
    if name == "JobOptions":
        made = _derived(name, "The options of every job.", once=False)
    elif name == "OneTimeJobOptions":
        made = _derived(name, "The options of a job that runs once.", once=True)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = made
    return made


def job_fields(script: str, options: _SubmitterOptions, args: Sequence[str] = ()) -> dict[str, Any]:
    """Collect the fields of a job, as `Job.from_fields` takes them.

    Args:
        script: Source text.
        options: The options that were given.
        args: The arguments of the script.

    Returns:
        Fields that are not checked yet; options that were not given are left out.
    """
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    fields = {name: _plain(value) for name, value in given.items() if value not in (None, [])}
    if "env_vars" in fields:
        fields["env_vars"] = _variables(fields["env_vars"])
    if args:
        fields["script_args"] = list(args)
    return {"script": script, **fields, "caller_id": options.caller_id or _login_name()}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _variables(pairs: list[str]) -> dict[str, str]:
    variables: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            fail(f"--env takes NAME=VALUE, not '{pair}'", CtlExitCode.USAGE)
        variables[name] = value
    return variables


def _login_name() -> str:
    """The name of the user at the keyboard; "heroctl" if the system does not know it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "heroctl"
