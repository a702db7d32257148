"""Makes damaged copies of a store's folder, and knows what must survive each damage.

The tests of this folder use it. Pure, except that it writes into the copy. An oracle knows where each command of the
original ends, so it can say which keys lie before the damage. It does not know how the product repairs anything.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MANIFEST: Final = "appendonly.aof.manifest"
#: What a script may contain: text that looks like commands of the store's protocol, and a block of zeros.
NASTY: Final = (
    "let a = 1;\r\n*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nDEL\r\n$2\r\nk0\r\n" * 3 + "\0" * 40 + "\r\n*1\r\n$4\r\nPING\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A folder of a store that was stopped.

    Attributes:
        folder: The folder.
        based: Keys that the base file holds.
        ends: Key -> where its command ends in the increment.
    """

    folder: Path
    based: frozenset[str]
    ends: dict[str, int]

    @property
    def increment(self) -> Path:
        """The file that the server was appending to."""
        return only(self.folder, "*.incr.aof")

    @property
    def keys(self) -> frozenset[str]:
        """Every key."""
        return self.based | frozenset(self.ends)

    def keys_before(self, position: int) -> frozenset[str]:
        """The keys whose commands end before a position of the increment."""
        return self.based | {key for key, end in self.ends.items() if end <= position}


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A damaged copy.

    Attributes:
        what: The damage in words.
        must_survive: Keys that must be there if the store starts.
        at_the_end: Only the end of the data is damaged, as a crash of the machine leaves it, so the store must start.
        harmless: No data is damaged.
    """

    what: str
    must_survive: frozenset[str]
    at_the_end: bool = False
    harmless: bool = False


def only(folder: Path, pattern: str) -> Path:
    """Find the only file of the data that matches."""
    (path,) = (folder / "appendonlydir").glob(pattern)
    return path


def ends_of(aof: bytes) -> dict[str, int]:
    """Find where the commands that write a key end. Commands of a transaction count when it ends."""
    found: dict[str, int] = {}
    pending: list[str] = []
    position, inside = 0, False
    while position < len(aof):
        head = re.compile(rb"\*(\d+)\r\n").match(aof, position)
        assert head is not None
        position, words = head.end(), []
        for _ in range(int(head[1])):
            part = re.compile(rb"\$(\d+)\r\n").match(aof, position)
            assert part is not None
            words.append(aof[part.end() : part.end() + int(part[1])])
            position = part.end() + int(part[1]) + 2
        name = words[0].upper()
        inside = (inside or name == b"MULTI") and name != b"EXEC"
        if name == b"SET":
            pending.append(words[1].decode())
        if not inside:
            found |= dict.fromkeys(pending, position)
            pending.clear()
    return found


def damage(original: Original, copy: Path, dice: random.Random) -> Damaged:
    """Copy the folder and damage the copy.

    Args:
        original: The folder to copy.
        copy: Where; does not exist yet.
        dice: Decides what happens.

    Returns:
        What was done.
    """
    shutil.copytree(original.folder, copy, ignore=shutil.ignore_patterns("*.sock", "lock"))
    return dice.choice(_DAMAGES)(original, copy, dice)


def _cut(original: Original, copy: Path, dice: random.Random) -> Damaged:
    at = _position(original, dice)
    _rewrite(copy, lambda data: data[:at])
    return Damaged(what=f"cut at {at}", must_survive=original.keys_before(at), at_the_end=True)


def _zeros(original: Original, copy: Path, dice: random.Random) -> Damaged:
    at = _position(original, dice)
    _rewrite(copy, lambda data: data[:at] + bytes(max(len(data) - at, dice.choice([1, 100, 4096]))))
    return Damaged(what=f"zeros from {at} on", must_survive=original.keys_before(at), at_the_end=True)


def _garbage(original: Original, copy: Path, dice: random.Random) -> Damaged:
    at = _position(original, dice)
    _rewrite(copy, lambda data: data[:at] + dice.randbytes(dice.choice([1, 100, 4096])))
    return Damaged(what=f"garbage from {at} on", must_survive=original.keys_before(at), at_the_end=True)


def _torn_middle(original: Original, copy: Path, dice: random.Random) -> Damaged:
    ends = sorted(original.ends.values())
    at = dice.randrange(ends[0], ends[-2] - 64)
    hole = dice.choice([bytes(32), dice.randbytes(32)])
    _rewrite(copy, lambda data: data[:at] + hole + data[at + 32 :])
    # Everything behind the hole is data, so no key may be lost in silence: the store must refuse, unless the hole lies
    # inside of one value.
    return Damaged(what=f"a hole at {at}", must_survive=original.keys)


def _lost_manifest(original: Original, copy: Path, dice: random.Random) -> Damaged:
    manifest = copy / "appendonlydir" / MANIFEST
    how = dice.choice(["removed", "empty", "zeros", "half", "a line"])
    text = manifest.read_bytes()
    if how == "removed":
        manifest.unlink()
    else:
        lines = text.splitlines(keepends=True)
        changed = {"empty": b"", "zeros": bytes(len(text)), "half": text[: len(text) // 2], "a line": lines[-1]}
        manifest.write_bytes(changed[how])
    return Damaged(what=f"manifest: {how}", must_survive=original.keys)


def _lost_file(original: Original, copy: Path, dice: random.Random) -> Damaged:
    name = dice.choice(["*.incr.aof", "*.base.aof", "*"])
    if name == "*":
        shutil.rmtree(copy / "appendonlydir")
    else:
        only(copy, name).unlink()
    return Damaged(what=f"lost {name}", must_survive=original.keys)


def _emptied_base(original: Original, copy: Path, dice: random.Random) -> Damaged:
    base = only(copy, "*.base.aof")
    base.write_bytes(base.read_bytes()[: dice.choice([0, 23])])  # after a whole command
    return Damaged(what="a base that was cut", must_survive=original.keys)


def _leftovers(original: Original, copy: Path, dice: random.Random) -> Damaged:
    data = copy / "appendonlydir"
    base = only(copy, "*.base.aof")
    (copy / "temp-rewriteaof-bg-123.aof").write_bytes(base.read_bytes()[:40])
    (copy / "temp-rewriteaof-123.aof").write_bytes(b"")
    (data / f"temp-{MANIFEST}").write_text("file appendonly.aof.3.ba")
    if dice.random() < 0.5:  # killed before the manifest of its rewrite
        (data / "appendonly.aof.3.base.aof").write_bytes(base.read_bytes())
        (data / "appendonly.aof.3.incr.aof").write_bytes(b"")
    else:  # killed after it
        (data / "appendonly.aof.1.base.aof").write_bytes(b"*3\r\n$3\r\nSET\r\n$3\r\nold\r\n$1\r\n1\r\n")
        (data / "appendonly.aof.1.incr.aof").write_bytes(b"*3\r\n$3\r\nSET\r\n$3\r\nold\r\n$1\r\n1\r\n")
    return Damaged(what="leftovers of a rewrite", must_survive=original.keys, at_the_end=True, harmless=True)


def _later_increment(original: Original, copy: Path, dice: random.Random) -> Damaged:
    del dice
    later = copy / "appendonlydir" / "appendonly.aof.3.incr.aof"
    later.write_bytes(b"*3\r\n$3\r\nSET\r\n$5\r\nlater\r\n$1\r\n1\r\n")
    return Damaged(what="an increment that no manifest names", must_survive=original.keys | {"later"})


def _own_files(original: Original, copy: Path, dice: random.Random) -> Damaged:
    for name in ("format", "valkey.conf", "served"):
        (copy / name).write_bytes(dice.choice([b"", bytes(7)]))
    return Damaged(what="own files torn", must_survive=original.keys, at_the_end=True, harmless=True)


_DAMAGES: Final = (
    _cut, _cut, _zeros, _zeros, _garbage, _torn_middle, _lost_manifest, _lost_file, _emptied_base, _leftovers,
    _later_increment, _own_files,
)  # fmt: skip


def _position(original: Original, dice: random.Random) -> int:
    return dice.randrange(1, original.increment.stat().st_size)


def _rewrite(copy: Path, change: Callable[[bytes], bytes]) -> None:
    path = only(copy, "*.incr.aof")
    path.write_bytes(change(path.read_bytes()))
