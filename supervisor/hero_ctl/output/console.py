"""How commands print: results go to standard output, everything else to standard error."""

from __future__ import annotations

import os
import re
import sys
from typing import NoReturn, TextIO

from hero_ctl.exits import CtlExitCode
from hero_ctl.output.visible import visible

PREFIX = "heroctl: "
_CONTROL = re.compile(r"\x1b\[[;?0-9]*[A-Za-z]")


def echo(text: object = "", *, nl: bool = True, err: bool = False) -> None:
    """Print a text; where no terminal shows it, without colours and other control sequences.

    Args:
        text: The text, or what has one.
        nl: End the line.
        err: To standard error.
    """
    stream = sys.stderr if err else sys.stdout
    shown = str(text) if stream.isatty() else _CONTROL.sub("", str(text))
    try:
        stream.write(f"{shown}\n" if nl else shown)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError:
        if not err:
            raise
        # It is on a full disk, for example. What the command does, and its exit code, do not depend on its notes.
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Let a stream that cannot be written to lead nowhere; else Python tries again at its exit, and ends with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_result(text: str) -> None:
    """Print a result with exactly one line feed at its end; print nothing if the result is empty."""
    if text:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()


def print_note(text: str, prefix: str = PREFIX) -> None:
    """Tell the user something that is not part of the result."""
    echo(between_words(visible(f"{prefix}{text}")), err=True)


def between_words(text: str) -> str:
    """Break the lines of a message between words if a terminal shows them; ids, paths and commands stay whole."""
    if not sys.stderr.isatty():
        return text
    import shutil
    import textwrap

    width = shutil.get_terminal_size().columns
    lines = [
        textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) if len(line) > width else [line]
        for line in text.split("\n")
    ]
    return "\n".join(part for parts in lines for part in parts)


def ask(question: str) -> bool:
    """Ask a question, and return whether the answer is yes."""
    # To standard error: standard output is for results only.
    echo(f"{visible(question)} [y/N] ", nl=False, err=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def confirm(question: str) -> None:
    """Ask before something is done; end the command unless the answer is yes.

    Args:
        question: What is done, to what, and to how many.
    """
    if not ask(question):
        fail("nothing was changed; --yes skips this question", CtlExitCode.FAILED)


def confirm_on_terminal(question: str, *, yes: bool) -> None:
    """Ask a person before something that was named is removed. A script that names it has decided already.

    Args:
        question: What is removed.
        yes: Do not ask.
    """
    if not yes and sys.stdin.isatty():
        confirm(question)


def fail(text: str, code: CtlExitCode, prefix: str = PREFIX) -> NoReturn:
    """Print what went wrong and end the command.

    Args:
        text: What happened and what to do next.
        code: Exit code of the command.
        prefix: Goes before the text.
    """
    print_note(text, prefix)
    raise SystemExit(code)
