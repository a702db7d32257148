"""The service files for zinit use fields that zinit knows, and commands that our programs accept.

Source: https://github.com/threefoldtech/zinit, docs/configuration/service-format.md and src/zinit/config.rs.
"""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from hero_actor import cli as actor_cli
from hero_config.layers.load import load
from hero_config.model.settings import JobsSettings, Settings
from hero_ctl.commands.install import AFTER_SHUTDOWN_S
from hero_supervisor import cli as supervisor_cli
from tests.deploy import strict_yaml

FILES = sorted((Path(__file__).parents[2] / "config" / "zinit").glob("*.yaml"))
FIELDS = {
    "exec": str,
    "test": str,
    "oneshot": bool,
    "shutdown_timeout": int,
    "after": list,
    "signal": dict,
    "log": str,
    "env": dict,
    "dir": str,
}
PROGRAMS = {"hero-supervisor": supervisor_cli, "hero-actor": actor_cli}


def service(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = strict_yaml.load(file.read_text())
    return found


def test_supervisor_and_actors_have_files() -> None:
    assert [file.stem for file in FILES] == ["hero-actor-osis", "hero-actor-sal", "hero-supervisor"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_fields_are_those_of_zinit(file: Path) -> None:
    found = service(file)

    assert found.keys() <= FIELDS.keys()
    assert [key for key, value in found.items() if not isinstance(value, FIELDS[key])] == []
    assert found["log"] in ("none", "ring", "stdout")
    assert found["signal"].keys() == {"stop"}
    assert signal.Signals[found["signal"]["stop"].upper()] is signal.SIGTERM  # which drains
    assert all(isinstance(value, str) for value in found["env"].values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_commands_environment_and_times_are_those_of_our_programs(file: Path) -> None:
    found = service(file)

    path, *flags = shlex.split(found["exec"])
    parsed = PROGRAMS[Path(path).name]._parser().parse_args(flags)
    if file.stem == "hero-supervisor":
        assert load(environ=found["env"]).supervisor.log_format == "json"
        assert found["shutdown_timeout"] >= Settings().supervisor.shutdown_s + AFTER_SHUTDOWN_S
        # Where the default socket is, seen from anywhere.
        socket = shlex.split(found["test"])[2]
        assert socket == f"{found['dir']}/{Settings().rpc.unix_socket}"
    else:
        assert file.stem == f"hero-actor-{parsed.type}"
        assert found["env"].keys() == {"HERO_REDIS_URL"}
        assert found["shutdown_timeout"] > JobsSettings().default_timeout_s
    words = shlex.split(found["test"])
    program = shlex.split(words[2].partition("|")[0])[0] if words[:2] == ["sh", "-c"] else words[0]
    assert Path(program).name in ("hero-unix-client", "heroctl")
