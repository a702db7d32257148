"""The page stays smooth with 10,000 rows and a thousand log lines a second.

How long a turn of the browser's loop takes depends on what else the machine does; `benchmarks/page.py` prints that. The
tests look at what makes turns short on every machine: how much is in the document, and how often the page is drawn.
"""

from __future__ import annotations

import itertools
import re

import pytest
import redis
from playwright.sync_api import Page, expect

from hero_client import Supervisor
from hero_job import JobBuilder, ScriptType
from tests.supervisor.page.conftest import PATIENCE_MS, Shown
from tests.supervisor.page.places import address, submit, visit
from tests.supervisor.rpc.running_server import RunningServer
from tests.valkey_server import ValkeyServer

LINES_A_STEP = 100
STEPS = 40
ROWS = 10_000
#: Rows that fit on the screen, and some more above and below. Each has about 29 pixels; the screen has 900.
MOST_ROWS = 60

#: Notes for each drawing in which frame it was, and how many rows tables have at most after any change of the document.
WATCH = """() => {
  let frame = 0;
  const count = () => { frame += 1; requestAnimationFrame(count); };
  requestAnimationFrame(count);
  window.drawings = [];
  const measure = performance.measure.bind(performance);
  performance.measure = (name, ...rest) => {
    if (name === 'draw') drawings.push(frame);
    return measure(name, ...rest);
  };
  window.mostRows = 0;
  new MutationObserver(() => {
    const rows = Math.max(0, ...[...document.querySelectorAll('tbody')].map((body) => body.rows.length));
    window.mostRows = Math.max(mostRows, rows);
  }).observe(document, {childList: true, subtree: true});
}"""
#: The rows that are in sight, from the top: the index of each, and the id that it shows.
IN_SIGHT = """() => {
  const head = document.querySelector('.rows thead').getBoundingClientRect();
  const box = document.querySelector('.rows').getBoundingClientRect();
  return [...document.querySelectorAll('.rows tbody tr[aria-rowindex]')].flatMap((row) => {
    const {top, bottom} = row.getBoundingClientRect();
    if (bottom <= head.bottom || top >= box.bottom) return [];
    return [[Number(row.ariaRowIndex), row.cells[2].textContent.trim()]];
  });
}"""


def drawn_twice(page: Page) -> list[int]:
    """In which frames the page was drawn more than once."""
    drawings: list[int] = page.evaluate("drawings")
    assert drawings
    return [one for one, next_one in itertools.pairwise(drawings) if one == next_one]


def add_moves(store: redis.Redis, key: str, numbers: range) -> None:
    """Write events of jobs whose ids are numbers."""
    pipe = store.pipeline(transaction=False)
    for n in numbers:
        pipe.xadd(key, {f"job-{n:05}": "dispatched"})
    pipe.execute()


