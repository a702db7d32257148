"""Finds the store that a command uses, and opens the API on it."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import quote

from hero_client import Supervisor, SupervisorBuilder
from hero_ctl.options import StoreOptions

#: Where a supervisor that was started in this folder keeps its embedded store: the default of `[embedded] dir`.
STATE_DIR = Path(".hero/store")
DEFAULT_URL = "redis://127.0.0.1:6379/"


def store_url(given: str | None, state_dir: Path = STATE_DIR) -> str:
    """Choose the store.

    Args:
        given: The URL from the option or the environment; it wins if it is not empty.
        state_dir: Folder in which a supervisor keeps its embedded store.

    Returns:
        The given URL, else that of the embedded store's socket, with its password if it demands one, else that of a
        Redis on this machine.
    """
    if given:
        return given
    config = _read_config(state_dir / "valkey.conf")
    for path in (state_dir / "valkey.sock", Path(config["unixsocket"]) if "unixsocket" in config else None):
        if path is not None and _is_socket(path):
            password = config.get("requirepass", "")
            login = f":{quote(password, safe='')}@" if password else ""
            return f"unix://{login}{quote(str(path.absolute()))}"
    return DEFAULT_URL


def open_supervisor(store: StoreOptions) -> Supervisor:
    """Make the API on the chosen store. It connects with its first call.

    Raises:
        StoreUrlInvalid: The URL cannot be used.
        JobInvalid: The namespace cannot be used.
    """
    return SupervisorBuilder().redis_url(store_url(store.redis_url)).namespace(store.namespace).build()


def _read_config(path: Path) -> dict[str, str]:
    """Read the directives of the embedded store's server: its socket, and the password that it demands.

    A socket's path may have 107 bytes. If the folder's path is too long for that, the socket is elsewhere.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: value.strip().strip('"') for name, _, value in (line.partition(" ") for line in lines)}


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
