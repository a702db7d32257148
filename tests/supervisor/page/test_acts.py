"""Acting on many jobs from the page: the question with its number, how it is cancelled, progress, end and reason."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from hero_client import Supervisor
from hero_supervisor import SupervisorBuilder
from tests.supervisor.page.conftest import Shown
from tests.supervisor.page.places import address, sign_in, submit
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, call, curl
from tests.supervisor.rpc.transports import request
from tests.valkey_server import ValkeyServer


def statuses(supervisor: Supervisor, job_ids: list[str]) -> set[str]:
    return {str(supervisor.get_job_status(job_id)) for job_id in job_ids}


def press(page: Page, button: str) -> Locator:
    """Press a button that asks; return the question."""
    page.get_by_role("button", name=button, exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def test_all_that_match_are_counted_and_acted_on_after_a_question(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    meant = [submit(supervisor, caller_id="bob") for _ in range(120)]
    kept = submit(supervisor, caller_id="carol")
    page = shown(address(server, "jobs?caller=bob"))

    dialog = press(page, "Stop all")
    expect(dialog).to_contain_text('Stop 120 jobs with caller "bob"?')
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert statuses(supervisor, meant) == {"dispatched"}

    dialog = press(page, "Stop all")
    dialog.get_by_label("Reason").fill("wrong input")
    dialog.get_by_role("button", name="Stop").click()

    expect(page.get_by_text("120 jobs stopped.")).to_be_visible()
    assert statuses(supervisor, meant) == {"stopped"}
    assert statuses(supervisor, [kept]) == {"dispatched"}
    page.get_by_role("button", name="Close: 120 jobs stopped").click()
    expect(page.get_by_text("120 jobs stopped.")).to_have_count(0)
    entries = curl(server.url(), body=request("get_audit", {"count": 100})).json["result"]["entries"]
    assert [e["method"] for e in entries] == ["stop_jobs"]
    assert "wrong input" in entries[0]["params"]


def test_tab_selects_by_its_state_and_what_cannot_be_acted_on_is_not_counted(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    stopped, waiting = submit(supervisor), submit(supervisor)
    supervisor.stop_job(stopped)
    page = shown(address(server, "jobs?tab=stopped"))

    dialog = press(page, "Stop all")
    expect(dialog).to_contain_text("can be acted on")
    expect(dialog.get_by_role("button", name="Stop")).to_be_disabled()
    dialog.get_by_role("button", name="Cancel").click()
    dialog = press(page, "Delete all")
    expect(dialog).to_contain_text('Delete 1 job with status "stopped"?')
    dialog.get_by_role("button", name="Delete").click()

    expect(page.get_by_text("1 job deleted.")).to_be_visible()
    assert statuses(supervisor, [waiting]) == {"dispatched"}
    expect(page.locator("tbody")).to_contain_text("No jobs.")


def test_nothing_acts_on_all_jobs_without_a_filter(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    submit(supervisor)
    page = shown(address(server, "jobs"))

    expect(page.get_by_label("Select all on this page")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("all$"))).to_have_count(0)


def test_what_is_refused_is_told_with_its_reason(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    ids = [submit(supervisor) for _ in range(2)]
    page = shown(address(server, "jobs"))
    page.get_by_label("Select all on this page").check()
    supervisor.stop_job(ids[0])

    dialog = press(page, "Run again")
    expect(dialog).to_contain_text("Run again 2 jobs")
    dialog.get_by_role("button", name="Run again").click()

    expect(page.get_by_text("1 job started again; 1 not, the first because:")).to_be_visible()


def test_act_is_shown_after_a_reload_and_on_every_page(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    submit(supervisor, caller_id="bob")
    page = shown(address(server, "jobs?caller=bob"))
    press(page, "Stop all").get_by_role("button", name="Stop").click()
    page.reload()

    expect(page.get_by_text("1 job stopped.")).to_be_visible()
    page.goto(address(server, "queues"))
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    expect(page.get_by_text("1 job stopped.")).to_be_visible()


def test_act_is_not_lost_by_a_reload_before_its_answer(own_valkey: ValkeyServer, namespace: str, shown: Shown) -> None:
    server = RunningServer(own_valkey.url, namespace).start()
    with SupervisorBuilder().redis_url(own_valkey.url).namespace(namespace).build() as supervisor:
        job_id = submit(supervisor, caller_id="bob")
        page = shown(address(server, "jobs?caller=bob"))
        dialog = press(page, "Stop all")
        expect(dialog.get_by_role("button", name="Stop")).to_be_enabled()

        own_valkey.freeze()
        dialog.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("Stopping jobs: 0 so far")).to_be_visible()
        page.reload()
        own_valkey.thaw()

        expect(page.get_by_text("1 job stopped.")).to_be_visible()
        assert statuses(supervisor, [job_id]) == {"stopped"}
    server.stop()


def test_escape_and_enter_in_the_reason_do_what_they_say(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    job_id = submit(supervisor, caller_id="bob")
    page = shown(address(server, "jobs?caller=bob"))
    dialog = press(page, "Stop all")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert statuses(supervisor, [job_id]) == {"dispatched"}

    dialog = press(page, "Stop all")
    expect(dialog.get_by_role("button", name="Stop")).to_be_enabled()
    dialog.get_by_label("Reason").press("Enter")

    expect(page.get_by_text("1 job stopped.")).to_be_visible()


def test_reader_sees_jobs_and_no_acts(guarded: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    submit(supervisor, caller_id="bob")
    page = shown(address(guarded, "jobs?caller=bob"))
    sign_in(page, TOKENS["reader"])

    expect(page.locator("tbody")).to_contain_text("bob")
    for button in ("Stop all", "Run again all", "Delete all"):
        expect(page.get_by_role("button", name=button)).to_have_count(0)
    expect(page.get_by_role("checkbox", name="Select")).to_have_count(0)
    refused = call(guarded, "reader", "stop_jobs", {"reason": "x", "filter": {"caller_id": "bob"}})
    assert "error" in refused
