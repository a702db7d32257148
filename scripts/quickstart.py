"""The quick start behind `scripts/run`: starts the service, runs jobs through each interface, and stays up.

The service is that of `hero-dev`, with an embedded store below `.hero/`. No matter how this program ends, the service
ends with it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hero_ctl.dev.ending import Ended, ignore_signals, raise_on_signals
from hero_ctl.dev.lines import Lines

if TYPE_CHECKING:
    from hero_ctl.dev.service import DevService

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    options = _parse()
    show = Lines(sys.stdout)
    raise_on_signals()
    from hero_ctl.dev.service import (
        AlreadyUp,
        ServiceFailed,
    )  # imported after the signals are dealt with, so that Ctrl-C leaves no traceback

    # Paths are relative to the checkout, which keeps them short: a socket's path may have only 107 bytes.
    os.chdir(ROOT)
    try:
        return _run(options, show)
    except (AlreadyUp, ServiceFailed) as e:
        print(f"scripts/run: {e}", file=sys.stderr)
        return 1
    except Ended as e:
        return 128 + e.number
    except BrokenPipeError:
        # The reader of the output has left. Without this, Python would report that again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _run(options: argparse.Namespace, show: Lines) -> int:
    from quickstart_jobs import run_jobs

    from hero_ctl.dev.cli import tell_about
    from hero_ctl.dev.port import DevPort
    from hero_ctl.dev.service import DevService

    port = DevPort(None)
    service = DevService(options.state_dir, program="scripts/run", port=port)
    try:
        show.title("Starting the service")
        service.start()
        tell_about(service, show)
        tally = run_jobs(service, show)
        show.title(f"{tally.good} of {tally.all} jobs ended as expected")
        for name in tally.bad:
            show.bad(name)
        if options.once:
            return 0 if not tally.bad else 1
        try:
            _tell_how_to_connect(service, port.page(), show)
            code = service.wait()
        except Ended:
            return 0
        print(f"scripts/run: the service has ended by itself ({code}); {service.log_tail()}", file=sys.stderr)
        return 1
    finally:
        ignore_signals()
        if service.pid:
            show.quietly("stopping the service")
        service.stop()


def _tell_how_to_connect(service: DevService, page: str, show: Lines) -> None:
    state = "" if service.state_dir == Path(".hero") else f" --redis-url '{service.redis_url}'"
    show.title("The service stays up until Ctrl-C. In another terminal, in this folder:")
    show.command("web page", page)
    show.command("run a script", f".venv/bin/heroctl run{state} '40 + 2'")
    show.command("look around", f".venv/bin/heroctl actors{state}        .venv/bin/heroctl list{state}")
    show.command("measure", f".venv/bin/heroctl bench{state} --type osis")
    show.command(
        "socket",
        f".venv/bin/hero-unix-client --socket {service.socket_path} --method run_job "
        """--params '{"script": "40 + 2", "script_type": "SAL"}'""",
    )
    show.command("Python", ".venv/bin/python")
    for line in (
        "from hero_supervisor import SupervisorBuilder, ScriptType",
        "from hero_job import JobBuilder",
        f'supervisor = SupervisorBuilder().redis_url("{service.redis_url}").build()',
        'job = JobBuilder().caller_id("me").context_id("here").script_type(ScriptType.SAL).script("40 + 2").build()',
        "supervisor.run_job_and_await_result(job)",
    ):
        show.code(line)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run", description="Show the whole runtime at work.")
    parser.add_argument("--once", action="store_true", help="stop after the jobs; exit code 0 if all ended as expected")
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path(".hero"),
        metavar="DIR",
        help="folder of store, socket and log (default: .hero)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
