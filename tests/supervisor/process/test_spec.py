"""Settings become the command lines and environments of actors."""

from __future__ import annotations

from hero_actor.cli import _parser
from hero_config.model.settings import ActorSettings, Settings
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
