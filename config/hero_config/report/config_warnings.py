"""Finds what is valid in a configuration but looks like a mistake.

Called by `hero-supervisor config check`. It looks at files and folders of this machine and changes nothing. Invariant:
a configuration that has only warnings starts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hero_config.layers.files import DROP_IN_FOLDER
from hero_config.layers.key_paths import KeyPath, dotted
from hero_config.layers.load import Config
from hero_config.layers.problems import ConfigProblem
from hero_config.layers.secrets import without_secrets
from hero_config.model.actor_settings import ActorSettings

#: An interpreter with an engine takes more memory than this, so below it an actor would be replaced immediately.
_LEAST_RSS_BYTES = 64 << 20
_LEAST_BEATS = 4


def find_warnings(config: Config) -> list[ConfigProblem]:
    """Find likely mistakes.

    Args:
        config: A valid configuration.

    Returns:
        The warnings; first those about settings without effect.
    """
    found = [_warning(config, path, text) for path, text in (*_unused(config), *_dangerous(config), *_actors(config))]
    return [*config.notes, *_files(config), *found]


def _warning(config: Config, path: KeyPath, text: str) -> ConfigProblem:
    origin = config.origin(path)
    source = origin.source or "defaults"
    return ConfigProblem(source=source, line=origin.line, key=dotted(path), expected=text)


def _given(config: Config, section: str, *keys: str) -> Iterator[KeyPath]:
    """List the keys of a section that differ from their default."""
    settings = getattr(config.settings, section)
    for key in keys or type(settings).model_fields:
        if getattr(settings, key) != type(settings).model_fields[key].default:
            yield (section, key)


def _unused(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Find settings that have no effect because of other settings."""
    settings = config.settings
    if settings.store.redis_url:
        for path in _given(config, "embedded"):
            yield path, "has no effect: store.redis_url names a server, so no store is embedded"
    if not settings.rpc.port:
        of_port = ("tokens", "require_auth", "signature_keys", "origins", "hosts", "tls_cert", "insecure", "bind")
        unused = of_port if settings.rpc.unix_auth != "token" else of_port[3:]
        for path in _given(config, "rpc", *unused):
            yield path, "has no effect: rpc.port is 0, so there is no TCP port (unless systemd passes one)"
    if settings.rpc.unix_auth != "peer":
        for path in _given(config, "rpc", "unix_peers"):
            yield path, 'has no effect: unix_auth is not "peer"'
    if settings.supervisor.log_to != "file":
        for path in _given(config, "supervisor", "log_file"):
            yield path, 'has no effect: log_to is not "file"'
    if not settings.actors:
        yield ("actors",), "no actors run here; jobs wait until actors run elsewhere"


def _dangerous(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Find settings that may lose data, or give others access."""
    settings = config.settings
    if not settings.store.redis_url and settings.embedded.appendfsync == "no":
        yield (
            ("embedded", "appendfsync"),
            "the kernel decides when writes reach the disk: a power cut may lose many jobs",
        )
    if settings.rpc.insecure and settings.rpc.port:
        yield ("rpc", "insecure"), "the TCP port is open without TLS, or without authentication"
    if settings.rpc.port and not (settings.rpc.tokens or settings.rpc.signature_keys or settings.rpc.require_auth):
        yield (
            ("rpc", "port"),
            "every user of this machine may run scripts there; set tokens or require_auth to prevent that",
        )
    if settings.rpc.unix_mode_bits & 0o006 and settings.rpc.unix_auth == "off" and settings.rpc.unix_socket:
        yield ("rpc", "unix_mode"), "every user of this machine may run scripts; set unix_auth to prevent that"
    if settings.supervisor.lease_s < _LEAST_BEATS:
        yield (
            ("supervisor", "lease_s"),
            "actors show a sign of life every second: a short pause of the store would count as their death",
        )
    for path in (*_given(config, "rpc", "tls_cert", "tls_key"), *_given(config, "embedded", "binary")):
        name = str(getattr(getattr(settings, str(path[0])), str(path[1])))
        if not shutil.which(name) and _is_missing(Path(name).is_file):
            yield path, f"no such file on this machine: {name}"


def _actors(config: Config) -> Iterator[tuple[KeyPath, str]]:
    ordered = [a for a in config.settings.actors if a.type == "osis" and not a.by_context]
    for index, actor in enumerate(config.settings.actors):
        at: KeyPath = ("actors", index)
        if actor in ordered and (len(ordered) > 1 or max(actor.count, actor.min, actor.max) > 1):
            key = next((key for key in ("max", "min", "count") if getattr(actor, key) > 1), "type")
            yield (
                (*at, key),
                "more than one OSIS actor breaks the order of the queue; by_context keeps it within each context",
            )
        if 0 < actor.max_rss_bytes < _LEAST_RSS_BYTES:
            yield (*at, "max_rss_bytes"), "below 64 MiB an actor is replaced after every job"
        if (
            actor.max
            and not actor.min <= actor.count <= actor.max
            and actor.count != type(actor).model_fields["count"].default
        ):
            yield (
                (*at, "count"),
                f"is not between min ({actor.min}) and max ({actor.max}), within which the number follows the load",
            )
        yield from _places(at, actor)


def _places(at: KeyPath, actor: ActorSettings) -> Iterator[tuple[KeyPath, str]]:
    """Find folders and programs that this machine does not have."""
    if actor.cwd and _is_missing(Path(actor.cwd).is_dir):
        yield (*at, "cwd"), f"no such folder on this machine: {actor.cwd}"
    if actor.command and "{" not in actor.command[0] and not shutil.which(actor.command[0], path=actor.env.get("PATH")):
        yield (*at, "command"), f"no such program on this machine: {actor.command[0]}"


def _is_missing(look: Callable[[], bool]) -> bool:
    """Tell whether a file or folder is missing; one that this user may not look at, the service may."""
    try:
        return not look()
    except PermissionError:
        return False
    except OSError:  # the name is too long for any file
        return True


def _files(config: Config) -> Iterator[ConfigProblem]:
    """Find files with secrets that others may read, and files that look like drop-ins but are not."""
    secret = {
        origin.source
        for path, origin in config.layers.origins.items()
        if origin.kind == "file" and _is_secret(config, path)
    }
    for source in config.files:
        if (source in secret or source in config.secret_files) and os.stat(source).st_mode & 0o044:  # noqa: PTH116 - the path is a string
            yield ConfigProblem(source=source, expected="holds a secret, and others may read it: chmod 600")
    folder = Path(config.files[0]).parent / DROP_IN_FOLDER if config.files else None
    if folder is not None and folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix != ".toml" and not path.name.startswith("."):
                yield ConfigProblem(source=str(path), expected="is ignored: the name of a drop-in ends in .toml")


def _is_secret(config: Config, path: KeyPath) -> bool:
    """Tell whether a value is a secret. The SHA-256 of a token is not, because it opens nothing."""
    value: Any = config.layers.values
    for part in path:
        value = value[part]
    return isinstance(value, str) and path[-1] != "sha256" and without_secrets(path, value) != value
