"""Memory in large pages: what a template does so that forks of it cost less."""

from __future__ import annotations

import subprocess
import sys

_COLLAPSE = """
from hero_engine.children.large_pages import collapse
import re
def huge_bytes():
    with open("/proc/self/smaps_rollup") as file:
        return int(re.search(r"AnonHugePages: +([0-9]+) kB", file.read())[1]) * 1024
kept = [bytes([number % 256]) * 400 for number in range(20_000)]
before = huge_bytes()
done = collapse()
assert done % (2 << 20) == 0, done
assert huge_bytes() - before >= 0 and huge_bytes() >= done, (before, huge_bytes(), done)
assert all(each == bytes([number % 256]) * 400 for number, each in enumerate(kept))
"""

_RESERVE = """
from hero_engine.children.large_pages import reserve
room = reserve(8 << 20)
largest = 0
with open("/proc/self/maps") as maps:
    for line in maps:
        place, rights, _, _, inode, *name = line.split()
        if rights == "rw-p" and inode == "0" and not name:
            begin, end = place.split("-")
            largest = max(largest, int(end, 16) - int(begin, 16))
assert largest >= 7 << 20, largest
assert sum(map(len, room)) < 64 * 1024, "most of it is free for what is loaded next"
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_memory_that_is_put_into_large_pages_keeps_what_it_holds() -> None:
    done = run(_COLLAPSE)

    assert (done.returncode, done.stderr) == (0, "")


def test_room_is_in_one_piece_and_free() -> None:
    done = run(_RESERVE)

    assert (done.returncode, done.stderr) == (0, "")
