"""The page stays smooth with 10,000 jobs and a thousand log lines a second: it does its work in short turns.

A turn of the browser's loop above 50 ms is a long one. How long a turn takes depends on what else the machine does, so
the tests look at the share of the time that is spent in long turns, not at the longest one.
"""

from __future__ import annotations

import re

import redis
from playwright.sync_api import Page, expect

from hero_client import Supervisor
from hero_job import JobBuilder, ScriptType
from tests.supervisor.page.conftest import Shown
from tests.supervisor.page.places import address, submit, visit
from tests.supervisor.rpc.running_server import RunningServer
from tests.valkey_server import ValkeyServer

#: Most of the time that may be spent in long turns. A page that draws all lines anew for each one reaches 1.
MOST_SHARE = 0.5
LINES_A_STEP = 100
STEPS = 40

WATCH = """() => {
  window.longTurns = [];
  window.watchedSince = performance.now();
  new PerformanceObserver((list) => longTurns.push(...list.getEntries().map((e) => e.duration)))
    .observe({type: 'longtask'});
}"""


def share(page: Page) -> float:
    """Which share of the time since `WATCH` the page was in long turns."""
    found = page.evaluate("[longTurns.reduce((sum, ms) => sum + ms, 0), performance.now() - watchedSince]")
    return float(found[0] / found[1])


def test_thousand_lines_a_second_are_drawn_in_short_turns(
    server: RunningServer, supervisor: Supervisor, valkey: ValkeyServer, shown: Shown
) -> None:
    job_id = submit(supervisor)
    log = supervisor.operations.keys.log(job_id)
    page = shown(address(server, f"job/{job_id}"))
    expect(page.locator("pre.script")).to_be_visible()
    page.evaluate(WATCH)
    with redis.Redis.from_url(valkey.url) as store:
        for step in range(STEPS):
            pipe = store.pipeline(transaction=False)
            for n in range(step * LINES_A_STEP, (step + 1) * LINES_A_STEP):
                pipe.xadd(log, {"level": "info", "text": f"line {n} " + "of a long log " * 5})
            pipe.execute()
            page.wait_for_timeout(100)

    expect(page.locator("pre.log span").last).to_contain_text(f"line {STEPS * LINES_A_STEP - 1} ")
    assert page.locator("pre.log span").count() <= 1000
    assert share(page) < MOST_SHARE


def test_pages_with_ten_thousand_jobs_draw_in_short_turns(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    make = JobBuilder().caller_id("alice").context_id("shop").script_type(ScriptType.V).script
    for _ in range(10):
        supervisor.create_jobs([make(f"// job {n}\n1").build() for n in range(1000)])
    page = shown(address(server, "overview"))
    expect(page.get_by_role("row", name=re.compile("^V 10,000 "))).to_be_visible()
    page.evaluate(WATCH)
    for place in ("jobs", "events", "batches", "overview", "jobs?tab=waiting&caller=alice"):
        visit(page, place)
        expect(page.get_by_text("Loading…")).to_have_count(0)
        expect(page.locator("tbody tr").first).to_be_visible()
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_role("button", name="Newer")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(50)
    assert share(page) < MOST_SHARE
