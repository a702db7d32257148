"""The table `[actors.allow]`: what it accepts, what the actor gets, and what the machine must have."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from hero_config.layers.load import ConfigError, load, load_config
from hero_config.model.allow_settings import AllowSettings, ContextRuleSettings
from hero_config.report.allowed_places import find_bad_places, refuse_bad_places
from hero_engine.rights import ScriptRights, how_to_allow
from hero_supervisor.process.spec import actor_specs
from tests.config.conftest import Lay


def allow(text: str, before: str = "") -> str:
    return f"{before}\n[[actors]]\ntype = 'sal'\n[actors.allow]\n{text}\n"


def test_defaults_and_names_are_those_of_the_engine() -> None:
    rights = ScriptRights()

    assert {name: getattr(rights, name) for name in AllowSettings.model_fields} == AllowSettings().model_dump()
    # The types of objects have settings of their own.
    assert {field.name for field in fields(ScriptRights)} - {"objects"} == set(AllowSettings.model_fields)
    for name in set(ContextRuleSettings.model_fields) - {"contexts", "callers"}:
        assert name in AllowSettings.model_fields


def test_table_reaches_the_actor_as_it_was_written(lay: Lay) -> None:
    text = """
read = ["/srv/data", "here"]
run = ["git", "/opt/tools/backup.sh"]
net = ["api.example.org:443", "*.internal.example:5432", "10.0.0.0/8:*", "[::1]:80"]
redis = "redis://:secret@cache.internal:6379/2"
max_file_bytes = 1000
other = { slack = ["#ops"] }
context_rules = [{ contexts = ["guest-*"], run = [], read = ["here"], jobs = false }]
"""
    (spec,) = actor_specs(load(lay(allow(text)), environ={}), "redis://store/")

    rights = ScriptRights.from_json(spec.env["HERO_ALLOW"])

    here = str(Path.cwd() / "here")
    assert rights.read == ("/srv/data", here)
    assert rights.run == ("git", "/opt/tools/backup.sh")
    assert rights.redis == "redis://:secret@cache.internal:6379/2"
    assert rights.other == {"slack": ("#ops",)}
    assert rights.max_file_bytes == 1000
    assert not any("secret" in part for part in spec.command)
    guest = rights.for_run("guest-7", "alice")
    assert (guest.read, guest.run, guest.net) == ((here,), (), rights.net)
    assert rights.for_run("home", "alice") == rights


def test_table_of_the_service_itself_does_not_reach_an_actor_without_one(lay: Lay) -> None:
    (spec,) = actor_specs(load(lay("[[actors]]\ntype = 'sal'\n"), environ={}), "redis://store/")

    assert spec.env["HERO_ALLOW"] == "{}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("reed = []", "actors.0.allow.read"),
        ("net = ['example.org']", "net"),
        ("net = ['https://example.org:443']", 'should be HOST:PORT, such as "api.example.org:443"'),
        ("net = ['x:99999']", "should have a port from 1 to 65535, or *"),
        ("net = ['x:0']", "should have a port from 1 to 65535, or *"),
        ("net = ['0x7f.1:80']", "should have an address of four numbers, such as 127.0.0.1"),
        ("net = ['127.1:80']", "should have an address of four numbers, such as 127.0.0.1"),
        ("net = ['2130706433:80']", "should have an address of four numbers, such as 127.0.0.1"),
        ("net = ['127.0.0.1.:80']", "should have an address of four numbers, such as 127.0.0.1"),
        ("run = ['a/b']", "should be the name of a program, or its absolute path"),
        ("env = ['1A']", "should be the name of a variable"),
        ("run = ['bin/tool']", "run"),
        ("run = ['']", "run"),
        ("env = ['A=B']", "env"),
        ("read = ['../up']", "without .."),
        ("context_rules = [{ run = ['git'] }]", "only take away ('git' is not in run)"),
        ("context_rules = [{ jobs = true }]", "adds a right"),
        ("context_rules = [{ ran = [] }]", "context_rules.0.run"),
        ("max_file_bytes = 0", "max_file_bytes"),
        ("read = '/srv'", "list"),
    ],
)
def test_mistake_is_named(lay: Lay, text: str, named: str) -> None:
    with pytest.raises(ConfigError) as failed:
        load(lay(allow(text)), environ={})

    assert named in str(failed.value)
    assert "pattern" not in str(failed.value)


def test_third_party_program_has_no_such_table(lay: Lay) -> None:
    with pytest.raises(ConfigError) as failed:
        load(lay("[[actors]]\ntype = 'sal'\ncommand = ['/bin/x']\n[actors.allow]\njobs = true\n"), environ={})

    assert "allow" in str(failed.value)


def places(lay: Lay, text: str, before: str = "") -> list[str]:
    return [str(problem) for problem in find_bad_places(load_config(lay(allow(text, before)), environ={}))]


def test_good_places_are_accepted(lay: Lay, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "file").touch()

    assert places(lay, f"read = ['{tmp_path}/data', '{tmp_path}/file']") == []


def test_missing_open_or_special_place_is_refused_with_its_line(lay: Lay, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    text = f"read = ['{tmp_path}/none', '/dev/null']\nwrite = ['{tmp_path}/open']"

    found = places(lay, text)

    assert [message.partition(": ")[2].partition(": ")[0] for message in found] == [
        "actors.0.allow.read.0",
        "actors.0.allow.read.1",
        "actors.0.allow.write.0",
    ]
    assert "No such file" in found[0]
    assert "regular file" in found[1]
    assert "chmod go-w" in found[2]
    with pytest.raises(ConfigError):
        refuse_bad_places(load_config(lay(allow(text)), environ={}))


@pytest.mark.parametrize("place", ["/", "{parent}", "{parent}/store/inner", "{parent}/link"])
def test_place_with_the_store_or_the_config_is_refused(lay: Lay, tmp_path: Path, place: str) -> None:
    inner = tmp_path / "top/store/inner"
    inner.mkdir(parents=True)
    (tmp_path / "top/link").symlink_to(tmp_path / "top")
    before = f"[embedded]\ndir = '{tmp_path}/top/store'"

    (message,) = places(lay, f"read = ['{place.format(parent=tmp_path / 'top')}']", before)

    assert "store" in message or "config" in message


def test_place_with_the_secrets_is_refused(lay: Lay, tmp_path: Path) -> None:
    (tmp_path / "top/secrets/contexts").mkdir(parents=True)
    (tmp_path / "top/data").mkdir()
    secrets = f"secrets_dir = '{tmp_path}/top/secrets'"

    for place in ("top", "top/secrets", "top/secrets/contexts"):
        (message,) = places(lay, f"read = ['{tmp_path}/{place}']\n{secrets}")
        assert "holds the folder of the secrets" in message
    assert places(lay, f"read = ['{tmp_path}/top/data']\n{secrets}") == []


def test_place_with_the_scratch_folders_of_other_runs_is_refused(
    lay: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp/inner").mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))

    (message,) = places(lay, f"read = ['{tmp_path}/tmp']")

    assert "holds the scratch folders of all runs" in message
    assert places(lay, f"read = ['{tmp_path}/tmp/inner']") == []


@pytest.mark.parametrize(
    ("redis", "prefix", "refused"),
    [
        ("redis://127.0.0.1:6379/", "", True),
        ("redis://:password@localhost", "", True),
        ("redis://localhost", "her", True),
        ("redis://localhost", "hero:job:", True),
        ("redis://localhost", "app:", False),
        ("redis://localhost/1", "", False),
        ("redis://localhost:6380", "", False),
        ("redis://elsewhere", "", False),
    ],
)
def test_job_store_is_no_server_for_scripts_without_a_prefix(lay: Lay, redis: str, prefix: str, refused: bool) -> None:
    text = f"redis = '{redis}'\nredis_prefix = '{prefix}'"

    assert bool(places(lay, text, "[store]\nredis_url = 'redis://127.0.0.1'")) is refused


def test_embedded_store_is_no_server_for_scripts_without_a_prefix(lay: Lay, tmp_path: Path) -> None:
    before = f"[embedded]\ndir = '{tmp_path}/store'"

    assert len(places(lay, f"redis = 'unix://{tmp_path}/store/valkey.sock'", before)) == 1


def test_every_right_says_how_it_is_given() -> None:
    for name in ("read", "write", "run", "net", "env", "redis", "git", "jobs", "store", "secrets"):
        key = how_to_allow(name).partition(" = ")[0]
        assert key in AllowSettings.model_fields
    assert json.loads(AllowSettings().as_json("/")) == {}
