"""How the commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from hero_ctl.error_messages import Complaint


def print_output(text: str) -> None:
    """Print a result, ending in one line feed; nothing for nothing."""
    if text:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()


def tell(text: str, prefix: str = "heroctl: ") -> None:
    """Say something that is not the result."""
    typer.echo(f"{prefix}{text}", err=True)


def end(complaint: Complaint) -> NoReturn:
    """Say what went wrong and end the command."""
    tell(complaint.text, prefix="")
    raise typer.Exit(complaint.exit)
