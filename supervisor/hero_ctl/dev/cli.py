"""The program `hero-dev`: one service with everything in it, in any folder, until Ctrl-C.

It starts the real `hero-supervisor` in a process of its own, with an embedded store, one actor of each script type and
a port on loopback, prints the address of the web page, and waits. No matter how it ends, the service ends with it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hero_ctl.dev.ending import Ended, ignore_signals, raise_on_signals
from hero_ctl.dev.lines import Lines

if TYPE_CHECKING:
    from hero_ctl.dev.port import DevPort
    from hero_ctl.dev.service import DevService

_PROGRAM: Final = "hero-dev"
_STATE_DIR: Final = Path(".hero")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a service until Ctrl-C.

    Args:
        argv: Arguments without the program's name; those of the process when None.

    Returns:
        Exit code: 0 ended as asked, 1 it could not start or has ended by itself, 2 wrong flags, 128 + the number of a
        signal that came before it was up.
    """
    options = _parse(argv)
    show = Lines(sys.stdout)
    raise_on_signals()
    # Imported after the signals are dealt with, so that Ctrl-C leaves no traceback.
    from hero_ctl.dev.port import PortTaken
    from hero_ctl.dev.service import AlreadyUp, ServiceFailed

    temporary = ""
    try:
        if options.temporary:
            temporary = tempfile.mkdtemp(prefix="hero-dev-")
        return _run(options, Path(temporary) if temporary else options.state_dir, show)
    except (AlreadyUp, PortTaken, ServiceFailed) as e:
        sys.stderr.write(f"{_PROGRAM}: {e}\n")
        return 1
    except OSError as e:
        if isinstance(e, BrokenPipeError):
            # The reader of the output has left. Without this, Python would report that again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        sys.stderr.write(f"{_PROGRAM}: {e}\n")
        return 1
    except Ended as e:
        return 128 + e.number
    finally:
        ignore_signals()
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def _run(options: argparse.Namespace, state_dir: Path, show: Lines) -> int:
    from hero_ctl.dev.port import DevPort
    from hero_ctl.dev.service import DevService

    port = DevPort(options.port)
    service = DevService(state_dir, program=_PROGRAM, port=port)
    try:
        show.title(f"Starting a service in {state_dir}")
        service.start()
        tell_about(service, show)
        kept = "removed at the end" if options.temporary else "kept; to begin anew, delete the folder"
        show.fact("data", f"{state_dir}, {kept}")
        try:
            _tell_how_to_use(service, port, show)
            code = service.wait()
        except Ended:
            return 0
        sys.stderr.write(f"{_PROGRAM}: the service has ended by itself ({code}); {service.log_tail()}\n")
        return 1
    finally:
        ignore_signals()
        if service.pid:
            show.quietly("stopping the service")
        service.stop()


def tell_about(service: DevService, show: Lines) -> None:
    """Say what runs, and why an actor runs no scripts if its engine is missing."""
    show.fact("service", f"hero-supervisor, process {service.pid}, log in {service.log_path}")
    show.fact("settings", f"{service.config_path}, which later starts keep; to begin anew, delete it")
    show.fact("store", f"embedded Valkey, {service.redis_url}")
    for actor in service.actors():
        lanes = f"{actor.lanes} lane{'s' if actor.lanes > 1 else ''}"
        show.fact("actor", f"{actor.name}, process {actor.pid}: runs {actor.script_type} scripts, {lanes}")
        if actor.unavailable is not None:
            show.fact("", f"unavailable: {actor.unavailable}")
    show.fact("socket", f"JSON-RPC 2.0 on {service.socket_path}")


def _tell_how_to_use(service: DevService, port: DevPort, show: Lines) -> None:
    found = shutil.which("heroctl")
    own = Path(sys.executable).with_name("heroctl")
    heroctl = "heroctl" if found and Path(found).resolve() == own.resolve() else shlex.quote(str(own))
    # heroctl finds the service of its own folder, unless another config comes first there.
    here = service.state_dir == _STATE_DIR and not Path("hero.toml").exists()
    where = "" if here else f" --config {shlex.quote(str(service.config_path))}"
    call = """{"jsonrpc": "2.0", "id": 1, "method": "run_job", "params": {"script": "40 + 2", "script_type": "sal"}}"""
    show.title("It stays up until Ctrl-C. Open this address in a browser:")
    show.command("web page", port.page())
    show.title("In another terminal, in this folder:")
    show.command("run a script", f"{heroctl} run{where} '40 + 2'")
    show.command("over HTTP", f"curl -s -H 'Authorization: Bearer {port.token}' {port.address}/rpc -d '{call}'")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Run a service for trying and developing: an embedded store, one actor of each script type, a port "
        "on 127.0.0.1 and the web page. It ends with Ctrl-C.",
        epilog="The port asks for a token, which is part of the printed address; the folder keeps it. An actor without "
        "its engine says what to install, and takes jobs soon after that is done.",
        allow_abbrev=False,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--state-dir",
        type=Path,
        default=_STATE_DIR,
        metavar="DIR",
        help="folder of the data, the settings, the socket and the log (default: .hero in this folder)",
    )
    where.add_argument(
        "--temporary", action="store_true", help="keep nothing: a new folder, which is removed at the end"
    )
    parser.add_argument(
        "--port",
        type=_port,
        metavar="PORT",
        help="port on 127.0.0.1 (default: 4376, or a free one if that is taken)",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('hero-runtime')}")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else 0
    if not 0 < port <= 65_535:
        raise argparse.ArgumentTypeError(f"should be a number from 1 to 65535, not {text!r}")
    return port


if __name__ == "__main__":
    sys.exit(main())
