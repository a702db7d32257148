"""The program `hero-unix-server`: a whole service behind a Unix socket, without a config file.

`hero-unix-server --socket ./baobab.ipc --db-path ./db` starts the embedded store in that folder, one OSIS and one SAL
actor, and the socket. When all are up, it prints one line. All other settings come from the environment
(`HERO_<SECTION>__<KEY>`) and the defaults. `hero-supervisor` runs the same service from a config file.

Source: the flags of the Rust system's server.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from hero_config.layers.load import load
from hero_config.layers.problems import ConfigError
from hero_config.logs import setup as logs
from hero_config.model.settings import Settings
from hero_job.model.errors import StoreUrlInvalid
from hero_process.exit_codes import ProcessExit
from hero_process.secret_arguments import move_secret_to_environment
from hero_supervisor.children.child_view import ChildView
from hero_supervisor.errors import HeroSupervisorError
from hero_supervisor.policy.child_state import Phase
from hero_supervisor.service import Service


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service until it is told to stop.

    Args:
        argv: Arguments without the program's name; those of the process when None.

    Returns:
        Exit code: 0 stopped as asked, 2 wrong flags or settings, 69 a part is missing, in use or cannot start.
    """
    if argv is None:
        move_secret_to_environment("HERO_STORE__REDIS_URL")
    flags = _parser().parse_args(argv)
    try:
        settings = _settings(flags)
    except ConfigError as e:
        for problem in e.problems:
            sys.stderr.write(f"hero-unix-server: {problem}\n")
        return ProcessExit.USAGE
    logs.configure(settings.supervisor.log_level, settings.supervisor.log_format)
    import uvloop  # imported late: --help does not need it

    try:
        return uvloop.run(_serve(Service(settings, owns_process=True)))
    except StoreUrlInvalid as e:
        sys.stderr.write(f"hero-unix-server: {e}\n")
        return ProcessExit.USAGE
    except (HeroSupervisorError, OSError) as e:
        sys.stderr.write(f"hero-unix-server: {e}\n")
        return ProcessExit.UNAVAILABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hero-unix-server",
        description="Runs a store, OSIS and SAL actors, and a JSON-RPC server on a Unix socket.",
        epilog="TERM and INT (Ctrl-C) end it gracefully; a second one ends it immediately.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--socket", metavar="PATH", default="./baobab.ipc", help="path of the socket, default: %(default)s"
    )
    parser.add_argument(
        "--db-path", metavar="FOLDER", default="./db", help="folder of the embedded store, default: %(default)s"
    )
    parser.add_argument("--redis-url", metavar="URL", help="use this Redis or Valkey instead of an embedded store")
    parser.add_argument("--no-actors", action="store_true", help="start no actors; actors elsewhere serve the queues")
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"], help="default: info")
    return parser


def _settings(flags: argparse.Namespace) -> Settings:
    settings = load()
    store, supervisor = settings.store, settings.supervisor
    if flags.redis_url is not None:
        store = store.model_copy(update={"redis_url": flags.redis_url})
    if flags.log_level is not None:
        supervisor = supervisor.model_copy(update={"log_level": flags.log_level})
    return settings.model_copy(
        update={
            "store": store,
            "supervisor": supervisor,
            "embedded": settings.embedded.model_copy(update={"dir": flags.db_path}),
            "rpc": settings.rpc.model_copy(update={"unix_socket": flags.socket}),
            "actors": () if flags.no_actors else settings.actors,
        }
    )


async def _serve(service: Service) -> int:
    telling = asyncio.create_task(_tell_ready(service))
    try:
        return await service.run()
    finally:
        telling.cancel()


async def _tell_ready(service: Service) -> None:
    children = await service.ready()
    sys.stdout.write(f"{ready_line(service.settings, children)}\n")
    sys.stdout.flush()


def ready_line(settings: Settings, children: Sequence[ChildView]) -> str:
    """Say where to connect, where jobs are kept, and which actors run."""
    socket = Path(settings.rpc.unix_socket).absolute()
    store = "the given Redis" if settings.store.redis_url else f"an embedded store in {settings.embedded.dir}"
    running = [child.slot for child in children if child.phase is Phase.RUNNING]
    others = [f"{child.slot} ({child.phase})" for child in children if child.phase is not Phase.RUNNING]
    text = f"hero-unix-server: ready on {socket}, with {store}, actors: {', '.join(running) or 'none'}"
    return f"{text}; not running: {', '.join(others)}" if others else text


if __name__ == "__main__":
    sys.exit(main())
