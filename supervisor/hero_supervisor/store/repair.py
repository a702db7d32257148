"""Cuts a damaged end off the embedded store's append-only file, and keeps a copy of what was there.

Owned here: what may be repaired and what not. Called by `embedded.py` after the server has refused to start. A crash of
the machine leaves the last write half done, or a block of zeros behind it; everything before that is whole, and only
what was never synchronised is lost. Invariant: the file is changed only after its copy is safe on the disk, and never
when whole commands follow the damage: to lose those is for a person to decide.

The server itself would cut a half command off without keeping it (`aof-load-truncated`), and refuses everything else;
where the damage begins is found by the server's own tool, which is the same program under another name.
Source: https://valkey.io/topics/persistence/ ("What should I do if my AOF gets truncated", "... corrupted"), and
valkey-check-aof.c for the output that is read here.
"""

from __future__ import annotations

import mmap
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hero_supervisor.errors import StoreDataDamaged

# What the server says about a file that may be repairable.
_SIGNS: Final = (
    "Unexpected end of file reading the append only file",
    "Bad file format reading the append only file",
    # A block of zeros inside a transaction reads as a command without a name.
    "Error reading the append only file",
)
_ANALYZED: Final = re.compile(r"filename=(?P<name>[^,]+), size=(?P<size>\d+), ok_up_to=(?P<ok>\d+)")
_COMMAND: Final = re.compile(rb"\*(\d{1,9})\r\n")
_PART: Final = re.compile(rb"\$(\d{1,12})\r\n")
_NEXT_COMMAND: Final = re.compile(rb"\r\n\*[1-9]\d{0,8}\r\n\$\d{1,12}\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What was done.

    Attributes:
        file: The file that ends earlier now.
        kept: The copy of how it was.
        cut_bytes: So much was cut off.
    """

    file: Path
    kept: Path
    cut_bytes: int


def is_damage(log_tail: str) -> bool:
    """Tell whether the server ended because of a damaged append-only file.

    Args:
        log_tail: The last lines of its log.
    """
    return any(sign in log_tail for sign in _SIGNS)


def repair(folder: Path, program: str) -> Repair | None:
    """Cut the damaged end off the last append-only file. Only while no server uses the folder.

    Args:
        folder: The store's folder.
        program: The server's program.

    Returns:
        What was done; None when nothing is damaged that the server's tool knows of.

    Raises:
        StoreDataDamaged: It is not the end that is damaged, or the file cannot be copied; nothing was changed.
    """
    analyzed = _analyze(folder, program)
    if analyzed is None:
        return None
    file, size, ok_up_to = analyzed
    if _whole_commands_follow(file, ok_up_to):
        raise StoreDataDamaged(
            folder, f"{file.name} is damaged at byte {ok_up_to} of {size}, and whole commands follow"
        )
    kept = folder / "damaged" / f"{file.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    try:
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        _copy(file, kept)
        with file.open("r+b") as data:
            data.truncate(ok_up_to)
            os.fsync(data.fileno())
    except OSError as e:
        raise StoreDataDamaged(folder, f"{file.name} cannot be copied and cut: {e.strerror or e}") from e
    return Repair(file=file, kept=kept, cut_bytes=size - ok_up_to)


def _analyze(folder: Path, program: str) -> tuple[Path, int, int] | None:
    """Which file is damaged, how long it is, and up to where it is whole."""
    data = folder / "appendonlydir"
    manifests = sorted(data.glob("*.manifest"))
    if len(manifests) != 1:
        return None
    # The older name, by which Redis is called too, in case that is the configured binary.
    argv = ["redis-check-aof", str(manifests[0])]
    found = subprocess.run(argv, executable=program, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    # It ends at the first file that is not whole, so that is the last one it names.
    analyzed = list(_ANALYZED.finditer(found.stdout.decode(errors="replace")))
    if found.returncode == 0 or not analyzed:
        return None
    file, size, ok_up_to = data / analyzed[-1]["name"], int(analyzed[-1]["size"]), int(analyzed[-1]["ok"])
    if ok_up_to >= size:
        return None
    if file.name != _last_file(manifests[0]):
        raise StoreDataDamaged(folder, f"{file.name} is damaged, and it is not the file that was written last")
    return file, size, ok_up_to


def _last_file(manifest: Path) -> str:
    """The file that the server was appending to."""
    # Each line: file NAME seq NUMBER type b|h|i
    names = [line.split()[1] for line in manifest.read_text().splitlines() if line.split()[:1] == ["file"]]
    return names[-1].strip('"') if names else ""


def _whole_commands_follow(file: Path, ok_up_to: int) -> bool:
    """Whether there is a command behind the damage. Before it there may be some: of a transaction that has no end."""
    with file.open("rb") as data, mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ) as view:
        position = ok_up_to
        while (after := _skip_command(view, position)) is not None:
            position = after
        return _NEXT_COMMAND.search(view, position) is not None


def _skip_command(view: mmap.mmap, position: int) -> int | None:
    """The position after the command at a position; None when there is no whole one."""
    head = _COMMAND.match(view, position)
    if head is None:
        return None
    position = head.end()
    for _ in range(int(head[1])):
        part = _PART.match(view, position)
        if part is None:
            return None
        position = part.end() + int(part[1])
        if view[position : position + 2] != b"\r\n":
            return None
        position += 2
    return position


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as data, target.open("xb") as copy:
        shutil.copyfileobj(data, copy, 1024 * 1024)
        copy.flush()
        os.fsync(copy.fileno())
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
