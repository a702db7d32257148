"""Cuts a damaged end off the embedded store's append-only file, and keeps a copy of the whole file.

Owned here: which damage may be repaired. `embedded.py` calls this after the server has refused to start. A crash of the
machine can leave the last write half done, or a block of zeros after it. Everything before that is whole, and only data
that was never synchronised is lost. Invariants: the file is changed only after its copy is safe on the disk, and never
when whole commands follow the damage, since only a person may decide to lose those.

The server itself would cut off half a command without keeping it (`aof-load-truncated`), and refuses all other damage.
The server's own tool, which is the same program under another name, finds where the damage begins.
Source: https://valkey.io/topics/persistence/ ("What should I do if my AOF gets truncated", "... corrupted"), and
valkey-check-aof.c for the output that is read here.
"""

from __future__ import annotations

import mmap
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hero_supervisor.errors import StoreDataDamaged
from hero_supervisor.store.kept_copies import keep_copy
from hero_supervisor.store.marker import read_marker

# What the server logs about a file that may be repairable.
_SIGNS: Final = (
    "Unexpected end of file reading the append only file",
    "Bad file format reading the append only file",
    # The server reads a block of zeros inside a transaction as a command without a name.
    "Error reading the append only file",
)
_ANALYZED: Final = re.compile(r"filename=(?P<name>[^,]+), size=(?P<size>\d+), ok_up_to=(?P<ok>\d+)")
_COMMAND: Final = re.compile(rb"\*(\d{1,9})\r\n")
_PART: Final = re.compile(rb"\$(\d{1,12})\r\n")
_HEAD: Final = re.compile(rb"\*[1-9]\d{0,8}\r\n\$\d{1,12}\r\n")
_BLOCK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A repair that was made.

    Attributes:
        file: The file that was cut.
        kept: The copy of the file before the cut.
        cut_bytes: Number of bytes that were cut off.
    """

    file: Path
    kept: Path
    cut_bytes: int


def is_damage(log_tail: str) -> bool:
    """Whether the server has ended because of a damaged append-only file.

    Args:
        log_tail: The last lines of its log.
    """
    return any(sign in log_tail for sign in _SIGNS)


def repair(folder: Path, program: str) -> Repair | None:
    """Cut the damaged end off the last append-only file. Call it only while no server uses the folder.

    Args:
        folder: The store's folder.
        program: The server's program.

    Returns:
        The repair; None when the server's tool finds no damage.

    Raises:
        StoreDataDamaged: The damage is not at the end, or the file cannot be copied. Nothing was changed.
    """
    analyzed = _analyze(folder, program)
    if analyzed is None:
        return None
    file, size, ok_up_to = analyzed
    marker = read_marker(folder)
    if marker is not None and marker.sizes.get(file.name, 0) > ok_up_to:
        text = f"{file.name} is damaged at byte {ok_up_to}, and {marker.sizes[file.name]} bytes of it were on the disk"
        raise StoreDataDamaged(folder, text)
    if _whole_commands_follow(file, ok_up_to):
        raise StoreDataDamaged(
            folder, f"{file.name} is damaged at byte {ok_up_to} of {size}, and whole commands follow"
        )
    try:
        kept = keep_copy(folder, file)
        with file.open("r+b") as data:
            data.truncate(ok_up_to)
            os.fsync(data.fileno())
    except OSError as e:
        raise StoreDataDamaged(folder, f"{file.name} cannot be copied and cut: {e.strerror or e}") from e
    return Repair(file=file, kept=kept, cut_bytes=size - ok_up_to)


def _analyze(folder: Path, program: str) -> tuple[Path, int, int] | None:
    """Find the damaged file, its length, and the position up to which it is whole; None when nothing is damaged."""
    data = folder / "appendonlydir"
    manifests = sorted(data.glob("*.manifest"))
    if len(manifests) != 1:
        return None
    # Valkey accepts this older name too, and the configured binary may be that of Redis.
    argv = ["redis-check-aof", str(manifests[0])]
    found = subprocess.run(argv, executable=program, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    # The tool stops at the first damaged file, so that is the last one in its output.
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
    """Name the file that the server was appending to."""
    # Each line: file NAME seq NUMBER type b|h|i
    names = [line.split()[1] for line in manifest.read_text().splitlines() if line.split()[:1] == ["file"]]
    return names[-1].strip('"') if names else ""


def _whole_commands_follow(file: Path, ok_up_to: int) -> bool:
    """Whether whole commands follow the damage.

    Only lengths decide. What lies inside the declared length of an argument is never looked at: it may be the script of
    a job, which may contain anything. The commands before the damage may belong to a transaction without an end.
    """
    with file.open("rb") as data, mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ) as view:
        written = _end_of_writing(view, ok_up_to)
        position = ok_up_to
        while (after := _skip_command(view, position)) is not None:
            position = after
        torn = _torn_at(view, position, written)
        if torn is None:
            return False
        # What the damage has not spared cannot be attributed. A chain of whole commands in it is data.
        for candidate in _HEAD.finditer(view, torn, written):
            after = _skip_command(view, candidate.start())
            if after is not None and (after == written or _HEAD.match(view, after) is not None):
                return True
    return False


def _end_of_writing(view: mmap.mmap, ok_up_to: int) -> int:
    """Give the position of the zeros at the end, which are blocks that the system had reserved and not written."""
    end = len(view)
    while end > ok_up_to:
        start = max(ok_up_to, end - _BLOCK)
        kept = view[start:end].rstrip(b"\0")
        if kept:
            return start + len(kept)
        end = start
    return end


def _torn_at(view: mmap.mmap, position: int, written: int) -> int | None:
    """Find where the lengths of a damaged command end.

    Returns:
        The position from which on the bytes cannot be attributed; None if the command would go on beyond what was
        written: then it is half a command, and nothing follows it.
    """
    head = _COMMAND.match(view, position)
    if head is None:
        return None if _begins(view[position:written], b"*") else position
    position = head.end()
    for _ in range(int(head[1])):
        part = _PART.match(view, position)
        if part is None:
            return None if _begins(view[position:written], b"$") else position
        position = part.end() + int(part[1])
        if position + 2 > written:
            return None
        if view[position : position + 2] != b"\r\n":
            return position
        position += 2
    return position


def _begins(rest: bytes, mark: bytes) -> bool:
    """Whether some bytes are the beginning of a length, such as `*`, `*12`, or `*12` with half an end of line."""
    return not rest or (len(rest) < 16 and re.fullmatch(re.escape(mark) + rb"\d*\r?", rest) is not None)


def _skip_command(view: mmap.mmap, position: int) -> int | None:
    """Give the position after the command at a position; None when there is no whole command."""
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
