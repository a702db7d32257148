"""The program `hero-supervisor`: reads the settings, runs the service, and ends with an exit code that says why.

Owned here: flags, exit codes, and what goes to stderr when the service cannot start. It uses argparse, which imports
faster than typer, because a supervisor should be light and start quickly.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from hero_config.layers.load import Config, load_config
from hero_config.layers.problems import ConfigError
from hero_config.logs import targets as log_targets
from hero_config.model.settings import Settings
from hero_config.report.allowed_places import refuse_bad_places
from hero_config.report.weak_boundaries import find_weak_boundaries
from hero_job.model.errors import StoreUrlInvalid
from hero_process.defects import log_failure
from hero_process.exit_codes import ProcessExit
from hero_process.inherited import InheritedUnusable, raise_file_limit, reset_inherited
from hero_process.secret_arguments import move_secret_to_environment
from hero_supervisor import config_cli
from hero_supervisor.errors import HeroSupervisorError
from hero_supervisor.object_schemas import check_object_schemas
from hero_supervisor.policy.child_state import Phase
from hero_supervisor.service import Service

log = logging.getLogger(__name__)

#: The collector looks when there are so many more lists, tuples and the like than at its last look.
_COLLECT_AFTER = 5000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service until it is told to stop.

    Args:
        argv: Arguments without the program's name; those of the process when None.

    Returns:
        Exit code: 0 stopped as asked, 2 wrong flags or config, 69 a part is missing or cannot start, 70 a defect.
    """
    if argv is None:
        try:
            reset_inherited(service=True)
            raise_file_limit()
        except InheritedUnusable as e:
            sys.stderr.write(f"hero-supervisor: {e}\n")
            return ProcessExit.USAGE
        move_secret_to_environment("HERO_STORE__REDIS_URL", key="store.redis_url")
    given = sys.argv[1:] if argv is None else list(argv)
    # With subcommands, argparse would report an unknown flag as a wrong command. So they are added only when needed.
    flags = _parser(commands=not {"config", "-h", "--help"}.isdisjoint(given)).parse_args(given)
    if flags.command:
        return config_cli.run(flags)
    try:
        config = _load(flags)
    except ConfigError as e:
        for problem in e.problems:
            sys.stderr.write(f"hero-supervisor: {problem}\n")
        return ProcessExit.USAGE
    settings = config.settings
    try:
        log_targets.configure(settings.supervisor)
    except OSError as e:
        sys.stderr.write(
            f"hero-supervisor: cannot log to {settings.supervisor.log_to}: {e}; change [supervisor] log_to\n"
        )
        return ProcessExit.UNAVAILABLE
    _log_notes(config)
    try:
        return _run(settings, flags)
    except StoreUrlInvalid as e:
        sys.stderr.write(f"hero-supervisor: {e}\n")
        return ProcessExit.USAGE
    except (HeroSupervisorError, OSError) as e:
        sys.stderr.write(f"hero-supervisor: {e}\n")
        return ProcessExit.UNAVAILABLE
    except Exception as e:  # noqa: BLE001 - logged
        log_failure(log, "service.defect", e)
        return ProcessExit.DEFECT


def _parser(*, commands: bool = True) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hero-supervisor",
        description="Runs the actors, the embedded store and the JSON-RPC socket that a config file asks for.",
        epilog="Settings come from the defaults, the file, conf.d/ beside it, HERO_<SECTION>__<KEY> variables and "
        "flags; the later ones win. `hero-supervisor config show` prints them. Signals: TERM and INT drain and end the "
        "service, a second one ends it immediately; HUP reloads the config; USR2 replaces all actors one by one; USR1 "
        "reopens the log file; TTIN adds a process to each entry that may have more, TTOU removes one.",
        allow_abbrev=False,
    )
    config_cli.add_layers(parser)
    parser.add_argument(
        "--ready-fd",
        metavar="FD",
        type=int,
        help="write a line to this descriptor and close it when the start has ended; the line is empty if all actors "
        "are ready",
    )
    parser.add_argument(
        "--once-ready",
        action="store_true",
        help="start everything, then stop; exit 0 if all actors became ready, 69 if not",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('hero-runtime')}")
    parser.set_defaults(command=None)
    if commands:
        config_cli.add_commands(parser)
    return parser


def _load(flags: argparse.Namespace) -> Config:
    """Load the config, and check the files that it names."""
    config = refuse_bad_places(load_config(flags.config, flags=flags.settings))
    for warning in check_object_schemas(config):
        log.warning("config.schema", extra={"problem": str(warning)})
    return config


def _log_notes(config: Config) -> None:
    """Log the settings that have no effect, or another effect than in the Rust supervisor, or weaken a boundary."""
    for note in config.notes:
        log.warning("config.note", extra={"problem": str(note)})
    for weak in find_weak_boundaries(config):
        log.warning("config.weak_boundary", extra={"problem": str(weak)})


def _run(settings: Settings, flags: argparse.Namespace) -> int:
    import uvloop  # imported late: --help does not need it

    service = Service(settings, load=lambda: _load(flags).settings, owns_process=True)
    return uvloop.run(_serve(service, once_ready=flags.once_ready, ready_fd=flags.ready_fd))


async def _serve(service: Service, *, once_ready: bool, ready_fd: int | None) -> int:
    watching = asyncio.create_task(_when_ready(service, once_ready=once_ready, ready_fd=ready_fd))
    try:
        code: int = await service.run()
    finally:
        watching.cancel()
    if once_ready and watching.done() and not watching.cancelled() and not watching.result():
        return ProcessExit.UNAVAILABLE
    return code


async def _when_ready(service: Service, *, once_ready: bool, ready_fd: int | None) -> bool:
    """Wait for the end of the start, do what the flags ask for then, and say whether all actors are ready."""
    all_ready = all(child.phase in (Phase.RUNNING, Phase.ENDED) for child in await service.ready())
    # What exists now, modules above all, lives as long as the process. To look at all of it again takes a collection
    # some 40 ms, in which the loop answers nobody.
    gc.collect()
    gc.freeze()
    # A request makes some dozens of objects and drops them without a collector. With the threshold of Python, 700, the
    # collections that found nothing took a tenth of the time of a request.
    gc.set_threshold(_COLLECT_AFTER)
    if ready_fd is not None:
        os.write(ready_fd, b"\n" if all_ready else b"not all ready\n")
        os.close(ready_fd)
    if once_ready:
        service.ask_to_stop()
    return all_ready


if __name__ == "__main__":
    sys.exit(main())
