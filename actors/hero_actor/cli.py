"""The command `hero-actor`: reads the command line and runs one actor process.

A supervisor starts it, or an operator on any machine. It uses argparse because the libraries for prettier command lines
take more time and memory than the rest of the actor.
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
from hero_actor.options import DEFAULT_ENGINE, DEFAULT_LANES, DEFAULT_MEMORY_BYTES, ActorOptions
from hero_actor.upkeep.kill_leftovers import reap_inherited_children
from hero_config.layers.places import PlacesUnreadable, find_places
from hero_config.logs import setup as logs
from hero_engine.errors import RightsInvalid
from hero_engine.rights import RIGHTS_VARIABLE, ScriptRights, offer_objects
from hero_job.model.errors import JobInvalid, StoreUrlInvalid
from hero_job.model.job import ScriptType
from hero_process.defects import log_failure
from hero_process.exit_codes import ProcessExit
from hero_process.inherited import InheritedUnusable, reset_inherited
from hero_process.secret_arguments import move_secret_to_environment

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one actor until it is told to end, then end the process.

    Args:
        argv: Arguments without the program's name; by default those of the process.

    Returns:
        An exit code, only if the actor could not be set up. Otherwise this function does not return.
    """
    if argv is None:
        try:
            reset_inherited(service=True)
        except InheritedUnusable as e:
            sys.stderr.write(f"hero-actor: {e}\n")
            return ProcessExit.USAGE
        move_secret_to_environment("HERO_REDIS_URL")
    arguments = _parser().parse_args(argv)
    reap_inherited_children()
    logs.configure(arguments.log_level, arguments.log_format)
    try:
        actor = Actor(_options(arguments))
    except (StoreUrlInvalid, JobInvalid, RightsInvalid, PlacesUnreadable, OSError) as e:
        log.critical("actor.usage", extra={"error": str(e)})
        return ProcessExit.USAGE
    try:
        code = actor.run()
    except Exception as e:  # noqa: BLE001 - logged
        log_failure(log, "actor.crashed", e, level=logging.CRITICAL)
        code = ProcessExit.DEFECT
    with contextlib.suppress(OSError):  # the reader of our log is gone
        sys.stdout.flush()
        sys.stderr.flush()
    if code is ProcessExit.REPLACE and arguments.control_fd is None:
        _replace_process()
    # Not sys.exit: it waits for all threads, and one may be stuck in an engine forever.
    os._exit(code)


def _replace_process() -> None:
    """Run the same command again in this process, for an actor without a supervisor that would do it.

    The new program is a new incarnation. A thread that is stuck ends with the old program.
    """
    arguments = []
    rest = iter(sys.orig_argv[1:])
    for argument in rest:
        if argument == "--incarnation":
            next(rest, None)
        elif not argument.startswith("--incarnation="):
            arguments.append(argument)
    log.info("actor.restarts_itself")
    os.execv(sys.executable, [sys.executable, *arguments])


def _options(arguments: argparse.Namespace) -> ActorOptions:
    script_type = ScriptType.parse(arguments.type)
    name = arguments.name or script_type.suffix
    random = os.urandom(4).hex()
    engine = arguments.engine or DEFAULT_ENGINE[script_type]
    memory_bytes = DEFAULT_MEMORY_BYTES.get(engine) if arguments.memory_bytes is None else arguments.memory_bytes
    has_objects = script_type is ScriptType.OSIS
    if has_objects:
        # In the environment, where processes of the engine look for the table.
        os.environ[RIGHTS_VARIABLE] = offer_objects(os.environ.get(RIGHTS_VARIABLE, ""))
    values = vars(arguments) | {
        "script_type": script_type,
        "redis_url": arguments.redis_url or os.environ.get("HERO_REDIS_URL") or _found_url(),
        "namespace": arguments.namespace or find_places().namespace.value,
        "name": name,
        "incarnation": arguments.incarnation or f"{name}.{os.uname().nodename}.{os.getpid()}.{random}",
        "lanes": arguments.lanes or DEFAULT_LANES[script_type],
        "engine": engine,
        "memory_bytes": memory_bytes or None,
        "missing_engine": WhenMissing(arguments.missing_engine),
        "rights": ScriptRights.from_json(os.environ.get(RIGHTS_VARIABLE, "")),
        "max_object_bytes": arguments.osis_max_object_bytes if has_objects else 0,
    }
    return ActorOptions(**{field: values[field] for field in ActorOptions.__annotations__})


