"""What is legal in a configuration and still looks like a mistake.

Called by `hero-supervisor config check`. Looks at the files and folders of this machine, changes nothing. Invariant: a
configuration that is only suspicious starts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hero_config.layers.files import DROP_IN_FOLDER
from hero_config.layers.lines import Path as KeyPath
from hero_config.layers.load import Config
from hero_config.layers.problems import ConfigProblem
from hero_config.layers.secrets import without_secrets
from hero_config.model.actor_settings import ActorSettings

#: Below these an actor is killed or replaced at its start, each time: an interpreter with an engine takes more.
_LEAST_RSS_BYTES = 64 << 20
_LEAST_BEATS = 4


def suspicions(config: Config) -> list[ConfigProblem]:
    """Look for them.

    Args:
        config: A valid configuration.

    Returns:
        What was found; first what does nothing at all.
    """
    found = [_told(config, path, text) for path, text in (*_idle(config), *_dangerous(config), *_actors(config))]
    return [*config.notes, *_files(config), *found]


def _told(config: Config, path: KeyPath, text: str) -> ConfigProblem:
    origin = config.origin(path)
    key = ".".join(map(str, path))
    return ConfigProblem(source=origin.source or "defaults", line=origin.line, key=key, expected=text)


def _given(config: Config, section: str, *keys: str) -> Iterator[KeyPath]:
    """Those keys that somebody has set, to something else than the default."""
    settings = getattr(config.settings, section)
    for key in keys or type(settings).model_fields:
        if getattr(settings, key) != type(settings).model_fields[key].default:
            yield (section, key)


def _idle(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """What does nothing, because something else is set or is not."""
    settings = config.settings
    if settings.store.redis_url:
        for path in _given(config, "embedded"):
            yield path, "does nothing: store.redis_url names a server, none is embedded"
    if not settings.rpc.port:
        of_port = ("tokens", "require_auth", "signature_keys", "origins", "hosts", "tls_cert", "insecure", "bind")
        needless = of_port if settings.rpc.unix_auth != "token" else of_port[3:]
        for path in _given(config, "rpc", *needless):
            yield path, "does nothing: rpc.port is 0, so no TCP port is offered (unless systemd passes one)"
    if settings.rpc.unix_auth != "peer":
        for path in _given(config, "rpc", "unix_peers"):
            yield path, 'does nothing: unix_auth is not "peer"'
    if settings.supervisor.log_to != "file":
        for path in _given(config, "supervisor", "log_file"):
            yield path, 'does nothing: log_to is not "file"'
    if not settings.actors:
        yield ("actors",), "no actors are started here; jobs wait until some run elsewhere"


def _dangerous(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """What may lose data, or lets others in."""
    settings = config.settings
    if not settings.store.redis_url and settings.embedded.appendfsync == "no":
        yield (
            ("embedded", "appendfsync"),
            "the kernel decides when writes reach the disk: a power cut may lose many jobs",
        )
    if settings.rpc.insecure and settings.rpc.port:
        yield ("rpc", "insecure"), "the TCP port is offered without TLS or without asking who calls"
    if settings.rpc.port and not (settings.rpc.tokens or settings.rpc.signature_keys or settings.rpc.require_auth):
        yield ("rpc", "port"), "every user of this machine may run scripts there; see tokens and require_auth"
    if settings.rpc.unix_mode_bits & 0o006 and settings.rpc.unix_auth == "off" and settings.rpc.unix_socket:
        yield ("rpc", "unix_mode"), "every user of this machine may run scripts; see unix_auth"
    if settings.supervisor.lease_s < _LEAST_BEATS:
        yield ("supervisor", "lease_s"), "actors beat once a second: a short pause of the store counts as their death"
    for path in (*_given(config, "rpc", "tls_cert", "tls_key"), *_given(config, "embedded", "binary")):
        name = str(getattr(getattr(settings, str(path[0])), str(path[1])))
        if not shutil.which(name) and not Path(name).is_file():
            yield path, f"no such file on this machine: {name}"


def _actors(config: Config) -> Iterator[tuple[KeyPath, str]]:
    ordered = [a for a in config.settings.actors if a.type == "osis" and not a.by_context]
    for index, actor in enumerate(config.settings.actors):
        at: KeyPath = ("actors", index)
        if actor in ordered and (len(ordered) > 1 or max(actor.count, actor.min, actor.max) > 1):
            key = next((key for key in ("max", "min", "count") if getattr(actor, key) > 1), "type")
            yield (*at, key), "more than one OSIS actor gives up the order of the queue; by_context keeps it by context"
        if 0 < actor.max_rss_bytes < _LEAST_RSS_BYTES:
            yield (*at, "max_rss_bytes"), "below 64 MiB an actor is replaced after every job"
        if (
            actor.max
            and not actor.min <= actor.count <= actor.max
            and actor.count != type(actor).model_fields["count"].default
        ):
            yield (
                (*at, "count"),
                f"outside of min ({actor.min}) and max ({actor.max}), between which the number follows the load",
            )
        yield from _places(at, actor)


def _places(at: KeyPath, actor: ActorSettings) -> Iterator[tuple[KeyPath, str]]:
    """Folders and programs that this machine does not have."""
    if actor.cwd and not Path(actor.cwd).is_dir():
        yield (*at, "cwd"), f"no such folder on this machine: {actor.cwd}"
    if actor.command and "{" not in actor.command[0] and not shutil.which(actor.command[0], path=actor.env.get("PATH")):
        yield (*at, "command"), f"no such program on this machine: {actor.command[0]}"


def _files(config: Config) -> Iterator[ConfigProblem]:
    """Files that others may read, or that look like drop-ins and are none."""
    secret = {
        origin.source
        for path, origin in config.layers.origins.items()
        if origin.kind == "file" and _is_secret(config, path)
    }
    for source in config.files:
        if (source in secret or source in config.secret_files) and os.stat(source).st_mode & 0o044:  # noqa: PTH116 - a mode, of a path kept as text
            yield ConfigProblem(source=source, expected="holds a secret and others may read it (chmod 600)")
    folder = Path(config.files[0]).parent / DROP_IN_FOLDER if config.files else None
    if folder is not None and folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix != ".toml" and not path.name.startswith("."):
                yield ConfigProblem(source=str(path), expected="is not looked at: a drop-in ends in .toml")


def _is_secret(config: Config, path: KeyPath) -> bool:
    """Is it a text that is not shown whole? The SHA-256 of a token is none: it opens nothing."""
    value: Any = config.layers.values
    for part in path:
        value = value[part]
    return isinstance(value, str) and path[-1] != "sha256" and without_secrets(path, value) != value
