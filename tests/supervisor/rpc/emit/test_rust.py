"""The client in `clients/rust`: current, without a warning of clippy, and run against a whole service."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from hero_supervisor.rpc.emit import rust
from hero_supervisor.rpc.emit.document import whole_document
from hero_supervisor.rpc.methods import examples
from hero_supervisor.rpc.methods.overview import overview_examples
from tests.deployment import Deployment
from tests.supervisor.rpc.emit.talking_program import TalkingProgram
from tests.supervisor.rpc.lossy_relay import LossyRelay
from tests.supervisor.rpc.raw_client import RawClient

CLIENT = Path(__file__).parents[4] / "clients/rust"
SCHEMES = ("http", "ws", "unix")
HIDDEN = {"hero_subscribe", "hero_unsubscribe"}
PATIENCE_S = 500
BUILD_S = 1500
LOST = {2, 5, 6, 11}
# The first test waits for the build.
pytestmark = pytest.mark.timeout(BUILD_S)
WRONG = {-32603, -32602, -32601}


def test_the_generated_files_are_current() -> None:
    """If not: `python -m hero_supervisor.rpc.emit.rust clients/rust`."""
    written = rust.files(whole_document())

    assert {name: (CLIENT / name).read_text("utf-8") for name in written} == written
    known = {path for name in written for path in (CLIENT / name).parent.glob("*.rs") if name.count("/") > 1}
    assert {str(path.relative_to(CLIENT)) for path in known} - set(written) == {"examples/calls/main.rs"}


def test_the_smallest_rust_of_the_readme_is_that_of_the_crate() -> None:
    package = tomllib.loads((CLIENT / "Cargo.toml").read_text("utf-8"))["package"]

    assert f"Rust {package['rust-version']} or newer" in (CLIENT / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder of the examples, which are built once; clippy reads the crate in the same build."""
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    command = ["cargo", "build", "--quiet", "--locked", "--examples"]
    environ = os.environ | {"RUSTFLAGS": "-D warnings", "CARGO_TARGET_DIR": str(CLIENT / "target")}
    environ["RUSTC_WORKSPACE_WRAPPER"] = shutil.which("clippy-driver") or ""
    fetched = ran(["cargo", "fetch", "--quiet", "--locked"], environ)
    if fetched.returncode:
        pytest.skip(f"cargo cannot fetch: {fetched.stderr[-300:]}")
    done = ran(command, environ, BUILD_S)
    assert done.returncode == 0, done.stderr
    return CLIENT / "target/debug/examples"


def ran(command: list[str], env: dict[str, str], timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, check=False, cwd=CLIENT, env=env, stdin=subprocess.DEVNULL, text=True,
        timeout=timeout_s,
    )  # fmt: skip


def url_of(deployment: Deployment, scheme: str, port: int = 0) -> str:
    return f"unix://{deployment.socket}" if scheme == "unix" else f"{scheme}://127.0.0.1:{port or deployment.port}"


@pytest.fixture
def program(built: Path, tmp_path: Path) -> Callable[[str, str], TalkingProgram]:
    """Start the program that uses the client, with a URL and a mode."""

    def start(url: str, mode: str) -> TalkingProgram:
        return TalkingProgram([str(built / "calls"), url, examples.TOKEN, mode], tmp_path / "errors")

    return start


Start = Callable[[str, str], TalkingProgram]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_example_runs(deployment: Deployment, built: Path, scheme: str) -> None:
    done = ran([str(built / "run_jobs"), url_of(deployment, scheme), examples.TOKEN], dict(os.environ))

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    expected = [
        "output: 42",
        "failed in line 2: ErrorRuntime",
        "later: 42",
        "log: step 1",
        "log: step 2",
        "log: step 3",
    ]
    assert lines[:6] == expected
    assert (lines[6], lines[-1]) == ("event: Created", "event: Finished")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_example_of_the_description_is_a_call_whose_answer_has_its_type(
    deployment: Deployment, program: Start, scheme: str
) -> None:
    calls = [
        (method["name"], {param["name"]: param["value"] for param in method["examples"][0]["params"]})
        for method in whole_document()["methods"]
        if method["name"] not in HIDDEN | {"fetch_nonce"}
    ]
    with RawClient(deployment.socket) as client:  # the act that the examples ask for
        client.call("stop_jobs", {"act_id": overview_examples.ACT, "job_ids": ["nowhere"], "reason": "wrong input"})
    with program(url_of(deployment, scheme), "examples") as running:
        answers = {said["method"]: said for said in spoken(running, lambda _: json.dumps(calls)) if "method" in said}

    assert list(answers) == [name for name, _ in calls]
    assert {name: said for name, said in answers.items() if said.get("code") in WRONG} == {}
    read = {name: said["typed"] for name, said in answers.items() if "typed" in said}
    assert read == {name: {"result": said["result"]} for name, said in answers.items() if "typed" in said}
    assert len(read) > len(calls) / 2
    assert answers["run_job"]["result"] == "42"
    assert answers["whoami"]["result"]["scope"] == "admin"


def spoken(running: TalkingProgram, answer: Callable[[dict[str, Any]], str]) -> Iterator[dict[str, Any]]:
    """Yield what a program says, and answer where it waits."""
    for said in running.said():
        yield said
        if said.get("waits"):
            running.answer(answer(said))


