"""The jobs of the quick start: the same jobs through the Python API and through the Unix socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hero_client import Supervisor, SupervisorBuilder
from hero_ctl.dev.lines import Lines
from hero_ctl.dev.service import DevService
from hero_job import HeroJobError, Job, JobBuilder, JobFailed, ScriptType

CALLER, CONTEXT = "quick-start", "first-circle"
GREETING = '"hello " + CALLER_ID + ", this is " + CONTEXT_ID'
GREETING_ANSWER = f"hello {CALLER}, this is {CONTEXT}"
SUMS = "let sums = [];\nfor n in 1..=3 { sums.push(n * n); }\n#{ answer: 40 + 2, sums: sums }"
SUMS_ANSWER = {"answer": 42, "sums": [1, 4, 9]}
BROKEN = "let price = 7;\nlet amount = 6;\nprice * quantity"
ENDLESS = "loop { }"
HEROSCRIPT = "!!session.env_set key:who val:world\n!!play.echo content:'hello {who}, from {CALLER_ID}'"
HEROSCRIPT_ANSWER = f"hello world, from {CALLER}"
V_SCRIPT = "!!play.echo content:'hello from V'"
WAIT_LIMIT_S = 30.0


@dataclass(slots=True)
class Tally:
    """How many jobs ran, and which did not end as expected."""

    all: int = 0
    bad: list[str] = field(default_factory=list)

    @property
    def good(self) -> int:
        return self.all - len(self.bad)


@dataclass(frozen=True, slots=True)
class Failure:
    """How a job failed, as either client reports it."""

    kind: str
    message: str
    line: int | None
    column: int | None

    def __str__(self) -> str:
        place = "" if self.line is None else f", line {self.line}, column {self.column}"
        return f"kind '{self.kind}'{place}: {self.message}"


class Unexpected(Exception):
    """A job did not end as expected."""


def run_jobs(service: DevService, show: Lines) -> Tally:
    """Run all jobs.

    Args:
        service: A running service.
        show: Prints what happens.

    Returns:
        How many ran, and which did not end as expected.
    """
    tally = Tally()
    no_v = any(a.script_type is ScriptType.V and a.unavailable is not None for a in service.actors())
    with SupervisorBuilder().redis_url(service.redis_url).build() as supervisor:
        _through(PythonClient(supervisor, show), "Python API", show, tally, no_v)
    with RpcClient(service.socket_path, show) as rpc:
        _through(rpc, "Unix socket", show, tally, no_v)
    return tally


def _through(client: PythonClient | RpcClient, name: str, show: Lines, tally: Tally, no_v: bool) -> None:
    for script_type in (ScriptType.OSIS, ScriptType.SAL):
        _step(show, tally, f"{name}, {script_type}: in two steps", partial(_two_steps, client, script_type))
        _step(show, tally, f"{name}, {script_type}: run and wait", partial(_run, client, script_type))
    _step(show, tally, f"{name}, {ScriptType.OSIS}: a script with a mistake", lambda: _mistake(client))
    _step(
        show,
        tally,
        f"{name}, {ScriptType.SAL}: a script that never ends, with a timeout of 1 s",
        lambda: _endless(client),
    )
    _step(show, tally, f"{name}, {ScriptType.PYTHON}: HeroScript", lambda: _heroscript(client))
    if no_v:
        _step(
            show,
            tally,
            f"{name}, {ScriptType.V}: HeroScript, and why it cannot run here",
            lambda: _v_unavailable(client),
        )
    else:
        _step(show, tally, f"{name}, {ScriptType.V}: HeroScript", lambda: _v(client))


def _step(show: Lines, tally: Tally, name: str, act: Callable[[], str]) -> None:
    tally.all += 1
    show.title(f"{tally.all}. {name}")
    begin_mono = time.monotonic()
    try:
        detail = act()
    except (Unexpected, HeroJobError, OSError) as e:
        show.bad(str(e))
        tally.bad.append(f"{name}: {e}")
    else:
        show.good(f"{(time.monotonic() - begin_mono) * 1000:.0f} ms{detail}")


def _two_steps(client: PythonClient | RpcClient, script_type: ScriptType) -> str:
    output = client.in_two_steps(GREETING, script_type)
    _expect(output == GREETING_ANSWER, output)
    return ""


def _run(client: PythonClient | RpcClient, script_type: ScriptType) -> str:
    output = client.run(SUMS, script_type)
    try:
        good = json.loads(output) == SUMS_ANSWER
    except ValueError:
        good = False
    _expect(good, output)
    return ""


def _mistake(client: PythonClient | RpcClient) -> str:
    failure = client.run_to_failure(BROKEN, ScriptType.OSIS, timeout_s=10)
    _expect(failure.line == 3 and "quantity" in failure.message, str(failure))
    return f"; it failed with {failure}"


def _endless(client: PythonClient | RpcClient) -> str:
    failure = client.run_to_failure(ENDLESS, ScriptType.SAL, timeout_s=1)
    _expect(failure.kind == "timeout", str(failure))
    return f"; it failed with {failure}"


def _heroscript(client: PythonClient | RpcClient) -> str:
    output = client.run(HEROSCRIPT, ScriptType.PYTHON)
    try:
        good = json.loads(output)[-1]["result"] == HEROSCRIPT_ANSWER
    except (ValueError, LookupError, TypeError):
        good = False
    _expect(good, output)
    return ""


def _v(client: PythonClient | RpcClient) -> str:
    _expect(bool(client.run(V_SCRIPT, ScriptType.V).strip()), "without output")
    return ""


def _v_unavailable(client: PythonClient | RpcClient) -> str:
    failure = client.run_to_failure(V_SCRIPT, ScriptType.V, timeout_s=10)
    _expect(failure.kind == "engine_unavailable", str(failure))
    return f"; it failed with {failure}"


def _expect(good: bool, what: str) -> None:
    if not good:
        raise Unexpected(f"the job ended in another way: {what}")


def _poll(ask: Callable[[], str | None]) -> str:
    """Ask again and again until there is an output, as a program does that has other work meanwhile."""
    deadline_mono = time.monotonic() + WAIT_LIMIT_S
    while (output := ask()) is None:
        if time.monotonic() > deadline_mono:
            raise Unexpected(f"no output after {WAIT_LIMIT_S:g} s")
        time.sleep(0.002)
    return output


class PythonClient:
    """Runs jobs through the Python API.

    Args:
        supervisor: The API.
        show: Prints each call.
    """

    def __init__(self, supervisor: Supervisor, show: Lines) -> None:
        self._supervisor = supervisor
        self._show = show

    def in_two_steps(self, script: str, script_type: ScriptType) -> str:
        job = self._job(script, script_type, 10)
        self._show.fact("create_job", f"-> {self._supervisor.create_job(job)}")
        self._supervisor.start_job(job.id)
        self._show.fact("start_job", "-> queued")
        output = _poll(lambda: self._supervisor.get_job_output(job.id))
        self._show.fact("get_job_output", f"-> {output!r}")
        return output

    def run(self, script: str, script_type: ScriptType, timeout_s: float = 10) -> str:
        job = self._job(script, script_type, timeout_s)
        output = self._supervisor.run_job_and_await_result(job, wait_s=WAIT_LIMIT_S)
        self._show.fact("run_job", f"-> {output!r}")
        return output

    def run_to_failure(self, script: str, script_type: ScriptType, timeout_s: float) -> Failure:
        try:
            output = self.run(script, script_type, timeout_s)
        except JobFailed as e:
            self._show.fact("JobFailed", f"kind={e.kind!r} line={e.line} column={e.column} message={e.message!r}")
            return Failure(e.kind, e.message, e.line, e.column)
        raise Unexpected(f"it should have failed, but returned {output!r}")

    def _job(self, script: str, script_type: ScriptType, timeout_s: float) -> Job:
        self._show.script(script)
        builder = JobBuilder().caller_id(CALLER).context_id(CONTEXT).script(script)
        return builder.script_type(script_type).timeout(timeout_s).build()


class RpcClient:
    """Runs jobs through JSON-RPC on the Unix socket: on one connection, one request after another.

    Args:
        path: The socket.
        show: Prints each message.
    """

    def __init__(self, path: Path, show: Lines) -> None:
        self._show = show
        self._next_id = 1
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(WAIT_LIMIT_S)
        self._socket.connect(str(path))
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> RpcClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def in_two_steps(self, script: str, script_type: ScriptType) -> str:
        job_id = self._call("create_job", self._fields(script, script_type, 10))["result"]
        self._call("start_job", [job_id])
        return _poll(lambda: self._result("get_job_output", [job_id]))

    def run(self, script: str, script_type: ScriptType, timeout_s: float = 10) -> str:
        output = self._result("run_job", self._fields(script, script_type, timeout_s))
        assert isinstance(output, str)
        return output

    def run_to_failure(self, script: str, script_type: ScriptType, timeout_s: float) -> Failure:
        answer = self._call("run_job", self._fields(script, script_type, timeout_s), may_fail=True)
        if "error" not in answer:
            raise Unexpected(f"it should have failed, but returned {answer['result']!r}")
        data = answer["error"]["data"]
        return Failure(data["kind"], data["message"], data.get("line"), data.get("column"))

    def _fields(self, script: str, script_type: ScriptType, timeout_s: float) -> dict[str, Any]:
        return {
            "caller_id": CALLER,
            "context_id": CONTEXT,
            "script_type": script_type.value,
            "script": script,
            "timeout": timeout_s,
        }

    def _result(self, method: str, params: Any) -> Any:
        return self._call(method, params)["result"]

    def _call(self, method: str, params: Any, *, may_fail: bool = False) -> dict[str, Any]:
        request = {"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params}
        self._next_id += 1
        text = json.dumps(request)
        self._show.fact("sent", text)
        self._socket.sendall(text.encode())
        line = self._answers.readline()
        if not line:
            raise Unexpected("the service closed the connection")
        self._show.fact("received", line.decode().rstrip("\n"))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer and not may_fail:
            raise Unexpected(f"{method} was refused: {answer['error']}")
        return answer
