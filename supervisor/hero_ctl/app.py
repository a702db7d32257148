"""All commands of `heroctl`, and what stands above and below them in its help.

To add a command, write its function in `commands/` and register it here. Called by `cli.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hero_ctl.commands import actors, bench, config, dead, install, keys, queues, schedules, transfer
from hero_ctl.commands.checkup import doctor
from hero_ctl.commands.job import control, events, looking, running
from hero_ctl.commands.osis import moving, objects, rights
from hero_ctl.commands.scripts import functions, heroscript
from hero_ctl.exits import HELP
from hero_ctl.option_groups import expand_groups

#: Headings of the list of commands.
_JOBS = "Jobs"
_QUEUES = "Queues, dead letters and schedules"
_ACTORS = "Actors"
_DEPLOYMENT = "Deployment"
_HEROSCRIPT = "HeroScript"
_RHAI = "Rhai scripts"


class _Commands(TyperGroup):
    """The commands; messages about wrong options have no words of the library that checks them."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer's own context
        try:
            return super().invoke(ctx)
        except typer.BadParameter as e:
            e.message = e.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    name="heroctl",
    cls=_Commands,
    help="Run scripts as jobs of the Hero actor runtime, and inspect and operate a deployment.",
    epilog=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(
    name: str, command: Callable[..., None], *, to: typer.Typer = app, panel: str | None = None, epilog: str = HELP
) -> None:
    to.command(name, epilog=epilog, rich_help_panel=panel)(expand_groups(command))


def _group(name: str, help_text: str, panel: str) -> typer.Typer:
    group = typer.Typer(help=help_text, no_args_is_help=True)
    app.add_typer(group, name=name, rich_help_panel=panel)
    return group


@app.callback(invoke_without_command=True)
def _version(
    *,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(f"heroctl {installed_version('hero-runtime')}")
        raise typer.Exit


_add("run", running.run, panel=_JOBS)
_add("submit", running.submit, panel=_JOBS)
_add("status", looking.status, panel=_JOBS)
_add("show", looking.show, panel=_JOBS)
_add("output", looking.output, panel=_JOBS)
_add("logs", control.logs, panel=_JOBS)
_add("list", looking.list_jobs, panel=_JOBS)
_add("stop", control.stop, panel=_JOBS)
_add("retry", control.retry, panel=_JOBS)
_add("delete", control.delete, panel=_JOBS)
_add("events", events.events, panel=_JOBS)

_add("queues", queues.list_queues, panel=_QUEUES)
_add("pause", queues.pause, panel=_QUEUES)
_add("resume", queues.resume, panel=_QUEUES)
_queue = _group("queue", "Purge a queue.", _QUEUES)
_add("purge", queues.purge, to=_queue)
_dead = _group("dead", "Dead letters: jobs that failed permanently.", _QUEUES)
_add("list", dead.list_dead, to=_dead)
_add("retry", dead.retry, to=_dead)
_add("purge", dead.purge, to=_dead)
_schedule = _group("schedule", "Schedules: jobs that run repeatedly.", _QUEUES)
_add("add", schedules.add, to=_schedule)
_add("list", schedules.list_schedules, to=_schedule)
_add("delete", schedules.delete, to=_schedule)

_actors = typer.Typer(help=actors.HELP_TEXT)
_actors.callback(invoke_without_command=True, epilog=HELP)(expand_groups(actors.list_actors))
app.add_typer(_actors, name="actors", rich_help_panel=_ACTORS)
_add("show", actors.show, to=_actors)
_add("start", actors.start, to=_actors)
_add("stop", actors.stop, to=_actors)
_add("restart", actors.restart, to=_actors)
_add("scale", actors.scale, panel=_ACTORS)
_add("reload", actors.reload, panel=_ACTORS)

_add("doctor", doctor.doctor, panel=_DEPLOYMENT, epilog=doctor.EPILOG)
_config = _group("config", "Which config, store and socket are used here.", _DEPLOYMENT)
_add("where", config.where, to=_config)
_add("bench", bench.bench, panel=_DEPLOYMENT)
_keys = _group("keys", "Keys: bearer tokens that open the service's ports.", _DEPLOYMENT)
_add("create", keys.create, to=_keys)
_add("list", keys.list_keys, to=_keys)
_add("revoke", keys.revoke, to=_keys)
_add("export", transfer.export, panel=_DEPLOYMENT)
_add("import", transfer.import_, panel=_DEPLOYMENT)
_osis = _group("osis", "Objects of OSIS: list, read, move them, and the rights to them.", _DEPLOYMENT)
_add("list", objects.list_, to=_osis)
_add("get", objects.get, to=_osis)
_add("export", moving.export, to=_osis)
_add("import", moving.import_, to=_osis)
_acl = typer.Typer(help="The rights in a context.", no_args_is_help=True)
_osis.add_typer(_acl, name="acl")
_add("show", rights.acl_show, to=_acl)
_add("set", rights.acl_set, to=_acl)
_add("install-service", install.install_service, panel=_DEPLOYMENT, epilog=install.EPILOG)

_add("functions", functions.functions, panel=_RHAI)
_add("check", functions.check, panel=_RHAI, epilog=functions.CHECK_EPILOG)
_heroscript = _group("heroscript", "Check and format HeroScript; needs no service.", _HEROSCRIPT)
_add("check", heroscript.check, to=_heroscript, epilog=heroscript.EPILOG)
_add("fmt", heroscript.fmt, to=_heroscript, epilog=heroscript.EPILOG)
