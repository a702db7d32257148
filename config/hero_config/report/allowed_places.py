"""Finds what is wrong with the places that `[actors.allow]` names, as they are on this machine.

`hero-supervisor` refuses to start, or to reload, with one of these; `config check` prints them. Reads file systems, so
it is no part of loading the settings.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from hero_config.layers.key_paths import KeyPath, dotted
from hero_config.layers.load import Config
from hero_config.layers.problems import ConfigError, ConfigProblem
from hero_config.model.actor_settings import ActorSettings
from hero_config.model.allow_settings import absolute
from hero_config.model.settings import Settings


def refuse_bad_places(config: Config) -> Config:
    """Return the configuration, unless scripts would reach what they must never reach.

    Raises:
        ConfigError: With everything that is wrong.
    """
    if problems := find_bad_places(config):
        raise ConfigError(tuple(problems))
    return config


def find_bad_places(config: Config) -> list[ConfigProblem]:
    """Find missing folders, folders that others may change, and rights that reach the store or the config.

    Args:
        config: A valid configuration.

    Returns:
        One problem per place, where it is set.
    """
    found = []
    for index, actor in enumerate(config.settings.actors):
        for key, text in (*_folders(config, actor), *_redis(config.settings, actor)):
            path: KeyPath = ("actors", index, "allow", *key)
            origin = config.origin(path)
            found.append(
                ConfigProblem(source=origin.source or "defaults", line=origin.line, key=dotted(path), expected=text)
            )
    return found


def _folders(config: Config, actor: ActorSettings) -> Iterator[tuple[KeyPath, str]]:
    for name in ("read", "write"):
        for number, given in enumerate(getattr(actor.allow, name)):
            path = absolute(actor.cwd or str(Path.cwd()), given)
            if text := _wrong_place(path, _kept(config, actor)):
                yield (name, number), text


def _kept(config: Config, actor: ActorSettings) -> dict[str, Path]:
    """What no script may reach."""
    temporary = Path(actor.env.get("TMPDIR") or os.environ.get("TMPDIR") or "/tmp")
    kept = {"the scratch folders of all runs": temporary}
    kept |= {f"the config {file}": Path(file) for file in config.files}
    if not config.settings.store.redis_url:
        kept["the folder of the store"] = Path(config.settings.embedded.dir)
    if actor.allow.secrets_dir:
        kept["the folder of the secrets"] = Path(absolute(actor.cwd or str(Path.cwd()), actor.allow.secrets_dir))
    return {title: path.resolve() for title, path in kept.items()}


def _wrong_place(path: str, kept: dict[str, Path]) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116  the path is a text
    except OSError as e:
        return f"cannot be used: {e.strerror}; make it, or remove it from the list"
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return "should be a folder or a regular file"
    others = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
    if others:
        return f"others may change it, and so lead scripts elsewhere: chmod go-w {path}"
    real = Path(path).resolve()
    for title, inside in kept.items():
        if inside.is_relative_to(real) or (title.startswith("the folder") and real.is_relative_to(inside)):
            return f"holds {title}, and scripts must reach neither these nor the store nor the config"
    return ""


def _redis(settings: Settings, actor: ActorSettings) -> Iterator[tuple[KeyPath, str]]:
    allow = actor.allow
    if not allow.redis or _server(allow.redis) != _store_server(settings):
        return
    own = f"{settings.store.namespace}:"
    if not allow.redis_prefix:
        yield ("redis",), "is the job store; scripts may use it only with a redis_prefix"
    elif own.startswith(allow.redis_prefix) or allow.redis_prefix.startswith(own):
        yield ("redis_prefix",), f"covers keys of the job store, which begin with {own}"


def _store_server(settings: Settings) -> tuple[str, int, str]:
    if settings.store.redis_url:
        return _server(settings.store.redis_url)
    return (str(Path(settings.embedded.dir).resolve() / "valkey.sock"), 0, "0")


def _server(url: str) -> tuple[str, int, str]:
    """Host or socket, port and database of a URL."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        database = dict(item.partition("=")[::2] for item in parts.query.split("&")).get("db", "0")
        return (str(Path(parts.path).resolve()), 0, database or "0")
    host = (parts.hostname or "localhost").replace("localhost", "127.0.0.1")
    return (host, parts.port or 6379, parts.path.strip("/") or "0")