def told_by(running: TalkingProgram, answer: Callable[[dict[str, Any]], str] = lambda _: "") -> dict[str, Any]:
    """Return all that a program has said."""
    return {name: value for said in spoken(running, answer) for name, value in said.items()}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_traits_make_calls_with_their_parameters(deployment: Deployment, program: Start, scheme: str) -> None:
    with program(url_of(deployment, scheme), "typed") as running:
        told = told_by(running)

    assert (told["output"], told["status"], told["type"], told["variables"]) == ("42", "finished", "SAL", {})
    assert (told["log"], told["ended"]) == ("hello", 2)
    assert told["listed"] >= 1
    assert told["alive"] >= 2
    assert told["actors"] >= 2
    assert told["history"] == 15
    assert (told["paused"], told["group"], told["act"]) == (True, "rust", "stop")
    assert told["events"] >= 1
    assert (told["deleted"]["code"], told["deleted"]["kind"]) == (1001, "job_not_found")
    assert told["batch"] == [1, 1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_methods_of_the_rust_family_answer_in_its_shapes(
    deployment: Deployment, program: Start, scheme: str
) -> None:
    with program(url_of(deployment, scheme), "family") as running:
        told = told_by(running)

    assert told["ran"] == {"success": "42"}
    assert "no" in told["failed"]["error"]
    assert (told["created"], told["early"]["code"]) == ("created", 1003)
    assert (told["result"], told["logs"], told["listed"]) == ({"success": "1"}, "hello", True)
    assert told["gone"]["kind"] == "job_not_found"


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_lost_answers_neither_repeat_a_job_nor_lose_an_event(
    deployment: Deployment, program: Start, scheme: str
) -> None:
    with LossyRelay(deployment.port) as relay, program(url_of(deployment, scheme, relay.port), "losses") as running:

        def lose(said: dict[str, Any]) -> str:
            if said["running"] in LOST:
                relay.lose_next_answer()
            return ""

        told = told_by(running, lose)
        lost = relay.lost

    assert lost == len(LOST)
    assert told["outputs"] == [str(n) for n in range(12)]
    assert (told["finished"], told["jobs"]) == (12, 12)


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_call_that_may_have_taken_effect_is_not_repeated(deployment: Deployment, program: Start, scheme: str) -> None:
    with (
        LossyRelay(deployment.port) as relay,
        program(url_of(deployment, scheme, relay.port), "unrepeatable") as running,
    ):

        def lose(_: dict[str, Any]) -> str:
            relay.lose_next_answer()
            return ""

        told = told_by(running, lose)

    assert (told["kind"], told["code"]) == ("connection_lost", 0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_refusals_and_limits_are_errors_with_a_kind(
    deployment: Deployment, program: Start, scheme: str, tmp_path: Path
) -> None:
    with socket.socket() as deaf, program(url_of(deployment, scheme), "refusals") as running:
        deaf.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        port = deaf.getsockname()[1]
        nowhere = f"unix://{tmp_path}/nowhere" if scheme == "unix" else f"{scheme}://127.0.0.1:{port}"
        told = told_by(running, lambda _: nowhere)

    assert [told[name]["kind"] for name in ("unknown", "log", "nowhere", "answer", "request", "scheme")] == [
        "job_not_found", "job_not_found", "unreachable", "too_large", "too_large", "unusable",
    ]  # fmt: skip
    assert told["stranger"]["code"] in {1301, 1303}  # the second after ten wrong tokens from one address
    assert told["later"]["result"]["scope"] == told["scope"] == "admin"
    assert told["after"] == {"result": "1"}


class Impostor:
    """Listens on a Unix socket, and answers one request per connection with the next of these texts.

    It accepts each token. ``ID`` in a text becomes the id of the request.
    """

    def __init__(self, path: Path, texts: list[str]) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._texts = texts
        self._thread = threading.Thread(target=self._serve, name="impostor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        for text in self._texts:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # the test has ended
            with connection, connection.makefile("rwb") as stream:
                for line in stream:
                    request = json.loads(line)
                    known = request["method"] == "authenticate"
                    answer = '{"jsonrpc":"2.0","id":ID,"result":true}\n' if known else text
                    stream.write(answer.replace("ID", str(request["id"])).encode())
                    stream.flush()
                    if not known:
                        break


GOOD = '{"jsonrpc":"2.0","id":ID,"result":{"name":"impostor","version":"1","openrpc":"1"}}\n'


@pytest.mark.parametrize(
    "bad",
    ["", '{"jsonrpc":"2.0","id":ID,"resu', "hello\n", '{"jsonrpc":"2.0","id":77,"result":1}\n', "{}\n", "\n"],
    ids=["nothing", "half an answer", "no JSON", "another id", "no answer", "an empty line"],
)
def test_a_call_survives_a_damaged_answer(program: Start, tmp_path: Path, bad: str) -> None:
    path = tmp_path / "hero.ipc"
    with Impostor(path, [bad, GOOD]), program(f"unix://{path}", "asks") as running:
        asked = iter(["", "end"])
        told = told_by(running, lambda _: next(asked))

    assert told["result"]["name"] == "impostor"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"jsonrpc":"2.0","id":ID,"result":{"name":1}}\n', "unexpected"),
        ('{"jsonrpc":"2.0","id":ID,"error":{"code":7,"message":"no"}}\n', "unknown"),
    ],
    ids=["another type", "an error without data"],
)
def test_an_answer_that_is_not_as_described_is_an_error(program: Start, tmp_path: Path, text: str, kind: str) -> None:
    path = tmp_path / "hero.ipc"
    with Impostor(path, [text]), program(f"unix://{path}", "asks") as running:
        asked = iter(["", "end"])
        told = told_by(running, lambda _: next(asked))

    assert told["kind"] == kind
