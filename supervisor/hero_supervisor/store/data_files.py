"""Checks the files of the embedded store as a whole before each start.

Owned here: what the folder of the data may look like. `folder.py` calls this with the lock, and `heroctl doctor` when
no store serves. The server itself starts empty when its manifest is missing, writes onto the old files, and destroys
them with its next rewrite. Invariants: `examine` changes nothing; what does not add up is refused, or set aside as it
is; only what a killed rewrite leaves behind, which the server never reads again, is removed.

Source: https://valkey.io/topics/persistence/ ("How it works" of the multi-part append-only file), and aof.c for the
names and for the order in which the files of a rewrite appear: base file, new increment, manifest, removal of the old.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hero_supervisor.errors import StoreDataIncomplete
from hero_supervisor.store.marker import FILE_NAME as MARKER
from hero_supervisor.store.marker import read_marker

DATA_FOLDER: Final = "appendonlydir"
MANIFEST: Final = "appendonly.aof.manifest"
_LINE: Final = re.compile(r'file (?P<name>"(?:[^"\\]|\\.)+"|\S+) seq (?P<seq>\d{1,18}) type (?P<type>[bhi])')
_DATA_FILE: Final = re.compile(r"appendonly\.aof\.(?P<seq>\d{1,18})\.(?P<kind>base|incr)\.(aof|rdb)")
#: Of the server, in its folder and in that of its data: the halves of rewrites and snapshots that were killed.
_LEFTOVER: Final = re.compile(r"temp-rewriteaof-.*\.aof|temp-\d+(\.\d+)?\.rdb|temp-appendonly\.aof\..*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found in a folder whose data can be used.

    Attributes:
        empty: There is no data, and there never was.
        leftovers: Files that a killed rewrite has left; to be removed.
        strangers: Data files that the manifest does not name and does not need; to be set aside.
    """

    empty: bool = False
    leftovers: tuple[Path, ...] = ()
    strangers: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    name: str
    seq: int
    kind: str


def examine(folder: Path) -> Examined:
    """Check that the data in a store's folder is complete. Changes nothing.

    Args:
        folder: The store's folder. No server uses it.

    Returns:
        What has to be cleared away before the start.

    Raises:
        StoreDataIncomplete: A file is missing, is named nowhere, or is shorter than it was.
    """
    data = folder / DATA_FOLDER
    marker = read_marker(folder)
    try:
        present = {path.name: path for path in data.iterdir()}
    except FileNotFoundError:
        present = {}
    except OSError as e:
        raise StoreDataIncomplete(folder, f"{DATA_FOLDER} cannot be read: {e.strerror or e}") from e
    temporary = [path for path in (*folder.glob("temp-*"), *present.values()) if _LEFTOVER.fullmatch(path.name)]
    leftovers = tuple(sorted(path for path in temporary if path.is_file()))
    files = {name: path for name, path in present.items() if _DATA_FILE.fullmatch(name)}
    if MANIFEST not in present:
        if files:
            raise StoreDataIncomplete(folder, f"{MANIFEST} is missing, and {_names(files)} would be overwritten")
        if marker is not None:
            raise StoreDataIncomplete(
                folder,
                f"a store has served here, and its {DATA_FOLDER} is gone; remove the file {MARKER} to start empty",
            )
        return Examined(empty=True, leftovers=leftovers)
    named = _read_manifest(folder, present[MANIFEST])
    used = [entry for entry in named if entry.kind != "h"]
    missing = sorted(entry.name for entry in used if not (data / entry.name).is_file())
    if missing:
        raise StoreDataIncomplete(folder, f"{MANIFEST} names {_names(missing)}, which is missing")
    for name, size in (marker.sizes if marker else {}).items():
        found = (data / name).stat().st_size if any(entry.name == name for entry in used) else size
        if found < size:
            text = f"{name} has {found} bytes, and {size} were on the disk"
            raise StoreDataIncomplete(folder, f"{text}; to go on without the rest, remove the file {MARKER}")
    return Examined(leftovers=leftovers, strangers=_strangers(folder, files, named))


def _read_manifest(folder: Path, manifest: Path) -> list[_Named]:
    """Read the manifest. One base, and increments without a gap, in order."""
    named: list[_Named] = []
    try:
        lines = manifest.read_bytes().decode().splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise StoreDataIncomplete(folder, f"{manifest.name} cannot be read: {e}") from e
    for line in lines:
        if line.startswith("#"):
            continue
        found = _LINE.match(line)
        if found is None:
            raise StoreDataIncomplete(folder, f"{manifest.name} is damaged: {line[:80]!r}")
        named.append(_Named(name=found["name"].strip('"'), seq=int(found["seq"]), kind=found["type"]))
    bases = [entry for entry in named if entry.kind == "b"]
    increments = [entry.seq for entry in named if entry.kind == "i"]
    if len(bases) != 1 or not increments:
        text = f"{manifest.name} names {len(bases)} base files and {len(increments)} increments"
        raise StoreDataIncomplete(folder, text)
    if increments != list(range(increments[0], increments[0] + len(increments))):
        raise StoreDataIncomplete(folder, f"{manifest.name} leaves out an increment: it names {increments}")
    return named


def _strangers(folder: Path, files: dict[str, Path], named: list[_Named]) -> tuple[Path, ...]:
    """Find data files that the manifest does not name, and refuse those that may belong to the data."""
    names = {entry.name for entry in named}
    base = next(entry.seq for entry in named if entry.kind == "b")
    first = min(entry.seq for entry in named if entry.kind == "i")
    last = max(entry.seq for entry in named if entry.kind == "i")
    strangers = []
    for name, path in sorted(files.items()):
        found = _DATA_FILE.fullmatch(name)
        if name in names or found is None:
            continue
        seq = int(found["seq"])
        # A rewrite that was killed just before it wrote the manifest: its base repeats what the old files hold, and
        # nothing was written to its increment.
        unused = seq > base if found["kind"] == "base" else seq > last and path.stat().st_size == 0
        # One that was killed just after: the files that the new base replaces. The first base replaces nothing.
        replaced = base > 1 and seq < (base if found["kind"] == "base" else first)
        if not unused and not replaced:
            raise StoreDataIncomplete(folder, f"{name} is there, and {MANIFEST} does not name it")
        strangers.append(path)
    return tuple(strangers)


def _names(files: object) -> str:
    return ", ".join(sorted(files)) if isinstance(files, list | dict) else str(files)
