"""The page Metrics and the history on the Overview, from what real actors have counted; and a store that is away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from hero_client import Supervisor
from hero_job import JobBuilder, ScriptType
from hero_job.model.errors import JobFailed
from tests.deployment import ACTORS, Deployment, deployed
from tests.supervisor.page.conftest import Shown
from tests.supervisor.page.places import PAGES, address, visit
from tests.supervisor.rpc.running_server import RunningServer
from tests.valkey_server import ValkeyServer, free_port


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    port = free_port()
    with deployed(tmp_path_factory.mktemp("metrics"), actors=f"port = {port}\n{ACTORS}") as running:
        running.port = port
        yield running


def run(supervisor: Supervisor, script: str) -> None:
    job = JobBuilder().caller_id("alice").context_id("shop").script_type(ScriptType.SAL).script(script).build()
    supervisor.run_job_and_await_result(job, 300)


def row(page: Page, table: str, name: str) -> Locator:
    return page.get_by_role("region", name=table).get_by_role("row", name=re.compile(f"^{name}"))


def test_what_was_counted_is_shown(deployment: Deployment, shown: Shown) -> None:
    with deployment.supervisor() as supervisor:
        for n in range(3):
            run(supervisor, str(n))
        for _ in range(2):
            with pytest.raises(JobFailed):
                run(supervisor, 'throw "no luck"')
    page = shown(address(deployment, "metrics?type=SAL"))

    expect(row(page, "Since the deployment began", "SAL 5 3 2 0")).to_be_visible()
    expect(row(page, "In this time", "finished")).to_contain_text("3")
    expect(row(page, "Errors by kind", "ErrorRuntime")).to_contain_text("2")
    chart = page.get_by_role("figure").filter(has_text="Ended per minute")
    chart.get_by_text("Numbers").click()
    expect(chart.locator("tbody tr").first).to_be_visible()
    page.get_by_role("button", name="30 days").click()
    expect(page).to_have_url(re.compile("span=30d"))
    expect(row(page, "In this time", "failed")).to_contain_text("2")

    page.goto(address(deployment, "overview"))
    sal = row(page, "Types", "SAL")
    expect(sal.locator("svg polyline")).to_have_count(1)
    expect(sal).to_contain_text(re.compile(r"\d (ms|s)\b"))


def test_store_that_is_away_is_told_on_every_page_and_comes_back(
    own_valkey: ValkeyServer, namespace: str, shown: Shown, tmp_path: Path
) -> None:
    server = RunningServer(own_valkey.url, namespace).start()
    try:
        page = shown(address(server, "queues"))
        expect(page.get_by_role("row", name=re.compile("^SAL"))).to_be_visible()
        own_valkey.kill()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("row", name=re.compile("^SAL"))).to_be_visible()
        for place in PAGES:
            visit(page, place)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.goto(address(server, "overview"))
        expect(page.get_by_role("alert")).to_be_visible()

        own_valkey.start()
        expect(page.get_by_role("region", name="Types")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
    finally:
        server.stop()
