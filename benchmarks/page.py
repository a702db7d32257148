"""Measures the web page on a large store: how soon its pages are complete, and how late the supervisor's loop gets.

    .venv/bin/python -m benchmarks.page                       20,000 jobs, half a minute
    .venv/bin/python -m benchmarks.page --jobs 1000000        takes minutes and some gigabytes of memory

It runs a `hero-supervisor` without actors of the jobs' type, fills its queue, and writes events at a steady rate as
actors would. Then it opens pages in Debian's Chromium. "Complete" is the time from the address to the first row or card
that has data, the best and the median of several loads. "Long tasks" are turns of the browser above 50 ms, told by a
PerformanceObserver. The loop's lag is the supervisor's own metric while ten pages stay open. Browser, store and
supervisor share the machine.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.figures.record import record
from hero_client import Supervisor
from hero_job import JobBuilder, ScriptType
from hero_job.protocol.op import Op
from tests.deployment import Deployment, deployed
from tests.valkey_server import free_port

#: Jobs of one batch.
BATCH = 1000
PLACES = {"overview": ".cards .card", "jobs": "tbody tr", "events": "tbody tr", "batches": "tbody tr"}
WATCH = """() => {
  window.longTasks = [];
  new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((e) => e.duration)))
    .observe({type: 'longtask', buffered: true});
}"""


def fill(supervisor: Supervisor, jobs: int) -> list[str]:
    """Queue so many jobs that no actor runs; return the ids of the newest ones."""
    make = JobBuilder().caller_id("alice").context_id("shop").script_type(ScriptType.V).script
    newest: list[str] = []
    for start in range(0, jobs, BATCH):
        number = min(BATCH, jobs - start)
        newest = list(supervisor.create_jobs([make(f"// job {start + n}\n1").build() for n in range(number)]).job_ids)
    return newest


class Mover(threading.Thread):
    """Writes events of jobs at a steady rate, as the scripts of the store do.

    Args:
        supervisor: Of the deployment.
        job_ids: Whose.
        per_minute: How many.
    """

    def __init__(self, supervisor: Supervisor, job_ids: list[str], per_minute: int) -> None:
        super().__init__(daemon=True)
        self._supervisor = supervisor
        self._job_ids = itertools.cycle(job_ids)
        self._every_s = 60 / per_minute
        self._ended = threading.Event()

    def run(self) -> None:
        """Write events until told to end."""
        key = self._supervisor.operations.keys.events
        due_mono = time.monotonic()
        while not self._ended.wait(max(0.0, due_mono - time.monotonic())):
            words = ("XADD", key, "MAXLEN", "~", 10_000, "*", next(self._job_ids), "dispatched")
            self._supervisor.store.run(Op(words, str))
            due_mono += self._every_s

    def end(self) -> None:
        """End it."""
        self._ended.set()
        self.join()


def open_place(browser: Browser, deployment: Deployment, place: str) -> tuple[Page, float]:
    """Open a page of the web page in a browser that remembers nothing; return it and the seconds until it had data."""
    page = browser.new_context().new_page()
    page.add_init_script(f"({WATCH})()")
    began = time.perf_counter()
    page.goto(f"http://127.0.0.1:{deployment.port}/#/{place}")
    page.locator(PLACES[place]).first.wait_for(timeout=600_000)
    return page, time.perf_counter() - began


def picture_s(browser: Browser, deployment: Deployment) -> float:
    """Open a picture instead of a page: what the browser takes for any address, at best of some loads."""
    taken = []
    for _ in range(5):
        page = browser.new_context().new_page()
        began = time.perf_counter()
        page.goto(f"http://127.0.0.1:{deployment.port}/page/icon.svg")
        taken.append(time.perf_counter() - began)
        page.context.close()
    return min(taken)


def loads(browser: Browser, deployment: Deployment, count: int) -> Iterator[str]:
    """Load each place a few times; say how long that took, and the longest turns of the browser."""
    yield f"a picture of 195 bytes is complete in {picture_s(browser, deployment):.2f} s at best"
    for place in PLACES:
        taken: list[float] = []
        longest: list[float] = []
        for _ in range(count):
            page, seconds = open_place(browser, deployment, place)
            page.wait_for_timeout(1000)
            taken.append(seconds)
            longest.append(max(page.evaluate("longTasks"), default=0.0))
            page.context.close()
        record(f"{place}: complete, median", statistics.median(taken), "s", more_is_better=False)
        record(f"{place}: longest task", max(longest), "ms", more_is_better=False)
        yield (
            f"{place:<10} complete in {min(taken):.2f} s at best, {statistics.median(taken):.2f} s in the median; "
            f"longest task {max(longest):.0f} ms"
        )


def lag_ms(deployment: Deployment) -> float:
    """Read the longest delay of the supervisor's loop within the last minute."""
    with urllib.request.urlopen(f"http://127.0.0.1:{deployment.port}/metrics", timeout=600) as answer:
        text = answer.read().decode()
    found = re.search(r"^hero_event_loop_lag_seconds (\S+)", text, re.MULTILINE)
    assert found is not None
    return float(found[1]) * 1000


def lag_with(browser: Browser, deployment: Deployment, pages: int, seconds: float) -> tuple[float, list[float]]:
    """Keep pages open; return the loop's longest lag and the longest task of each page, in milliseconds."""
    places = itertools.islice(itertools.cycle(PLACES), pages)
    opened = [open_place(browser, deployment, place)[0] for place in places]
    # What happened while they were opened leaves the window of the metric after a minute.
    lag_ms(deployment)
    opened[0].wait_for_timeout(seconds * 1000)
    lag = lag_ms(deployment)
    longest = [max(page.evaluate("longTasks"), default=0.0) for page in opened]
    for page in opened:
        page.context.close()
    return lag, longest


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000, help="jobs in the store")
    parser.add_argument("--events", type=int, default=10_000, help="events per minute")
    parser.add_argument("--pages", type=int, default=10, help="pages that stay open")
    parser.add_argument("--loads", type=int, default=5, help="loads of each page")
    parser.add_argument("--seconds", type=float, default=15.0, help="for how long they stay open")
    given = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium")
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        deployed(Path(folder), actors=f'port = {port}\n[[actors]]\ntype = "sal"\n') as deployment,
        deployment.supervisor() as supervisor,
    ):
        deployment.port = port
        began = time.perf_counter()
        newest = fill(supervisor, given.jobs)
        print(f"{given.jobs:,} jobs created in {time.perf_counter() - began:.0f} s", flush=True)
        mover = Mover(supervisor, newest, given.events)
        mover.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                for line in loads(browser, deployment, given.loads):
                    print(line, flush=True)
                lag, longest = lag_with(browser, deployment, given.pages, given.seconds)
                browser.close()
        finally:
            mover.end()
        record("lag of the supervisor's loop", lag, "ms", more_is_better=False)
        print(
            f"{given.pages} pages open, {given.events:,} events per minute: longest lag of the supervisor's loop "
            f"{lag:.0f} ms; longest task of a page {max(longest):.0f} ms, median {statistics.median(longest):.0f} ms"
        )


if __name__ == "__main__":
    main()
