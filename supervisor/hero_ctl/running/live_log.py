"""Shows what a running script prints, as it prints it, and its progress as a bar on a terminal.

A thread follows the stream of the job's log while the command waits for the job's end. Invariants: each line is printed
once and in order, to standard error; when `finish` returns, everything that the job printed has been shown.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import TYPE_CHECKING

from hero_ctl.connect.store import is_remote
from hero_ctl.output.console import echo
from hero_job.model.errors import HeroJobError
from hero_job.operations.events import BEGINNING, Events

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from hero_client import Supervisor
    from hero_job.model.views import LogLine, Progress

_PAGE = 500
#: How long one look at the stream lasts. The progress is read between two looks.
_LOOK_S = 1.0


class LiveLog:
    """Follows the log of one job.

    Args:
        supervisor: The API; another thread may use it meanwhile.
        job_id: The job.
        quiet: Show nothing.
    """

    def __init__(self, supervisor: Supervisor, job_id: str, *, quiet: bool) -> None:
        self._supervisor = supervisor
        self._job_id = job_id
        self._quiet = quiet
        self._cursor = ""
        self._printing = threading.Lock()
        self._ended = False
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def start(self) -> None:
        """Begin to follow. The thread ends with the process: it may be waiting for the store."""
        if not self._quiet:
            threading.Thread(target=self._follow, daemon=True).start()

    def finish(self) -> None:
        """Show what has not been shown yet. The job has ended, or the user has lost interest."""
        if self._quiet:
            return
        with self._printing:
            self._ended = True
            with contextlib.suppress(HeroJobError):  # the outcome matters more than the rest of the log
                self._print_new()
            if self._bar is not None:
                self._bar.stop()

    def _follow(self) -> None:
        remote = is_remote(self._supervisor)
        stream = "" if remote else self._supervisor.operations.keys.log(self._job_id)
        is_terminal = sys.stderr.isatty()
        with contextlib.suppress(HeroJobError, OSError, ValueError):
            while not self._ended:
                begin = self._cursor or BEGINNING
                found: object = True
                if remote:
                    time.sleep(_LOOK_S)
                else:
                    found = self._supervisor.store.run(Events.follow({stream: begin}, 1, _LOOK_S))
                progress = self._supervisor.get_job(self._job_id).progress if is_terminal else None
                with self._printing:
                    if self._ended:
                        return
                    if found:
                        self._print_new()
                    if progress is not None:
                        self._show(progress)

    def _print_new(self) -> None:
        while True:
            lines = self._supervisor.get_job_log(self._job_id, self._cursor, _PAGE)
            for line in lines:
                self._print(line)
            if lines:
                self._cursor = lines[-1].cursor
            if len(lines) < _PAGE:
                return

    def _print(self, line: LogLine) -> None:
        if self._bar is None:
            echo(line.text, err=True)
        else:
            from rich.text import Text

            self._bar.console.print(Text(line.text))

    def _show(self, progress: Progress) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}", markup=False))
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        assert self._task is not None
        total = progress.total if progress.total > 0 else None
        self._bar.update(self._task, completed=progress.done, total=total, description=progress.text)
