"""`/metrics` and `/healthz`: the same on both servers, complete while the store is away; counters only rise."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hero_client.remote.errors import ServiceRefused
from hero_client.remote.server import RemoteServer
from hero_client.remote.supervisor import RemoteSupervisor
from hero_job.client.store import Store
from hero_job.model.claim_types import ActorEntry, CountReport
from hero_job.model.errors import JobNotFound
from hero_job.model.job import ScriptType
from hero_job.operations.actor_operations import ActorOperations
from hero_supervisor.rpc.metrics.exposition import HistogramSample, gauge, histogram, labels
from hero_supervisor.rpc.metrics.metrics_page import RisingSums
from hero_supervisor.rpc.metrics.request_counts import BOUNDS_S, RequestCounts
from tests.deploy.promtool import promtool
from tests.deployment import deployed
from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import bearer, curl, token_settings
from tests.valkey_server import ValkeyServer, free_port


def over_unix(server: RunningServer, path: str, *options: str) -> tuple[int, str]:
    answer = curl(f"http://hero{path}", "--unix-socket", str(server.path), *options)
    return answer.status, answer.body.decode()


def families(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))


def series(text: str) -> dict[str, float]:
    rows = [line.rpartition(" ") for line in text.splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in rows}


def count(store: Store, namespace: str, number: int, more: dict[str, int]) -> None:
    entry = ActorEntry(
        incarnation="sal-1", name="sal", script_type=ScriptType.SAL, host="here", pid=1, lanes=1, engine="rhai",
        engine_version="1",
    )  # fmt: skip
    actor = ActorOperations(entry, namespace)
    assert store.run(actor.join())
    assert store.run(actor.beat(busy=0, jobs=0, report=CountReport(number, more)))


def test_both_servers_tell_the_same_counters(
    unix_server: RunningServer, web_server: RunningServer, store: Store, namespace: str
) -> None:
    count(store, namespace, 1, {"started": 5, "finished": 3, "error:timeout": 2, "run:0": 3, "run:15": 2, "run_us": 7})

    status, unix = over_unix(unix_server, "/metrics")
    web = curl(web_server.url("/metrics")).body.decode()

    assert status == 200
    assert families(web) - families(unix) == {"hero_rpc_tcp_connections"}
    for told in (series(unix), series(web)):
        assert told['hero_jobs_started_total{script_type="SAL"}'] == 5
        assert told['hero_jobs_started_total{script_type="V"}'] == 0
        assert told['hero_jobs_ended_total{script_type="SAL",status="error",error_kind="timeout"}'] == 2
        assert told['hero_jobs_ended_total{script_type="SAL",status="finished",error_kind=""}'] == 3
        assert told['hero_job_run_seconds_bucket{script_type="SAL",le="900"}'] == 3
        assert told['hero_job_run_seconds_bucket{script_type="SAL",le="+Inf"}'] == 5
        assert told['hero_job_run_seconds_count{script_type="SAL"}'] == 5
        assert told['hero_job_run_seconds_sum{script_type="SAL"}'] == 0.000007
    assert over_unix(unix_server, "/healthz") == (200, '{"status":"ok","store":"ok","actors":1}')


def test_the_requests_of_both_servers_are_counted_together(tmp_path: Path) -> None:
    port = free_port()
    with deployed(tmp_path, actors=f"port = {port}\n") as deployment:
        for url in (f"unix://{deployment.socket}", f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"):
            supervisor = RemoteSupervisor(RemoteServer(url=url))
            with supervisor:
                supervisor.ask("version")
                with pytest.raises(JobNotFound):
                    supervisor.ask("get_job", {"job_id": "nobody"})
                for name in ("no_such_method", "nor_this"):
                    with pytest.raises(ServiceRefused):
                        supervisor.ask(name)
        told = series(curl(f"http://127.0.0.1:{port}/metrics").body.decode())
        over_the_socket = curl("http://hero/metrics", "--unix-socket", str(deployment.socket)).body.decode()

    requests = {name: value for name, value in told.items() if name.startswith("hero_rpc_requests_total")}
    assert requests == {
        'hero_rpc_requests_total{method="version",code="ok"}': 3,
        'hero_rpc_requests_total{method="get_job",code="1001"}': 3,
        'hero_rpc_requests_total{method="unknown",code="-32601"}': 6,
    }
    assert requests.items() <= series(over_the_socket).items()
    assert told['hero_rpc_request_seconds_count{method="version"}'] == 3
    assert told['hero_rpc_request_seconds_bucket{method="get_job",le="+Inf"}'] == 3
    assert 0 < told['hero_rpc_request_seconds_sum{method="get_job"}'] < GENEROUS_S


def test_a_request_is_counted_in_the_bucket_of_its_time() -> None:
    counts = RequestCounts()
    for took_s in (0.0, 0.001, 0.0011, 60.0, 61.0):
        counts.note("run_job", "ok", took_s)
    counts.note("run_job", "cancelled", 3.0)

    told = series("".join(counts.families()))

    buckets = [told[f'hero_rpc_request_seconds_bucket{{method="run_job",le="{bound:g}"}}'] for bound in BOUNDS_S]
    assert buckets == [2, 3, 3, 3, 3, 3, 4, 5]
    assert told['hero_rpc_request_seconds_count{method="run_job"}'] == 6
    assert told['hero_rpc_requests_total{method="run_job",code="cancelled"}'] == 1


def test_a_store_that_is_away_makes_no_family_vanish_and_no_counter_fall(own_valkey: ValkeyServer) -> None:
    server = RunningServer(own_valkey.url, "hero").start()
    try:
        with Store(own_valkey.url) as store:
            count(store, "hero", 1, {"started": 5, "error:odd": 1})
        before = curl(server.url("/metrics")).body.decode()
        own_valkey.kill()
        away = curl(server.url("/metrics")).body.decode()
        own_valkey.start()
        back = eventually(lambda: _up(curl(server.url("/metrics")).body.decode()), what="it is back")
    finally:
        server.stop()

    assert families(away) == families(before) == families(back)
    assert series(away).keys() == series(before).keys()
    assert (series(before)["hero_store_up"], series(away)["hero_store_up"]) == (1, 0)
    risen = re.findall(r"^# TYPE (\w+) (?:counter|histogram)", before, re.MULTILINE)
    for name, value in series(before).items():
        if name.startswith(tuple(risen)):
            assert series(away)[name] >= value
            assert series(back)[name] >= value


def _up(text: str) -> str:
    return text if series(text)["hero_store_up"] == 1 else ""


def test_a_store_that_was_never_there_still_has_counters(tmp_path: Path) -> None:
    server = RunningServer(f"unix://{tmp_path}/nobody.sock", "x").start()
    try:
        told = curl(server.url("/metrics")).body.decode()
    finally:
        server.stop()

    assert series(told)['hero_jobs_started_total{script_type="OSIS"}'] == 0
    assert {"hero_job_wait_seconds", "hero_jobs_lost_total", "hero_event_loop_lag_seconds"} <= families(told)


def test_over_the_unix_socket_a_token_is_needed_where_one_is(
    valkey: ValkeyServer, namespace: str, tmp_path: Path
) -> None:
    server = RunningServer(valkey.url, namespace, tmp_path / "s", unix_auth="token", tokens=token_settings()).start()
    try:
        assert over_unix(server, "/metrics")[0] == 401
        assert over_unix(server, "/healthz")[0] == 200
        assert over_unix(server, "/metrics", *bearer("reader"))[0] == 200
    finally:
        server.stop()


def test_prometheus_itself_can_read_all_of_it(web_server: RunningServer) -> None:
    text = curl(web_server.url("/metrics")).body
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, check=False)

    # 3 says that names could follow its habits more closely.
    assert done.returncode in {0, 3}, done.stdout + done.stderr
    assert b"error" not in done.stderr


def test_a_family_is_written_as_prometheus_reads_it() -> None:
    hostile = 'a "quoted"\\ name\nwith a line'
    text = gauge("hero_x", "A thing.", {labels(a=hostile, b=""): 1.5})
    buckets = histogram("hero_y", "A time.", [0.5, 10], {"": HistogramSample([1, 2, 3], 4.5)})

    assert text.splitlines()[2] == 'hero_x{a="a \\"quoted\\"\\\\ name\\nwith a line",b=""} 1.5'
    assert buckets.splitlines()[2:] == [
        'hero_y_bucket{le="0.5"} 1', 'hero_y_bucket{le="10"} 3', 'hero_y_bucket{le="+Inf"} 6', "hero_y_sum 4.5",
        "hero_y_count 6",
    ]  # fmt: skip


@pytest.mark.parametrize("counts", [[0, 1, 3, 3], [2, 0, 1], [5, 5, 0, 0, 7]])
def test_restarts_never_fall_when_a_slot_is_replaced(counts: list[int]) -> None:
    rising, seen = RisingSums(), [0]
    for one in counts:
        rising.note("sal", "sal-1", one)
        seen.append(rising.totals["sal"])

    assert seen == sorted(seen)
    assert seen[-1] >= max(counts)
