"""Finds the config file, the store and the socket of a deployment: one rule for all programs.

`hero-supervisor`, `hero-actor`, `heroctl` and its doctor call it, and `heroctl config where` shows the answer. A value
given as a flag wins, then the environment, then the config file, then what a running service left in its folder. It
reads only the few keys that a client needs, without pydantic, because most commands need nothing else of a config.
Invariant: nothing is guessed. Without a trace of a deployment there is no store.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from hero_config.layers.toml_text import read_toml

#: Below the folder in which a program is started.
LOCAL_CONFIGS: Final = (Path("hero.toml"), Path(".hero/hero.toml"))
SYSTEM_CONFIG: Final = Path("/etc/hero/hero.toml")
DEFAULT_STORE_DIR: Final = ".hero/store"
DEFAULT_SOCKET: Final = ".hero/hero.ipc"
DEFAULT_NAMESPACE: Final = "hero"
#: Short names in the environment -> the settings that they mean. The long name wins.
SHORT_VARIABLES: Final = {
    "HERO_REDIS_URL": "HERO_STORE__REDIS_URL",
    "HERO_NAMESPACE": "HERO_STORE__NAMESPACE",
    "HERO_SOCKET": "HERO_RPC__UNIX_SOCKET",
}
#: Where the unit of systemd keeps its state, and what it listens on.
_SYSTEM_STATE: Final = Path("/var/lib/hero-supervisor")
_SYSTEM_SOCKET: Final = Path("/run/hero/hero.ipc")


class PlacesUnreadable(Exception):
    """The config file that names the store cannot be read."""


class Found(NamedTuple):
    """A value and where it came from.

    Attributes:
        value: The value; "" if there is none.
        origin: What set it: a flag, a variable, a file, or a default.
    """

    value: str
    origin: str


class Places(NamedTuple):
    """Where a deployment is.

    Attributes:
        config: The config file; None if there is none.
        config_origin: What named it.
        folder: Where relative paths of the config begin: the folder in which the service runs.
        redis_url: URL of the store; "" if none is configured, and the service keeps its own.
        namespace: Prefix of all keys.
        store_dir: Folder of the embedded store.
        socket: Unix socket of the service; "" if it has none.
    """

    config: Path | None
    config_origin: str
    folder: Path
    redis_url: Found
    namespace: Found
    store_dir: Path
    socket: Found

    def store_url(self) -> Found:
        """Choose the store: the configured one, else the embedded one if it runs.

        Returns:
            Its URL with its origin; "" if there is no store.
        """
        if self.redis_url.value:
            return self.redis_url
        url = embedded_url(self.store_dir)
        return Found(value=url, origin=f"the embedded store in {self.store_dir}" if url else "")

    def missing_store(self) -> str:
        """Say why there is no store, and what to do about it."""
        if self.config is not None or self.store_dir.exists():
            whose = f"of {self.config}" if self.config else f"in {self.store_dir}"
            return (
                f"the embedded store {whose} does not run: start hero-supervisor, or name another store with "
                "--redis-url or HERO_REDIS_URL"
            )
        return (
            "no store is configured here: go to the folder of a running service, or name its config with --config or "
            "HERO_CONFIG, or a store with --redis-url or HERO_REDIS_URL. `heroctl config where` shows what was looked "
            "for; `hero-supervisor` starts a service in this folder"
        )


def config_candidates(environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Name the files that are looked for if no flag and no variable names one, in their order."""
    for path in LOCAL_CONFIGS:
        yield path, "in this folder"
    home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    if home:
        yield Path(home) / "hero" / "hero.toml", "of this user"
    yield SYSTEM_CONFIG, "of this machine"


def find_config(given: str | Path | None = None, environ: Mapping[str, str] | None = None) -> tuple[Path | None, str]:
    """Find the config file.

    Args:
        given: The value of a flag; it wins.
        environ: Environment variables; `os.environ` if None.

    Returns:
        The file, and what named it; None and "" if there is none. A file that a flag or a variable names need not
        exist.
    """
    environ = os.environ if environ is None else environ
    if given:
        return Path(given), "--config"
    if named := environ.get("HERO_CONFIG"):
        return Path(named), "HERO_CONFIG"
    for path, origin in config_candidates(environ):
        if _is_file(path):
            return path, origin
    return None, ""


