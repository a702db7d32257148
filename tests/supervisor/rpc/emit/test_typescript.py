"""The client in `clients/typescript`: current, strictly typed, and run by Node against a whole service."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hero_supervisor.rpc.emit import typescript
from hero_supervisor.rpc.emit.document import whole_document
from hero_supervisor.rpc.methods import examples
from hero_supervisor.rpc.methods.overview import overview_examples
from tests.deployment import Deployment
from tests.supervisor.rpc.emit.talking_program import TalkingProgram
from tests.supervisor.rpc.lossy_relay import LossyRelay
from tests.supervisor.rpc.raw_client import RawClient

CLIENT = Path(__file__).parents[4] / "clients/typescript"
CALLS = Path(__file__).parent / "node/calls.mjs"
TYPESCRIPT = "typescript@5.9.3"
#: Node 20 has the WebSocket of browsers behind this option, later ones without.
NODE = ("node", "--experimental-websocket", "--no-warnings")
PATIENCE_S = 500
LOST = {2, 5, 6, 11}
WRONG = {-32603, -32602, -32601}


@pytest.mark.parametrize("name", ["methods.js", "methods.d.ts"])
def test_the_generated_files_are_current(name: str) -> None:
    """If not: `python -m hero_supervisor.rpc.emit.typescript clients/typescript`."""
    assert (CLIENT / name).read_text("utf-8") == typescript.files(whole_document())[name]


def test_the_package_has_all_its_files_and_no_dependency() -> None:
    package = json.loads((CLIENT / "package.json").read_text("utf-8"))

    assert set(package["files"]) == {path.name for path in CLIENT.iterdir() if path.name.endswith((".js", ".d.ts"))}
    assert "dependencies" not in package


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, compiled with all checks of TypeScript."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")
    installed = ran(
        ["npm", "install", "--no-audit", "--no-fund", "--silent", f"--cache={folder}/cache", TYPESCRIPT], folder
    )
    assert installed.returncode == 0, installed.stderr
    (folder / "node_modules/hero-client").symlink_to(CLIENT)
    shutil.copy(CLIENT / "example.ts", folder)
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable"]
    options += ["--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--noEmitOnError"]
    done = ran(["node", "node_modules/typescript/bin/tsc", *options, "example.ts"], folder)
    assert done.returncode == 0, done.stdout
    return folder / "example.js"


def ran(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, check=False, cwd=cwd, stdin=subprocess.DEVNULL, text=True, timeout=PATIENCE_S
    )


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_the_example_compiles_strictly_and_runs(deployment: Deployment, compiled: Path, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{deployment.port}"

    done = ran([*NODE, str(compiled), url, examples.TOKEN], compiled.parent)

    assert done.returncode == 0, done.stderr
    first, failed, *log, ended = done.stdout.partition("event: ")[0].splitlines()
    assert first == "output: 42"
    assert failed.startswith("failed in line 2: ")
    assert "no such report" in failed
    assert log == ["log: step 1", "log: step 2", "log: step 3"]
    assert ended == "status: finished"
    moves = [line for line in done.stdout.splitlines() if line.startswith("event: ")]
    assert (moves[0], moves[-1]) == ("event: created", "event: finished")


def node_program(url: str, mode: str, errors: Path) -> TalkingProgram:
    return TalkingProgram([*NODE, str(CALLS), str(CLIENT / "hero.js"), url, examples.TOKEN, mode], errors)


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_each_example_of_the_description_is_a_call_that_the_client_makes(
    deployment: Deployment, scheme: str, tmp_path: Path
) -> None:
    document = whole_document()
    calls = [
        (method["name"], {param["name"]: param["value"] for param in method["examples"][0]["params"]})
        for method in document["methods"]
        if method["name"] not in {"hero_subscribe", "hero_unsubscribe", "fetch_nonce"}
    ]
    answers: dict[str, Any] = {}
    with RawClient(deployment.socket) as client:  # the act that the examples ask for
        client.call("stop_jobs", {"act_id": overview_examples.ACT, "job_ids": ["nowhere"], "reason": "wrong input"})
    with node_program(f"{scheme}://127.0.0.1:{deployment.port}", "examples", tmp_path / "errors") as node:
        for said in node.said():
            if said.get("waits"):
                node.answer(json.dumps(calls))
            else:
                answers[said["method"]] = said

    assert list(answers) == [name for name, _ in calls]
    assert {name: said for name, said in answers.items() if said.get("code") in WRONG} == {}
    assert answers["run_job"]["result"] == "42"
    assert answers["whoami"]["result"]["scope"] == "admin"


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_lost_answers_neither_repeat_a_job_nor_lose_an_event(
    deployment: Deployment, scheme: str, tmp_path: Path
) -> None:
    told: dict[str, Any] = {}
    with (
        LossyRelay(deployment.port) as relay,
        node_program(f"{scheme}://127.0.0.1:{relay.port}", "losses", tmp_path / "errors") as node,
    ):
        for said in node.said():
            told |= said
            if said.get("waits"):
                if said["running"] in LOST:
                    relay.lose_next_answer()
                node.answer()
        lost = relay.lost

    assert lost == len(LOST)
    assert told["outputs"] == [str(n) for n in range(12)]
    assert (told["finished"], told["jobs"]) == (12, 12)


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_call_that_may_have_taken_effect_is_not_repeated(deployment: Deployment, scheme: str, tmp_path: Path) -> None:
    told: dict[str, Any] = {}
    with (
        LossyRelay(deployment.port) as relay,
        node_program(f"{scheme}://127.0.0.1:{relay.port}", "unrepeatable", tmp_path / "errors") as node,
    ):
        for said in node.said():
            told |= said
            if said.get("waits"):
                relay.lose_next_answer()
                node.answer()

    assert (told["kind"], told["code"]) == ("connection_lost", 0)


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_refusals_and_the_end_of_a_client_are_errors_with_a_kind(
    deployment: Deployment, scheme: str, tmp_path: Path
) -> None:
    told: dict[str, Any] = {}
    with (
        socket.socket() as deaf,
        node_program(f"{scheme}://127.0.0.1:{deployment.port}", "refusals", tmp_path / "errors") as node,
    ):
        deaf.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        for said in node.said():
            told |= said
            if said.get("waits"):
                node.answer(str(deaf.getsockname()[1]))

    assert told["stranger"] == {"code": 1301, "kind": "unauthenticated"}
    assert told["unknown"] == told["log"] == {"code": 1001, "kind": "job_not_found"}
    assert told["nowhere"] == {"code": 0, "kind": "unreachable"}
    assert told["later"]["result"]["scope"] == told["scope"] == "admin"
    assert told["aborted"] == "enough"
    assert told["closed"][:2] == [{"code": 0, "kind": "closed"}] * 2
    assert told["closed"][2] in ({"code": 0, "kind": "closed"}, {"result": {"done": True}})
