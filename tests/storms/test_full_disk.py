"""A full disk under the embedded store: new jobs are refused in time, and a stop loses nothing in silence."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_job import HeroJobError, JobBuilder, StoreRefused
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from hero_process.exit_codes import ProcessExit
from hero_supervisor.store.embedded import EmbeddedStore, Readiness
from tests.ctl.conftest import HEROCTL, environment
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.valkey_server import free_port

ACTORS = '[[actors]]\ntype = "osis"\n'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk for the store's folder."""
    disk = tmp_path / "store"
    disk.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "small", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("cannot mount a tmpfs")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)


def events(deployment: Deployment, name: str) -> list[dict[str, object]]:
    found = []
    for line in deployment.log.read_text().splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            found += [event] if event.get("event") == name else []
    return found


def test_no_acknowledged_job_is_lost_when_the_disk_fills_up_and_the_service_is_stopped(
    disk: Path, tmp_path: Path
) -> None:
    port = free_port()
    deployment = Deployment(tmp_path, actors=f"port = {port}\n{ACTORS}").start()
    acknowledged: list[str] = []
    refused: list[HeroJobError] = []

    def submit(worker: int) -> None:
        client = deployment.supervisor()
        with contextlib.closing(client):
            for n in range(2000):
                script = f'let p = "{"x" * 4000}"; 1'
                job = JobBuilder().caller_id("a").context_id("b").script_type("osis").script(script)
                try:
                    acknowledged.append(client.submit_job(job.id(f"j{worker}-{n}").build()))
                except HeroJobError as e:
                    refused.append(e)
                    return

    workers = [threading.Thread(target=submit, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(refused) == 8, "each client was refused at last"
    assert all(isinstance(error, StoreRefused) for error in refused), refused
    eventually(lambda: events(deployment, "store.disk_full"), what="the log tells that the disk is full")

    client = deployment.supervisor()
    with contextlib.closing(client), pytest.raises(StoreRefused, match="the disk of the store is full"):
        client.submit_job(JobBuilder().caller_id("a").context_id("b").script_type("osis").script("1").build())
    doctor = subprocess.run(
        [HEROCTL, "doctor"], cwd=tmp_path, env=environment(""), capture_output=True, text=True, check=False
    )
    assert doctor.returncode == 1
    assert "it refuses writes" in doctor.stdout
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        metrics = answer.read().decode()
    assert "hero_store_writes 0" in metrics
    assert "hero_store_disk_free_bytes" in metrics
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "health"}'
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        health = json.load(answer)["result"]
    assert (health["status"], health["problem"]) == ("degraded", "the store refuses writes: its disk is full")

    assert deployment.stop() == ProcessExit.OK
    enlarge(disk)
    deployment.start()
    operations = Operations()
    with Store(deployment.url) as store:
        there = store.run_many([Op(("EXISTS", operations.keys.job(job_id)), int) for job_id in acknowledged])
    assert there == [1] * len(acknowledged)
    assert deployment.stop() == ProcessExit.OK


def test_store_takes_jobs_again_when_there_is_room(disk: Path, tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, actors=ACTORS).start()
    filler = disk / "filler"
    with contextlib.suppress(OSError):
        filler.write_bytes(bytes(8 * 1024 * 1024))
    eventually(lambda: events(deployment, "store.disk_full"))
    filler.unlink()
    enlarge(disk)
    eventually(lambda: events(deployment, "store.disk_has_room"))
    client = deployment.supervisor()
    with contextlib.closing(client):
        job = JobBuilder().caller_id("a").context_id("b").script_type("osis").script("6 * 7").build()
        assert client.run_job_and_await_result(job, 300) == "42"
    assert deployment.stop() == ProcessExit.OK


def test_stop_tells_what_is_not_on_the_disk_and_fails(disk: Path, tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, actors=ACTORS).start()
    with contextlib.suppress(OSError):
        (disk / "filler").write_bytes(bytes(8 * 1024 * 1024))
    eventually(lambda: events(deployment, "store.disk_full"))
    with Store(deployment.url) as store:
        # A third-party program that gets around the refusal: the server acknowledges, and cannot write. Both commands
        # come in one packet, so that the service does not refuse writes again between them.
        fill = "return redis.call('SET', KEYS[1], string.rep('x', 2000000))"
        around = [Op(("CONFIG", "SET", "maxmemory", "0"), str), Op(("EVAL", fill, "1", "large"), str)]
        assert store.run_many(around)[1] == "OK"
    probed = EmbeddedStore(dir=disk)
    eventually(lambda: probed.probe() is Readiness.LOADING, what="it answers, so it is not taken for frozen")
    assert deployment.stop() == ProcessExit.NOT_WRITTEN
    (told,) = events(deployment, "store.not_written")
    assert int(str(told["bytes"])) > 1_000_000
