"""The quick start behind `scripts/run`: starts the service, runs jobs through each interface, and stays up.

The service is the real `hero-supervisor` in its own process, with its own store below `.hero/`. No matter how this
program ends, the service ends with it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from quickstart_output import Output

if TYPE_CHECKING:
    from quickstart_service import QuickStartService

ROOT = Path(__file__).resolve().parents[1]
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(Exception):
    """A signal has asked this program to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def main() -> int:
    options = _parse()
    show = Output(sys.stdout)
    for number in _ENDING:
        signal.signal(number, _end)
    from quickstart_service import (
        AlreadyUp,
        ServiceFailed,
    )  # imported after the handlers are set, so that Ctrl-C leaves no traceback

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


def _run(options: argparse.Namespace, show: Output) -> int:
    from quickstart_jobs import run_jobs
    from quickstart_page import QuickStartPage
    from quickstart_service import QuickStartService

    service = QuickStartService(options.state_dir)
    page = QuickStartPage(service.socket_path)
    try:
        show.title("Starting the service")
        service.start()
        show.fact("service", f"hero-supervisor, process {service.pid}, log in {service.log_path}")
        show.fact("settings", f"{service.config_path}, which later starts keep; to begin anew, delete it")
        show.fact("store", f"embedded Valkey, {service.redis_url}")
        for actor in service.actors():
            lanes = f"{actor.lanes} lane{'s' if actor.lanes > 1 else ''}"
            show.fact("actor", f"{actor.name}, process {actor.pid}: runs {actor.script_type} scripts, {lanes}")
            if actor.unavailable is not None:
                show.fact("", f"unavailable: {actor.unavailable}")
        show.fact("socket", f"JSON-RPC 2.0 on {service.socket_path}")
        tally = run_jobs(service, show)
        show.title(f"{tally.good} of {tally.all} jobs ended as expected")
        for name in tally.bad:
            show.bad(name)
        if options.once:
            return 0 if not tally.bad else 1
        _tell_how_to_connect(service, page.start(), show)
        try:
            code = service.wait()
        except Ended:
            return 0
        print(f"scripts/run: the service has ended by itself ({code}); {service.log_tail()}", file=sys.stderr)
        return 1
    finally:
        _ignore_signals()
        if service.pid:
            show.quietly("stopping the service")
        page.stop()
        service.stop()


def _tell_how_to_connect(service: QuickStartService, page: str, show: Output) -> None:
    state = "" if service.state_dir == Path(".hero") else f" --redis-url '{service.redis_url}'"
    show.title("The service stays up until Ctrl-C. In another terminal, in this folder:")
    show.command("web page", page or f".venv/bin/heroctl ui --socket {service.socket_path}")
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


def _end(number: int, _frame: FrameType | None) -> None:
    _ignore_signals()  # a second signal must not cut the clean-up short; its time is bounded
    raise Ended(number)


def _ignore_signals() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


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
