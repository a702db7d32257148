"""Gets the script of `run` and `submit`: from an argument, a file, or standard input."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from hero_ctl.error_messages import Complaint
from hero_ctl.exits import Exit
from hero_ctl.output import end


class ScriptSourceError(Exception):
    """The script cannot be had; carries what to tell the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSource:
    """A script and how the user knows it.

    Attributes:
        text: Source text.
        name: In front of line numbers: the path as given, `stdin`, or `script`.
    """

    text: str
    name: str


def read_script(argument: str | None, file: Path | None) -> ScriptSource:
    """Read the script.

    Args:
        argument: Source text, `@PATH` for a file, or `-` for standard input.
        file: Path of a file; instead of the argument.

    Raises:
        ScriptSourceError: Neither or both given, or the file cannot be read.
    """
    if (argument is None) == (file is None):
        raise ScriptSourceError(
            "give the script once: as an argument, with --file PATH or @PATH, or - for standard input"
        )
    if argument == "-":
        return ScriptSource(text=_decode(sys.stdin.buffer.read(), "stdin"), name="stdin")
    if argument is not None and argument.startswith("@"):
        file = Path(argument[1:])
    if file is None:
        assert argument is not None
        return ScriptSource(text=argument, name="script")
    try:
        content = file.read_bytes()
    except OSError as e:
        raise ScriptSourceError(f"cannot read {file}: {e.strerror}") from e
    return ScriptSource(text=_decode(content, str(file)), name=str(file))


def read_source(argument: str | None, file: Path | None) -> ScriptSource:
    """As `read_script`, for a command: what is wrong is said and ends it."""
    try:
        return read_script(argument, file)
    except ScriptSourceError as e:
        end(Complaint(text=f"heroctl: {e}", exit=Exit.USAGE))


def _decode(content: bytes, name: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError as e:
        raise ScriptSourceError(f"{name} is not UTF-8: {e.reason} at byte {e.start}") from e
    if not text.strip():
        raise ScriptSourceError(f"{name} is empty")
    return text
