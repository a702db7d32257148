"""The methods on actor processes, over the socket of a whole service with real actors."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.deployment import Deployment, deployed
from tests.eventually import eventually
from tests.supervisor.rpc.raw_client import RawClient, job

#: An actor that is stuck has as long to drain as the slowest machine needs for what is asked meanwhile.
ENTRIES = """
[[actors]]
type = "sal"
lanes = 2
count = 2
shutdown_s = 600
[[actors]]
type = "osis"
[[actors]]
type = "sal"
name = "scaled"
group = "scaled"
lanes = 1
min = 1
max = 2
scale_idle_s = 600
[actors.allow]
scratch = false
[[actors]]
type = "python"
engine = "nosuch"
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A service for this module alone, because its actors come and go."""
    deployment = Deployment(tmp_path_factory.mktemp("fleet"), actors=ENTRIES)
    with contextlib.suppress(AssertionError):  # it says that not all are ready: one is not to be
        deployment.start()
    yield deployment
    assert deployment.stop() == 0


@pytest.fixture
def rpc(fleet: Deployment) -> Iterator[RawClient]:
    with RawClient(fleet.socket) as client:
        yield client


def slots(rpc: RawClient, name: str) -> dict[str, dict[str, Any]]:
    return {slot["slot"]: slot for slot in rpc.call("get_actor", [name])["slots"]}


def running(rpc: RawClient, name: str, count: int) -> dict[str, int]:
    """Wait until exactly so many processes of an entry run; return their process ids."""

    def there() -> tuple[dict[str, int]]:
        found = slots(rpc, name)
        assert [slot["phase"] for slot in found.values()] == ["running"] * count
        return ({slot: view["pid"] for slot, view in found.items()},)

    return eventually(there)[0]


def run_sal(rpc: RawClient) -> str:
    answer: str = rpc.call("run_job", {"job": job(script="40 + 2", script_type="SAL")})
    return answer


def test_entry_is_scaled_up_and_down_and_those_that_stay_are_not_touched(rpc: RawClient) -> None:
    before = running(rpc, "sal", 2)
    assert rpc.call("scale_actors", {"name": "sal", "count": 4})["count"] == 4
    more = running(rpc, "sal", 4)
    assert {slot: more[slot] for slot in before} == before
    rpc.call("scale_actors", ["sal", 2])
    assert running(rpc, "sal", 2) == before


def test_entry_scaled_to_nothing_leaves_its_jobs_in_the_queue(rpc: RawClient) -> None:
    rpc.call("scale_actors", ["osis", 0])
    running(rpc, "osis", 0)
    job_id = rpc.call("create_job", job(script="1", script_type="OSIS"))
    rpc.call("start_job", [job_id])
    assert rpc.call("get_job_status", [job_id]) == "dispatched"
    rpc.call("scale_actors", ["osis", 1])
    assert rpc.call("wait_jobs", {"job_ids": [job_id], "timeout": 100})["done"]


def test_stopped_actor_stays_so_until_it_is_started(rpc: RawClient) -> None:
    before = running(rpc, "sal", 2)
    rpc.call("stop_actor", ["sal-1"])
    eventually(lambda: slots(rpc, "sal")["sal-1"]["phase"] == "stopped")
    assert slots(rpc, "sal")["sal-2"]["pid"] == before["sal-2"]
    assert not psutil.pid_exists(before["sal-1"])
    assert run_sal(rpc) == "42"
    rpc.call("start_actor", ["sal"])
    after = running(rpc, "sal", 2)
    assert after["sal-2"] == before["sal-2"]
    assert after["sal-1"] != before["sal-1"]


def test_actors_are_restarted_one_by_name_and_all_together(rpc: RawClient) -> None:
    before = running(rpc, "sal", 2) | running(rpc, "osis", 1)
    assert rpc.call("restart_actor", ["sal-2"]) == {"done": True, "replaced": ["sal-2"]}
    after = running(rpc, "sal", 2)
    assert after["sal-1"] == before["sal-1"]
    assert after["sal-2"] != before["sal-2"]
    # The actor without an engine did not run before either.
    assert rpc.call("restart_actor", ["*"])["replaced"] == ["sal-1", "sal-2", "osis-1", "scaled-1"]
    assert not set((running(rpc, "sal", 2) | running(rpc, "osis", 1)).values()) & set((before | after).values())
    assert run_sal(rpc) == "42"


def test_restart_does_not_have_to_be_waited_for(rpc: RawClient) -> None:
    before = running(rpc, "sal", 2)
    assert rpc.call("restart_actor", {"name": "sal", "wait": False}) == {"done": False, "replaced": []}
    eventually(lambda: not set(running(rpc, "sal", 2).values()) & set(before.values()))


def test_all_actors_are_listed_with_what_their_supervisor_knows(rpc: RawClient, fleet: Deployment) -> None:
    running(rpc, "sal", 2)
    listed = {actor["name"]: actor for actor in rpc.call("list_actors")}
    assert {"sal-1", "sal-2", "osis-1", "scaled-1", "python-1"} <= listed.keys()
    assert listed["sal-1"]["supervised"]["phase"] == "running"
    assert listed["sal-1"]["supervised"]["pid"] == listed["sal-1"]["pid"]
    # It has not joined, because it could not start.
    assert listed["python-1"]["beat_at"] is None
    assert (listed["python-1"]["supervised"]["phase"], listed["python-1"]["supervised"]["last_exit"]) == (
        "failed",
        "exit 69",
    )


def test_entry_that_scales_by_itself_shows_its_load_and_keeps_its_limits(rpc: RawClient) -> None:
    eventually(lambda: rpc.call("get_actor", ["scaled"])["scaling"])
    entry = rpc.call("get_actor", ["scaled"])
    assert (entry["min"], entry["max"]) == (1, 2)
    error = rpc.fail("scale_actors", ["scaled", 3])
    assert (error["code"], error["data"]["kind"]) == (ErrorCode.SCALE_REFUSED, "scale_refused")
    assert "between 1 and 2" in error["data"]["reason"]
    assert rpc.fail("scale_actors", ["sal-1", 3])["code"] == ErrorCode.SCALE_REFUSED


def test_functions_of_an_entry_are_listed_with_what_would_allow_the_rest(rpc: RawClient) -> None:
    of_sal = {row["name"]: row for row in rpc.call("list_functions", ["sal"])}
    of_scaled = {row["name"]: row for row in rpc.call("list_functions", {"name": "scaled"})}

    assert of_sal["file_read"]["allowed"]
    assert not of_scaled["file_read"]["allowed"]
    assert of_scaled["file_read"]["allowed_by"] == 'read = ["/folder"] in [actors.allow]'
    assert of_scaled["dedent"]["allowed"]
    assert rpc.fail("list_functions", ["nobody"])["code"] == ErrorCode.ACTOR_NOT_FOUND


@pytest.mark.parametrize("method", ["get_actor", "start_actor", "stop_actor", "restart_actor", "get_actor_logs"])
def test_unknown_name_is_answered_with_the_known_ones(rpc: RawClient, method: str) -> None:
    error = rpc.fail(method, ["nobody"])
    assert (error["code"], error["data"]["kind"]) == (ErrorCode.ACTOR_NOT_FOUND, "actor_not_found")
    assert {"sal", "sal-1", "osis"} <= set(error["data"]["known"])


def test_actor_of_another_supervisor_is_answered_with_its_host(
    rpc: RawClient, fleet: Deployment, tmp_path: Path
) -> None:
    other = '[[actors]]\ntype = "sal"\nname = "elsewhere"\n'
    with deployed(tmp_path, redis_url=fleet.url, actors=other) as there:
        for method, more in (("stop_actor", []), ("restart_actor", []), ("scale_actors", [2]), ("get_actor", [])):
            error = rpc.fail(method, ["elsewhere-1", *more])
            assert (error["code"], error["data"]["host"]) == (ErrorCode.ACTOR_ELSEWHERE, os.uname().nodename)
        with RawClient(there.socket) as client:
            assert client.call("get_actor", ["elsewhere"])["slots"][0]["phase"] == "running"
            assert client.fail("stop_actor", ["sal-1"])["code"] == ErrorCode.ACTOR_ELSEWHERE
            names = {actor["name"]: actor["supervised"] for actor in client.call("list_actors")}
            assert names["elsewhere-1"] is not None
            assert names["sal-1"] is None


def test_server_without_actors_says_that_it_has_none(client: RawClient) -> None:
    for method, params in (("stop_actor", ["sal"]), ("scale_actors", ["sal", 1]), ("reload", []), ("get_actor", ["x"])):
        error = client.fail(method, params)
        assert (error["code"], error["data"]["kind"]) == (ErrorCode.NOT_SUPERVISED, "not_supervised")
    assert client.call("list_actors") == []


def test_stuck_actor_delays_no_command_about_others(rpc: RawClient) -> None:
    before = running(rpc, "sal", 2)
    os.kill(before["sal-1"], signal.SIGSTOP)
    stopping = rpc.call("stop_actor", ["sal-1"])
    assert stopping["slots"][0]["phase"] == "draining"
    for _ in range(20):
        rpc.call("list_actors")
        rpc.call("get_actor", ["osis"])
    assert rpc.call("restart_actor", ["sal-2"])["replaced"] == ["sal-2"]
    # All of these were answered before the stuck actor ended.
    assert slots(rpc, "sal")["sal-1"]["phase"] in ("draining", "ending")
    os.kill(before["sal-1"], signal.SIGKILL)
    eventually(lambda: slots(rpc, "sal")["sal-1"]["phase"] == "stopped")
    rpc.call("start_actor", ["sal-1"])
    running(rpc, "sal", 2)


def test_lines_that_an_actor_writes_can_be_read_from_a_cursor_on(rpc: RawClient) -> None:
    rpc.call("restart_actor", ["osis-1"])

    def log_of_start() -> dict[str, Any] | None:
        found: dict[str, Any] = rpc.call("get_actor_logs", ["osis"])
        return found if any("actor.ready" in line["text"] for line in found["lines"]) else None

    log = eventually(log_of_start)
    assert log is not None
    numbers = [line["number"] for line in log["lines"]]
    assert numbers == sorted(numbers)
    first = numbers[0]
    later = rpc.call("get_actor_logs", {"name": "osis-1", "after": first, "count": 10_000})
    assert first not in [line["number"] for line in later["lines"]]
    assert rpc.fail("get_actor_logs", ["sal"])["data"]["known"] == ["sal-1", "sal-2"]
