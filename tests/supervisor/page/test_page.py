"""What people see and do on the web page, in a real Chromium against real servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from hero_client import Supervisor
from hero_job import JobBuilder, JobFailed
from hero_job.client import async_store
from tests.deployment import ACTORS, Deployment, deployed
from tests.supervisor.page.conftest import Shown
from tests.supervisor.page.places import HOSTILE, PAGES, address, jump, sign_in, submit, visit
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, curl
from tests.valkey_server import ValkeyServer, free_port


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment with actors and a port, for the tests of this module."""
    port = free_port()
    with deployed(tmp_path_factory.mktemp("page"), actors=f"port = {port}\n{ACTORS}") as running:
        running.port = port
        yield running


def test_script_is_run_and_its_output_log_and_result_are_shown(deployment: Deployment, shown: Shown) -> None:
    page = shown(address(deployment, "run"))
    page.get_by_label("Script").fill('print("it works");\n#{big: 9223372036854775807, list: [1, 2]}')
    page.get_by_role("button", name="Run", exact=True).click()

    expect(page.locator(".badge").first).to_contain_text("finished")
    expect(page.locator("pre.log")).to_contain_text("it works")
    expect(page.locator("pre.result")).to_contain_text('"big": 9223372036854775807')


def test_failing_line_of_a_script_is_marked(deployment: Deployment, shown: Shown) -> None:
    page = shown(address(deployment, "run"))
    page.get_by_label("Script").fill('let a = 1;\nthrow "no luck";')
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".failure")).to_contain_text("no luck")

    page.locator("section a.id").click()

    expect(page.locator("pre.script .failing")).to_contain_text('throw "no luck";')
    expect(page).to_have_url(re.compile("#/job/"))


def test_actor_is_scaled_and_its_log_is_shown(deployment: Deployment, shown: Shown) -> None:
    page = shown(address(deployment, "actors"))
    page.get_by_role("button", name="One process more of sal").click()
    expect(page.get_by_role("row", name="sal sal 2 of 2")).to_be_visible()

    page.get_by_role("button", name="One process less of sal").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 instead of 2 processes of sal")
    dialog.get_by_role("button", name="Scale").click()
    expect(page.get_by_role("row", name="sal sal 1 of 1")).to_be_visible()

    page.get_by_role("button", name="Log").first.click()
    expect(page.locator("pre.log")).to_be_visible()


