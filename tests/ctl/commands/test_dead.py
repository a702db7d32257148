"""`heroctl dead list`, `dead retry` and `dead purge`."""

from __future__ import annotations

import json
import uuid

from tests.ctl.conftest import Heroctl
from tests.eventually import eventually


def test_dead_letters_are_listed_with_their_reason_retried_and_purged(heroctl: Heroctl) -> None:
    heroctl("dead", "purge", "--yes")
    job_id = uuid.uuid4().hex
    heroctl("run", "nowhere + 1", "--id", job_id)
    listed = eventually(lambda: json.loads(heroctl("dead", "list", "--json").stdout))

    table = heroctl("dead", "list").stdout
    one = heroctl("dead", "retry", job_id)
    eventually(lambda: json.loads(heroctl("dead", "list", "--json").stdout), what="it failed again")
    unanswered = heroctl("dead", "retry", input="no\n")
    all_ = heroctl("dead", "retry", "--yes")
    eventually(lambda: json.loads(heroctl("dead", "list", "--json").stdout), what="it failed again")
    purged = heroctl("dead", "purge", "--yes")

    assert [(letter["job_id"], letter["job"]["status"]) for letter in listed] == [(job_id, "error")]
    assert job_id in table
    assert "nowhere" in table
    assert one.stdout == "1\n"
    assert (unanswered.returncode, unanswered.stdout) == (1, "")
    assert "Run all 1 dead letters again?" in unanswered.stderr
    assert int(all_.stdout) >= 1
    assert purged.stdout == "1\n"
    assert heroctl("dead", "list").stdout == "no dead letters\n"
    assert heroctl("status", job_id).returncode == 5


def test_list_of_dead_letters_says_that_there_are_more(heroctl: Heroctl) -> None:
    heroctl("dead", "purge", "--yes")
    for _ in range(2):
        heroctl("run", "nowhere")

    eventually(lambda: "1 of 2" in heroctl("dead", "list", "--limit", "1").stderr, what="both letters are there")


def test_retry_of_an_unknown_letter_exits_with_5(heroctl: Heroctl) -> None:
    assert heroctl("dead", "retry", "nobody").returncode == 5
