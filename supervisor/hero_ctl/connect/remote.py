"""Finds the supervisor that `--server` or a profile names.

Invariant: a file that holds a token is readable for its owner only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hero_client.remote.errors import ServerUnusable
from hero_config.layers.toml_text import read_toml

if TYPE_CHECKING:
    from hero_client.remote.server import RemoteServer


def find_server(
    server: str | None, profile: str | None, tls_files: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> RemoteServer | None:
    """Find the server that a command is to ask instead of the store.

    Args:
        server: As given; it wins over a profile.
        profile: Name of a profile, as given.
        tls_files: As given; see `RemoteServer`.
        environ: Environment variables; `os.environ` if None.

    Returns:
        The server; None if neither an option nor the config file of heroctl names one.

    Raises:
        ServerUnusable: The URL, the file or the profile is wrong.
    """
    environ = os.environ if environ is None else environ
    path = profiles_path(environ)
    if server:
        from hero_client.remote.server import RemoteServer, checked

        return checked(RemoteServer(url=server, token=environ.get("HERO_TOKEN", ""), tls_files=tls_files))
    content = _read(path)
    name = profile or content.get("profile")
    if not name:
        return None
    # Imported late: TLS and HTTP take a tenth of the time of a command that asks the store.
    from hero_client.remote.server import TLS_FILES, RemoteServer, checked

    profiles = content.get("profiles")
    found = profiles.get(name) if isinstance(profiles, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("server"), str):
        known = ", ".join(profiles) if isinstance(profiles, dict) and profiles else "none"
        raise ServerUnusable(f"{path} has no [profiles.{name}] with a server; it has: {known}")
    token = environ.get("HERO_TOKEN") or str(found.get("token", ""))
    if not token and found.get("token_file"):
        try:
            token = Path(str(found["token_file"])).expanduser().read_text("utf-8").strip()
        except OSError as e:
            raise ServerUnusable(f"token_file of the profile {name}: {e.filename}: {e.strerror}") from e
    of_profile = {name: str(Path(str(found[name])).expanduser()) for name in TLS_FILES if found.get(name)}
    return checked(
        RemoteServer(
            url=found["server"],
            token=token,
            tls_files={**of_profile, **tls_files},
            origin=f"profile {name}",
        )
    )


def profiles_path(environ: Mapping[str, str]) -> Path:
    """The config file of heroctl itself."""
    home = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    return Path(home) / "hero" / "config.toml"


def list_profiles(environ: Mapping[str, str]) -> list[str]:
    """The names of the profiles.

    Raises:
        ServerUnusable: The file cannot be read.
    """
    profiles = _read(profiles_path(environ)).get("profiles")
    return list(profiles) if isinstance(profiles, dict) else []


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as e:
        raise ServerUnusable(f"{path} cannot be read: {e.strerror}") from e
    import tomllib  # few users have this file

    try:
        content = read_toml(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ServerUnusable(f"{path} is not TOML: {e}") from e
    if "token" in json.dumps(content, default=str) and path.stat().st_mode & 0o077:
        raise ServerUnusable(f"other users can read {path}, which holds a token: chmod 600 {path}")
    return content
