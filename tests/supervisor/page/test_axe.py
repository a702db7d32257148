"""No page has a finding of axe, in either theme; and every page can be used with the keyboard alone.

axe-core 4.14.1 (MPL-2.0) is vendored for these tests only. Source: https://github.com/dequelabs/axe-core.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from hero_client import Supervisor
from hero_job import JobBuilder, ScriptType
from tests.deployment import ACTORS, Deployment, deployed
from tests.eventually import eventually
from tests.supervisor.page.conftest import Shown
from tests.supervisor.page.places import PAGES, address, jump, submit, visit
from tests.supervisor.rpc.running_server import RunningServer
from tests.valkey_server import free_port

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
#: What WCAG 2.2 AA demands, and what axe holds to be good practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    port = free_port()
    with deployed(tmp_path_factory.mktemp("axe"), actors=f"port = {port}\n{ACTORS}") as running:
        running.port = port
        yield running


def make(script: str) -> JobBuilder:
    return JobBuilder().caller_id("alice").context_id("alice").script_type(ScriptType.SAL).script(script)


@pytest.fixture(scope="module")
def job_ids(deployment: Deployment) -> Iterator[list[str]]:
    """Jobs of all kinds: one with a result and a log, one that failed, and one that waits for one that runs."""
    with deployment.supervisor() as supervisor:
        good = make('print("working");\n#{list: [1, #{name: "x"}]}').build()
        bad = make('let a = 1;\nthrow "no luck";').build()
        running = make("sleep(600)").build()
        waiting = make("2").prerequisites([running.id]).build()
        note = make('save_note(#{sid: "hello1", title: "Hello"})').script_type(ScriptType.OSIS).build()
        supervisor.create_jobs([good, bad, running, waiting, note], batch_id="import-7")
        submit(supervisor)
        eventually(
            lambda: all(supervisor.get_job_status(job.id).terminal for job in (good, bad, note)), what="they end"
        )
        supervisor.pause_queue(ScriptType.V)
        yield [good.id, bad.id, waiting.id]
        supervisor.stop_job(running.id)  # or the end of the deployment would wait for it


def findings(page: Page) -> list[Any]:
    """Let axe look at the page; return what it found, with the first element of each."""
    page.evaluate(AXE.read_text())
    result = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", RULES
    )
    return [(v["id"], v["help"], v["nodes"][0]["html"][:300]) for v in result["violations"]]


def test_vendored_axe_is_unchanged() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(deployment: Deployment, job_ids: list[str], shown: Shown, theme: str) -> None:
    page = shown(address(deployment, "overview"))
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    # Two of the same page do not follow each other: it would go on to show the first while it reads the second.
    places = [
        *PAGES,
        "objects?context=alice",
        *(f"job/{job_id}" for job_id in job_ids),
        "objects?context=alice&type=hero.note",
        "jobs?caller=alice",
        "batches/import-7",
        "objects?context=alice&type=hero.note&sid=hello1",
        "events?tab=audit",
        "api/create_job",
        "nowhere",
    ]
    found = {}
    for place in places:
        visit(page, place)
        expect(page.get_by_text("Loading…")).to_have_count(0)
        expect(page.locator("main").locator("h1, [role=alert]").first).to_be_visible()
        here = findings(page)
        if any(name == "page-has-heading-one" for name, *_ in here):
            # What was visible was a notice, or the page was drawn again meanwhile.
            expect(page.locator("main").locator("h1").first).to_be_visible()
            here = findings(page)
        if here:
            found[place] = here
    assert found == {}


def test_axe_finds_nothing_in_a_question_and_on_a_narrow_screen(
    deployment: Deployment, job_ids: list[str], shown: Shown
) -> None:
    page = shown(address(deployment, "jobs?caller=alice"))
    page.get_by_role("button", name="Delete all").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Delete")).to_be_enabled()
    assert findings(page) == []
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 320, "height": 800})
    for place in ("actors", "jobs", "objects", "run", f"job/{job_ids[0]}"):
        visit(page, place)
        expect(page.get_by_text("Loading…")).to_have_count(0)
        assert findings(page) == [], place


def test_everything_is_reached_and_done_by_keys_alone(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    job_ids = [submit(supervisor, script=f"// job {n}") for n in range(2)]
    page = shown(address(server, "overview"))
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    for place in PAGES:
        focused = page.locator(":focus")
        expect(focused).to_have_text(place, ignore_case=True)
        assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
        page.keyboard.press("Tab")

    page.keyboard.press("Escape")
    jump(page, "j", "Jobs")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_text("1 job selected:")).to_be_visible()
    stop = page.get_by_role("button", name="Stop", exact=True)
    for _ in range(60):
        page.keyboard.press("Tab")
        if stop.evaluate("e => e === document.activeElement"):
            break
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 job stopped.")).to_be_visible()
    assert sorted(str(supervisor.get_job_status(job_id)) for job_id in job_ids) == ["dispatched", "stopped"]
