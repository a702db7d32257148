"""What an actor takes from its flags, and what it has without them."""

from __future__ import annotations

import os

import pytest

from hero_actor import cli
from hero_actor.conditions.missing_engine import WhenMissing
from hero_actor.options import ActorOptions
from hero_engine.rights import RIGHTS_VARIABLE
from hero_job import ScriptType


@pytest.fixture(autouse=True)
def no_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor of OSIS adds its objects to what the environment says."""
    monkeypatch.setenv(RIGHTS_VARIABLE, "")


def options_of(*flags: str) -> ActorOptions:
    given = ["--redis-url", "redis://127.0.0.1:1/", "--namespace", "n", *flags]
    return cli._options(cli._parser().parse_args(given))


@pytest.mark.parametrize(
    ("script_type", "lanes", "engine", "memory_bytes", "object_bytes"),
    [
        ("osis", 1, "rhai", 256 << 20, 1 << 20),
        ("sal", 16, "rhai", 256 << 20, 0),
        ("v", 1, "v", None, 0),
        ("python", 1, "heroscript", None, 0),
    ],
)
def test_each_script_type_has_its_defaults(
    script_type: str, lanes: int, engine: str, memory_bytes: int | None, object_bytes: int
) -> None:
    found = options_of("--type", script_type)

    assert found.script_type is ScriptType.parse(script_type)
    assert (found.lanes, found.engine, found.name) == (lanes, engine, script_type)
    assert (found.memory_bytes, found.max_object_bytes) == (memory_bytes, object_bytes)
    assert (found.grace_s, found.lease_s, found.look_for_engine_s) == (1.0, 8.0, 60.0)
    assert (found.max_redeliveries, found.max_jobs, found.max_rss_bytes) == (3, 0, 0)
    assert (found.result_ttl_s, found.failure_ttl_s, found.reply_ttl_s) == (86_400, 604_800, 300)
    assert (found.missing_engine, found.isolation, found.control_fd) == (WhenMissing.FAIL, "thread", None)
    assert found.max_result_bytes == 16 << 20


def test_flags_replace_the_defaults() -> None:
    flags = "--type sal --name a --lanes 3 --group g --instance i --engine m:f --isolation process --by-context"
    more = "--legacy-queues --grace-s 0.5 --lease-s 2.5 --max-redeliveries 0 --missing-engine wait --memory-bytes 0"
    found = options_of(*flags.split(), *more.split(), "--max-jobs", "7", "--control-fd", "5", "--reply-ttl-s", "9")

    assert (found.name, found.lanes, found.group, found.instance) == ("a", 3, "g", "i")
    assert (found.engine, found.isolation, found.by_context, found.legacy_queues) == ("m:f", "process", True, True)
    assert (found.grace_s, found.lease_s, found.max_redeliveries) == (0.5, 2.5, 0)
    assert (found.missing_engine, found.memory_bytes) == (WhenMissing.WAIT, None)
    assert (found.max_jobs, found.control_fd, found.reply_ttl_s) == (7, 5, 9)


def test_no_two_starts_have_the_same_incarnation_unless_it_is_given() -> None:
    first, second = (options_of("--type", "v", "--name", "a").incarnation for _ in range(2))

    assert first != second
    for incarnation in (first, second):
        assert incarnation.startswith(f"a.{os.uname().nodename}.{os.getpid()}.")
    assert options_of("--type", "v", "--incarnation", "x").incarnation == "x"