def _found_url() -> str:
    """Find the store by the rule of all programs.

    Raises:
        PlacesUnreadable: There is none, or the config cannot be read.
    """
    places = find_places()
    url = places.store_url().value
    if not url:
        raise PlacesUnreadable(places.missing_store())
    return url


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hero-actor",
        description="Runs jobs of one script type: claims them from Redis, runs them, and writes the results back.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    types = [script_type.suffix for script_type in ScriptType]
    add("--type", required=True, type=str.lower, choices=types, help="script type of the jobs")
    add("--redis-url", help="URL of the store; default: HERO_REDIS_URL, else that of the config (heroctl config where)")
    add("--namespace", type=_word, help="prefix of every key; default: that of the config, else hero")
    add("--name", type=_word, help="name shown to operators; default: the script type")
    add("--incarnation", type=_word, help="unique name in Redis, never used twice; default: generated")
    add("--lanes", type=_count, help="number of jobs run concurrently; default: 16 for sal, else 1")
    add("--group", type=_word, help="also serve the queue of this group")
    add("--instance", type=_word, help="also serve the queue of this instance of the group")
    add(
        "--engine",
        help="name of an engine, or module:factory; default: rhai for osis and sal, heroscript for python, v for v",
    )
    add(
        "--isolation",
        choices=("thread", "process"),
        default="thread",
        help="run scripts in the way of their engine, or in child processes (default: %(default)s)",
    )
    add(
        "--missing-engine",
        choices=[when.value for when in WhenMissing],
        default=WhenMissing.FAIL.value,
        help="while the engine is not installed, let jobs fail immediately or wait (default: %(default)s)",
    )
    add(
        "--look-for-engine-s",
        type=_seconds,
        default=60.0,
        help="seconds between two looks for a missing engine (default: %(default)s)",
    )
    add("--legacy-queues", action="store_true", help="also serve the queues of older Rust programs")
    add(
        "--by-context",
        action="store_true",
        help="run one job per context at a time, in queue order, across all actors with this flag",
    )
    add(
        "--grace-s",
        type=_seconds,
        default=1.0,
        help="seconds that a job may run past its deadline before it is given up (default: %(default)s)",
    )
    add(
        "--lease-s",
        type=_seconds,
        default=8.0,
        help="seconds of silence after which the actor is declared dead (default: %(default)s)",
    )
    add(
        "--max-redeliveries",
        type=_number,
        default=3,
        help="how often a job is redelivered after its holder died (default: %(default)s)",
    )
    add("--result-ttl-s", type=_count, default=86_400, help="seconds to keep a finished job (default: %(default)s)")
    add("--failure-ttl-s", type=_count, default=604_800, help="seconds to keep a failed job (default: %(default)s)")
    add("--reply-ttl-s", type=_count, default=300, help="seconds to keep a reply for its reader (default: %(default)s)")
    add("--memory-bytes", type=_number, help="memory that one job may hold; 0: no limit; default: 268435456 for rhai")
    add(
        "--max-result-bytes",
        type=_count,
        default=16 * 1024 * 1024,
        help="largest result of a job, and most text that it may log within a second (default: %(default)s)",
    )
    add("--max-jobs", type=_number, default=0, help="ask to be replaced after this many jobs; 0: never (default: 0)")
    add(
        "--max-rss-bytes",
        type=_number,
        default=0,
        help="ask to be replaced above this resident memory; 0: never (default: 0)",
    )
    add("--osis-max-object-bytes", type=_count, default=1 << 20, help="for osis: largest object (default: %(default)s)")
    add("--log-dir", default="", help="folder for log files that jobs name by log_path; default: write none")
    add("--log-level", type=str.lower, choices=logs.LEVELS, default="info", help="(default: %(default)s)")
    add("--log-format", choices=logs.FORMATS, default="text", help="(default: %(default)s)")
    add("--control-fd", type=_number, help="descriptor of the inherited socket to the supervisor")
    return parser


def _number(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more: {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more: {text}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0: {text}")
    return value


def _word(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"must be printable ASCII without spaces: {text!r}")
    return text
