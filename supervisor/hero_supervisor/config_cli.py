"""The flags of `hero-supervisor` that change settings, and its command `config` with its subcommands.

Owned here: those flags, the output of the subcommands, and their exit codes. `cli.py` calls this. It uses argparse,
for the same reason.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hero_config.layers.load import Flag, load_config
from hero_config.layers.places import find_config
from hero_config.layers.problems import ConfigError
from hero_process.exit_codes import ProcessExit

#: Exit code of `config check --strict` when a valid config is suspicious.
_SUSPICIOUS = 1

#: The settings that are set most often have flags of their own: flag -> key, placeholder, help.
_NAMED = {
    "--redis-url": (
        "store.redis_url",
        "URL",
        "Redis or Valkey; a password in it is moved to the environment, since all users can see flags",
    ),
    "--unix-socket": ("rpc.unix_socket", "PATH", "path of the JSON-RPC socket; empty for none"),
    "--port": ("rpc.port", "N", "TCP port for WebSocket and HTTP; 0 for none"),
    "--log-level": ("supervisor.log_level", "LEVEL", "debug, info, warning or error"),
}


class _SetKey(argparse.Action):
    """Adds one setting to those of the flags before it, in the order of the command line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Take one flag."""
        option, text = str(option_string), str(values)
        key = _NAMED[option][0] if option in _NAMED else ""
        if not key:
            key, equals, text = text.partition("=")
            if not equals or not all(key.split(".")):
                raise argparse.ArgumentError(self, "should be SECTION.KEY=VALUE, such as jobs.result_ttl_s=3600")
            option = f"{option} {key}"
        # The parser of a command has a list of its own; it would otherwise replace the program's list.
        given: list[Flag] = [*getattr(namespace, self.dest), Flag(option=option, key=key, text=text)]
        setattr(namespace, self.dest, given)


def found_config() -> str | None:
    """Find the config file that is used if no flag names one."""
    path, _ = find_config()
    return None if path is None else str(path)


def add_layers(parser: argparse.ArgumentParser, *, of_command: bool = False) -> None:
    """Add the flags that name the config file and set keys.

    Args:
        parser: Parser of the program or of one of its commands.
        of_command: It is the parser of a command; the same flags may also stand before the command.
    """
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=argparse.SUPPRESS if of_command else found_config(),
        help="TOML file (default: HERO_CONFIG, else ./hero.toml, ./.hero/hero.toml, ~/.config/hero/hero.toml or "
        "/etc/hero/hero.toml, else the built-in defaults)",
    )
    dest = "command_settings" if of_command else "settings"
    parser.add_argument(
        "--set",
        metavar="SECTION.KEY=VALUE",
        dest=dest,
        action=_SetKey,
        default=[],
        help="set one key, over file and environment: --set jobs.result_ttl_s=3600 --set actors.sal.count=4",
    )
    for option, (key, metavar, text) in _NAMED.items():
        parser.add_argument(option, metavar=metavar, dest=dest, action=_SetKey, default=[], help=f"{key}: {text}")


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the command `config` and its subcommands."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="command")
    config = commands.add_parser(
        "config", help="show or check the settings without starting anything", allow_abbrev=False
    )
    actions = config.add_subparsers(dest="action", metavar="show|check|schema|store-url", required=True)
    show = actions.add_parser(
        "show",
        help="print the settings, and where each one came from",
        allow_abbrev=False,
        description=run_show.__doc__,
    )
    add_layers(show, of_command=True)
    show.add_argument("--json", action="store_true", help="print JSON, for programs")
    show.add_argument("--changed", action="store_true", help="leave out settings that nothing sets")
    check = actions.add_parser(
        "check",
        help="find all mistakes in the file, conf.d/, the environment and the flags",
        allow_abbrev=False,
        epilog="Exit codes: 0 valid, 1 valid with warnings and --strict, 2 not valid.",
    )
    check.add_argument("file", metavar="FILE", nargs="?", help="the config file, like --config")
    add_layers(check, of_command=True)
    check.add_argument("--strict", action="store_true", help="exit 1 when there are warnings")
    url = actions.add_parser(
        "store-url",
        help="print the URL of the embedded store's TCP port, with its password",
        allow_abbrev=False,
        description=run_store_url.__doc__,
    )
    add_layers(url, of_command=True)
    actions.add_parser("schema", help="print the JSON Schema of the config file, for editors", allow_abbrev=False)


def run(flags: argparse.Namespace) -> int:
    """Run a subcommand of `config`.

    Args:
        flags: The parsed flags of `add_layers` and `add_commands`.

    Returns:
        Exit code.
    """
    if flags.action == "schema":
        from hero_config.report.schema import schema_text  # each command imports only what it needs

        sys.stdout.write(schema_text())
        return ProcessExit.OK
    flags.config = getattr(flags, "file", None) or flags.config
    flags.settings = [*flags.settings, *flags.command_settings]
    return {"show": run_show, "check": run_check, "store-url": run_store_url}[flags.action](flags)


def run_show(flags: argparse.Namespace) -> int:
    """Print the settings that the service would have, and where each one came from. Secrets are hidden."""
    from hero_config.report.show import as_json, as_toml

    try:
        config = load_config(flags.config, flags=flags.settings)
    except ConfigError as e:
        return _refuse(e)
    sys.stdout.write((as_json if flags.json else as_toml)(config, changed=flags.changed))
    for note in config.notes:
        sys.stderr.write(f"warning: {note}\n")
    return ProcessExit.OK


def run_check(flags: argparse.Namespace) -> int:
    """Print everything that is wrong with the settings, and warnings about what is suspicious."""
    from hero_config.report.allowed_places import refuse_bad_places
    from hero_config.report.config_warnings import find_warnings
    from hero_config.report.weak_boundaries import find_weak_boundaries
    from hero_supervisor.object_schemas import check_object_schemas

    try:
        config = refuse_bad_places(load_config(flags.config, flags=flags.settings))
        in_schemas = check_object_schemas(config)
    except ConfigError as e:
        return _refuse(e)
    # A row of one of them may be one of the other: both name the place and say why.
    found = list(dict.fromkeys((*find_warnings(config), *find_weak_boundaries(config), *in_schemas)))
    for warning in found:
        sys.stdout.write(f"warning: {warning}\n")
    missing = {"osis", "sal"} - {entry.type for entry in config.settings.actors}
    if config.files and config.settings.actors and missing:
        sys.stderr.write(
            f"note: no {' and no '.join(name.upper() for name in sorted(missing))} actors: [[actors]] of the main file "
            "replace the default OSIS and SAL; an entry in conf.d/ is added to them\n"
        )
    warnings = f", {_count(len(found), 'warning')}" if found else ""
    sources = ", ".join(config.files) or "defaults and environment"
    sys.stdout.write(f"{sources}: valid{warnings}\n")
    return _SUSPICIOUS if found and flags.strict else ProcessExit.OK


def run_store_url(flags: argparse.Namespace) -> int:
    """Print the URL of the embedded store's TCP port, with its password. Only the service's user can read it."""
    from hero_supervisor.store.password import read_password, tcp_url

    try:
        config = load_config(flags.config, flags=flags.settings)
    except ConfigError as e:
        return _refuse(e)
    embedded = config.settings.embedded
    if config.settings.store.redis_url:
        return _cannot_show("store.redis_url names a server, so no store is embedded; its URL is in your config")
    if not embedded.port:
        return _cannot_show("embedded.port is 0, so there is only the Unix socket, which needs no password")
    try:
        password = read_password(Path(embedded.dir))
    except FileNotFoundError:
        return _cannot_show(f"{embedded.dir} has no password yet; the service makes it when it starts")
    except (OSError, ValueError) as e:
        return _cannot_show(str(e))
    sys.stdout.write(tcp_url(embedded.port, password) + "\n")
    return ProcessExit.OK


def _cannot_show(reason: str) -> int:
    sys.stderr.write(f"error: {reason}\n")
    return ProcessExit.USAGE


def _refuse(error: ConfigError) -> int:
    for problem in error.problems:
        sys.stderr.write(f"error: {problem}\n")
    sys.stderr.write(f"{_count(len(error.problems), 'error')}; the service does not start with this configuration\n")
    return ProcessExit.USAGE


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
