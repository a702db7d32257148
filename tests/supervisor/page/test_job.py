"""The page of one job: its result as a tree, its log with search, the jobs around it, and running it with changes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from hero_client import Supervisor
from hero_job import JobBuilder, ScriptType
from tests.deployment import ACTORS, Deployment, deployed
from tests.supervisor.page.conftest import Shown
from tests.supervisor.page.places import HOSTILE, address
from tests.supervisor.rpc.running_server import RunningServer
from tests.valkey_server import free_port

LINES = 3000


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    port = free_port()
    with deployed(tmp_path_factory.mktemp("job"), actors=f"port = {port}\n{ACTORS}") as running:
        running.port = port
        yield running


def make(script: str, script_type: ScriptType = ScriptType.SAL) -> JobBuilder:
    return JobBuilder().caller_id("alice").context_id("shop").script_type(script_type).script(script)


def test_result_is_a_tree_with_all_digits_and_the_log_is_searched(deployment: Deployment, shown: Shown) -> None:
    job = make(
        'print("one apple"); print("one pear"); print("two apples");\n'
        '#{big: 9223372036854775807, deep: #{deeper: #{list: [1, 2, 3]}}, text: "a: [b], {c}"}'
    ).build()
    with deployment.supervisor() as supervisor:
        supervisor.run_job_and_await_result(job, 300)
    page = shown(address(deployment, f"job/{job.id}"))

    tree = page.locator(".tree")
    expect(tree).to_contain_text("big: 9223372036854775807")
    expect(tree).to_contain_text('text: "a: [b], {c}"')
    expect(tree.get_by_text("list:")).to_have_count(0)
    tree.get_by_text("deeper:").click()
    expect(tree.get_by_text("list:")).to_be_visible()
    page.get_by_role("button", name="As text").click()
    expect(page.locator("pre.result").first).to_contain_text('"big": 9223372036854775807')

    expect(page.locator("pre.log span")).to_have_count(3)
    page.get_by_label("Search").fill("APPLE")
    expect(page.locator("pre.log span")).to_have_count(2)
    expect(page.get_by_text("2 of 3 lines")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    assert "one pear" in download.value.path().read_text()


def test_a_long_line_of_a_script_goes_on_beside_the_numbers_not_below_them(
    deployment: Deployment, shown: Shown
) -> None:
    job = make('let words = "' + "word " * 100 + '";\n\nwords.len()').build()
    with deployment.supervisor() as supervisor:
        supervisor.run_job_and_await_result(job, 300)
    page = shown(address(deployment, f"job/{job.id}"))

    expect(page.locator("pre.script .n")).to_have_count(3)
    beside = page.evaluate(
        """() => [...document.querySelectorAll('pre.script > span')].map(line => {
          const text = document.createRange(), number = line.querySelector('.n');
          text.setStartAfter(number);
          text.setEndAfter(line.lastChild);
          const right = number.getBoundingClientRect().right;
          return [...text.getClientRects()].filter(r => r.width > 1).map(r => r.left >= right - 1);
        })"""
    )
    assert len(beside[0]) > 1
    assert all(all(rows) for rows in beside)
    assert (
        page.locator("pre.script").evaluate("e => getSelection().selectAllChildren(e) ?? String(getSelection())")
        == job.script
    )


def test_long_log_ends_with_its_newest_lines(deployment: Deployment, shown: Shown) -> None:
    job = make(f'for n in 0..{LINES} {{ print("line " + n); }}').build()
    with deployment.supervisor() as supervisor:
        supervisor.run_job_and_await_result(job, 300)
    page = shown(address(deployment, f"job/{job.id}"))

    expect(page.locator("pre.log span").last).to_contain_text(f"line {LINES - 1}")
    assert page.locator("pre.log span").count() <= 10_000


def test_jobs_before_and_behind_are_drawn_as_links(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    first = make(HOSTILE[:80], ScriptType.V).build()
    middle = make("// the middle\n2", ScriptType.V).prerequisites([first.id]).build()
    last = make("// the last\n3", ScriptType.V).prerequisites([middle.id]).build()
    supervisor.create_jobs([first, middle, last])
    page = shown(address(server, f"job/{middle.id}"))

    expect(page.locator(".why")).to_contain_text("It waits for 1 job to end")
    graph = page.locator("svg.graph")
    expect(graph.locator("a")).to_have_count(3)
    expect(graph.locator("path.edge")).to_have_count(2)
    assert page.locator("main img").count() == 0
    graph.get_by_role("link", name=re.compile(last.id)).click()
    expect(page).to_have_url(re.compile(last.id))
    expect(page.locator("svg.graph a")).to_have_count(3)


def test_job_is_run_with_changes_and_keeps_its_other_fields(deployment: Deployment, shown: Shown) -> None:
    job = make("ENV.N").env_var("N", "7").timeout(60).build()
    with deployment.supervisor() as supervisor:
        supervisor.run_job_and_await_result(job, 300)
    page = shown(address(deployment, f"job/{job.id}"))

    page.get_by_role("button", name="Run with changes").click()
    expect(page.get_by_label("As JSON")).to_have_value(re.compile('"timeout": 60'))
    page.get_by_label("Script", exact=True).fill('ENV.N + "!"')
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("pre.result")).to_contain_text("7!")

    page.get_by_label("As JSON").fill("[1]")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("The other fields are no JSON object.")).to_be_visible()
