"""The pages Batches, Objects, Events and its record of changes, and API."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from hero_client import Supervisor
from hero_job import JobBuilder
from hero_job.operations.schedules import Schedule
from tests.supervisor.page.conftest import Shown
from tests.supervisor.page.places import HOSTILE, address, sign_in, submit
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import TOKENS, call, curl
from tests.supervisor.rpc.transports import request

# Of the default types of objects.
NOTE = "hero.note"


def ask(server: RunningServer, method: str, params: dict[str, Any]) -> Any:
    answer = curl(server.url(), body=request(method, params)).json
    assert "error" not in answer, answer
    return answer["result"]


def write_note(server: RunningServer, title: str, context: str = "alice", sid: str = "hello1") -> None:
    ask(server, "set_object", {"type": NOTE, "sid": sid, "fields": {"title": title}, "context_id": context})


def make_batch(supervisor: Supervisor, batch_id: str, number: int) -> list[str]:
    make = JobBuilder().caller_id("alice").context_id("shop").script_type("v").script
    return list(supervisor.create_jobs([make(str(n)).build() for n in range(number)], batch_id=batch_id).job_ids)


def test_batches_are_listed_and_one_is_stopped(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    ids = make_batch(supervisor, "import-7", 12)
    supervisor.stop_job(ids[0])
    make_batch(supervisor, "other", 1)
    submit(supervisor)
    page = shown(address(server, "batches"))

    expect(page.get_by_role("row", name=re.compile("import-7"))).to_contain_text("12")
    expect(page.locator("tbody tr")).to_contain_text(["other", "import-7"])
    expect(page.get_by_role("row", name=re.compile("other"))).to_be_visible()
    page.get_by_role("link", name="import-7").click()
    expect(page.get_by_text("11 jobs of 12 have not ended.")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text('Stop 11 jobs of the batch "import-7"?')
    dialog.get_by_role("button", name="Stop").click()

    expect(page.get_by_text("11 jobs stopped.")).to_be_visible()
    expect(page.get_by_text("All 12 jobs have ended.")).to_be_visible()
    page.get_by_role("link", name="Its jobs").click()
    expect(page.locator("tbody tr")).to_have_count(12)


def test_batch_is_found_by_its_id_and_a_missing_one_is_told(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    make_batch(supervisor, "a/b&c", 1)
    page = shown(address(server, "batches"))

    page.get_by_label("Batch id").fill("a/b&c")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Batch a/b&c")).to_be_visible()
    page.goto(address(server, "batches/none"))
    expect(page.get_by_role("alert")).to_contain_text("none")


def test_a_schedule_is_paused_resumed_and_run_now(server: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    job = {"caller_id": "alice", "context_id": "shop", "script": "40 + 2", "script_type": "SAL"}
    supervisor.put_schedule(Schedule(name="yearly", job=job, cron="0 0 1 1 *"))
    page = shown(address(server, "schedules"))
    row = page.get_by_role("row", name=re.compile("yearly"))

    expect(row).to_contain_text("At 00:00 on January 1")
    expect(row).to_contain_text("none yet")
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("paused")
    assert supervisor.next_ticks(["yearly"]) == [None]
    row.get_by_role("button", name="Resume").click()
    expect(row.get_by_role("button", name="Pause")).to_be_visible()
    assert supervisor.next_ticks(["yearly"]) != [None]
    row.get_by_role("button", name="Run now").click()

    expect(page).to_have_url(re.compile("#/job/"))
    expect(page.locator(".script")).to_contain_text("40 + 2")


def test_objects_are_found_read_and_deleted(server: RunningServer, shown: Shown) -> None:
    write_note(server, "Cloud storage")
    write_note(server, "Cloud storage, changed")
    write_note(server, "Other", sid="other1")
    ask(server, "change_object_rights", {"change": "grant", "to": "read", "member": "bob", "context_id": "alice"})
    page = shown(address(server, "objects"))

    page.get_by_role("row", name=re.compile("alice")).get_by_role("link", name="alice").click()
    expect(page.locator("dl.facts")).to_contain_text("bob")
    page.get_by_role("link", name=NOTE).click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Find").fill("changed")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="hello1").click()
    expect(page.locator(".tree")).to_contain_text('"Cloud storage, changed"')
    expect(page.locator("tbody tr")).to_have_count(2)

    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete the object hello1 of the type hero.note in the context alice")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("hello1 is deleted.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text("other1")


def test_reader_may_not_delete_objects(guarded: RunningServer, shown: Shown) -> None:
    fields = {"type": NOTE, "sid": "hello1", "fields": {"title": "Hello"}, "context_id": "alice"}
    assert "result" in call(guarded, "admin", "set_object", fields)
    page = shown(address(guarded, f"objects?context=alice&type={NOTE}&sid=hello1"))
    sign_in(page, TOKENS["reader"])

    expect(page.locator(".tree")).to_contain_text("Hello")
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)


def test_changes_are_listed_with_who_and_saved_as_a_file(guarded: RunningServer, shown: Shown, tmp_path: Path) -> None:
    call(guarded, "admin", "pause_queue", {"script_type": "V"})
    page = shown(address(guarded, "events?tab=audit"))
    sign_in(page, TOKENS["admin"])

    expect(page.get_by_role("row", name=re.compile("pause_queue"))).to_contain_text("admin")
    call(guarded, "admin", "resume_queue", {"script_type": "V"})
    expect(page.locator("tbody tr").first).to_contain_text("resume_queue")
    page.get_by_label("Text in what is shown").fill("pause_q")
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save all").click()
    download.value.save_as(tmp_path / "audit.jsonl")
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["method"] for line in lines] == ["pause_queue", "resume_queue"]


def test_changes_are_for_administrators(guarded: RunningServer, supervisor: Supervisor, shown: Shown) -> None:
    job_id = submit(supervisor)
    page = shown(address(guarded, "events?tab=audit"))
    sign_in(page, TOKENS["alice"])

    expect(page.locator("tbody")).to_contain_text(job_id)
    expect(page.get_by_role("button", name="Who changed what")).to_have_count(0)


def test_events_are_those_of_the_last_hour_and_then_come_by_themselves(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    first = submit(supervisor)
    page = shown(address(server, "events"))
    expect(page.locator("tbody")).to_contain_text(first)

    supervisor.stop_job(first)
    expect(page.locator("tbody tr").first).to_contain_text("stopped")


def test_text_of_others_is_never_markup_on_these_pages(
    server: RunningServer, supervisor: Supervisor, shown: Shown
) -> None:
    name, batch_id = HOSTILE[:60], HOSTILE[:60].replace(" ", "/")
    make_batch(supervisor, batch_id, 1)
    write_note(server, HOSTILE, context=name)
    ask(server, "change_object_rights", {"change": "grant", "to": "read", "member": name, "context_id": name})
    job = {"script": HOSTILE, "caller_id": name, "context_id": name, "script_type": "v"}
    ask(server, "create_schedule", {"name": "n", "interval_s": 3600, "job": job})
    page = shown(address(server, "batches"))
    expect(page.locator("tbody")).to_contain_text("<img/src=x/onerror=alert(1)>")
    page.locator("tbody a.id").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("<script>alert(2)</script>")
    page.goto(address(server, "objects"))
    page.locator("tbody a").first.click()
    expect(page.locator("dl.facts")).to_contain_text("<script>alert(2)</script>")
    page.get_by_role("link", name=NOTE).click()
    page.get_by_role("link", name="hello1").click()
    expect(page.locator(".tree")).to_contain_text("<img src=x onerror=alert(1)>")
    page.goto(address(server, "events?tab=audit"))
    expect(page.locator("tbody")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0


def test_methods_are_listed_and_called(server: RunningServer, shown: Shown) -> None:
    page = shown(address(server, "api"))
    page.get_by_role("textbox", name="Search").fill("stats")
    page.get_by_role("link", name="stats", exact=True).click()

    page.get_by_role("button", name="Call").click()

    expect(page.get_by_role("group", name="Answer")).to_contain_text('"queues"')