def find_places(config: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Places:
    """Find a deployment.

    Args:
        config: The value of a flag.
        environ: Environment variables; `os.environ` if None.

    Returns:
        Where its store and its socket are.

    Raises:
        PlacesUnreadable: The config file cannot be read.
    """
    environ = os.environ if environ is None else environ
    path, origin = find_config(config, environ)
    values = dict(_values_of(path)) if path is not None else {}
    # Only a config that was found outside this folder can belong to a service that runs elsewhere.
    local = path is None or path in LOCAL_CONFIGS
    store_dir = _setting(values, environ, "HERO_EMBEDDED__DIR", DEFAULT_STORE_DIR)
    socket = _setting(values, environ, "HERO_RPC__UNIX_SOCKET", DEFAULT_SOCKET)
    folder = Path() if local or path is None else _service_folder(path, store_dir.value, socket.value)
    return Places(
        config=path,
        config_origin=origin,
        folder=folder,
        redis_url=_setting(values, environ, "HERO_STORE__REDIS_URL", ""),
        namespace=_setting(values, environ, "HERO_STORE__NAMESPACE", DEFAULT_NAMESPACE),
        store_dir=folder / store_dir.value,
        socket=_socket(folder, socket, path, environ),
    )


def embedded_url(store_dir: Path) -> str:
    """Make the URL of an embedded store's socket, with its password if it demands one; "" if it does not run.

    A socket's path may have 107 bytes. If the folder's path is too long for that, the socket is elsewhere, and the
    config of the store's server names it.
    """
    directives = _directives(store_dir / "valkey.conf")
    for path in (store_dir / "valkey.sock", Path(directives["unixsocket"]) if "unixsocket" in directives else None):
        if path is not None and _is_socket(path):
            password = directives.get("requirepass", "")
            login = f":{quote(password, safe='')}@" if password else ""
            return f"unix://{login}{quote(str(path.absolute()))}"
    return ""


def _setting(values: Mapping[str, tuple[Any, str]], environ: Mapping[str, str], variable: str, default: str) -> Found:
    """Find a text setting by the name of its variable, HERO_<SECTION>__<KEY>."""
    short = next((name for name, long in SHORT_VARIABLES.items() if long == variable), "")
    for name in (variable, short):
        if name in environ and (environ[name] or name == variable):
            return Found(value=environ[name], origin=name)
    key = variable.removeprefix("HERO_").replace("__", ".").lower()
    value, origin = values.get(key, (None, ""))
    return Found(value=value, origin=origin) if isinstance(value, str) else Found(value=default, origin="default")


def _values_of(path: Path) -> Iterator[tuple[str, tuple[Any, str]]]:
    """Read the sections that matter here from the file and its drop-ins; the last value of a key counts."""
    import tomllib  # an actor, or a command that is told its store, reads no file

    drop_ins = path.parent / "conf.d"
    try:
        files = [path, *(sorted(p for p in drop_ins.glob("*.toml") if not p.name.startswith(".")))]
        for file in files:
            content = read_toml(file.read_text("utf-8"))
            # The config of the Rust system's supervisor has its URL at the top.
            yield "store.redis_url", (content.get("redis_url"), str(file))
            for section in ("store", "embedded", "rpc"):
                table = content.get(section)
                for key, value in table.items() if isinstance(table, dict) else ():
                    yield f"{section}.{key}", (value, str(file))
    except FileNotFoundError as e:
        raise PlacesUnreadable(f"{e.filename} does not exist: correct --config or HERO_CONFIG") from e
    except OSError as e:
        raise PlacesUnreadable(f"{path} cannot be read: {e.strerror}") from e
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise PlacesUnreadable(f"{path} is not TOML: {e}; `hero-supervisor config check {path}` explains it") from e


def _service_folder(config: Path, store_dir: str, socket: str) -> Path:
    """Find the folder in which the service with this config runs, or has run."""
    parent = config.absolute().parent
    candidates = [*_running_folders(config), parent, *([parent.parent] if parent.name == ".hero" else [])]
    if SYSTEM_CONFIG.parent == parent:
        candidates.append(_SYSTEM_STATE)
    elif parent.parent.name == ".config":
        candidates += [parent.parents[1] / ".local/state/hero-supervisor", parent.parent / "hero-supervisor"]
    for folder in candidates:
        if _exists(folder / store_dir) or (socket and _exists(folder / socket)):
            return folder
    return Path()


def _running_folders(config: Path) -> Iterator[Path]:
    """Name the folders of running services with this config, as far as this user may look."""
    wanted = config.absolute()
    for process in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if not process.name.isdigit():
            continue
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if not any("hero_supervisor" in word or "hero-supervisor" in word for word in words[:5]):
                continue
            folder = (process / "cwd").readlink()
        except OSError:
            continue  # it has ended, or belongs to another user
        named = [after for word, after in pairwise(words) if word == "--config"]
        named += [word.removeprefix("--config=") for word in words if word.startswith("--config=")]
        if any((folder / name).resolve() == wanted.resolve() for name in named):
            yield folder


def _socket(folder: Path, found: Found, config: Path | None, environ: Mapping[str, str]) -> Found:
    """Place the socket. Under systemd the unit names it, not the config."""
    if not found.value:
        return found
    path = folder / found.value
    if not _exists(path) and config is not None:
        runtime = environ.get("XDG_RUNTIME_DIR")
        unit = _SYSTEM_SOCKET if config == SYSTEM_CONFIG else Path(runtime) / "hero/hero.ipc" if runtime else None
        if unit is not None and _exists(unit):
            return Found(value=str(unit), origin="the unit of systemd")
    return Found(value=str(path), origin=found.origin)


def _directives(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: value.strip().strip('"') for name, _, value in (line.partition(" ") for line in lines)}


def _is_file(path: Path) -> bool:
    """Whether there is a file; what cannot be looked at, such as the home of another user, counts as none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
