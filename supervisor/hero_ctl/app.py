"""The command line of `heroctl` as Typer sees it: for help, completion, and what `quick_words.py` does not read.

Called by `cli.py`. The commands are in `command_table.py`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hero_ctl.command_table import ABOUT, COMMANDS, GROUPS, VERSION_HELP, CommandRow
from hero_ctl.examples import epilog as with_examples
from hero_ctl.exits import HELP
from hero_ctl.option_groups import expand_groups


class _Commands(TyperGroup):
    """The commands; messages about wrong options have no words of the library that checks them."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer's own context
        try:
            return super().invoke(ctx)
        except typer.BadParameter as e:
            e.message = e.message.removeprefix("Value error, ")
            raise


def build_app(words: Sequence[str] | None = None) -> typer.Typer:
    """Make the command line.

    Args:
        words: The arguments of the process. Only the commands that begin with the first of them are imported, because
            each import costs time. None for all commands.

    Returns:
        The application.
    """
    first = words[0] if words else None
    known = {path.partition(" ")[0] for command in COMMANDS for path in command.paths}
    only = first if first in known else None
    app = typer.Typer(
        name="heroctl",
        cls=_Commands,
        help=ABOUT,
        epilog=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_version)
    groups: dict[str, typer.Typer] = {}
    for name, (help_text, panel) in GROUPS.items():
        if name == "actors":
            continue
        parent, _, own = name.rpartition(" ")
        if only in (None, name.partition(" ")[0]):
            groups[name] = typer.Typer(help=help_text, no_args_is_help=True)
            (groups[parent] if parent else app).add_typer(groups[name], name=own, rich_help_panel=panel)
    if only in (None, "actors"):
        groups["actors"] = _actors_group()
        app.add_typer(groups["actors"], name="actors", rich_help_panel=GROUPS["actors"][1])
    for command in COMMANDS:
        paths = [path for path in command.paths if only in (None, path.partition(" ")[0])]
        if paths:
            _add(app, groups, command, paths)
    return app


def _actors_group() -> typer.Typer:
    """`heroctl actors` lists actors, and is the group of the commands on them."""
    from hero_ctl.commands.actors import list_actors
    from hero_ctl.options import OutputOptions, StoreOptions, Watch

    def list_unless_called(
        context: typer.Context, store: StoreOptions, *, watch: Watch = False, output: OutputOptions
    ) -> None:
        if context.invoked_subcommand is None:
            list_actors(store, watch=watch, output=output)

    help_text = GROUPS["actors"][0]
    list_unless_called.__annotations__ = {
        "context": typer.Context, "store": StoreOptions, "watch": Watch, "output": OutputOptions,
    }  # fmt: skip
    group = typer.Typer(help=help_text)
    group.callback(invoke_without_command=True, help=help_text, epilog=with_examples("actor list", HELP))(
        expand_groups(list_unless_called)
    )
    return group


def _add(app: typer.Typer, groups: dict[str, typer.Typer], command: CommandRow, paths: Sequence[str]) -> None:
    module_name, _, function = command.function.partition(":")
    module = importlib.import_module(f"hero_ctl.commands.{module_name}")
    expanded = expand_groups(getattr(module, function))
    codes: str = getattr(module, command.exit_codes) if command.exit_codes else HELP
    for path in paths:
        group, _, verb = path.rpartition(" ")
        add = groups[group].command if group else app.command
        add(
            verb,
            help=_paragraphs(expanded.__doc__ or ""),
            epilog=with_examples(command.paths[0], codes),
            rich_help_panel=None if group else command.panel,
        )(expanded)


def _paragraphs(docstring: str) -> str:
    """Return a docstring with one line per paragraph, because Typer breaks lines where the source file does."""
    return "\n\n".join(" ".join(part.split("\n")) for part in inspect.cleandoc(docstring).split("\n\n"))


def _version(
    *,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help=VERSION_HELP)] = False,
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
