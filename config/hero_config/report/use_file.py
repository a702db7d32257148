"""Writes a config file for a use: only the keys that the use sets, each below the explanation from its model.

`heroctl init` calls it. Invariants: what it writes loads without a problem, or it is refused with the reason; all other
keys keep their defaults, so the file stays short enough to be read.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

from hero_config.model.actor_settings import ActorSettings
from hero_config.model.rpc_settings import RpcSettings
from hero_config.model.settings import EmbeddedSettings, StoreSettings, SupervisorSettings
from hero_config.report.schema import docstrings
from hero_config.report.show import toml_value

_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "store": StoreSettings,
    "embedded": EmbeddedSettings,
    "supervisor": SupervisorSettings,
    "rpc": RpcSettings,
}


class DeploymentUse(StrEnum):
    """What a config is for."""

    SINGLE = "single"
    CLUSTER = "cluster"
    CONTAINER = "container"


ABOUT: Final = {
    DeploymentUse.SINGLE: "one host that runs everything, with the store of the service or your own",
    DeploymentUse.CLUSTER: "one of several hosts that share a Redis; every host may have the same file",
    DeploymentUse.CONTAINER: "the supervisor of containers, such as config/compose.yaml; actors have their own",
}
DEFAULT_ACTORS: Final = {
    DeploymentUse.SINGLE: ("osis", "sal", "python"),
    DeploymentUse.CLUSTER: ("osis", "sal", "python"),
    DeploymentUse.CONTAINER: (),
}
DEFAULT_PORT: Final = {DeploymentUse.SINGLE: 0, DeploymentUse.CLUSTER: 0, DeploymentUse.CONTAINER: 8080}

_HEAD: Final = """\
# The Hero actor runtime for {about}.
# Written by `heroctl init`. A key that is not here keeps its default; config/hero.toml explains all keys, and
# `hero-supervisor config show` prints the values. After a change: `hero-supervisor config check {{file}}`.
"""
_PASSWORD: Final = """\
# Others can read this file. Leave a password to the environment: HERO_STORE__REDIS_URL=redis://:PASSWORD@host/
"""
_NO_STORE: Final = """\
# Without redis_url the service runs its own Valkey, see [embedded]. HERO_STORE__REDIS_URL names one from outside.
# redis_url = "redis://127.0.0.1:6379/"
"""
_MORE: Final = """\
# What the scripts of the entry above may do with files, programs and the network is off until it is allowed here;
# docs/functions.md has the functions, and `heroctl functions --type {type}` says which setting each one needs.
# [actors.allow]
# read = ["/srv/data"]
# net = ["api.example.org:443"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseChoices:
    """What a person has chosen.

    Attributes:
        use: What the config is for.
        redis_url: URL of the store; "" for the store of the service, or for one that the environment names.
        actors: Script types of the actors.
        port: TCP port; 0 for none.
    """

    use: DeploymentUse
    redis_url: str = ""
    actors: tuple[str, ...] = ()
    port: int = 0


def use_file(choices: UseChoices) -> str:
    """Write the text of the file. In its first lines, `{file}` stands for the file's path."""
    parts = [_HEAD.format(about=ABOUT[choices.use])]
    if not choices.actors:
        parts.append("\n# The actors run elsewhere, each as a program of its own: hero-actor --type sal\nactors = []\n")
    parts.append(f"\n[store]\n{_store(choices)}")
    if choices.use is not DeploymentUse.CLUSTER and not choices.redis_url:
        parts.append(f"\n[embedded]\n{_keys('embedded', {'dir': '.hero/store', 'appendfsync': 'everysec'})}")
    log_format = "json" if choices.use is DeploymentUse.CONTAINER else "text"
    parts.append(f"\n[supervisor]\n{_keys('supervisor', {'log_format': log_format, 'shutdown_s': 10.0})}")
    parts.append(f"\n[rpc]\n{_keys('rpc', dict(_rpc(choices)))}")
    parts += [_actor(choices, script_type) for script_type in choices.actors]
    if choices.actors:
        parts.append(f"\n{_MORE.format(type=choices.actors[-1])}")
    return "".join(parts)


def _store(choices: UseChoices) -> str:
    if not choices.redis_url:
        return _NO_STORE + "\n" + _keys("store", {"namespace": "hero"})
    keys: dict[str, Any] = {"redis_url": choices.redis_url, "namespace": "hero"}
    if choices.use is DeploymentUse.CLUSTER:
        keys |= {"wait_replicas": 0}
    return _PASSWORD + _keys("store", keys)


def _rpc(choices: UseChoices) -> Iterator[tuple[str, Any]]:
    yield "unix_socket", ".hero/hero.ipc"
    yield "port", choices.port
    if choices.port:
        yield "require_auth", True
        if choices.use is DeploymentUse.CONTAINER:
            yield "bind", "0.0.0.0"
            yield "insecure", True


def _actor(choices: UseChoices, script_type: str) -> str:
    keys: dict[str, Any] = {"type": script_type, "count": 1}
    if script_type == "osis" and choices.use is DeploymentUse.CLUSTER:
        keys["by_context"] = True  # each host has one, and they must keep the order of each context
    return f"\n[[actors]]\n{_explained(ActorSettings, keys)}"


def _keys(section: str, keys: Mapping[str, Any]) -> str:
    return _explained(_MODELS[section], keys)


def _explained(model: type[BaseModel], keys: Mapping[str, Any]) -> str:
    texts = docstrings(model)
    return "\n".join(f"{_comment(texts[key])}\n{key} = {toml_value(value)}\n" for key, value in keys.items())


def _comment(text: str) -> str:
    return textwrap.fill(text, 120, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
