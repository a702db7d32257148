"""Reads the script of `run`, `submit` and `schedule add`: from an argument, a file, or standard input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hero_ctl.exits import CtlExitCode
from hero_ctl.output.console import fail, print_note
from hero_ctl.output.formats import one_line
from hero_job.model.job import ScriptType

#: Files of scripts. A word with one of these endings that names no file is a mistake, not a script.
_SCRIPT_NAME = re.compile(r"[\w./~+-]+\.(rhai|hero|heroscript)")
_ACTION = re.compile(r"^[^\S\n]*!{1,4}\w", re.MULTILINE)
#: Longer arguments are no paths.
_MAX_PATH = 4096


class ScriptText(NamedTuple):
    """A script and how the user knows it.

    Attributes:
        text: Source text.
        name: Printed before line numbers: the path as given, `stdin`, or `script`.
        args: Its arguments.
    """

    text: str
    name: str
    args: tuple[str, ...] = ()


def read_script(argument: str | None, file: Path | None, args: Sequence[str] | None = None) -> ScriptText:
    """Read the script. End the command if neither or both are given, or if the script cannot be read.

    Args:
        argument: A file that exists, `@PATH` for a file, `-` for standard input, or source text.
        file: Path of a file; instead of the argument.
        args: Arguments of the script. If the file is an option, the first of them is in `argument`.
    """
    if argument is not None and file is not None and "--" in sys.argv:
        args = [argument, *(args or ())]
        argument = None
    if (argument is None) == (file is None):
        fail(
            "give the script once: as an argument, with --file PATH or @PATH, or - for standard input; "
            "arguments of the script come after --",
            CtlExitCode.USAGE,
        )
    given = tuple(args or ())
    if argument == "-":
        return ScriptText(text=_decode(sys.stdin.buffer.read(), "stdin"), name="stdin", args=given)
    if argument is not None:
        if argument.startswith("@"):
            file = Path(argument[1:])
        elif _is_file(argument):
            file = Path(argument)
        elif _SCRIPT_NAME.fullmatch(argument):
            fail(f"there is no file {argument}", CtlExitCode.USAGE)
        elif given and "--" not in sys.argv:
            # `run 40 + 2` would run the script 40, and `schedule add night ly SCRIPT` the script ly.
            words = one_line(" ".join(given), 40)
            fail(
                f"after the script {one_line(argument, 40)} come more words: {words}; put the script into quotes, "
                "or its arguments after --",
                CtlExitCode.USAGE,
            )
    if file is None:
        assert argument is not None
        return ScriptText(text=argument, name="script", args=given)
    try:
        content = file.read_bytes()
    except OSError as e:
        fail(f"cannot read {file}: {e.strerror}", CtlExitCode.USAGE)
    return ScriptText(text=_decode(content, str(file)), name=str(file), args=given)


def note_language(script: str, script_type: ScriptType) -> None:
    """Say so if a script cannot be meant for its actors: those named after a language run HeroScript."""
    if script_type in (ScriptType.PYTHON, ScriptType.V) and not _ACTION.search(script):
        print_note(
            f"this script has no action: {script_type} actors run HeroScript, such as `!!play.echo content:hello`, "
            "not source text of that language; see docs/heroscript.md"
        )


def _is_file(text: str) -> bool:
    return "\n" not in text and 0 < len(text) < _MAX_PATH and os.path.isfile(text)  # noqa: PTH113  a NUL raises in Path


def _decode(content: bytes, name: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError as e:
        fail(f"{name} is not UTF-8: {e.reason} at byte {e.start}", CtlExitCode.USAGE)
    if not text.strip():
        fail(f"{name} is empty", CtlExitCode.USAGE)
    return text
