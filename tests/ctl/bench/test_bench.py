"""`heroctl bench`: figures, log lines of all producers, and a clean end in every situation."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from array import array
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from hero_ctl.bench import producer
from hero_ctl.bench.plan import BenchPlan
from hero_ctl.bench.summary import ProducerReport, percentile, summarize
from hero_ctl.exits import CtlExitCode
from hero_job.model.job import ScriptType
from tests.ctl.conftest import HEROCTL, LIMIT_S, Heroctl, environment
from tests.deployment import Deployment, alive
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def test_bench_measures_all_jobs_and_deletes_them(heroctl: Heroctl, deployment: Deployment) -> None:
    before = jobs_in(deployment)

    done = heroctl("bench", "--jobs", "101", "--producers", "3", "--type", "osis", "--json")

    figures = json.loads(done.stdout)
    assert done.returncode == 0
    assert (figures["wanted"], figures["finished"], figures["failed"]) == (101, 101, 0)
    assert figures["jobs_per_s"] > 0
    latency = figures["latency_ms"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
    assert jobs_in(deployment) == before


def test_log_lines_of_all_producers_arrive_in_one_place(heroctl: Heroctl) -> None:
    done = heroctl("bench", "--jobs", "60", "--producers", "4")

    lines = done.stderr.splitlines()
    for number in range(1, 5):
        assert any(f"producer-{number}: done: 15 finished, 0 failed" in line for line in lines), done.stderr
    assert "60 of 60 jobs finished" in done.stdout
    assert "p99" in done.stdout


def test_terminal_gets_a_progress_bar(deployment: Deployment) -> None:
    import pty

    terminal, end = pty.openpty()
    with subprocess.Popen(
        [HEROCTL, "bench", "--jobs", "3000", "--in-flight", "4"],
        env={**environment(deployment.url), "TERM": "xterm-256color", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=end,
    ) as running:
        os.close(end)
        shown = b"".join(chunks(terminal))
        os.close(terminal)
        assert running.stdout is not None
        summary = running.stdout.read().decode()

    assert running.returncode == 0
    assert "━".encode() in shown
    assert b"/3000" in shown
    assert b"producer-2" in shown
    assert "3000 of 3000 jobs finished" in summary


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_bench_reports_and_leaves_nothing(deployment: Deployment, number: signal.Signals) -> None:
    before = jobs_in(deployment)
    with started_bench(deployment) as (bench, producers):
        # Ctrl-C and the end of a terminal reach the producers too.
        os.killpg(bench.pid, number) if number != signal.SIGTERM else bench.send_signal(number)
        out, err = bench.communicate(timeout=300)

    assert bench.returncode == CtlExitCode.INTERRUPTED
    assert "interrupted: these are the figures until then" in out
    assert "Traceback" not in err
    assert not any(alive(p) for p in producers)
    eventually(lambda: jobs_in(deployment) <= before, what="the jobs are deleted")


def test_producers_end_by_themselves_when_the_bench_is_killed(deployment: Deployment) -> None:
    with started_bench(deployment) as (bench, producers):
        bench.kill()
        bench.wait(LIMIT_S)

        eventually(lambda: not any(alive(p) for p in producers), what="the producers have ended")


def test_bench_ends_without_busy_waiting_when_store_and_actors_stay_away(tmp_path: Path) -> None:
    own = Deployment(tmp_path).start()
    with started_bench(own) as (bench, producers):
        everything = own.processes()
        own.kill()
        for process in everything:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        everybody = [psutil.Process(bench.pid), *producers]
        spent = 0.0

        def all_gone() -> bool:
            nonlocal spent
            spent = max(spent, sum(seconds(p) for p in everybody))
            return not any(alive(p) for p in everybody)

        before = sum(seconds(p) for p in everybody)
        eventually(all_gone, every_s=0.2, what="the bench has ended")
        _, err = bench.communicate(timeout=300)

    assert bench.returncode == CtlExitCode.STORE
    assert "not reachable" in err
    assert spent - before < 5


def test_producer_ends_when_no_actor_is_left(
    valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "ACTOR_PATIENCE_S", 1.0)
    plan = BenchPlan(url=valkey.url, namespace=namespace, script_type=ScriptType.SAL, jobs=4, producers=1, in_flight=2)
    one = producer._Producer(plan=plan, number=0, share=4, counters=producer.Counters.of(1))
    stop_read, stop_write = os.pipe()
    try:
        asyncio.run(one.run(stop_read))
    finally:
        signal.alarm(0)  # the producer has set one, in case its end hangs
        os.close(stop_read)
        os.close(stop_write)

    assert "no SAL actor is up" in one.report.trouble
    assert not one.report.store_trouble
    with redis.Redis.from_url(valkey.url) as plain:
        assert not list(plain.scan_iter(f"{namespace}:job:*"))


@pytest.mark.parametrize("way", ["terminal", "pipe"])
def test_bench_ends_when_the_reader_of_its_result_is_gone(deployment: Deployment, way: str) -> None:
    import pty

    before = jobs_in(deployment)
    reader, end = pty.openpty() if way == "terminal" else os.pipe()
    with subprocess.Popen(
        [HEROCTL, "bench", "--jobs", "500000", "--producers", "2"],
        env=environment(deployment.url),
        stdin=subprocess.DEVNULL,
        stdout=end,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as bench:
        os.close(end)
        try:
            eventually(lambda: jobs_in(deployment) > before + 50, what="jobs are in flight")
            everybody = [psutil.Process(bench.pid), *psutil.Process(bench.pid).children()]
            os.close(reader)
            bench.wait(LIMIT_S)
            eventually(lambda: not any(alive(p) for p in everybody), what="the producers have ended")
        finally:
            bench.kill()

    assert bench.returncode != 0
    eventually(lambda: jobs_in(deployment) <= before, what="the jobs are deleted")


def seconds(process: psutil.Process) -> float:
    """Processor time of a process; zero once it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:2])
    return 0.0


