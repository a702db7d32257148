"""`heroctl queues`, `pause`, `resume` and `queue purge`."""

from __future__ import annotations

import json

import pytest

from tests.ctl.conftest import Heroctl


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
    assert waits.returncode == 7
    assert heroctl("output", job_id, "--wait", "150").stdout == "7\n"
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert "not paused" in twice.stderr


def test_every_type_has_a_queue(heroctl: Heroctl) -> None:
    queues = json.loads(heroctl("queues", "--json").stdout)

    assert [queue["script_type"] for queue in queues] == ["OSIS", "SAL", "V", "Python"]
    assert all(queue["paused_since"] is None for queue in queues)


def test_queue_is_purged_only_after_confirmation(heroctl: Heroctl) -> None:
    heroctl("queue", "purge", "v", "--yes")  # other tests leave jobs there, because no V actor runs
    ids = [heroctl("submit", "1", "--type", "v").stdout.strip() for _ in range(2)]
    no = heroctl("queue", "purge", "v", input="n\n")
    nobody_there = heroctl("queue", "purge", "v")
    still = heroctl("status", ids[0]).stdout
    yes = heroctl("queue", "purge", "v", input="y\n")

    assert (no.returncode, no.stdout) == (1, "")
    assert "2 jobs" in no.stderr
    assert nobody_there.returncode == 1
    assert still == "dispatched\n"
    assert (yes.returncode, yes.stdout) == (0, "2\n")
    assert {heroctl("status", job_id).stdout for job_id in ids} == {"stopped\n"}
    assert heroctl("queue", "purge", "v", "--yes").stdout == "0\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pause", "lua"], "'lua'"),
        (["pause", "sal", "--instance", "1"], "add --group"),
        (["resume", "sal", "--instance", "1"], "add --group"),
    ],
)
def test_wrong_usage_exits_with_2_and_the_reason(heroctl: Heroctl, arguments: list[str], says: str) -> None:
    done = heroctl(*arguments)

    assert done.returncode == 2, done
    assert says in done.stderr
