"""The commands on HeroScript texts: one style for them, and everything that is wrong with them, as a compiler says it.

They need no store and no service. Invariant: of the engines' package only the language itself is imported, which is
pure; so no engine is ever loaded here.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from hero_ctl import options
from hero_ctl.error_messages import Complaint
from hero_ctl.exits import Exit
from hero_ctl.output import end, tell
from hero_engine.languages.heroscript import (
    Diagnostic,
    HeroScriptError,
    LoadError,
    Severity,
    check_script,
    format_script,
    list_scripts,
    read_script,
)

_STDIN = "-"
_EPILOG = (
    "Exit codes: 0 all is well, 1 a script has errors or, for fmt --check, is not in the style, 2 bad usage, or a path "
    "that cannot be read."
)

app = typer.Typer(help="Check and format HeroScript; needs no service.", no_args_is_help=True)

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH", help="Files; folders, of which all *.md, *.hero and *.heroscript; - for standard input."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A script and where it came from.

    Attributes:
        name: In front of line numbers.
        path: Its file; None for standard input.
        text: None if it cannot be read as text.
        unreadable: Then the reason.
    """

    name: str
    path: Path | None
    text: str | None = None
    unreadable: LoadError | None = None


@app.command("check", epilog=_EPILOG)
def check(
    paths: Paths,
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known",
            metavar="ACTION",
            help="Repeatable: an action there is (wallet.send, git.*); all others are then errors.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Say what is wrong or suspicious in scripts: path:line:column, the line, a caret, a hint.

    Warnings alone leave the exit code 0. Results go to standard output, the count to standard error.
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
    if as_json:
        from hero_ctl.tables import to_json

        typer.echo(to_json([_as_json(one) for one in found]))
    else:
        for one in found:
            typer.echo(one.render())
    errors = sum(one.severity is Severity.ERROR for one in found)
    warnings = len(found) - errors
    tell(f"{_number(count, 'script')} checked: {_number(errors, 'error')}, {_number(warnings, 'warning')}")
    raise typer.Exit(Exit.FAILED if errors else Exit.FINISHED)


@app.command("fmt", epilog=_EPILOG)
def fmt(
    paths: Paths,
    only_check: Annotated[
        bool, typer.Option("--check", help="Name the files that are not in the style; change nothing.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", "-w", help="Rewrite the files that are not in the style.")] = False,
) -> None:
    """Write scripts in the one style. Without an option the one script goes to standard output.

    Only the layout of actions changes: their values, their comments and all prose around them stay; the comment at the
    end of a one-line action goes to its first param, to which it belongs. A file with an
    error stays as it is.
    """
    if only_check and write:
        _refuse("--check changes nothing, --write does: give one of them")
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
            formatted = format_script(script.text, script.name)
        except HeroScriptError as e:
            tell(e.render(), prefix="")
            errors += 1
            continue
        if not (only_check or write):
            sys.stdout.buffer.write(formatted.encode())
        elif formatted != script.text:
            changes += 1
            typer.echo(script.name)
            if write and script.path is not None:
                _replace(script.path, formatted)
    if only_check or write:
        said = "rewritten" if write else "not in the style"
        tell(f"{_number(len(scripts), 'script')}: {changes} {said}, {_number(errors, 'error')}")
    raise typer.Exit(Exit.FAILED if errors or (only_check and changes) else Exit.FINISHED)


def _read_all(paths: Sequence[str]) -> Iterator[_Text]:
    """The scripts that the paths mean, each once, in order. A path that is not there ends the command."""
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
                yield _Text(name=name, path=file, unreadable=e)
            else:
                yield _Text(name=name, path=file, text=text)


def _read_stdin() -> str:
    raw = sys.stdin.buffer.read()
    try:
        return raw.decode()
    except UnicodeDecodeError as e:
        _refuse(f"standard input is not UTF-8: byte 0x{raw[e.start]:02x} at offset {e.start}")


def _replace(path: Path, text: str) -> None:
    """Replace a file in one step: whoever is interrupted has the old text or the new one. A link stays a link."""
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
    end(Complaint(text=f"heroctl: {text}", exit=Exit.USAGE))
