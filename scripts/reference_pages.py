"""Writes the pages of the reference that the code knows: settings, commands, methods, errors, metrics, log events.

`.venv/bin/python -m scripts.reference_pages` writes them anew. A test and `scripts/house_style.py` compare them with
the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ".venv/bin/python -m scripts.reference_pages"
_WRITTEN = f"<!-- Written by {COMMAND}; do not edit. -->"
#: Headings of options that many commands share: they are described once.
_SHARED = ("Store",)

_SETTINGS_ABOUT = """\
# Settings

Every setting of the config file with its default. `config/hero.toml` is the same as a file to copy from, and
[Configuration](configuration.md) says which files are read, and in which order. In the environment a
setting is `HERO_SECTION__KEY`, such as `HERO_STORE__REDIS_URL`. A key that ends in `_s` takes seconds, or a duration in
quotes: `"30s"`, `"2h30m"`, `"7d"`.
"""
_COMMANDS_ABOUT = """\
# Commands of heroctl

Every command with its options. [heroctl.md](../heroctl.md) says how they belong together, and
[reference.md](../reference.md#exit-codes-of-heroctl) has the exit codes.
"""
_METHODS_ABOUT = """\
# JSON-RPC methods

Every method with its parameters, its result and its errors. `heroctl rpc METHOD '{"name": "value"}'` calls one;
`heroctl rpc rpc.discover` gives the same as an OpenRPC document, with examples. A parameter or field with `?` may be
left out. [error-codes.md](error-codes.md) has the error codes with their cures.

The scope is what a token needs; `none` needs no token. The column *repeat* (`x-repeat` in the document) is what a
client may do that does not know whether its call arrived: `safe` means call again, `no` means look first, and another
word is the parameter that makes a second call harmless if the first one had it, too. The document also has `x-scope` of
each method, `x-errors` (every code with its kinds and the fields of `data`) and `x-notifications` (the events of each
topic of `hero_subscribe`).
"""
_CODES_ABOUT = """\
# Error codes of JSON-RPC

The error of an answer has a `code`, a `message` for people, and `data` with at least `kind`, a stable word for
programs, and `hint`, which says what to do in this case. The codes of the JSON-RPC specification are negative; ours are
positive, and none is ever used for something else. `rpc.discover` has them for each method, and in `x-errors` the other
fields of `data`.
"""
_METRICS_ABOUT = """\
# Metrics

`GET /metrics` on the TCP port and on the Unix socket, in the text format of Prometheus. [Look at a
deployment](../rpc-overview.md#metrics) says which question each answers, and has the labels; [Watch a
deployment](../how-to/watch.md#metrics-and-alerts) has the alerts.
"""
_KINDS_ABOUT = """\
# Kinds of errors of jobs

A job that ends without a result has a kind of error: `error_kind` of `get_job`, `kind` in the data of the error 1004,
the label `error_kind` of metrics. `heroctl show JOB` prints its row of this table. A kind that is not here, such as one
of an engine of your own, is counted as `other`.
"""

_EVENTS_ABOUT = """\
# Log events

Every event that the service, its actors and their engines write to the log, by name. A line has time, level, logger,
the event and fields; [Watch a deployment](../how-to/watch.md#read-the-log) says where the log is. Lines of the level
`debug` are written with `log_level = "debug"` only. An event with two levels has the one or the other by the program
that writes it. Where nothing stands under *what to do*, the service goes on by itself.

Many lines have `reason` or `error`, which says what exactly has happened, and `next`, which says what the program does
about it. `child` and `incarnation` name an actor, and `job` a job.
"""


def pages() -> dict[Path, str]:
    """Return the text of each page by its path."""
    from hero_supervisor.rpc.emit.document import whole_document
    from hero_supervisor.rpc.emit.markdown import error_codes_page, methods_page, metrics_page

    folder = ROOT / "docs/reference"
    methods = (f"{_METHODS_ABOUT}\n{_WRITTEN}", *methods_page(whole_document()))
    codes = (f"{_CODES_ABOUT}\n{_WRITTEN}", *error_codes_page())
    metrics = (f"{_METRICS_ABOUT}\n{_WRITTEN}", *metrics_page())
    return {
        folder / "error-codes.md": "\n".join(codes) + "\n",
        folder / "error-kinds.md": "\n".join(_kinds()) + "\n",
        folder / "methods.md": "\n".join(methods) + "\n",
        folder / "metrics.md": "\n".join(metrics) + "\n",
        folder / "log-events.md": "\n".join(_events()) + "\n",
        folder / "settings.md": "\n".join(_settings()) + "\n",
        folder / "heroctl-commands.md": "\n".join(_commands()) + "\n",
    }


def stale() -> list[str]:
    """What is to be done about pages that the code has left behind."""
    return [
        f"{path.relative_to(ROOT)}: not what the code says; write it anew: {COMMAND}"
        for path, text in pages().items()
        if not path.is_file() or path.read_text("utf-8") != text
    ]


def _kinds() -> Iterator[str]:
    from hero_job.model.overview.kinds import ROWS

    yield f"{_KINDS_ABOUT}\n{_WRITTEN}\n\n| kinds | cause | cure |\n|---|---|---|"
    for row in ROWS:
        yield f"| {', '.join(f'`{kind}`' for kind in row.kinds.split())} | {_prose(row.cause)} | {_prose(row.cure)} |"


def _events() -> Iterator[str]:
    from hero_config.logs.event_table import EVENTS

    if str(ROOT) not in sys.path:  # house_style.py runs as a file, which finds only what is beside it
        sys.path.append(str(ROOT))
    from scripts.log_events import levels

    found = levels()
    yield f"{_EVENTS_ABOUT}\n{_WRITTEN}"
    group = ""
    for event in EVENTS:
        first = event.name.partition(".")[0]
        if first != group:
            group = first
            yield f"\n## {group}\n\n| event | level | meaning | what to do |\n|---|---|---|---|"
        level = ", ".join(found.get(event.name, ()))
        yield f"| `{event.name}` | {level} | {_prose(event.meaning)} | {_prose(event.cure)} |"


def _settings() -> Iterator[str]:
    from hero_config.model.settings import Settings

    settings = Settings()
    yield f"{_SETTINGS_ABOUT}\n{_WRITTEN}"
    for name in Settings.model_fields:
        if name == "actors":
            first = settings.actors[0]
            yield from _section("[[actors]]", first)
            yield from _section("[actors.allow]", first.allow)
        else:
            yield from _section(f"[{name}]", getattr(settings, name))


def _section(title: str, section: Any) -> Iterator[str]:
    from pydantic import BaseModel

    from hero_config.report.schema import docstrings
    from hero_config.report.show import plain_value, toml_value

    texts = docstrings(type(section))
    yield f"\n## {title}\n\n| key | default | meaning |\n|---|---|---|"
    for key in type(section).model_fields:
        value = getattr(section, key)
        if not isinstance(value, BaseModel):
            yield f"| `{key}` | `{_cell(toml_value(plain_value(value)))}` | {_prose(texts[key])} |"


def _commands() -> Iterator[str]:
    import typer

    from hero_ctl.app import build_app
    from hero_ctl.command_table import COMMANDS
    from hero_ctl.examples import EXAMPLES

    root = typer.main.get_command(build_app())
    yield f"{_COMMANDS_ABOUT}\n{_WRITTEN}"
    shared: dict[str, Any] = {}
    for row in sorted(COMMANDS, key=lambda row: row.paths[0]):
        name, *others = row.paths
        command: Any = root
        for word in name.split():
            command = command.commands[word]
        yield f"\n## heroctl {name}\n\n{_prose(row.summary)}"
        if others:
            yield "\nAlso: " + ", ".join(f"`heroctl {other}`" for other in others) + "."
        own = []
        for parameter in command.params:
            panel = getattr(parameter, "rich_help_panel", None)
            if getattr(parameter, "hidden", False) or parameter.name == "help":
                continue
            if panel in _SHARED:
                shared.setdefault(parameter.name, parameter)
            else:
                own.append(parameter)
        if own:
            yield "\n| argument or option | meaning |\n|---|---|"
            yield from map(_parameter, own)
        if len(own) < len(command.params) and any(_panel(p) in _SHARED for p in command.params):
            yield "\nAnd the options of [which deployment](#which-deployment)."
        if name in EXAMPLES:
            yield "\n```console\n" + "\n".join(EXAMPLES[name]) + "\n```"
    yield "\n## Which deployment\n\nOptions of all commands that talk to a service.\n\n| option | meaning |\n|---|---|"
    yield from map(_parameter, shared.values())


def _panel(parameter: Any) -> str | None:
    panel: str | None = getattr(parameter, "rich_help_panel", None)
    return panel


def _parameter(parameter: Any) -> str:
    names = [*parameter.opts, *parameter.secondary_opts]
    metavar = parameter.metavar or ""
    if parameter.param_type_name == "argument":
        shown = f"`{_cell(metavar or parameter.name.upper())}`"
    else:
        shown = ", ".join(f"`{name}`" for name in names) + (f" `{_cell(metavar)}`" if metavar else "")
    text = _prose(" ".join((getattr(parameter, "help", None) or "").split()))
    default = getattr(parameter, "show_default", None)
    if isinstance(default, str):
        text += f" Default: {_prose(default)}."
    if envvar := getattr(parameter, "envvar", None):
        text += f" Environment: `{envvar}`."
    return f"| {shown} | {text} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _prose(text: str) -> str:
    """A text for a table or paragraph in which brackets and stars are only characters."""
    for character in "<>*[]|":
        text = text.replace(character, f"\\{character}")
    return text


def main() -> int:
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
