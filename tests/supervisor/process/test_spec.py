"""Settings become the command lines and environments of actors."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from hero_actor.cli import _parser
from hero_config.model.settings import ActorSettings, JobsSettings, Settings
from hero_supervisor.policy.child_state import RestartLimits
from hero_supervisor.process.spec import ActorSpec, actor_specs

SETTINGS = Settings(
    actors=(
        ActorSettings(type="osis", count=2),
        ActorSettings(type="sal", name="blocking", lanes=4, group="eu", engine="rhai", env={"TZ": "UTC"}),
    )
)


def test_slots_are_numbered_from_one() -> None:
    names = [child.slot for spec in actor_specs(SETTINGS, "unix:///s") for child in spec.children()]
    assert names == ["osis-1", "osis-2", "blocking-1"]


def test_actor_accepts_every_flag_that_it_is_given() -> None:
    for spec in actor_specs(SETTINGS, "unix:///s"):
        for child in spec.children():
            _parser().parse_args(child.argv("i.h.1.x", 7)[4:])


def test_member_of_a_group_is_an_instance_named_after_its_slot() -> None:
    _, spec = actor_specs(SETTINGS, "unix:///s")
    (child,) = spec.children()
    options = _parser().parse_args(child.argv("i.h.1.x", 7)[4:])
    assert (options.group, options.instance, options.lanes) == ("eu", "blocking-1", 4)


def test_store_url_is_in_the_environment_and_not_in_the_public_command_line() -> None:
    spec, _ = actor_specs(SETTINGS, "redis://:geheim@h/")
    (child, _) = spec.children()
    assert "geheim" not in " ".join(child.argv("i", 3))
    assert "geheim" not in repr(child)
    assert child.environ({})["HERO_REDIS_URL"] == "redis://:geheim@h/"


def test_child_inherits_the_environment_without_the_variables_of_the_service() -> None:
    spec = ActorSpec(name="x", script_type="", command=("x",), env={"A": "mine"})
    (child,) = spec.children()
    inherited = {
        "PATH": "/bin",
        "A": "theirs",
        "NOTIFY_SOCKET": "/s",
        "WATCHDOG_USEC": "1",
        "HERO_STORE__REDIS_URL": "x",
    }
    assert child.environ(inherited) == {"PATH": "/bin", "A": "mine"}


def test_program_without_the_control_protocol_gets_only_its_own_arguments() -> None:
    (child,) = ActorSpec(name="x", script_type="", command=("x", "-v"), control=False).children()
    assert child.argv("i", None) == ["x", "-v"]


def flags_of(settings: Settings) -> Namespace:
    """Read the flags of the only actor as it does itself."""
    (spec,) = actor_specs(settings, "unix:///s")
    (child,) = spec.children()
    return _parser().parse_args(child.argv("i.h.1.x", 7)[4:])


@pytest.mark.parametrize(
    "fields",
    [
        {"lanes": 3},
        {"engine": "rhai"},
        {"isolation": "process"},
        {"missing_engine": "wait"},
        {"memory_bytes": 1 << 26},
        {"max_result_bytes": 4096},
        {"max_jobs": 7},
        {"max_rss_bytes": 1 << 30},
        {"by_context": True, "type": "osis"},
        {"legacy_queues": True},
        {"osis_max_object_bytes": 4096, "type": "osis"},
        {"grace_s": 2.5},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_setting_of_an_entry_reaches_its_actors_and_differs_from_what_they_do_without_it(
    fields: dict[str, Any],
) -> None:
    (name, value), kind = next(iter(fields.items())), fields.get("type", "sal")
    assert getattr(flags_of(Settings(actors=(ActorSettings(**{"type": kind} | fields),))), name) == value
    assert getattr(flags_of(Settings(actors=(ActorSettings(type=kind),))), name) != value


def test_folder_of_the_logs_of_jobs_reaches_the_actors() -> None:
    actors = (ActorSettings(type="sal"),)
    assert flags_of(Settings(actors=actors, jobs=JobsSettings(log_dir="/var/log/jobs"))).log_dir == "/var/log/jobs"
    assert flags_of(Settings(actors=actors)).log_dir == ""


def test_limits_of_an_entry_without_settings_are_those_that_the_policy_has_by_default() -> None:
    actor = ActorSettings(type="sal")
    (spec,) = actor_specs(Settings(actors=(actor,)), "unix:///s")
    default = RestartLimits()
    for name in ("restart", "max_restarts", "window_s", "backoff_min_s", "backoff_max_s", "shutdown_s"):
        assert getattr(spec.limits, name) == getattr(default, name), name
    # An actor needs the time of grace for its jobs, and then as long to end as any other program.
    assert spec.limits.term_s == actor.grace_s + default.term_s
    assert spec.limits.overdue_s > actor.grace_s
