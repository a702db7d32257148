"""The marker in the store's folder: that a store has served there, and how much of its data was on the disk.

Owned here: the file `served`. `embedded.py` writes it when the server has begun to serve and about once a minute after
that; `data_files.py` compares the folder with it before the next start. Without it a folder whose data has disappeared
would look like a new one. Invariant: a size in it is never larger than what had been synchronised.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hero_supervisor.store.durable import sync_file, write_private

FILE_NAME: Final = "served"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What was noted.

    Attributes:
        sizes: Name of a data file -> how many bytes of it were on the disk.
    """

    sizes: dict[str, int] = field(default_factory=dict)


def read_marker(folder: Path) -> Marker | None:
    """Read the marker of a store's folder.

    Args:
        folder: The folder.

    Returns:
        The marker; None if no store has served there. One that cannot be read still says that a store has served.
    """
    try:
        noted = json.loads((folder / FILE_NAME).read_bytes())
        return Marker(sizes={str(name): int(size) for name, size in noted["sizes"].items()})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Marker()


def note_served(folder: Path, *, increments: bool = True) -> None:
    """Note that a store serves here, and the sizes of its data files, after they have been synchronised.

    Args:
        folder: The store's folder.
        increments: Also those of the files that grow. Without them, their sizes stay as they were noted.

    Raises:
        OSError: The marker cannot be written; the old one stays.
    """
    before = read_marker(folder)
    sizes: dict[str, int] = {}
    for path in sorted((folder / "appendonlydir").glob("*.aof")):
        try:
            if increments or path.name.endswith(".base.aof"):
                sizes[path.name] = sync_file(path)
            elif before is not None and path.name in before.sizes:
                sizes[path.name] = before.sizes[path.name]
        except FileNotFoundError:  # a rewrite has just ended
            continue
    if before != Marker(sizes=sizes):
        write_private(folder / FILE_NAME, json.dumps({"sizes": sizes}) + "\n")
