"""`heroctl dead`, `queues`, `pause`, `resume` and `schedule`."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.ctl.conftest import Heroctl
from tests.eventually import eventually


def test_dead_letters_are_listed_with_their_reason_retried_and_purged(heroctl: Heroctl) -> None:
    heroctl("dead", "purge")
    job_id = uuid.uuid4().hex
    heroctl("run", "nowhere + 1", "--id", job_id)
    listed = eventually(lambda: json.loads(heroctl("dead", "list", "--json").stdout))

    table = heroctl("dead", "list").stdout
    one = heroctl("dead", "retry", job_id)
    eventually(lambda: json.loads(heroctl("dead", "list", "--json").stdout), what="it failed again")
    all_ = heroctl("dead", "retry")
    eventually(lambda: json.loads(heroctl("dead", "list", "--json").stdout), what="it failed again")
    purged = heroctl("dead", "purge")

    assert [(letter["job_id"], letter["job"]["status"]) for letter in listed] == [(job_id, "error")]
    assert job_id in table
    assert "nowhere" in table
    assert one.stdout == "1\n"
    assert int(all_.stdout) >= 1
    assert purged.stdout == "1\n"
    assert heroctl("dead", "list").stdout == "no dead letters\n"
    assert heroctl("status", job_id).returncode == 5


def test_list_of_dead_letters_says_when_it_is_cut(heroctl: Heroctl) -> None:
    heroctl("dead", "purge")
    for _ in range(2):
        heroctl("run", "nowhere")

    done = eventually(lambda: (said := heroctl("dead", "list", "--limit", "1")).stderr and said)

    assert "1 of 2" in done.stderr


def test_retry_of_an_unknown_letter_is_code_five(heroctl: Heroctl) -> None:
    assert heroctl("dead", "retry", "nobody").returncode == 5


def test_paused_queue_keeps_its_jobs_until_it_is_resumed(heroctl: Heroctl) -> None:
    first, again = heroctl("pause", "osis"), heroctl("pause", "OSIS")
    job_id = heroctl("submit", "7", "--type", "osis").stdout.strip()
    queues = json.loads(heroctl("queues", "--json").stdout)
    table = heroctl("queues").stdout
    waits = heroctl("output", job_id, "--wait", "1")
    resumed, twice = heroctl("resume", "osis"), heroctl("resume", "osis")

    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    assert (again.returncode, again.stderr) == (0, "heroctl: it was paused already\n")
    (osis,) = [queue for queue in queues if queue["script_type"] == "OSIS"]
    assert osis["waiting"] == 1
    assert osis["paused_since"].endswith("Z")
    assert "since 20" in table
    assert waits.returncode == 3
    assert heroctl("output", job_id, "--wait", "20").stdout == "7\n"
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert "not paused" in twice.stderr


def test_every_type_has_a_queue(heroctl: Heroctl) -> None:
    queues = json.loads(heroctl("queues", "--json").stdout)

    assert [queue["script_type"] for queue in queues] == ["OSIS", "SAL", "V", "Python"]
    assert all(queue["paused_since"] is None for queue in queues)


def test_schedule_runs_its_script_until_it_is_deleted(heroctl: Heroctl) -> None:
    caller = uuid.uuid4().hex
    added = heroctl("schedule", "add", "often", "40 + 2", "--every", "1", "--caller", caller, "--priority", "low")
    jobs = eventually(lambda: [j for j in jobs_of(heroctl, caller) if j["status"] == "finished"])
    (shown,) = [s for s in json.loads(heroctl("schedule", "list", "--json").stdout) if s["name"] == "often"]
    table = heroctl("schedule", "list").stdout
    deleted, again = heroctl("schedule", "delete", "often"), heroctl("schedule", "delete", "often")

    assert added.returncode == 0, added.stderr
    assert added.stdout.strip().endswith("Z")
    assert (jobs[0]["output"], jobs[0]["priority"]) == ("42", "low")
    assert jobs[0]["id"].startswith("often@")
    assert (shown["interval_s"], shown["job"]["script"]) == (1, "40 + 2")
    assert "every 1 s" in table
    assert deleted.returncode == 0
    assert again.returncode == 5
    assert "no schedule of the name 'often'" in again.stderr


def jobs_of(heroctl: Heroctl, caller: str) -> list[dict[str, object]]:
    return [job for job in json.loads(heroctl("list", "--json", "--limit", "0").stdout) if job["caller_id"] == caller]


def test_cron_with_a_time_zone_says_when_it_runs_first(heroctl: Heroctl) -> None:
    added = heroctl("schedule", "add", "winter", "1", "--cron", "30 2 1 1 *", "--tz", "Asia/Tokyo")
    heroctl("schedule", "delete", "winter")

    assert added.stdout.strip().endswith("-12-31T17:30:00.000Z")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["schedule", "add", "x", "1"], "either --cron FIELDS or --every SECONDS"),
        (["schedule", "add", "x", "1", "--every", "5", "--cron", "* * * * *"], "either --cron"),
        (["schedule", "add", "x", "1", "--cron", "daily"], "'cron'"),
        (["schedule", "add", "x", "1", "--cron", "* * * * *", "--tz", "Mars/Base"], "'tz'"),
        (["schedule", "add", "two words", "1", "--every", "5"], "'name'"),
        (["schedule", "add", "x", "--every", "5"], "give the script once"),
        (["schedule", "add", "x", "1", "--every", "5", "--overlap", "maybe"], "'maybe'"),
        (["pause", "lua"], "'lua'"),
        (["pause", "sal", "--instance", "1"], "add --group"),
    ],
)
def test_bad_usage_is_code_two_with_its_reason(heroctl: Heroctl, arguments: list[str], says: str) -> None:
    done = heroctl(*arguments)

    assert done.returncode == 2, done
    assert says in done.stderr
