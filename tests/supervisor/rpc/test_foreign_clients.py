"""Third-party clients, installed from their registries and run unchanged.

What is missing on a machine (node, or a registry that can be reached) skips its tests with the reason.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.environments import make_environment, pip_install
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import curl
from tests.supervisor.rpc.transports import request

FOREIGN = Path(__file__).parent / "foreign"
WEB3 = "web3==8.0.0"
OPEN_RPC = ("@open-rpc/client-js@2.1.0", "@open-rpc/schema-utils-js@2.2.1", "ws@8.23.0")
INSTALL_LIMIT_S = 420


@pytest.fixture(scope="module")
def web3_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python interpreter that has web3."""
    folder = tmp_path_factory.mktemp("web3")
    make_environment(folder)
    installed(pip_install(folder, "--no-cache-dir", WEB3), folder)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def open_rpc_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of OpenRPC and our script that uses them."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("open_rpc")
    cache = folder / "cache"
    installed(["npm", "install", "--no-audit", "--no-fund", "--silent", f"--cache={cache}", *OPEN_RPC], folder)
    shutil.copy(FOREIGN / "open_rpc.mjs", folder)
    return folder


def installed(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=folder, stdin=subprocess.DEVNULL, text=True,
        timeout=INSTALL_LIMIT_S,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"{' '.join(command[:4])} failed: {done.stderr.strip()[-300:]}")


def said_by(command: list[str], cwd: Path) -> Any:
    """Run a program and return the JSON that it prints."""
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=cwd, stdin=subprocess.DEVNULL, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_web3_speaks_over_ipc_and_websocket(
    unix_server: RunningServer, web_server: RunningServer, web3_python: Path, tmp_path: Path
) -> None:
    arguments = [str(FOREIGN / "web3_calls.py"), str(unix_server.path), str(web_server.port)]
    said = said_by([str(web3_python), *arguments], tmp_path)

    expected = {"status": "created", "error": 1001, "version": "hero-runtime"}
    assert said == {
        "ipc": expected,
        "async_ipc": {**expected, "many": 50},
        "websocket": {**expected, "many": 50},
    }


def test_the_client_of_open_rpc_speaks_over_http_and_websocket_and_its_tools_read_the_description(
    web_server: RunningServer, open_rpc_folder: Path
) -> None:
    said = said_by(["node", "open_rpc.mjs", str(web_server.port)], open_rpc_folder)

    for transport in ("http", "websocket"):
        seen = said[transport]
        assert seen["version"]["name"] == "hero-runtime"
        assert (seen["status"], seen["many"], seen["batch"]) == ("created", 50, ["created", None])
        assert (seen["error"]["code"], seen["error"]["data"]["kind"]) == (1001, "job_not_found")
    assert said["document"] == "valid"
    assert said["methods"] > 40


def test_curl_speaks_over_http(web_server: RunningServer) -> None:
    answer = curl(web_server.url("/rpc"), body=request("version"))

    assert answer.json["result"]["name"] == "hero-runtime"


@pytest.mark.parametrize("path", ["/", "/rpc"])
def test_curl_speaks_over_the_unix_socket(unix_server: RunningServer, path: str) -> None:
    answer = curl(f"http://localhost{path}", "--unix-socket", str(unix_server.path), body=request("version"))

    assert answer.status == 200
    assert answer.json["result"]["name"] == "hero-runtime"


@pytest.mark.parametrize("program", ["nc", "socat"])
def test_a_shell_gets_its_answer_from_the_unix_socket(unix_server: RunningServer, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    # With -N, OpenBSD's nc closes its side at the end of its input; socat always does.
    command = (
        ["nc", "-N", "-U", str(unix_server.path)] if program == "nc" else ["socat", "-", f"UNIX:{unix_server.path}"]
    )

    done = subprocess.run(command, input=request("version"), capture_output=True, check=True, timeout=300)

    assert orjson.loads(done.stdout)["result"]["name"] == "hero-runtime"
    assert done.stdout.endswith(b"\n")


def test_a_client_that_closes_its_side_after_its_requests_gets_its_answers(unix_server: RunningServer) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(unix_server.path))
        client.sendall(request("version", request_id=1) + request("health", request_id=2))
        client.shutdown(socket.SHUT_WR)
        data = b""
        while chunk := client.recv(65536):
            data += chunk

    assert sorted(orjson.loads(line)["id"] for line in data.splitlines()) == [1, 2]
