"""Takes the pictures of the web page that the documentation shows, of a real service with some sample jobs.

    .venv/bin/python -m scripts.page_pictures                those of the documentation, into docs/site/images
    .venv/bin/python -m scripts.page_pictures --all FOLDER   every page at three widths, light and dark, to look at

It needs Debian's Chromium, so `scripts/docs` does not call it: the pictures are checked in, and are taken anew when the
page looks different. A service that has just started has no past, so the counters of the last hour are made up.
"""

from __future__ import annotations

import argparse
import base64
import math
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import redis
from playwright.sync_api import Browser, sync_playwright

from hero_client import Supervisor
from hero_job import JobBuilder, JobStatus, ScriptType
from tests.deployment import deployed
from tests.eventually import eventually
from tests.valkey_server import free_port

Theme = Literal["light", "dark"]
#: Place, width in pixels, theme.
Picture = tuple[str, int, Theme]

IMAGES = Path(__file__).resolve().parents[1] / "docs/site/images"
ACTORS = """
[[actors]]
type = "osis"
[[actors]]
type = "sal"
lanes = 4
"""
QUALITY = 50
HEIGHT = 760
WIDTHS = (320, 800, 1400)
THEMES: tuple[Theme, ...] = ("light", "dark")
SCRIPT = """\
// Adds up what the shops have sold today.
let shops = ["north", "south", "harbour"];
let sum = 0;
for shop in shops {
    print(`reading the sales of ${shop}`);
    sum += shop.len() * 1250;
    sleep(0.01);
}
#{total: sum, currency: "EUR", shops: shops, largest_order: 9223372036854775807}
"""
FAILING = """\
let stock = #{pens: 12, paper: 0};
print("checking the stock");
let left = stock.pens - 40;
if left < 0 { throw `${-left} pens are missing`; }
left
"""
#: Names of pictures, with what stands behind the hash of their address.
PLACES = {
    "overview": "overview",
    "jobs": "jobs",
    "job": "job/sales-of-today",
    "failed-job": "job/stock-check-7",
    "run": "run",
    "queues": "queues",
    "actors": "actors",
    "failures": "failures",
    "schedules": "schedules",
    "batches": "batches",
    "objects": "objects",
    "metrics": "metrics",
    "events": "events",
    "api": "api",
}
#: Pictures of the documentation.
SHOWN: tuple[Picture, ...] = (
    *((place, 1100, "light") for place in ("overview", "jobs", "job", "run", "metrics")),
    ("overview", 1100, "dark"),
    ("overview", 320, "light"),
    ("job", 320, "dark"),
)


def make_jobs(supervisor: Supervisor) -> None:
    """Create jobs in all states."""

    def make(script: str, caller: str = "alice") -> JobBuilder:
        return JobBuilder().caller_id(caller).context_id("shop").script_type(ScriptType.SAL).script(script)

    supervisor.run_job_and_await_result(make(SCRIPT).id("sales-of-today").build(), 300)
    for n in range(8):
        supervisor.submit_job(make(FAILING).id(f"stock-check-{n}").build())
        supervisor.submit_job(make(f"let n = {n}; n * n", "bob").id(f"report-{n}").build())
    supervisor.submit_job(make("undefined_function(1)", "carol").build())
    supervisor.submit_job(make('progress(3, 10, "reading"); sleep(600)').id("long-import").timeout(900).build())
    supervisor.submit_job(make('"a night job"').id("tonight").delay(3600).build())
    supervisor.create_jobs(
        [make(f"let picture = {n}; picture", "carol").build() for n in range(12)], batch_id="pictures"
    )
    for n in range(3):
        supervisor.submit_job(make("!!play.echo content:'hi'").script_type(ScriptType.V).id(f"page-{n}").build())
    eventually(lambda: supervisor.get_job_status("stock-check-7") is JobStatus.ERROR)
    eventually(lambda: supervisor.get_job_status("long-import") is JobStatus.STARTED)


def make_past(supervisor: Supervisor, url: str) -> None:
    """Make up the counters of the last hour."""
    now = int(time.time()) // 60 * 60
    with redis.Redis.from_url(url) as store:
        for minute in range(1, 60):
            wave = 1 + math.sin(minute / 7) / 2 + (minute * 37 % 11) / 20
            counts: dict[str, int] = {}
            for name, size in (("sal", 900), ("osis", 250)):
                done, failed = int(size * wave), int(size * wave / 60)
                counts |= {f"{name}:started": done + failed, f"{name}:finished": done, f"{name}:error:timeout": failed}
                for what, bucket in (("wait", 3), ("run", 5)):
                    counts |= {f"{name}:{what}:{bucket}": done * 3 // 4, f"{name}:{what}:{bucket + 2}": done // 4}
                    counts |= {f"{name}:{what}_us": done * 40_000}
            store.hset(supervisor.operations.keys.counts_of(now - 60 * minute, hour=False), mapping=counts)


def take(browser: Browser, port: int, picture: Picture, kind: str) -> bytes:
    """Take a picture of a place."""
    place, width, theme = picture
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=theme)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/#/{PLACES[place]}")
    page.locator("main h1").first.wait_for()
    page.wait_for_timeout(1500)  # for what comes in slices, and the log
    if place == "run" and width > 700:
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_text("finished").wait_for()
        page.wait_for_timeout(1500)
    how = {"format": kind} | ({"quality": QUALITY} if kind == "webp" else {})
    taken = context.new_cdp_session(page).send("Page.captureScreenshot", how)
    context.close()
    return base64.b64decode(taken["data"])


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, at every width, in both themes")
    given = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium")
    wanted = SHOWN
    if given.all is not None:
        wanted = tuple((place, width, theme) for place in PLACES for width in WIDTHS for theme in THEMES)
    folder, kind = (IMAGES, "webp") if given.all is None else (given.all, "png")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as place_of_service,
        deployed(Path(place_of_service), actors=f"port = {port}\n{ACTORS}") as deployment,
        deployment.supervisor() as supervisor,
        sync_playwright() as playwright,
    ):
        make_past(supervisor, deployment.url)
        make_jobs(supervisor)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for place, width, theme in wanted:
            taken = take(browser, port, (place, width, theme), kind)
            (folder / f"{place}-{width}-{theme}.{kind}").write_bytes(taken)
        browser.close()
    print(f"{len(wanted)} pictures in {folder}")


if __name__ == "__main__":
    main()
