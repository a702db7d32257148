"""The command `hero-actor`: one actor process, started by a supervisor or by hand on any machine.

argparse and nothing more: the libraries that make prettier command lines cost more time and memory than the actor.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence

from hero_actor.actor import Actor
from hero_actor.conditions.missing_engine import WhenMissing
from hero_actor.exits import ExitCode
from hero_actor.spec import DEFAULT_ENGINE, DEFAULT_LANES, ActorSpec
from hero_actor.upkeep.kill_leftovers import wait_for_inherited
from hero_config.logs import setup as logs
from hero_job.model.errors import JobInvalid, StoreUrlInvalid
from hero_job.model.job import ScriptType

log = logging.getLogger(__name__)

DEFAULT_URL = "redis://127.0.0.1:6379/"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one actor until it is told to end.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        Never when the actor has run, since it ends the process itself: a thread may be stuck in an engine. Otherwise
        the exit code.
    """
    options = _parser().parse_args(argv)
    wait_for_inherited()
    logs.configure(options.log_level, options.log_format)
    try:
        actor = Actor(_spec(options))
    except (StoreUrlInvalid, JobInvalid, OSError) as e:
        log.critical("actor.usage", extra={"error": str(e)})
        return ExitCode.USAGE
    try:
        code = actor.run()
    except Exception:
        log.critical("actor.crashed", exc_info=True)
        code = ExitCode.CRASHED
    with contextlib.suppress(OSError):  # who has read our log is gone
        sys.stdout.flush()
        sys.stderr.flush()
    if code is ExitCode.REPLACE and options.control_fd is None:
        _replace_process()
    # Not sys.exit: at its end the interpreter waits for threads, and one may be stuck in an engine for good.
    os._exit(code)


def _replace_process() -> None:
    """Start over in the same process: nobody else does it for an actor without a supervisor.

    It becomes a new incarnation; an old thread that is stuck ends with the program it is in.
    """
    arguments = []
    skip = False
    for argument in sys.orig_argv[1:]:
        if not skip and not argument.startswith("--incarnation="):
            skip = argument == "--incarnation"
            if not skip:
                arguments.append(argument)
        else:
            skip = False
    log.info("actor.restarts_itself")
    os.execv(sys.executable, [sys.executable, *arguments])


def _spec(options: argparse.Namespace) -> ActorSpec:
    script_type = ScriptType.parse(options.type)
    name = options.name or script_type.suffix
    random = os.urandom(4).hex()
    return ActorSpec(
        script_type=script_type,
        redis_url=options.redis_url or os.environ.get("HERO_REDIS_URL") or DEFAULT_URL,
        namespace=options.namespace,
        name=name,
        incarnation=options.incarnation or f"{name}.{os.uname().nodename}.{os.getpid()}.{random}",
        lanes=options.lanes or DEFAULT_LANES[script_type],
        group=options.group,
        instance=options.instance,
        engine=options.engine or DEFAULT_ENGINE[script_type],
        by_context=options.by_context,
        legacy_queues=options.legacy_queues,
        grace_s=options.grace_s,
        lease_s=options.lease_s,
        max_redeliveries=options.max_redeliveries,
        result_ttl_s=options.result_ttl_s,
        failure_ttl_s=options.failure_ttl_s,
        reply_ttl_s=options.reply_ttl_s,
        max_jobs=options.max_jobs,
        max_rss_bytes=options.max_rss_bytes,
        log_dir=options.log_dir,
        missing_engine=WhenMissing(options.missing_engine),
        look_for_engine_s=options.look_for_engine_s,
        control_fd=options.control_fd,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hero-actor",
        description="Takes jobs of one script type from Redis, runs them, writes back what came of them.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    types = [script_type.suffix for script_type in ScriptType]
    add("--type", required=True, type=str.lower, choices=types, help="script type whose queue it serves")
    add("--redis-url", help=f"the store; default: the environment's HERO_REDIS_URL, then {DEFAULT_URL}")
    add("--namespace", default="hero", type=_word, help="prefix of every key (%(default)s)")
    add("--name", type=_word, help="name among people; default: its script type")
    add("--incarnation", type=_word, help="name in Redis, never used twice; default: made up")
    add("--lanes", type=_count, help="jobs it runs at once; default: 16 for sal, else 1")
    add("--group", type=_word, help="serve the queue of this group too")
    add("--instance", type=_word, help="serve the queue of this instance of the group too")
    add(
        "--engine",
        help="name of an engine, or module:factory; default: rhai for osis and sal, heroscript for python, v for v",
    )
    add(
        "--missing-engine",
        choices=[when.value for when in WhenMissing],
        default=WhenMissing.FAIL.value,
        help="while the engine is not installed, jobs fail at once or wait (%(default)s)",
    )
    add("--look-for-engine-s", type=_seconds, default=60.0, help="how often it is then looked for (%(default)s)")
    add("--legacy-queues", action="store_true", help="serve the queues of older programs of the Rust family too")
    add("--by-context", action="store_true", help="one job of a context at once, in order, over all actors with this")
    add(
        "--grace-s", type=_seconds, default=1.0, help="how long past its deadline a job may take to yield (%(default)s)"
    )
    add("--lease-s", type=_seconds, default=8.0, help="silent for so long it is declared dead (%(default)s)")
    add("--max-redeliveries", type=_number, default=3, help="for a job whose holders died (%(default)s)")
    add("--result-ttl-s", type=_count, default=86_400, help="how long a finished job is kept (%(default)s)")
    add("--failure-ttl-s", type=_count, default=604_800, help="how long a failed job is kept (%(default)s)")
    add("--reply-ttl-s", type=_count, default=300, help="how long a reply waits for its reader (%(default)s)")
    add("--max-jobs", type=_number, default=0, help="asks to be replaced after so many jobs; 0: never (%(default)s)")
    add("--max-rss-bytes", type=_number, default=0, help="asks to be replaced above it; 0: never (%(default)s)")
    add("--log-dir", default="", help="folder of the log files that jobs name by log_path; default: none are written")
    add("--log-level", type=str.lower, choices=logs.LEVELS, default="info", help="(%(default)s)")
    add("--log-format", choices=logs.FORMATS, default="text", help="(%(default)s)")
    add("--control-fd", type=_number, help="socket to its supervisor, inherited")
    return parser


def _number(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be below zero: {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be above zero: {text}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above zero: {text}")
    return value


def _word(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"must be printable ASCII without spaces: {text!r}")
    return text
