"""Entry point of `heroctl`: runs a command and turns what goes wrong into a line and an exit code.

Imports little at its top, so that a Ctrl-C while the rest is imported is met by `main` and leaves no traceback.
"""

from __future__ import annotations

import os
import signal
import sys

from hero_ctl.exits import Exit


def main() -> None:
    """Run the command of the command line; ends the process."""
    # A result may hold what a foreign program wrote; it goes out as it came in.
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)
    try:
        _run()
    except BrokenPipeError:
        _end_silently()
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


def _run() -> None:
    from hero_ctl.commands.jobs import app
    from hero_ctl.error_messages import complain
    from hero_job.model.errors import HeroJobError

    try:
        app()
    except HeroJobError as e:
        complaint = complain(e)
        print(complaint.text, file=sys.stderr)  # noqa: T201  # a command's voice
        sys.exit(complaint.exit)


def _end_silently() -> None:
    # The reader (`| head`) has left. Python would complain again when it flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(128 + signal.SIGPIPE)
