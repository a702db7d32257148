"""Finds the store that a command is about."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import quote

from hero_client.api import Supervisor, SupervisorBuilder

#: Folder of the embedded store of a supervisor that was started here: `[embedded] dir` of config/hero.toml.
STATE_DIR = Path(".hero/store")
DEFAULT_URL = "redis://127.0.0.1:6379/"


def store_url(given: str | None, state_dir: Path = STATE_DIR) -> str:
    """Choose the store.

    Args:
        given: The option or HERO_REDIS_URL; wins where it is not empty.
        state_dir: Where a supervisor in this folder keeps its embedded store.

    Returns:
        A URL: the given one, else the embedded store's socket, else Redis on this machine.
    """
    if given:
        return given
    for path in (state_dir / "valkey.sock", _socket_in_config(state_dir / "valkey.conf")):
        if path is not None and _is_socket(path):
            return f"unix://{quote(str(path.absolute()))}"
    return DEFAULT_URL


def open_supervisor(given: str | None, namespace: str) -> Supervisor:
    """The API on the chosen store. It connects with its first call.

    Raises:
        StoreUrlInvalid: The URL cannot be used.
        JobInvalid: The namespace cannot be used.
    """
    return SupervisorBuilder().redis_url(store_url(given)).namespace(namespace).build()


def _socket_in_config(path: Path) -> Path | None:
    # In a folder whose name is too long for a socket's path, the embedded store puts its socket elsewhere.
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        name, _, value = line.partition(" ")
        if name == "unixsocket":
            return Path(value.strip().strip('"'))
    return None


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
