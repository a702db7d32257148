"""`heroctl stats`: what a deployment has counted, from the store and from a supervisor."""

from __future__ import annotations

import json
from typing import Any

from tests.ctl.conftest import Heroctl
from tests.deployment import Deployment
from tests.eventually import eventually

#: No other job of the deployment that the tests share fails so: a beat may tell of those a moment later.
KIND = "ErrorArithmetic"


def failed_of(heroctl: Heroctl, *options: str) -> dict[str, Any]:
    rows = json.loads(heroctl("stats", "--json", *options).stdout)
    return next((row for row in rows if row["script_type"] == "sal"), {})


def test_stats_show_what_has_ended_and_why(heroctl: Heroctl, deployment: Deployment) -> None:
    def told(*options: str) -> int:
        return int(failed_of(heroctl, "--total", *options).get("errors", {}).get(KIND, 0))

    assert told() == 0
    assert heroctl("run", "1 / 0").returncode == 1
    eventually(told, what="the beat tells")
    assert told() == 1

    table = heroctl("stats", "--type", "sal", "--span", "15m").stdout
    row = failed_of(heroctl, "--span", "1d")
    periods = json.loads(heroctl("stats", "-o", "json", "--by", "5m", "--type", "sal").stdout)["items"]

    assert table.split()[:4] == ["TYPE", "FROM", "(UTC)", "STARTED"]
    assert KIND in table
    assert table.splitlines()[1].startswith("SAL ")
    assert row["failed"] >= 1
    assert row["run_p50_s"] is not None
    assert sum(period["failed"] for period in periods) >= 1
    assert all(period["from"].endswith("Z") for period in periods)
    assert told("--server", f"unix://{deployment.socket}") == 1


def test_a_history_that_is_not_kept_is_a_wrong_option(heroctl: Heroctl) -> None:
    for options in (["--span", "40d"], ["--by", "90"], ["--total", "--by", "5m"]):
        done = heroctl("stats", *options)
        assert done.returncode == 2, done
        assert done.stdout == ""
