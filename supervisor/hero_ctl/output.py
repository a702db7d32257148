"""How commands print: results go to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from hero_ctl.exits import CtlExitCode

PREFIX = "heroctl: "


def print_result(text: str) -> None:
    """Print a result with exactly one line feed at its end; print nothing if the result is empty."""
    if text:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()


def print_note(text: str, prefix: str = PREFIX) -> None:
    """Tell the user something that is not part of the result."""
    typer.echo(f"{prefix}{text}", err=True)


def fail(text: str, code: CtlExitCode, prefix: str = PREFIX) -> NoReturn:
    """Print what went wrong and end the command.

    Args:
        text: What happened and what to do next.
        code: Exit code of the command.
        prefix: Goes before the text.
    """
    print_note(text, prefix)
    raise typer.Exit(code)
