"""What a token does not allow is not shown, on every page; and two supervisors of one store show the same."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from hero_client import Supervisor
from tests.supervisor.page.conftest import Shown
from tests.supervisor.page.places import PAGES, address, sign_in, submit, visit
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS
from tests.valkey_server import ValkeyServer

#: Acts by the least scope that they need.
USER_ACTS = ("Stop", "Stop all", "Run again", "Run again all", "Run with changes", "Delete all", "Run")
ADMIN_ACTS = ("Pause", "Resume", "Purge", "Restart one by one", "Who changed what", "Save all")


@pytest.mark.parametrize(("name", "hidden"), [("reader", USER_ACTS + ADMIN_ACTS), ("alice", ADMIN_ACTS), ("admin", ())])
def test_acts_that_the_token_does_not_allow_are_not_shown(
    guarded: RunningServer, supervisor: Supervisor, shown: Shown, name: str, hidden: tuple[str, ...]
) -> None:
    job_id = submit(supervisor)
    page = shown(address(guarded, "overview"))
    sign_in(page, TOKENS[name])
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    places = [place for place in PAGES if place != "run" or name != "reader"]
    seen = set()
    for place in (*places, "jobs?caller=alice", f"job/{job_id}", "events?tab=audit"):
        visit(page, place)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_text("Loading…")).to_have_count(0)
        seen |= {text.strip() for text in page.locator("main button").all_inner_texts()}
    assert seen.isdisjoint(hidden)
    assert page.get_by_role("link", name="Run", exact=True).count() == (name != "reader")
    if name != "reader":
        assert {"Stop", "Stop all", "Run with changes", "Run"} <= seen
    if name == "admin":
        assert {"Pause", "Purge", "Who changed what"} <= seen


def test_two_supervisors_of_one_store_show_the_same_jobs_and_acts(
    server: RunningServer, supervisor: Supervisor, valkey: ValkeyServer, namespace: str, shown: Shown
) -> None:
    for _ in range(7):
        submit(supervisor)
    other = RunningServer(valkey.url, namespace).start()
    try:
        pages = [shown(address(one, "overview")) for one in (server, other)]
        for page in pages:
            expect(page.get_by_role("row", name=re.compile("^V 7 "))).to_be_visible()
            page.evaluate("location.hash = '#/jobs?caller=alice'")
            expect(page.locator("tbody tr")).to_have_count(7)
        pages[0].get_by_role("button", name="Stop all").click()
        pages[0].get_by_role("dialog").get_by_role("button", name="Stop").click()
        expect(pages[0].get_by_text("7 jobs stopped.")).to_be_visible()
        expect(pages[1].locator("tbody .badge[data-status=stopped]")).to_have_count(7)
        for page in pages:
            page.close()
    finally:
        other.stop()
