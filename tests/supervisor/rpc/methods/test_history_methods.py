"""What a deployment has counted, over each transport and through heroctl's own reader."""

from __future__ import annotations

import time

import pytest

from hero_client.remote.history import history_of
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.operations.overview.history import history
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.transports import Client, job
from tests.valkey_server import ValkeyServer


@pytest.fixture
def client(any_client: Client) -> Client:
    """Run every test of this module over each transport."""
    return any_client


def test_a_history_has_aligned_series_and_totals(
    client: Client, store: Store, operations: Operations, valkey: ValkeyServer
) -> None:
    minute = int(time.time()) // 60 * 60 - 300
    fields = ("sal:started", 9, "sal:error:timeout", 2, "sal:error:lost", 1, "sal:wait:2", 9, "sal:wait_us", 180_000)
    valkey.command("HSET", operations.keys.counts_of(minute, hour=False), *fields)
    valkey.command("HSET", operations.keys.counts, *fields)
    for script_type in ("SAL", "V"):
        job_id = client.call("create_job", job(script_type=script_type))
        client.call("start_job", [job_id])
        client.call("stop_job", [job_id])

    found = client.call("get_history", {"span_s": 900})

    starts = found["times_ms"]
    assert found["resolution_s"] == 60
    assert starts == list(range(starts[0], starts[-1] + 1, 60_000))
    assert 0 <= found["now_ms"] - starts[-1] < 60_000
    sal, v = found["series"]
    assert [sal["script_type"], v["script_type"]] == ["SAL", "V"]
    at = starts.index(minute * 1000)
    numbers = ("started", "finished", "failed", "stopped", "lost")
    assert {name: sal[name][at] for name in numbers} == {
        "started": 9, "finished": 0, "failed": 3, "stopped": 0, "lost": 1
    }  # fmt: skip
    assert {kind: series[at] for kind, series in sal["errors"].items()} == {"lost": 1, "timeout": 2}
    assert (sal["wait"]["count"][at], sal["wait"]["sum_s"][at], sal["wait"]["buckets"][at][2]) == (9, 0.18, 9)
    assert sum(sal["stopped"]) == sum(v["stopped"]) == 1
    series = [sal["started"], sal["errors"]["timeout"], sal["wait"]["count"], sal["run"]["buckets"]]
    assert {len(one) for one in series} == {len(starts)}
    assert len(found["bounds_s"]) + 1 == len(sal["run"]["buckets"][0])
    total = {one["script_type"]: one for one in found["totals"]}
    assert (total["SAL"]["failed"], total["SAL"]["stopped"], total["V"]["stopped"]) == (3, 1, 1)
    read, told = history_of(found), store.drive(history(operations, 900))
    assert [[one.failed, one.wait.buckets, one.wait.sum_us] for one in read.periods["sal"]][at - len(starts)] == [
        [one.failed, one.wait.buckets, one.wait.sum_us] for one in told.periods["sal"]
    ][told.starts_s.index(minute)]
    assert read.totals["sal"].errors == told.totals["sal"].errors


def test_a_script_type_and_a_resolution_may_be_asked_for(client: Client) -> None:
    job_id = client.call("create_job", job())
    client.call("start_job", [job_id])
    client.call("stop_job", [job_id])

    found = client.call("get_history", {"span_s": 86_400, "resolution_s": 3600, "script_type": "osis"})
    same = client.call("get_history", [86_400, 3600, "sal"])

    assert found["series"] == found["totals"] == []
    assert [sum(one["stopped"]) for one in same["series"]] == [1]
    assert {start % 3_600_000 for start in same["times_ms"]} == {0}


@pytest.mark.parametrize(
    "params", [{"span_s": 59}, {"span_s": 1e9}, {"resolution_s": 90}, {"span_s": 200_000, "resolution_s": 60},
               {"script_type": "perl"}, {"span_s": "an hour"}],
)  # fmt: skip
def test_what_is_not_kept_is_refused(client: Client, params: dict[str, object]) -> None:
    assert client.fail("get_history", params)["code"] == ErrorCode.INVALID_PARAMS
