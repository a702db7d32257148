"""The quick start behind `scripts/run`: brings the service up, runs jobs through every door, and stays up.

The service is the real one, `hero-supervisor` in a process of its own, with its own store below `.hero/`. It ends with
this program, however this program ends.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from quickstart_show import Show

if TYPE_CHECKING:
    from quickstart_service import Service

ROOT = Path(__file__).resolve().parents[1]
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(Exception):
    """A signal asks this program to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def main() -> int:
    options = _parse()
    show = Show(sys.stdout)
    for number in _ENDING:
        signal.signal(number, _end)
    from quickstart_service import AlreadyUp, ServiceFailed  # below the handlers: a Ctrl-C leaves no traceback

    # Every path below is short and relative to the checkout: a socket's path may have 107 bytes only.
    os.chdir(ROOT)
    try:
        return _run(options, show)
    except (AlreadyUp, ServiceFailed) as e:
        print(f"scripts/run: {e}", file=sys.stderr)
        return 1
    except Ended as e:
        return 128 + e.number
    except BrokenPipeError:
        # Who read our output has left; nothing can be shown any more, also not at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _run(options: argparse.Namespace, show: Show) -> int:
    from quickstart_jobs import run_jobs
    from quickstart_service import Service

    service = Service(options.state_dir)
    try:
        show.title("Starting the service")
        service.start()
        show.fact("service", f"hero-supervisor, process {service.pid}, its log in {service.log_path}")
        show.fact("store", f"embedded Valkey, {service.redis_url}")
        for actor in service.actors():
            lanes = f"{actor.lanes} lane{'s' if actor.lanes > 1 else ''}"
            show.fact("actor", f"{actor.name}, process {actor.pid}: runs {actor.script_type} scripts, {lanes}")
            if actor.unavailable is not None:
                show.fact("", f"unavailable: {actor.unavailable}")
        show.fact("socket", f"JSON-RPC 2.0 on {service.socket_path}")
        tally = run_jobs(service, show)
        show.title(f"{tally.good} of {tally.all} jobs ended as they should")
        for name in tally.bad:
            show.bad(name)
        if options.once:
            return 0 if not tally.bad else 1
        _tell_how_to_connect(service, show)
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
        service.stop()


def _tell_how_to_connect(service: Service, show: Show) -> None:
    state = "" if service.state_dir == Path(".hero") else f" --redis-url '{service.redis_url}'"
    show.title("It stays up until Ctrl-C. In another terminal, in this folder:")
    show.command("a script", f".venv/bin/heroctl run{state} '40 + 2'")
    show.command("what there is", f".venv/bin/heroctl actors{state}        .venv/bin/heroctl list{state}")
    show.command("how fast", f".venv/bin/heroctl bench{state} --type osis")
    show.command(
        "the socket",
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
    _ignore_signals()  # a second one must not cut the clean-up short, which is bounded in time
    raise Ended(number)


def _ignore_signals() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run", description="Shows the whole runtime at work.")
    parser.add_argument(
        "--once", action="store_true", help="stop after the jobs; exit code 0 if all ended as they should"
    )
    parser.add_argument(
        "--state-dir", type=Path, default=Path(".hero"), metavar="DIR", help="store, socket and log (default: .hero)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
