"""The commands on HeroScript files: heroscript check, heroscript fmt. They need no store and no service.

Invariant: of the engines' package only the language is imported. It is pure, so no engine is loaded.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

from hero_ctl.exits import CtlExitCode
from hero_ctl.options import Json
from hero_ctl.output.console import echo, fail, print_note
from hero_ctl.parameters import Argument, Option
from hero_engine.languages.heroscript import (
    Diagnostic,
    HeroScriptError,
    LoadError,
    Severity,
    check_script,
    find_misreadings,
    format_script,
    list_scripts,
    read_script,
)

_STDIN = "-"
EPILOG = (
    "Exit codes: 0 no errors; 1 a script has errors or, with fmt --check, is not formatted; 2 wrong usage, or a path "
    "that cannot be read."
)

Paths = Annotated[
    list[str],
    Argument(
        metavar="PATH", help="Files; folders, for all *.md, *.hero and *.heroscript in them; - for standard input."
    ),
]


class ScriptSide(StrEnum):
    """An implementation of HeroScript that reads some scripts otherwise than they are meant."""

    V = "v"


Side = Annotated[
    ScriptSide | None,
    Option("--for", help="Also mind what the V side misreads, on which scripts of type V run."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    """A script and where it came from.

    Attributes:
        name: Printed before line numbers.
        path: Its file; None for standard input.
        text: None if it cannot be read as text.
        unreadable: The reason, if it cannot be read.
    """

    name: str
    path: Path | None
    text: str | None = None
    unreadable: LoadError | None = None


def check(
    paths: Paths,
    known: Annotated[
        list[str] | None,
        Option(
            "--known",
            metavar="ACTION",
            help="An action that exists (wallet.send, git.*); may be repeated. All others are then errors.",
        ),
    ] = None,
    side: Side = None,
    as_json: Json = False,
) -> None:
    """Print errors and warnings in scripts, as a compiler does: path:line:column, the line, a caret, a hint.

    Warnings alone leave the exit code 0. Diagnostics go to standard output, the count to standard error.
    """
    found: list[Diagnostic] = []
    count = 0
    for script in _read_all(paths):
        count += 1
        if script.text is None:
            assert script.unreadable is not None
            found.append(script.unreadable.diagnostic)
        else:
            found += check_script(script.text, script.name, known=known or None)
            if side is not None:
                found += find_misreadings(script.text, script.name)
    if as_json:
        from hero_ctl.output.json_views import to_json

        echo(to_json([_as_json(one) for one in found]))
    else:
        for one in found:
            echo(one.render())
    errors = sum(one.severity is Severity.ERROR for one in found)
    warnings = len(found) - errors
    print_note(f"{_number(count, 'script')} checked: {_number(errors, 'error')}, {_number(warnings, 'warning')}")
    raise SystemExit(CtlExitCode.FAILED if errors else CtlExitCode.FINISHED)


def fmt(
    paths: Paths,
    only_check: Annotated[
        bool, Option("--check", help="Name the files that are not formatted; change nothing.")
    ] = False,
    write: Annotated[bool, Option("--write", "-w", help="Rewrite the files that are not formatted.")] = False,
    side: Side = None,
) -> None:
    """Format scripts in the one style. Without an option, print one formatted script to standard output.

    Only the layout of actions changes; values, comments and the prose around actions stay.
    A comment at the end of a one-line action moves to its first parameter. A file with an error is not changed.
    """
    if only_check and write:
        _refuse("--check and --write exclude each other: give one of them")
    if write and _STDIN in paths:
        _refuse("standard input cannot be written to: leave --write away")
    scripts = list(_read_all(paths))
    if not (only_check or write) and len(scripts) != 1:
        _refuse(f"{_number(len(scripts), 'script')}: give --write to rewrite them, or --check to name those to change")
    errors = changes = 0
    for script in scripts:
        try:
            if script.unreadable is not None:
                raise script.unreadable
            assert script.text is not None
            formatted = format_script(script.text, script.name, for_v=side is not None)
        except HeroScriptError as e:
            print_note(e.render(), prefix="")
            errors += 1
            continue
        if not (only_check or write):
            sys.stdout.buffer.write(formatted.encode())
        elif formatted != script.text:
            changes += 1
            echo(script.name)
            if write and script.path is not None:
                _replace(script.path, formatted)
    if only_check or write:
        outcome = "rewritten" if write else "not formatted"
        print_note(f"{_number(len(scripts), 'script')}: {changes} {outcome}, {_number(errors, 'error')}")
    raise SystemExit(CtlExitCode.FAILED if errors or (only_check and changes) else CtlExitCode.FINISHED)


def _read_all(paths: Sequence[str]) -> Iterator[_Script]:
    """Read the scripts that the paths name, each once, in order. A path that does not exist ends the command."""
    seen: set[str] = set()
    for path in paths:
        try:
            files: list[Path | None] = [None] if path == _STDIN else [*list_scripts(path)]
        except LoadError as e:
            _refuse(e.message)
        if not files:
            _refuse(f"no script in {path}: a folder is read for *.md, *.hero and *.heroscript")
        for file in files:
            name = "<stdin>" if file is None else str(file)
            if name in seen:
                continue
            seen.add(name)
            try:
                text = _read_stdin() if file is None else read_script(file)
            except LoadError as e:
                if e.place is None:
                    _refuse(e.message)
                yield _Script(name=name, path=file, unreadable=e)
            else:
                yield _Script(name=name, path=file, text=text)


def _read_stdin() -> str:
    raw = sys.stdin.buffer.read()
    try:
        return raw.decode()
    except UnicodeDecodeError as e:
        _refuse(f"standard input is not UTF-8: byte 0x{raw[e.start]:02x} at offset {e.start}")


def _replace(path: Path, text: str) -> None:
    """Replace a file in one step, so that an interruption leaves the old text or the new one. A link stays a link."""
    target = path.resolve()
    try:
        with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            try:
                file.write(text.encode())
                shutil.copymode(target, file.name)
                Path(file.name).replace(target)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as e:
        _refuse(f"cannot write {path}: {e.strerror}")


def _as_json(one: Diagnostic) -> dict[str, Any]:
    place = one.place
    return {
        "path": place.path if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "severity": one.severity.value,
        "code": one.code,
        "message": one.message,
        "text": one.text,
        "hint": one.hint,
    }


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _refuse(text: str) -> NoReturn:
    fail(text, CtlExitCode.USAGE)
