"""Entry point of `heroctl`: runs a command and turns an error into one line of text and an exit code.

The imports at the top are few, so that Ctrl-C during the other imports reaches `main` and leaves no traceback.
"""

from __future__ import annotations

import codecs
import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from hero_ctl.exits import CtlExitCode


def main() -> None:
    """Run the command line of this process, then end the process."""
    from hero_process.inherited import reset_inherited

    reset_inherited(service=False)
    codecs.register_error("heroctl", _encode)
    for stream, errors in ((sys.stdout, "heroctl"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)
    try:
        _run()
        sys.stdout.flush()
    except BrokenPipeError:
        _end_silently()
    except OSError as e:
        # Standard output is on a full disk, for example.
        from hero_ctl.output.console import discard, echo

        discard(sys.stdout)
        echo(f"heroctl: {e.strerror or e}", err=True)
        # Typer could not write that the usage is wrong.
        sys.exit(getattr(e.__context__, "exit_code", CtlExitCode.FAILED))
    except KeyboardInterrupt:
        sys.exit(CtlExitCode.INTERRUPTED)


def _run() -> None:
    from hero_ctl.shared_words import after_command, awaits_value, let_options_win
    from hero_process.secret_arguments import move_secret_to_environment

    let_options_win(sys.argv[1:])
    move_secret_to_environment("HERO_REDIS_URL")
    if instruction := os.environ.get("_HEROCTL_COMPLETE"):
        from hero_ctl.completing import complete

        sys.exit(complete(instruction))
    if (option := awaits_value(sys.argv[1:])) is not None:
        print(f"heroctl: {option} needs a value, and then a command", file=sys.stderr)  # noqa: T201  # as below
        sys.exit(CtlExitCode.USAGE)
    words = sys.argv[1:] = after_command(sys.argv[1:])
    from hero_ctl.overview import print_overview

    if print_overview(words):
        return
    from hero_job.model.errors import HeroJobError

    try:
        _command(words)()
    except HeroJobError as e:
        from hero_ctl.output.console import between_words, echo
        from hero_ctl.output.error_messages import explain
        from hero_ctl.output.visible import visible

        message = explain(e)
        echo(between_words(visible(message.text)), err=True)
        sys.exit(message.code)


def _command(words: list[str]) -> Callable[[], Any]:
    """What these words ask for. Typer reads them only if that needs its messages or its help."""
    from hero_ctl.command_table import find_command

    if (found := find_command(words)) is not None:
        from hero_ctl.quick_words import read_quickly

        row, rest = found
        module_name, _, function = row.function.partition(":")
        command = getattr(importlib.import_module(f"hero_ctl.commands.{module_name}"), function)
        if (call := read_quickly(command, rest)) is not None:
            return call
    from hero_ctl.app import build_app

    return build_app(words)


def _encode(error: UnicodeError) -> tuple[bytes, int]:
    r"""Write what the encoding of the terminal has no characters for.

    A result may hold bytes of a foreign program that are not UTF-8; they are printed unchanged. Other characters become
    `\u00e9`, which JSON reads as the same character.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = b""
    for character in error.object[error.start : error.end]:
        if "\udc80" <= character <= "\udcff":
            written += character.encode("utf-8", "surrogateescape")
        else:
            units = character.encode("utf-16-be", "surrogatepass").hex()
            written += "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4)).encode()
    return written, error.end


def _end_silently() -> None:
    # The reader (`| head`) has left. Without this, Python would report the broken pipe again when it flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(128 + signal.SIGPIPE)
