"""All commands of `heroctl`, and what stands above and below them in its help.

To add a command, write its function in `commands/` and register it here. Called by `cli.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hero_ctl.commands import actors, batch, bench, dead, install, keys, queues, schedules, transfer
from hero_ctl.commands.checkup import doctor
from hero_ctl.commands.job import control, events, logs, looking, running
from hero_ctl.commands.osis import moving, objects, rights
from hero_ctl.commands.scripts import functions, heroscript
from hero_ctl.commands.tools import calls, completion, config, top
from hero_ctl.examples import epilog as with_examples
from hero_ctl.exits import HELP
from hero_ctl.option_groups import expand_groups

#: Headings of the list of commands.
_JOBS = "Jobs"
_QUEUES = "Queues, dead letters and schedules"
_ACTORS = "Actors"
_DEPLOYMENT = "Deployment"
_HEROSCRIPT = "HeroScript"
_RHAI = "Rhai scripts"
_NOUNS = "The same commands by noun and verb"


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


def _add(names: str, command: Callable[..., None], *, panel: str | None = None, exit_codes: str = HELP) -> None:
    """Register a command.

    Args:
        names: `noun verb`, or its only word; after a `|`, other names of the same command.
        command: Its function.
        panel: Heading of the list of commands that it stands under.
        exit_codes: What they mean.
    """
    canonical, *_ = names.split("|")
    for name in names.split("|"):
        group, _, verb = name.strip().rpartition(" ")
        expanded = expand_groups(command)
        add = _groups[group].command if group else app.command
        epilog = with_examples(canonical.strip(), exit_codes)
        add(verb, epilog=epilog, rich_help_panel=None if group else panel)(expanded)


def _group(name: str, help_text: str, panel: str) -> None:
    group = typer.Typer(help=help_text, no_args_is_help=True)
    parent, _, own = name.rpartition(" ")
    (_groups[parent] if parent else app).add_typer(group, name=own, rich_help_panel=panel)
    _groups[name] = group


_groups: dict[str, typer.Typer] = {}


@app.callback(invoke_without_command=True)
def _version(
    *,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(f"heroctl {installed_version('hero-runtime')}")
        raise typer.Exit


_group("dead", "Dead letters: jobs that failed permanently.", _QUEUES)
_group("schedule", "Schedules: jobs that run repeatedly.", _QUEUES)
_group("batch", "Batches: jobs that were created together.", _QUEUES)
_groups["actors"] = typer.Typer(help=actors.HELP_TEXT)
_groups["actors"].callback(invoke_without_command=True, epilog=with_examples("actor list", HELP))(
    expand_groups(actors.list_actors_of_group)
)
app.add_typer(_groups["actors"], name="actors", rich_help_panel=_ACTORS)
_group("config", "Which config, store and socket are used here.", _DEPLOYMENT)
_group("keys", "Keys: bearer tokens that open the service's ports.", _DEPLOYMENT)
_group("osis", "Objects of OSIS: list, read, move them, and the rights to them.", _DEPLOYMENT)
_group("osis acl", "The rights in a context.", _DEPLOYMENT)
_group("heroscript", "Check and format HeroScript; needs no service.", _HEROSCRIPT)
_group("job", "Run, list, show, stop jobs.", _NOUNS)
_group("queue", "List, pause, resume, purge queues.", _NOUNS)
_group("actor", "List, show, start, stop, scale actors.", _NOUNS)
_group("key", "Create, list, revoke keys.", _NOUNS)

_add("job run|run", running.run, panel=_JOBS)
_add("job submit|submit", running.submit, panel=_JOBS)
_add("job status|status", looking.status, panel=_JOBS)
_add("job show|show", looking.show, panel=_JOBS)
_add("job output|output", looking.output, panel=_JOBS)
_add("job wait|wait", looking.wait, panel=_JOBS)
_add("job logs|logs", logs.logs, panel=_JOBS)
_add("job list|list", looking.list_jobs, panel=_JOBS)
_add("job stop|stop", control.stop, panel=_JOBS)
_add("job retry|retry", control.retry, panel=_JOBS)
_add("job delete|delete", control.delete, panel=_JOBS)
_add("job events|events", events.events, panel=_JOBS)

_add("queue list|queues", queues.list_queues, panel=_QUEUES)
_add("queue pause|pause", queues.pause, panel=_QUEUES)
_add("queue resume|resume", queues.resume, panel=_QUEUES)
_add("queue purge", queues.purge)
_add("dead list", dead.list_dead)
_add("dead retry", dead.retry)
_add("dead purge", dead.purge)
_add("schedule add", schedules.add)
_add("schedule list", schedules.list_schedules)
_add("schedule show", schedules.show)
_add("schedule run", schedules.run)
_add("schedule pause", schedules.pause)
_add("schedule resume", schedules.resume)
_add("schedule delete", schedules.delete)
_add("batch show", batch.show)
_add("batch jobs", batch.jobs)
_add("batch wait", batch.wait)

_add("actor list", actors.list_actors)
_add("actor show|actors show", actors.show)
_add("actor logs|actors logs", actors.logs)
_add("actor start|actors start", actors.start)
_add("actor stop|actors stop", actors.stop)
_add("actor restart|actors restart", actors.restart)
_add("actor scale|scale", actors.scale, panel=_ACTORS)
_add("actor reload|reload", actors.reload, panel=_ACTORS)

_add("doctor", doctor.doctor, panel=_DEPLOYMENT, exit_codes=doctor.EPILOG)
_add("top", top.top, panel=_DEPLOYMENT)
_add("config where", config.where)
_add("whoami", calls.whoami, panel=_DEPLOYMENT)
_add("rpc", calls.rpc, panel=_DEPLOYMENT)
_add("bench", bench.bench, panel=_DEPLOYMENT)
_add("key create|keys create", keys.create)
_add("key list|keys list", keys.list_keys)
_add("key revoke|keys revoke", keys.revoke)
_add("export", transfer.export, panel=_DEPLOYMENT)
_add("import", transfer.import_, panel=_DEPLOYMENT)
_add("osis list", objects.list_)
_add("osis get", objects.get)
_add("osis export", moving.export)
_add("osis import", moving.import_)
_add("osis acl show", rights.acl_show)
_add("osis acl set", rights.acl_set)
_add("install-service", install.install_service, panel=_DEPLOYMENT, exit_codes=install.EPILOG)
_add("completion", completion.completion, panel=_DEPLOYMENT)

_add("functions", functions.functions, panel=_RHAI)
_add("check", functions.check, panel=_RHAI, exit_codes=functions.CHECK_EPILOG)
_add("heroscript check", heroscript.check, exit_codes=heroscript.EPILOG)
_add("heroscript fmt", heroscript.fmt, exit_codes=heroscript.EPILOG)
