"""`heroctl events`: past and new events of jobs and actors."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from hero_job.operations.events import order
from tests.ctl.conftest import HEROCTL, LIMIT_S, Heroctl, environment
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


@pytest.mark.parametrize("what", [("--job", "of-server"), ("--actors",)])
def test_events_are_the_same_through_a_server(heroctl: Heroctl, deployment: Deployment, what: tuple[str, ...]) -> None:
    heroctl("run", "-t", "sal", "--id", "of-server", "40 + 2")
    where = ("--server", f"unix://{deployment.socket}")

    direct = heroctl("events", *what, "--json").stdout
    first, *_, last = [json.loads(line)["cursor"] for line in direct.splitlines()]

    # There may be new events of actors meanwhile.
    def until_last(*options: str) -> str:
        lines = heroctl("events", *what, "--json", *options, *where).stdout.splitlines(keepends=True)
        return "".join(line for line in lines if order(json.loads(line)["cursor"]) <= order(last))

    plain = heroctl("events", *what).stdout
    assert first != last
    assert until_last() == direct
    assert until_last("--after", first) == direct.partition("\n")[2]
    assert heroctl("events", *what, *where).stdout.startswith(plain)


def test_events_of_actors_are_printed(heroctl: Heroctl) -> None:
    lines = [json.loads(line) for line in heroctl("events", "--actors", "--json").stdout.splitlines()]

    assert {("joined", "sal-1"), ("ready", "sal-1")} <= {(line["event"], line["name"]) for line in lines}


@pytest.mark.parametrize("through_server", [False, True], ids=["store", "server"])
def test_followed_events_are_printed_as_they_happen_until_interrupted(
    heroctl: Heroctl, deployment: Deployment, through_server: bool
) -> None:
    job_id = f"followed-{through_server}"
    command = [str(HEROCTL), "events", "--follow", "--job", job_id]
    command += ["--server", f"unix://{deployment.socket}"] if through_server else []
    following = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(deployment.url))
    assert following.stdout is not None
    heroctl("run", "-t", "sal", "--id", job_id, "40 + 2")

    seen = [following.stdout.readline().split()[-1] for _ in range(3)]
    following.send_signal(signal.SIGINT)

    assert seen == ["dispatched", "started", "finished"]
    assert following.wait(LIMIT_S) == 130
    following.stdout.close()


def test_events_that_the_store_no_longer_has_are_told(heroctl: Heroctl, deployment: Deployment) -> None:
    heroctl("run", "-t", "sal", "--id", "late", "40 + 2")

    for where in ((), ("--server", f"unix://{deployment.socket}")):
        done = heroctl("events", "--job", "late", "--after", "1-1", *where)
        assert len(done.stdout.splitlines()) == 3, done.stderr
        assert "events may be missing here" in done.stderr


def test_invalid_cursor_is_refused(heroctl: Heroctl) -> None:
    done = heroctl("events", "--after", "yesterday")

    assert done.returncode == 2
    assert "not a cursor" in done.stderr
