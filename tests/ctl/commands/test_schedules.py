"""`heroctl schedule add`, `schedule list` and `schedule delete`."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.ctl.conftest import Heroctl
from tests.eventually import eventually


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
    assert "no schedule is named 'often'" in again.stderr


def jobs_of(heroctl: Heroctl, caller: str) -> list[dict[str, Any]]:
    return [job for job in json.loads(heroctl("list", "--json", "--limit", "0").stdout) if job["caller_id"] == caller]


def test_cron_with_a_time_zone_prints_its_first_time(heroctl: Heroctl) -> None:
    added = heroctl("schedule", "add", "winter", "1", "--cron", "30 2 1 1 *", "--tz", "Asia/Tokyo")
    heroctl("schedule", "delete", "winter")

    assert added.stdout.strip().endswith("-12-31T17:30:00.000Z")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["schedule", "add", "x", "1"], "either --cron FIELDS or --every TIME"),
        (["schedule", "add", "x", "1", "--every", "5", "--cron", "* * * * *"], "either --cron"),
        (["schedule", "add", "x", "1", "--cron", "daily"], "'cron'"),
        (["schedule", "add", "x", "1", "--cron", "* * * * *", "--tz", "Mars/Base"], "such as Europe/Brussels"),
        (["schedule", "add", "x", "1", "--cron", "* * * * *", "--tz", "Brussels"], "did you mean Europe/Brussels?"),
        (
            ["schedule", "add", "x", "1", "--cron", "* * * * *", "--tz", "europe/brussel"],
            "did you mean Europe/Brussels",
        ),
        (["schedule", "add", "x", "1", "--cron", "61 * * * *"], "the minute must be from 0 to 59"),
        (["schedule", "add", "night", "ly", "--every", "1d", "6 * 7"], "put the script into quotes"),
        (["schedule", "add", "two words", "1", "--every", "5"], "'name'"),
        (["schedule", "add", "x", "--every", "5"], "give the script once"),
        (["schedule", "add", "x", "1", "--every", "5", "--overlap", "maybe"], "'maybe'"),
    ],
)
def test_wrong_usage_exits_with_2_and_the_reason(heroctl: Heroctl, arguments: list[str], says: str) -> None:
    done = heroctl(*arguments)

    assert done.returncode == 2, done
    assert says in done.stderr
