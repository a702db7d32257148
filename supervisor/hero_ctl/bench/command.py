"""`heroctl bench`: several producer processes, one place for their log lines, a progress bar, one summary.

The producers' log lines come together through `multiprocessing-logging`. Its trap: a process that is killed while it
logs leaves the shared queue locked for good. So producers are never killed here: each ends by itself when the stop pipe
closes, which the kernel does also when this process is killed.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import multiprocessing_logging  # type: ignore[import-untyped]  # ships no type information

from hero_ctl.bench.producer import STOP_SIGNALS, Counters, produce
from hero_ctl.bench.summary import Produced, Summary, summarize
from hero_job.model.builder import JobBuilder
from hero_job.model.job import Job, ScriptType

if TYPE_CHECKING:
    from rich.console import Console

log = logging.getLogger("hero_ctl.bench.command")

SCRIPT = "40 + 2"
JOB_TIMEOUT_S = 30.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured.

    Attributes:
        url: The store.
        namespace: First part of its keys.
        script_type: Which actors work.
        jobs: Number of jobs, over all producers.
        producers: Number of producer processes.
        in_flight: Jobs that each has under way at once.
    """

    url: str
    namespace: str
    script_type: ScriptType
    jobs: int
    producers: int
    in_flight: int

    def probe(self) -> Job:
        """One of the jobs."""
        builder = JobBuilder().caller_id("heroctl-bench").context_id("bench").script(SCRIPT)
        return builder.script_type(self.script_type).timeout(JOB_TIMEOUT_S).build()

    def shares(self) -> list[int]:
        """Jobs of each producer."""
        least, more = divmod(self.jobs, self.producers)
        return [least + (i < more) for i in range(self.producers)]


def run_bench(plan: Plan) -> Summary:
    """Run it; Ctrl-C, SIGTERM and the end of the terminal end it early with what was measured until then.

    Args:
        plan: What to measure.

    Returns:
        The figures.
    """
    from rich.console import Console

    console = Console(stderr=True)
    # The library hands its queue to the producers by fork; newer Pythons would start them in other ways.
    multiprocessing.set_start_method("fork", force=True)
    with _one_log(console):
        return _Bench(plan, console).run()


class _Bench:
    """One run: the producers, what they report, and the bar."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._counters = Counters.of(plan.producers)
        self._stop_read, self._stop_write = os.pipe()
        self._interrupted = False
        self._processes: list[BaseProcess] = []
        self._reports: dict[Connection, int] = {}
        self._produced: list[Produced] = []

    def run(self) -> Summary:
        # A handler that only closes the pipe, instead of KeyboardInterrupt, which could strike while a report is read.
        # One that is ignored stays so: `nohup` wants the bench to outlive its terminal.
        heard = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._interrupt) for number in heard}
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
        return summarize(self._plan.jobs, self._produced, interrupted=self._interrupted)

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
        # Until the child has set its own handlers it must not run ours, which would close its copy of the stop pipe.
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        self._processes.append(process)
        self._reports[receive] = number
        send.close()

    def _watch(self, show: Any) -> None:
        told = False
        while self._reports:
            for ready in wait(list(self._reports), timeout=_LOOK_S):
                self._take(ready)  # type: ignore[arg-type]  # we gave it connections only
            show(self._counters.done())
            if _nobody_reads():
                self._interrupt()
            if self._interrupted and not told:
                told = True
                log.info("stopping: the jobs under way end first, and all are removed from the store")

    def _take(self, ready: Connection) -> None:
        number = self._reports.pop(ready)
        try:
            self._produced.append(ready.recv())
        except EOFError:
            log.error("producer %d ended without a report", number + 1)
            self._produced.append(Produced.nothing("it ended without a report"))
        finally:
            ready.close()

    def _ask_to_stop(self) -> None:
        if self._stop_write >= 0:
            os.close(self._stop_write)
            self._stop_write = -1

    @contextmanager
    def _bar(self) -> Iterator[Any]:
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


def _nobody_reads() -> bool:
    """Is the reader of the result gone: the other end of the pipe, or the terminal?"""
    try:
        output = sys.stdout.fileno()
    except (AttributeError, ValueError, OSError):
        return False  # there was none to begin with
    poll = select.poll()
    poll.register(output, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


@contextmanager
def _one_log(console: Console) -> Iterator[None]:
    """Bring the log lines of all producers to this process, above the bar when there is one."""
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
    gathering = list(root.handlers)
    try:
        yield
    finally:
        for gatherer in gathering:
            root.removeHandler(gatherer)
            gatherer.close()  # waits for the lines that are still in the pipe
