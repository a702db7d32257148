"""`heroctl stop`, `retry`, `logs`, `delete`, and the options of `run` and `submit` about when a job runs."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.ctl.conftest import HEROCTL, Heroctl, environment, sal_paused
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.forked_programs import ForkedPopen

LOOP = "loop { sleep(0.05) }"


def started(heroctl: Heroctl, script: str) -> str:
    """Submit a job and wait until it runs."""
    job_id = heroctl("submit", script).stdout.strip()
    eventually(lambda: heroctl("status", job_id).stdout == "started\n", what="the job runs")
    return job_id


def test_running_job_is_stopped(heroctl: Heroctl) -> None:
    job_id = started(heroctl, LOOP)

    done = heroctl("stop", job_id)

    assert (done.returncode, done.stdout) == (0, "stopping\n")
    assert heroctl("output", job_id, "--wait", "150").returncode == 4


def test_stop_of_an_ended_job_says_that_nothing_changed(heroctl: Heroctl) -> None:
    heroctl("run", "1", "--id", "long-done")

    done = heroctl("stop", "long-done")

    assert (done.returncode, done.stdout) == (0, "finished\n")
    assert "had ended before" in done.stderr


@pytest.mark.parametrize("command", ["stop", "retry", "delete", "logs"])
def test_unknown_job_exits_with_5(heroctl: Heroctl, command: str) -> None:
    done = heroctl(command, "nobody")

    assert (done.returncode, done.stdout) == (5, "")
    assert "no job with id 'nobody'" in done.stderr


def test_stopped_job_runs_again(heroctl: Heroctl) -> None:
    job_id = heroctl("submit", "40 + 2", "--delay", "60").stdout.strip()
    assert heroctl("stop", job_id).stdout == "stopped\n"

    done = heroctl("retry", job_id)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert heroctl("output", job_id, "--wait", "150").stdout == "42\n"


def test_finished_job_is_not_retried(heroctl: Heroctl) -> None:
    heroctl("run", "1", "--id", "good-as-it-is")

    done = heroctl("retry", "good-as-it-is")

    assert done.returncode == 1
    assert "its status is 'finished'" in done.stderr


def test_deleted_job_is_gone_and_a_running_one_is_not_deleted(heroctl: Heroctl) -> None:
    heroctl("run", "1", "--id", "to-be-deleted")
    running = started(heroctl, LOOP)

    done, refused = heroctl("delete", "to-be-deleted"), heroctl("delete", running)
    heroctl("stop", running)

    assert (done.returncode, done.stdout) == (0, "")
    assert heroctl("status", "to-be-deleted").returncode == 5
    assert refused.returncode == 7
    assert f"heroctl stop {running}" in refused.stderr


def test_logs_are_what_the_script_has_printed(heroctl: Heroctl) -> None:
    job_id = heroctl("submit", 'print("one"); print("two")').stdout.strip()
    heroctl("output", job_id, "--wait", "150")

    plain = heroctl("logs", job_id)
    lines = [json.loads(line) for line in heroctl("logs", job_id, "--json").stdout.splitlines()]

    assert (plain.returncode, plain.stdout) == (0, "one\ntwo\n")
    assert [(line["level"], line["text"]) for line in lines] == [("info", "one"), ("info", "two")]
    assert lines[0]["at"].endswith("Z")


def test_log_longer_than_a_page_is_whole(heroctl: Heroctl) -> None:
    heroctl("run", 'for n in 0..2500 { print("line " + n) }', "--id", "talks-much")
    stored = heroctl("logs", "talks-much", "--json").stdout.splitlines()

    texts = [json.loads(line)["text"] for line in stored]

    assert texts[0] == "the script has logged 2500 lines; older ones are not kept"
    assert texts[1:] == [f"line {n}" for n in range(2500)][-len(texts[1:]) :]
    assert len(texts) > 500


def test_followed_logs_are_printed_while_the_job_runs_and_end_with_it(heroctl: Heroctl, deployment: Deployment) -> None:
    job_id = heroctl("submit", f'print("begins"); {LOOP}').stdout.strip()
    with ForkedPopen(
        [HEROCTL, "logs", "--follow", job_id],
        env=environment(deployment.url),
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        first = following.stdout.readline()
        still = following.poll()
        heroctl("stop", job_id)
        rest = following.stdout.read()
        code = following.wait(300)

    assert (first, still, rest, code) == ("begins\n", None, "", 0)


def test_delayed_job_starts_after_its_delay(heroctl: Heroctl) -> None:
    begin = time.monotonic()
    done = heroctl("run", "7", "--delay", "1")

    assert done.stdout == "7\n"
    assert time.monotonic() - begin >= 1


def test_not_before_needs_a_time_zone(heroctl: Heroctl) -> None:
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()

    done = heroctl("run", "7", "--not-before", later)
    vague = heroctl("run", "7", "--not-before", "2026-11-24T06:00:00")

    assert done.stdout == "7\n"
    assert vague.returncode == 2
    assert "with its zone" in vague.stderr


def test_job_after_another_waits_for_it_and_sees_its_output(heroctl: Heroctl) -> None:
    first = heroctl("submit", '"base"', "--delay", "0.5").stdout.strip()

    done = heroctl("run", f'PREREQUISITES["{first}"] + "!"', "--after", first)
    unknown = heroctl("run", "1", "--after", "nobody")

    assert done.stdout == "base!\n"
    assert unknown.returncode == 2
    assert "nobody" in unknown.stderr


def test_job_that_has_not_started_in_time_expires(heroctl: Heroctl) -> None:
    job_id = heroctl("submit", "1", "--type", "v", "--expires", "0.2").stdout.strip()

    eventually(lambda: heroctl("output", job_id).returncode != 7, what="the job has ended")
    done = heroctl("output", job_id)

    assert done.returncode == 1
    assert "not started in its time" in done.stderr


def test_failing_job_is_retried_as_often_as_requested(heroctl: Heroctl) -> None:
    done = heroctl("run", 'throw "again"', "--retries", "1", "--id", "tried-twice")

    assert done.returncode == 1
    assert json.loads(heroctl("status", "tried-twice", "--json").stdout)["attempt"] == 2


def test_second_job_with_a_unique_key_is_the_first_one(heroctl: Heroctl) -> None:
    key = uuid.uuid4().hex
    with sal_paused(heroctl):
        first = heroctl("submit", '"first"', "--unique", key).stdout.strip()
        second = heroctl("submit", '"second"', "--unique", key).stdout.strip()
        third = heroctl("run", '"third"', "--unique", key, "--wait", "0.2")

    assert second == first
    assert third.returncode == 7
    assert f"heroctl output {first}" in third.stderr
    assert heroctl("output", first, "--wait", "150").stdout == "first\n"


def test_priority_reaches_the_job(heroctl: Heroctl) -> None:
    job_id = heroctl("submit", "1", "--priority", "HIGH").stdout.strip()

    assert json.loads(heroctl("status", job_id, "--json").stdout)["priority"] == "high"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--priority", "urgent"], "'urgent'"),
        (["--delay", "-1"], "'delay_s'"),
        (["--expires", "0"], "'expires_s'"),
        (["--retries", "-1"], "'retries'"),
        (["--retries", "many"], "--retries"),
    ],
)
def test_invalid_option_exits_with_2_and_the_reason(heroctl: Heroctl, arguments: list[str], says: str) -> None:
    done = heroctl("submit", "1", *arguments)

    assert done.returncode == 2, done
    assert says in done.stderr
