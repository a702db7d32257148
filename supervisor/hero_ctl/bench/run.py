"""Runs a bench: starts the producer processes, collects their log lines and reports, shows a progress bar.

Called by `commands/bench.py`. The producers' log lines arrive through `multiprocessing-logging`. A process that is
killed while it logs would lock the shared queue of that library forever. Invariant: no producer is ever killed. Each
one ends by itself when the stop pipe closes; the kernel closes the pipe even if this process is killed.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

import multiprocessing_logging  # type: ignore[import-untyped]  # ships no type information

from hero_ctl.bench.plan import BenchPlan
from hero_ctl.bench.producer import STOP_SIGNALS, Counters, produce
from hero_ctl.bench.summary import BenchSummary, ProducerReport, summarize

if TYPE_CHECKING:
    from rich.console import Console

log = logging.getLogger("hero_ctl.bench.run")

_POLL_S = 0.1

#: Shows how many jobs are done.
ShowProgress = Callable[[int], None]


def run_bench(plan: BenchPlan) -> BenchSummary:
    """Run a bench. Ctrl-C, SIGTERM and the end of the terminal end it early, with the figures until then.

    Args:
        plan: What to measure.

    Returns:
        The figures.
    """
    from rich.console import Console

    console = Console(stderr=True)
    # multiprocessing-logging passes its queue to the producers by fork, which newer Pythons do not use by default.
    multiprocessing.set_start_method("fork", force=True)
    with _one_log(console):
        return _Bench(plan, console).run()


class _Bench:
    """One run: the producers, their reports, and the progress bar."""

    def __init__(self, plan: BenchPlan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._counters = Counters.of(plan.producers)
        self._stop_read, self._stop_write = os.pipe()
        self._interrupted = False
        self._processes: list[BaseProcess] = []
        self._reports: dict[Connection, int] = {}
        self._finished: list[ProducerReport] = []

    def run(self) -> BenchSummary:
        # These handlers only close the pipe; a KeyboardInterrupt could strike while a report is read.
        # Ignored signals stay ignored: under `nohup` the bench must outlive its terminal.
        handled = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._interrupt) for number in handled}
        try:
            for number, share in enumerate(self._plan.shares()):
                self._start(number, share)
            with self._bar() as show:
                self._watch(show)
        finally:
            self._ask_to_stop()
            for process in self._processes:
                process.join()
            os.close(self._stop_read)
            for number, handler in before.items():
                signal.signal(number, handler)
        return summarize(self._plan.jobs, self._finished, interrupted=self._interrupted)

    def _interrupt(self, _number: int = 0, _frame: object = None) -> None:
        if not self._interrupted:
            self._interrupted = True
            self._ask_to_stop()

    def _start(self, number: int, share: int) -> None:
        receive, send = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(
            target=produce,
            name=f"producer-{number + 1}",
            kwargs={
                "plan": self._plan,
                "number": number,
                "share": share,
                "counters": self._counters,
                "stop_read": self._stop_read,
                "stop_write": self._stop_write,
                "report": send,
            },
        )
        # The child inherits our handlers. They must not run before it has set its own: they would close the stop pipe.
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        self._processes.append(process)
        self._reports[receive] = number
        send.close()

    def _watch(self, show: ShowProgress) -> None:
        announced = False
        while self._reports:
            ready = wait(list(self._reports), timeout=_POLL_S)
            for connection in [connection for connection in self._reports if connection in ready]:
                self._take(connection)
            show(self._counters.done())
            if _reader_is_gone():
                self._interrupt()
            if self._interrupted and not announced:
                announced = True
                log.info("stopping: jobs in flight end first, then all jobs are deleted from the store")

    def _take(self, connection: Connection) -> None:
        number = self._reports.pop(connection)
        try:
            self._finished.append(connection.recv())
        except EOFError:
            log.error("producer %d ended without a report", number + 1)
            self._finished.append(ProducerReport(trouble="a producer ended without a report"))
        finally:
            connection.close()

    def _ask_to_stop(self) -> None:
        if self._stop_write >= 0:
            os.close(self._stop_write)
            self._stop_write = -1

    @contextmanager
    def _bar(self) -> Iterator[ShowProgress]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        if not self._console.is_terminal:
            yield lambda _done: None
            return
        started_mono = time.monotonic()
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
        )  # fmt: skip
        with Progress(*columns, console=self._console, transient=True) as progress:
            bar = progress.add_task(f"{self._plan.script_type.value} jobs", total=self._plan.jobs, rate="")

            def show(done: int) -> None:
                rate = done / max(0.001, time.monotonic() - started_mono)
                progress.update(bar, completed=done, rate=f"{rate:,.0f}/s")

            yield show


def _reader_is_gone() -> bool:
    """Tell whether the reader of the result is gone: the other end of the pipe, or the terminal."""
    try:
        output = sys.stdout.fileno()
    except (AttributeError, ValueError, OSError):
        return False  # there was none to begin with
    poll = select.poll()
    poll.register(output, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


@contextmanager
def _one_log(console: Console) -> Iterator[None]:
    """Print the log lines of all producers in this process, above the progress bar if there is one."""
    root = logging.getLogger("hero_ctl")
    handler: logging.Handler
    if console.is_terminal:
        from rich.highlighter import NullHighlighter
        from rich.logging import RichHandler

        handler = RichHandler(console=console, show_path=False, highlighter=NullHighlighter())
        handler.setFormatter(logging.Formatter("%(processName)s: %(message)s", datefmt="%H:%M:%S"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(processName)s: %(message)s", "%H:%M:%S"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
    multiprocessing_logging.install_mp_handler(root)
    collecting = list(root.handlers)
    try:
        yield
    finally:
        for collector in collecting:
            root.removeHandler(collector)
            collector.close()  # waits for the lines that are still in the pipe
