"""Which store a command uses, and what it prints if there is none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from hero_config.model.settings import EmbeddedSettings
from hero_ctl.connect import STATE_DIR, store_url
from tests.ctl.conftest import HEROCTL, Heroctl, environment
from tests.deployment import Deployment
from tests.forked_heroctl import run_heroctl
from tests.valkey_server import ValkeyServer


def test_given_url_wins(tmp_path: Path) -> None:
    assert store_url("redis://there/", tmp_path) == "redis://there/"


def test_without_a_store_in_the_folder_none_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "valkey.sock").write_text("not a socket")

    assert store_url(None, tmp_path) == ""
    assert store_url("", tmp_path / "missing") == ""


def test_folder_of_the_embedded_store_is_the_default_of_the_config() -> None:
    assert str(STATE_DIR) == EmbeddedSettings().dir


def test_socket_in_another_folder_is_found_through_the_config_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "short %.sock"
    (tmp_path / "valkey.conf").write_text(f'port 0\nunixsocket "{path}"\n')
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))

        assert store_url(None, tmp_path) == f"unix://{tmp_path}/short%20%25.sock"


def test_embedded_store_of_the_folder_is_found_without_any_option(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / ".hero").mkdir()
    (tmp_path / ".hero" / "store").symlink_to(deployment.folder / "store")

    done = call_in(tmp_path, "run", "40 + 2", env=environment(""))

    assert (done.returncode, done.stdout) == (0, "42\n")


def test_socket_of_a_server_may_be_relative_and_a_missing_one_is_told_without_a_number(
    deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / ".hero").mkdir()
    (tmp_path / ".hero" / "hero.ipc").symlink_to(deployment.socket)

    found = call_in(tmp_path, "run", "40 + 2", "--server", "unix://.hero/hero.ipc", env=environment(""))
    missing = call_in(tmp_path, "list", "--server", "unix://.hero/none.ipc", env=environment(""))

    assert (found.returncode, found.stdout) == (0, "42\n"), found.stderr
    assert missing.returncode == 6
    assert "unix://.hero/none.ipc (--server) cannot be reached: No such file or directory" in missing.stderr


@pytest.mark.parametrize(
    "command", [["run", "1"], ["submit", "1"], ["status", "x"], ["output", "x"], ["list"], ["actors"], ["bench"]]
)
def test_unreachable_store_exits_with_6_and_names_the_url(heroctl: Heroctl, command: list[str]) -> None:
    done = heroctl(*command, "--redis-url", "redis://user:secret@127.0.0.1:1/0")

    assert done.returncode == 6
    assert done.stdout == ""
    assert "redis://user:***@127.0.0.1:1/0 is not reachable" in done.stderr
    assert "hero-supervisor" in done.stderr
    assert "secret" not in done.stderr


def test_unusable_url_exits_with_2(heroctl: Heroctl) -> None:
    done = heroctl("list", "--redis-url", "http://127.0.0.1/")

    assert done.returncode == 2
    assert "must begin with" in done.stderr


def test_store_that_refuses_exits_with_6_and_says_what_to_do(heroctl: Heroctl, own_valkey: ValkeyServer) -> None:
    import redis

    with redis.Redis.from_url(own_valkey.url) as plain:
        plain.config_set("maxmemory", "1mb")

    done = heroctl("submit", "1", "--yes", "--redis-url", own_valkey.url)

    assert done.returncode == 6
    assert "raise its maxmemory" in done.stderr


def test_options_are_read_from_the_environment(deployment: Deployment, tmp_path: Path) -> None:
    settings = {"HERO_CALLER_ID": "me", "HERO_CONTEXT_ID": "here", "HERO_REDIS_URL": deployment.url}

    done = call_in(tmp_path, "run", 'CALLER_ID + "/" + CONTEXT_ID', env={**os.environ, **settings})

    assert done.stdout == "me/here\n"


@pytest.mark.parametrize("command", [["run", "1"], ["submit", "1"], ["list"], ["actors"], ["bench"], ["export", "-"]])
def test_outside_of_any_deployment_no_command_goes_to_a_store_that_nobody_named(
    tmp_path: Path, command: list[str]
) -> None:
    done = call_in(tmp_path, *command, env=environment("") | {"HOME": str(tmp_path)})

    assert (done.returncode, done.stdout) == (6, "")
    assert "no store is configured here" in done.stderr
    assert "heroctl config where" in done.stderr


def test_stopped_service_is_named_instead_of_another_store(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text("")

    done = call_in(tmp_path, "list", env=environment(""))

    assert done.returncode == 6
    assert "the embedded store of hero.toml does not run" in done.stderr


def test_submit_to_a_namespace_that_nobody_has_served_is_refused_until_yes(
    heroctl: Heroctl, valkey: ValkeyServer, namespace: str
) -> None:
    where = ("--redis-url", valkey.url, "--namespace", namespace)

    for command in ("run", "submit"):
        refused = heroctl(command, "1", *where)
        assert (refused.returncode, refused.stdout) == (6, "")
        assert f"has ever used the namespace '{namespace}'" in refused.stderr
    done = heroctl("submit", "1", "--yes", *where)

    assert done.returncode == 0
    assert heroctl("status", done.stdout.strip(), *where).stdout == "dispatched\n"


@pytest.mark.parametrize("way", ["file", "variable", "short", "config", "HERO_CONFIG"])
def test_every_way_to_name_the_store_works_for_every_command(deployment: Deployment, tmp_path: Path, way: str) -> None:
    env = environment("")
    arguments = []
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "hero.toml").write_text(f'[store]\nredis_url = "{deployment.url}"\n')
    folder = tmp_path if way == "file" else elsewhere
    match way:
        case "variable":
            env["HERO_STORE__REDIS_URL"] = deployment.url
        case "short":
            env["HERO_REDIS_URL"] = deployment.url
        case "config":
            arguments = ["--config", str(tmp_path / "hero.toml")]
        case "HERO_CONFIG":
            env["HERO_CONFIG"] = str(tmp_path / "hero.toml")

    done = call_in(folder, "run", "6 * 7", *arguments, env=env)
    shown = call_in(folder, "config", "where", "--json", *arguments, env=env)

    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    assert json.loads(shown.stdout)["store"]["value"] == deployment.url


def test_config_from_another_folder_finds_the_running_service(deployment: Deployment, tmp_path: Path) -> None:
    config = str(deployment.folder / "hero.toml")

    done = call_in(tmp_path, "run", "6 * 7", "--config", config, env=environment(""))
    actors = call_in(tmp_path, "actors", "show", "sal", "--config", config, env=environment(""))

    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    assert actors.returncode == 0, actors.stderr


def test_where_hides_the_password(tmp_path: Path) -> None:
    done = call_in(tmp_path, "config", "where", env=environment("redis://:hidden@there/"))

    assert "***@there/" in done.stdout
    assert "hidden" not in done.stdout


def call_in(folder: Path, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder with exactly this environment."""
    return run_heroctl(
        [HEROCTL, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
