"""Which blocks of the Lua scripts run: the store notes each in its log. `contexts.py` is the caller.

A probe stands behind each line that opens a block, and behind each line that closes one. Only what this process sends
has probes, not what the programs do that a test starts.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from hero_job.protocol import lua
from tests.valkey_server import ValkeyServer

ROOT = Path(__file__).parents[2]
FOLDER = Path(lua.__file__).parent
_NOTED = re.compile(rb"@([\w/]+\.lua:\d+)@")
_EDGE = re.compile(r"(?:\b(?:then|do|else)|^local function [^\n]*\)|^ *end)(?: *--[^\n]*)?$")


@cache
def edges_of(source: str) -> tuple[int, ...]:
    """List the lines behind which a probe stands."""
    return (0, *(number for number, line in enumerate(source.split("\n"), 1) if _EDGE.search(line)))


class Blocks:
    """Notes the blocks that this process runs in any store that it starts.

    Args:
        log: Where the stores write.
        patch: Puts probes into the scripts.
    """

    def __init__(self, log: Path, patch: pytest.MonkeyPatch) -> None:
        self._log, self._read = log, 0
        log.write_bytes(b"")
        begin = ValkeyServer.__init__

        def with_log(server: ValkeyServer, folder: Path, *extra: str) -> None:
            begin(server, folder, "--logfile", str(log), *extra)

        patch.setattr(ValkeyServer, "__init__", with_log)
        probed = {file.read_text(): _probed(file) for file in FOLDER.rglob("*.lua")}
        names: dict[str, object] = {"__name__": "probed", "__file__": lua.__file__}
        exec(compile(Path(lua.__file__).read_text(), lua.__file__, "exec", dont_inherit=True), names)
        read_text = Path.read_text
        with pytest.MonkeyPatch.context() as reading:
            reading.setattr(
                Path, "read_text", lambda file, *how: probed.get(read_text(file, *how), read_text(file, *how))
            )
            exec(compile(read_text(Path(lua.__file__)), lua.__file__, "exec", dont_inherit=True), names)
        for name, script in vars(lua).items():
            if isinstance(script, lua.LuaScript):
                script._set_source(names[name].source)  # type: ignore[attr-defined]

    def take(self) -> list[str]:
        """Return what has run since the last time, as paths below the folder of the scripts, with the probe's line."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        self._read += len(data)
        return sorted({one.decode() for one in _NOTED.findall(data)})


def _probed(file: Path) -> str:
    source = file.read_text()
    lines = source.split("\n")
    name = file.relative_to(FOLDER)
    for edge in edges_of(source)[1:]:
        code, comment, rest = lines[edge - 1].partition("--")
        lines[edge - 1] = f"{code} redis.log(redis.LOG_WARNING, '@{name}:{edge}@') {comment}{rest}"
    return f"redis.log(redis.LOG_WARNING, '@{name}:0@') " + "\n".join(lines)