def test_text_of_others_is_never_markup(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    for _ in range(3):
        submit(supervisor, script=HOSTILE, caller_id=HOSTILE[:60], context_id=HOSTILE[:60])
    page = shown(address(server, PAGES[0]))
    for place in PAGES:
        visit(page, place)
        expect(page.locator("nav [aria-current]")).to_have_text(re.compile(place, re.IGNORECASE))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        if place == "jobs":
            expect(page.locator("tbody")).to_contain_text("<img src=x onerror=alert(1)>")
        assert page.locator("main img").count() == 0


def test_hostile_job_is_shown_as_text(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    job_id = submit(supervisor, script=HOSTILE)

    page = shown(address(server, f"job/{job_id}"))

    expect(page.locator("pre.script")).to_contain_text("<script>alert(2)</script>")
    expect(page.locator(".why")).to_contain_text("no")


def test_filters_are_in_the_address_and_selected_jobs_are_stopped_after_a_question(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    kept = submit(supervisor, script="// keep\n1")
    dropped = [submit(supervisor, script=f"// drop {n}\n1") for n in range(2)]
    page = shown(address(server, "jobs"))

    expect(page.get_by_role("button", name="Waiting 3", exact=True)).to_be_visible()
    page.get_by_label("Text in script or error").fill("drop")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    assert "text=drop" in page.url

    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Stop", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Stop 2 jobs")
    dialog.get_by_role("button", name="Cancel").click()
    assert {str(supervisor.get_job_status(job_id)) for job_id in dropped} == {"dispatched"}

    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(page.get_by_text("2 jobs stopped.")).to_be_visible()
    assert {str(supervisor.get_job_status(job_id)) for job_id in dropped} == {"stopped"}
    assert str(supervisor.get_job_status(kept)) == "dispatched"


def test_queue_is_paused_resumed_and_purged(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    job_id = submit(supervisor)
    page = shown(address(server, "queues"))
    row = page.get_by_role("row", name=re.compile("^V"))

    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("since")
    row.get_by_role("button", name="Resume").click()
    expect(row).not_to_contain_text("since")
    row.get_by_role("button", name="Purge").click()
    page.get_by_role("dialog").get_by_role("button", name="Purge").click()

    expect(page.get_by_text("Stopped 1 job.")).to_be_visible()
    assert str(supervisor.get_job_status(job_id)) == "stopped"


def test_token_is_asked_for_and_a_wrong_one_is_refused(guarded: RunningServer, shown: Shown) -> None:
    page = shown(address(guarded, "jobs"))
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.get_by_label("Token")).to_be_visible()

    sign_in(page, TOKENS["alice"])
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    assert TOKENS["alice"] not in page.url


def test_token_behind_the_hash_does_not_stay_in_the_address(guarded: RunningServer, shown: Shown) -> None:
    page = shown(address(guarded, f"jobs?token={TOKENS['alice']}"))

    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    assert "token" not in page.url


def test_lost_connection_is_told_and_made_again(valkey: ValkeyServer, namespace: str, shown: Shown) -> None:
    server = RunningServer(valkey.url, namespace).start()
    page = shown(address(server, "queues"))
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    port = server.port
    server.stop()
    expect(page.get_by_text("The connection to the supervisor is lost.")).to_be_visible()

    again = RunningServer(valkey.url, namespace, port=port)
    again.port = port
    again.start()
    try:
        expect(page.get_by_text("The connection to the supervisor is lost.")).to_have_count(0)
    finally:
        again.stop()


def test_a_store_that_is_frozen_is_told_before_the_calls_to_it_have_failed(
    own_valkey: ValkeyServer, namespace: str, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_store, "ANSWER_TIMEOUT_S", 3600.0)
    server = RunningServer(own_valkey.url, namespace).start()
    try:
        page = shown(address(server, "queues"))
        expect(page.get_by_role("row", name="SAL")).to_be_visible()
        silent = page.get_by_text("The store does not answer:")
        own_valkey.freeze()
        try:
            expect(silent).to_contain_text("no answer within 3 s")
            health = curl(server.url("/healthz"), timeout_s=300).json
            metrics = curl(server.url("/metrics"), timeout_s=300).body
        finally:
            own_valkey.thaw()
        expect(silent).to_have_count(0)
        expect(page.get_by_role("row", name="SAL")).to_be_visible()
    finally:
        server.stop()
    assert health == {"status": "degraded", "store": "unreachable", "actors": None}
    assert "hero_store_up 0" in str(metrics)


def test_no_page_scrolls_sideways(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    submit(supervisor, script="let a_long_line = " + "1 + " * 200 + "1")
    page = shown(address(server, PAGES[0]))
    for place in PAGES:
        visit(page, place)
        expect(page.locator("nav [aria-current]")).to_have_text(re.compile(place, re.IGNORECASE))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        for width in (320, 768, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (place, width)


def test_failures_are_told_with_their_types_and_their_buttons_are_in_sight(
    deployment: Deployment, shown: Shown
) -> None:
    with deployment.supervisor() as supervisor:
        for script in ("undefined_function(1)", 'throw "3 of 12 pens are missing"'):
            job = JobBuilder().caller_id("alice").context_id("shop").script_type("sal").script(script).build()
            with pytest.raises(JobFailed):
                supervisor.run_job_and_await_result(job, 300)
    page = shown(address(deployment, "failures"))

    expect(page.get_by_role("row", name="undefined_function (i64)")).to_be_visible()
    expect(page.get_by_role("row", name="N of N pens are missing")).to_be_visible()
    for width in (1000, 1280, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(".scroll").first.evaluate("e => e.scrollWidth <= e.clientWidth"), width


def test_keys_go_to_pages_unless_somebody_types(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    submit(supervisor)
    page = shown(address(server, "overview"))
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    jump(page, "j", "Jobs")

    page.keyboard.press("/")
    page.keyboard.type("gq")

    expect(page.get_by_label("Job id")).to_have_value("gq")
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()


def test_overview_names_a_setting_of_the_store_that_may_lose_jobs(
    own_valkey: ValkeyServer, namespace: str, shown: Shown
) -> None:
    own_valkey.command("CONFIG", "SET", "appendonly", "no")
    server = RunningServer(own_valkey.url, namespace).start()
    try:
        page = shown(server.url())
        expect(page.locator(".findings")).to_contain_text("appendonly no")
        expect(page.locator(".findings")).to_contain_text("Set it to yes.")
        page.close()
    finally:
        server.stop()
