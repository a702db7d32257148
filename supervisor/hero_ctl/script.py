"""Reads the script of `run`, `submit` and `schedule add`: from an argument, a file, or standard input."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from hero_ctl.exits import CtlExitCode
from hero_ctl.output import fail


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptText:
    """A script and how the user knows it.

    Attributes:
        text: Source text.
        name: Printed before line numbers: the path as given, `stdin`, or `script`.
    """

    text: str
    name: str


def read_script(argument: str | None, file: Path | None) -> ScriptText:
    """Read the script. End the command if neither or both are given, or if the script cannot be read.

    Args:
        argument: Source text, `@PATH` for a file, or `-` for standard input.
        file: Path of a file; instead of the argument.
    """
    if (argument is None) == (file is None):
        fail(
            "give the script once: as an argument, with --file PATH or @PATH, or - for standard input",
            CtlExitCode.USAGE,
        )
    if argument == "-":
        return ScriptText(text=_decode(sys.stdin.buffer.read(), "stdin"), name="stdin")
    if argument is not None and argument.startswith("@"):
        file = Path(argument[1:])
    if file is None:
        assert argument is not None
        return ScriptText(text=argument, name="script")
    try:
        content = file.read_bytes()
    except OSError as e:
        fail(f"cannot read {file}: {e.strerror}", CtlExitCode.USAGE)
    return ScriptText(text=_decode(content, str(file)), name=str(file))


def _decode(content: bytes, name: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError as e:
        fail(f"{name} is not UTF-8: {e.reason} at byte {e.start}", CtlExitCode.USAGE)
    if not text.strip():
        fail(f"{name} is empty", CtlExitCode.USAGE)
    return text
