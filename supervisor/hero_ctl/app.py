"""All commands of `heroctl`, and what stands above and below them in its help.

To add a command, write its function in `commands/`, a row here, and two examples in `examples.py`. Called by `cli.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

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


@dataclass(frozen=True, slots=True)
class _Command:
    """One command.

    Attributes:
        names: `noun verb`, or its only word; after a `|`, other names of the same command.
        function: Module below `hero_ctl.commands`, and function in it.
        panel: Heading of the list of commands that it stands under; None in a group.
        exit_codes: Constant of the module that explains them, if they are not those of all commands.
    """

    names: str
    function: str
    panel: str | None = None
    exit_codes: str = ""

    @property
    def paths(self) -> list[str]:
        """All its names."""
        return [name.strip() for name in self.names.split("|")]


#: Name of each group -> its help, and the heading that it stands under.
_GROUPS: Final = {
    "dead": ("Dead letters: jobs that failed permanently.", _QUEUES),
    "schedule": ("Schedules: jobs that run repeatedly.", _QUEUES),
    "batch": ("Batches: jobs that were created together.", _QUEUES),
    "config": ("Which config, store and socket are used here.", _DEPLOYMENT),
    "keys": ("Keys: bearer tokens that open the service's ports.", _DEPLOYMENT),
    "osis": ("Objects of OSIS: list, read, move them, and the rights to them.", _DEPLOYMENT),
    "osis acl": ("The rights in a context.", _DEPLOYMENT),
    "heroscript": ("Check and format HeroScript; needs no service.", _HEROSCRIPT),
    "job": ("Run, list, show, stop jobs.", _NOUNS),
    "queue": ("List, pause, resume, purge queues.", _NOUNS),
    "actor": ("List, show, start, stop, scale actors.", _NOUNS),
    "key": ("Create, list, revoke keys.", _NOUNS),
}
_COMMANDS: Final = (
    _Command("job run|run", "job.running:run", panel=_JOBS),
    _Command("job submit|submit", "job.running:submit", panel=_JOBS),
    _Command("job status|status", "job.looking:status", panel=_JOBS),
    _Command("job show|show", "job.looking:show", panel=_JOBS),
    _Command("job output|output", "job.looking:output", panel=_JOBS),
    _Command("job wait|wait", "job.looking:wait", panel=_JOBS),
    _Command("job logs|logs", "job.logs:logs", panel=_JOBS),
    _Command("job list|list", "job.looking:list_jobs", panel=_JOBS),
    _Command("job stop|stop", "job.control:stop", panel=_JOBS),
    _Command("job retry|retry", "job.control:retry", panel=_JOBS),
    _Command("job delete|delete", "job.control:delete", panel=_JOBS),
    _Command("job events|events", "job.events:events", panel=_JOBS),
    _Command("queue list|queues", "queues:list_queues", panel=_QUEUES),
    _Command("queue pause|pause", "queues:pause", panel=_QUEUES),
    _Command("queue resume|resume", "queues:resume", panel=_QUEUES),
    _Command("queue purge", "queues:purge"),
    _Command("dead list", "dead:list_dead"),
    _Command("dead retry", "dead:retry"),
    _Command("dead purge", "dead:purge"),
    _Command("schedule add", "schedules:add"),
    _Command("schedule list", "schedules:list_schedules"),
    _Command("schedule show", "schedules:show"),
    _Command("schedule run", "schedules:run"),
    _Command("schedule pause", "schedules:pause"),
    _Command("schedule resume", "schedules:resume"),
    _Command("schedule delete", "schedules:delete"),
    _Command("batch show", "batch:show"),
    _Command("batch jobs", "batch:jobs"),
    _Command("batch wait", "batch:wait"),
    _Command("actor list", "actors:list_actors"),
    _Command("actor show|actors show", "actors:show"),
    _Command("actor logs|actors logs", "actors:logs"),
    _Command("actor start|actors start", "actors:start"),
    _Command("actor stop|actors stop", "actors:stop"),
    _Command("actor restart|actors restart", "actors:restart"),
    _Command("actor scale|scale", "actors:scale", panel=_ACTORS),
    _Command("actor reload|reload", "actors:reload", panel=_ACTORS),
    _Command("doctor", "checkup.doctor:doctor", panel=_DEPLOYMENT, exit_codes="EPILOG"),
    _Command("top", "tools.top:top", panel=_DEPLOYMENT),
    _Command("stats", "tools.stats:stats", panel=_DEPLOYMENT),
    _Command("config where", "tools.config:where"),
    _Command("whoami", "tools.calls:whoami", panel=_DEPLOYMENT),
    _Command("rpc", "tools.calls:rpc", panel=_DEPLOYMENT),
    _Command("ui", "tools.ui:ui", panel=_DEPLOYMENT),
    _Command("bench", "bench:bench", panel=_DEPLOYMENT),
    _Command("key create|keys create", "keys:create"),
    _Command("key list|keys list", "keys:list_keys"),
    _Command("key revoke|keys revoke", "keys:revoke"),
    _Command("export", "transfer:export", panel=_DEPLOYMENT),
    _Command("import", "transfer:import_", panel=_DEPLOYMENT),
    _Command("osis list", "osis.objects:list_"),
    _Command("osis get", "osis.objects:get"),
    _Command("osis export", "osis.moving:export"),
    _Command("osis import", "osis.moving:import_"),
    _Command("osis acl show", "osis.rights:acl_show"),
    _Command("osis acl set", "osis.rights:acl_set"),
    _Command("install-service", "install:install_service", panel=_DEPLOYMENT, exit_codes="EPILOG"),
    _Command("completion", "tools.completion:completion", panel=_DEPLOYMENT),
    _Command("functions", "scripts.functions:functions", panel=_RHAI),
    _Command("check", "scripts.functions:check", panel=_RHAI, exit_codes="CHECK_EPILOG"),
    _Command("heroscript check", "scripts.heroscript:check", exit_codes="EPILOG"),
    _Command("heroscript fmt", "scripts.heroscript:fmt", exit_codes="EPILOG"),
)


def build_app(words: Sequence[str] | None = None) -> typer.Typer:
    """Make the command line.

    Args:
        words: The arguments of the process. Only the commands that begin with the first of them are imported, because
            each import costs time. None for all commands.

    Returns:
        The application.
    """
    first = words[0] if words else None
    known = {path.partition(" ")[0] for command in _COMMANDS for path in command.paths} | {"actors"}
    only = first if first in known else None
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
    app.callback(invoke_without_command=True)(_version)
    groups: dict[str, typer.Typer] = {}
    for name, (help_text, panel) in _GROUPS.items():
        parent, _, own = name.rpartition(" ")
        if only in (None, name.partition(" ")[0]):
            groups[name] = typer.Typer(help=help_text, no_args_is_help=True)
            (groups[parent] if parent else app).add_typer(groups[name], name=own, rich_help_panel=panel)
    if only in (None, "actors"):
        from hero_ctl.commands import actors

        groups["actors"] = typer.Typer(help=actors.HELP_TEXT)
        listing = expand_groups(actors.list_actors_of_group)
        groups["actors"].callback(invoke_without_command=True, epilog=with_examples("actor list", HELP))(listing)
        app.add_typer(groups["actors"], name="actors", rich_help_panel=_ACTORS)
    for command in _COMMANDS:
        paths = [path for path in command.paths if only in (None, path.partition(" ")[0])]
        if paths:
            _add(app, groups, command, paths)
    return app


def _add(app: typer.Typer, groups: dict[str, typer.Typer], command: _Command, paths: Sequence[str]) -> None:
    module_name, _, function = command.function.partition(":")
    module = importlib.import_module(f"hero_ctl.commands.{module_name}")
    expanded = expand_groups(getattr(module, function))
    codes: str = getattr(module, command.exit_codes) if command.exit_codes else HELP
    for path in paths:
        group, _, verb = path.rpartition(" ")
        add = groups[group].command if group else app.command
        add(verb, epilog=with_examples(command.paths[0], codes), rich_help_panel=None if group else command.panel)(
            expanded
        )


def _version(
    *,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(f"heroctl {installed_version('hero-runtime')}")
        raise typer.Exit


def __getattr__(name: str) -> Any:
    """`app` is the whole command line, made when it is first asked for."""
    if name != "app":
        raise AttributeError(name)
    whole = build_app()
    globals()["app"] = whole
    return whole
