"""The TCP port of the whole service: real `hero-supervisor`, real actors."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import orjson
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.deployment import deployed
from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.rpc.raw_client import job, request
from tests.supervisor.rpc.tcp_client import ask, curl
from tests.valkey_server import free_port


def test_the_service_offers_its_port_and_ends_its_connections_gracefully(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("HERO_RPC__PORT", str(port))
    with deployed(tmp_path) as deployment:
        listening = {c.laddr for c in psutil.Process(deployment.pid).net_connections("tcp") if c.status == "LISTEN"}
        ran = curl(f"http://127.0.0.1:{port}/", body=request("run_job", job()))
        # An actor that a busy machine keeps from a beat is missing for a moment.
        wanted = {"status": "ok", "store": "ok", "actors": 2}
        eventually(lambda: curl(f"http://127.0.0.1:{port}/healthz").json == wanted)
        line = b'hero_actors{script_type="SAL"} 1\n'
        eventually(lambda: line in curl(f"http://127.0.0.1:{port}/metrics").body)
        with connect(f"ws://127.0.0.1:{port}/02beef", open_timeout=GENEROUS_S) as client:
            played = ask(client, "play", ["6 * 7"])
            client.send(request("run_job", job(id="slow", script="sleep(4.0); 7", context_id=None)).decode())
            eventually(lambda: ask(client, "get_job_status", ["slow"]).get("result") == "started")
            os.kill(deployment.pid, signal.SIGTERM)
            last = orjson.loads(client.recv(GENEROUS_S))
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(GENEROUS_S)

        assert deployment.stop() == 0
        log = deployment.log.read_text()

    assert listening == {("127.0.0.1", port)}
    assert ran.json["result"] == "42"
    assert played["result"] == {"output": "42"}
    assert last["result"] == "7"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert "Traceback" not in log


def test_without_a_port_nothing_listens_on_tcp(tmp_path: Path) -> None:
    with deployed(tmp_path) as deployment:
        listening = [c for c in psutil.Process(deployment.pid).net_connections("tcp") if c.status == "LISTEN"]

    assert listening == []