def test_thousand_lines_a_second_are_drawn_once_per_frame_and_none_is_lost(
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
    numbers = [int(n) for n in re.findall(r"line (\d+) ", page.locator("pre.log").evaluate("log => log.textContent"))]
    assert numbers == list(range(STEPS * LINES_A_STEP))
    assert drawn_twice(page) == []
    # A block of lines is laid out by itself, and only while it is in sight.
    blocks = page.locator("pre.log code")
    assert blocks.count() == STEPS * LINES_A_STEP / 50
    assert blocks.first.evaluate("block => getComputedStyle(block).contentVisibility") == "auto"
    assert not blocks.first.evaluate("block => block.firstChild.checkVisibility({contentVisibilityAuto: true})")
    assert page.locator("pre.log").evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") < 50


@pytest.fixture
def moved(server: RunningServer, supervisor: Supervisor, valkey: ValkeyServer, shown: Shown) -> Page:
    """The page Events, watched, with 10,000 events that came while it was shown."""
    page = shown(address(server, "events"))
    expect(page.get_by_text("Nothing has happened in the last hour.")).to_be_visible()
    page.evaluate(WATCH)
    with redis.Redis.from_url(valkey.url) as store:
        for start in range(0, ROWS, 1000):
            add_moves(store, supervisor.operations.keys.events, range(start, start + 1000))
    expect(page.get_by_text("10,000 events")).to_be_visible(timeout=PATIENCE_MS)
    return page


def test_ten_thousand_rows_are_reached_by_scrolling_with_few_in_the_document(moved: Page) -> None:
    page = moved
    expect(page.locator(".rows table")).to_have_attribute("aria-rowcount", str(ROWS + 1))

    for share in (0.0, 0.37, 0.5, 1.0, 0.0):
        page.evaluate(
            "share => { const e = document.querySelector('.rows'); e.scrollTop = share * e.scrollHeight; }", share
        )
        # The newest, which has the highest number, is the first row below the head.
        first = {0.0: ROWS - 1, 1.0: 0}.get(share, round(ROWS * (1 - share)))
        expect(page.locator(".rows tbody")).to_contain_text(f"job-{first:05}")
        seen = page.evaluate(IN_SIGHT)
        assert len(seen) > 10
        assert [shown for _, shown in seen] == [f"job-{ROWS + 1 - index:05}" for index, _ in seen]
        indexes = [index for index, _ in seen]
        assert indexes == list(range(indexes[0], indexes[0] + len(seen)))
    assert page.evaluate("mostRows") <= MOST_ROWS
    assert drawn_twice(page) == []


def test_what_is_read_stays_in_place_and_keeps_the_focus_while_rows_come(
    moved: Page, supervisor: Supervisor, valkey: ValkeyServer
) -> None:
    page = moved
    page.evaluate("document.querySelector('.rows').scrollTop = 29 * 5000")
    row = page.locator(".rows tbody tr", has_text="job-04990")
    link = row.get_by_role("link")
    link.focus()
    before = row.bounding_box()
    with redis.Redis.from_url(valkey.url) as store:
        add_moves(store, supervisor.operations.keys.events, range(ROWS, ROWS + 50))

    expect(page.get_by_text("10,050 events")).to_be_visible()
    expect(link).to_be_focused()
    assert row.bounding_box() == before
    page.evaluate("document.querySelector('.rows').scrollTop = 0")
    expect(page.locator(".rows tbody")).to_contain_text(f"job-{ROWS + 49:05}")
    expect(link).to_be_focused()
    assert page.evaluate("mostRows") <= MOST_ROWS


def test_events_of_jobs_and_of_actors_are_in_the_order_of_time(
    server: RunningServer, supervisor: Supervisor, valkey: ValkeyServer, shown: Shown
) -> None:
    keys = supervisor.operations.keys
    actor = {"event": "joined", "incarnation": "sal-1.host.1-0.abc", "script_type": "sal", "host": "host"}
    with redis.Redis.from_url(valkey.url) as store:
        now_ms = int(store.time()[0]) * 1000
        for n, (key, fields) in enumerate(
            [
                (keys.actor_events, actor),
                (keys.events, {"job-a": "dispatched"}),
                (keys.actor_events, actor),
                (keys.events, {"job-b": "dispatched"}),
            ]
        ):
            store.xadd(key, fields, id=f"{now_ms - 60_000 + n * 1000}-0")
    page = shown(address(server, "events"))

    kinds = [re.compile("job-b"), re.compile("joined"), re.compile("job-a"), re.compile("joined")]
    expect(page.locator(".rows tbody tr")).to_contain_text(kinds)


def test_text_is_searched_in_all_rows(moved: Page) -> None:
    moved.get_by_label("Text in what is shown").fill("job-077")
    expect(moved.get_by_text(re.compile("^100 events"))).to_be_visible()
    expect(moved.locator(".rows tbody tr[aria-rowindex='2']")).to_contain_text("job-07799")
    moved.get_by_label("Text in what is shown").fill("job-07778")
    expect(moved.locator(".rows tbody tr")).to_have_count(1)


def test_pages_with_ten_thousand_jobs_are_drawn_once_per_frame(
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
    assert drawn_twice(page) == []
    assert page.evaluate("mostRows") <= MOST_ROWS