def test_bench_without_an_actor_names_the_missing_actor(heroctl: Heroctl) -> None:
    done = heroctl("bench", "--type", "python")

    assert done.returncode == 1
    assert "no Python actor is up" in done.stderr


def test_percentile_is_the_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]

    assert [percentile(values, share) for share in (0.5, 0.9, 0.99, 1.0)] == [50, 90, 99, 100]
    assert percentile([7.0], 0.5) == 7
    assert percentile([], 0.5) == 0


def test_producers_that_gave_up_decide_the_exit_code() -> None:
    good = ProducerReport(latencies_ms=array("d", [1.0, 3.0]), first_mono=10.0, last_mono=11.0)
    late = ProducerReport(latencies_ms=array("d", [2.0]), first_mono=10.5, last_mono=12.0, failed=1)
    cut_off = ProducerReport(trouble="store at x is not reachable", store_trouble=True)

    whole = summarize(3, [good, late], interrupted=False)
    assert (whole.finished, whole.failed, whole.seconds) == (3, 1, 2.0)
    assert (whole.latency_ms["p50"], whole.latency_ms["max"]) == (2.0, 3.0)
    assert whole.exit_code is CtlExitCode.FINISHED
    assert summarize(4, [good, late], interrupted=False).exit_code is CtlExitCode.FAILED
    assert summarize(4, [good, cut_off], interrupted=False).exit_code is CtlExitCode.STORE
    assert summarize(4, [good, cut_off], interrupted=True).exit_code is CtlExitCode.INTERRUPTED
    assert summarize(4, [], interrupted=False).as_json()["latency_ms"]["p50"] is None


@contextlib.contextmanager
def started_bench(
    deployment: Deployment,
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """Start a long bench; gives it and its producers once jobs are in flight."""
    with subprocess.Popen(
        # Signals that this process ignores, as under nohup, would be ignored there too.
        ["env", "--default-signal=HUP,INT,TERM", HEROCTL, "bench", "--jobs", "500000", "--producers", "2"],
        env=environment(deployment.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as bench:
        before = jobs_in(deployment)
        try:
            eventually(lambda: jobs_in(deployment) > before + 50, what="jobs are in flight")
            yield bench, psutil.Process(bench.pid).children()
        finally:
            with contextlib.suppress(ProcessLookupError):
                bench.kill()


def jobs_in(deployment: Deployment) -> int:
    """Count the jobs in the store. SCAN may give a key twice while the table of all keys grows or shrinks."""
    with redis.Redis(unix_socket_path=str(deployment.folder / "store" / "valkey.sock")) as plain:
        return len(set(plain.scan_iter("hero:job:*", count=1000)))


def chunks(terminal: int) -> Iterator[bytes]:
    """Read what is written to a terminal, until its last writer has closed it."""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux says EIO when the last writer has closed
            return
        if not chunk:
            return
        yield chunk
