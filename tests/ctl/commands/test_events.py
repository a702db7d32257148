"""`heroctl events`: past and new events of jobs and actors."""

from __future__ import annotations

import json
import signal
import subprocess

from tests.ctl.conftest import HEROCTL, Heroctl, environment
from tests.deployment import Deployment


def test_events_of_a_job_are_printed_in_order_and_from_a_cursor_on(heroctl: Heroctl) -> None:
    heroctl("run", "-t", "sal", "--id", "watched", "40 + 2")
    heroctl("run", "-t", "sal", "--id", "other", "40 + 2")

    plain = heroctl("events", "--job", "watched").stdout.splitlines()
    lines = [json.loads(line) for line in heroctl("events", "--job", "watched", "--json").stdout.splitlines()]
    rest = heroctl("events", "--job", "watched", "--json", "--after", lines[0]["cursor"]).stdout.splitlines()

    assert [line.split()[1:] for line in plain] == [["watched", s] for s in ("dispatched", "started", "finished")]
    assert [line["status"] for line in lines] == ["dispatched", "started", "finished"]
    assert [json.loads(line) for line in rest] == lines[1:]


def test_events_of_actors_are_printed(heroctl: Heroctl) -> None:
    lines = [json.loads(line) for line in heroctl("events", "--actors", "--json").stdout.splitlines()]

    assert {("joined", "sal-1"), ("ready", "sal-1")} <= {(line["event"], line["name"]) for line in lines}


def test_followed_events_are_printed_as_they_happen_until_interrupted(heroctl: Heroctl, deployment: Deployment) -> None:
    command = [str(HEROCTL), "events", "--follow", "--job", "followed"]
    following = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(deployment.url))
    assert following.stdout is not None
    heroctl("run", "-t", "sal", "--id", "followed", "40 + 2")

    seen = [following.stdout.readline().split()[-1] for _ in range(3)]
    following.send_signal(signal.SIGINT)

    assert seen == ["dispatched", "started", "finished"]
    assert following.wait(60) == 130
    following.stdout.close()


def test_invalid_cursor_is_refused(heroctl: Heroctl) -> None:
    done = heroctl("events", "--after", "yesterday")

    assert done.returncode == 2
    assert "not a cursor" in done.stderr
