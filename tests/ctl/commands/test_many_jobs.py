"""Filters, several ids, ids from standard input, `--all`, `wait`, and why a job does not run."""

from __future__ import annotations

import json
import re
import uuid

from tests.ctl.conftest import Heroctl, sal_paused
from tests.deployment import Deployment


def test_filters_find_jobs_and_may_be_repeated(heroctl: Heroctl) -> None:
    caller = f"filters-{uuid.uuid4().hex[:8]}"
    good = heroctl("submit", "1", "--caller", caller).stdout.strip()
    bad = heroctl("submit", "nowhere_7", "--caller", caller, "--context", "other").stdout.strip()
    heroctl("wait", good, bad)

    def found(*options: str) -> set[str]:
        return set(heroctl("list", "-o", "name", "--caller", caller, *options).stdout.split())

    assert found("--status", "finished", "--status", "error") == {good, bad}
    assert found("--status", "finished") == {good}
    assert found("--context", "other") == {bad}
    assert found("--grep", "nowhere_[0-9]") == {bad}
    assert found("--since", "1h") == {good, bad}
    assert found("--until", "1h") == set()
    assert found("--type", "osis") == set()
    assert found("--kind", "no_such_kind") == set()
    wrong = heroctl("list", "--since", "yesterday")
    assert (wrong.returncode, "neither a duration (2h) nor a time" in wrong.stderr) == (2, True)


def test_all_needs_a_filter_asks_with_a_count_and_can_be_tried(heroctl: Heroctl) -> None:
    caller = f"all-{uuid.uuid4().hex[:8]}"
    with sal_paused(heroctl):
        ids = {heroctl("submit", "1", "--caller", caller).stdout.strip() for _ in range(3)}

        assert "--all needs a filter" in heroctl("stop", "--all").stderr
        assert heroctl("stop", "x", "--all", "--caller", caller).returncode == 2
        assert set(heroctl("stop", "--all", "--caller", caller, "--dry-run").stdout.split()) == ids
        refused = heroctl("stop", "--all", "--caller", caller, input="n\n")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "Stop 3 jobs (" in refused.stderr
        done = heroctl("stop", "--all", "--caller", caller, "--yes")
    assert {line.split()[0] for line in done.stdout.splitlines()} == ids
    assert {line.split()[1] for line in done.stdout.splitlines()} == {"stopped"}

    again = heroctl("retry", "-", input="\n".join(ids))
    assert again.returncode == 0
    waited = heroctl("wait", *ids)
    assert (waited.returncode, waited.stdout.count("finished")) == (0, 3)
    mixed = heroctl("delete", *ids, "nobody")
    assert (mixed.returncode, mixed.stdout.count("deleted")) == (5, 3)
    assert "no job with id 'nobody'" in mixed.stderr


def test_wait_tells_how_jobs_ended_and_that_one_has_not(heroctl: Heroctl) -> None:
    bad = heroctl("submit", "nowhere").stdout.strip()
    failed = heroctl("wait", bad)
    assert failed.returncode == 1
    assert failed.stdout.startswith(f"{bad}  error")
    with sal_paused(heroctl):
        open_ = heroctl("submit", "1").stdout.strip()
        assert heroctl("wait", open_, "--timeout", "0.2").returncode == 7


def test_show_says_why_a_job_does_not_run(heroctl: Heroctl) -> None:
    def why(job_id: str) -> str:
        shown = json.loads(heroctl("show", job_id, "-o", "json").stdout)
        assert shown["version"] == 1
        reason = str(shown["waits_because"][0])
        before_numbers = re.split(r"\d", reason)[0][:40]  # seconds that are left change meanwhile
        assert len(before_numbers) > 5
        assert before_numbers in heroctl("show", job_id).stdout
        return reason

    with sal_paused(heroctl):
        paused = heroctl("submit", "1").stdout.strip()
        later = heroctl("submit", "1", "--after", paused).stdout.strip()
        assert "paused" in why(paused)
        assert paused in why(later)
    delayed = heroctl("submit", "1", "--delay", "1h").stdout.strip()
    assert "waits for its time" in why(delayed)
    nobody = heroctl("submit", "!!a.b", "--type", "v").stdout.strip()
    assert "actor" in why(nobody)
    heroctl("stop", delayed, nobody)


def test_schedules_run_now_pause_and_resume(heroctl: Heroctl, deployment: Deployment) -> None:
    heroctl("schedule", "add", "now-and-then", "--every", "1d", "6 * 7")

    job_id = heroctl("schedule", "run", "now-and-then").stdout.strip()
    assert heroctl("output", "--wait", "150", job_id).stdout == "42\n"
    assert heroctl("schedule", "pause", "now-and-then").returncode == 0
    assert "paused" in heroctl("schedule", "show", "now-and-then").stdout
    assert "paused" in heroctl("schedule", "list").stdout
    by_rpc = ("schedule", "list", "--server", f"unix://{deployment.socket}", "-o", "json")
    (seen,) = [one for one in json.loads(heroctl(*by_rpc).stdout)["items"] if one["name"] == "now-and-then"]
    assert (seen["paused"], seen["next_at"]) == (True, None)
    assert heroctl("schedule", "resume", "now-and-then").stdout.startswith("20")
    assert "paused" not in heroctl("schedule", "show", "now-and-then").stdout
    assert heroctl("schedule", "run", "nobody").returncode == 5
    heroctl("schedule", "delete", "now-and-then")


def test_logs_can_begin_later_and_say_that_lines_were_dropped(heroctl: Heroctl) -> None:
    # In two portions, so that the store drops what an earlier flush has written.
    many = heroctl("submit", "for part in 0..2 { for n in 0..900 { print(n); } sleep(3); }").stdout.strip()
    heroctl("wait", many)

    whole = heroctl("logs", many)
    assert "lines were dropped" in whole.stderr or "older ones are not kept" in whole.stdout
    assert heroctl("logs", many, "--tail", "2").stdout == "898\n899\n"
    stamped = heroctl("logs", many, "--tail", "1", "-t").stdout
    assert stamped.startswith("20")
    assert heroctl("logs", many, "--since", "2000-01-01", "--tail", "1").stdout == "899\n"
