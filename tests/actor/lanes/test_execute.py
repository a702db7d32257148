"""From a claimed job to its settlement: what the engine is given, and what each outcome becomes in the store."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hero_actor.lanes.execute import Executor, settle, timeout_of
from hero_actor.lanes.quarantine import Quarantine
from hero_engine.engine import Done, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped, TimedOut
from hero_engine.errors import EngineUnavailable
from hero_engine.process_run import CRASHED
from hero_job import JobStatus, ScriptType
from hero_job.model.claim_types import ClaimedJob, ClaimedOptions, Settlement

LIMIT_BYTES = 1000


class Run:
    """A handle."""

    def cancel(self) -> None:
        """Nothing runs."""


class Noting:
    """An engine that notes what it is given, and returns or raises what it is told to."""

    name, version = "noting", "1"

    def __init__(self) -> None:
        self.result: Outcome | Exception = Done("42", "42")
        self.script: Script | None = None
        self.constants: Mapping[str, Any] = {}
        self.limits: list[Limits] = []

    def new_run(self) -> RunHandle:
        return Run()

    def run(
        self, script: Script, *, constants: Mapping[str, Any], limits: Limits, run: RunHandle, log: RunLog | None = None
    ) -> Outcome:
        self.script, self.constants = script, constants
        self.limits.append(limits)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def options(**changes: Any) -> ClaimedOptions:
    fields: dict[str, Any] = dict.fromkeys(
        ("retries", "failures", "log_path", "signatures", "memory_bytes", "suspect", "args", "traceparent")
    )
    return ClaimedOptions(**{**fields, "outputs": [], "traces": [], **changes})


def job(**changes: Any) -> ClaimedJob:
    fields: dict[str, Any] = {
        "id": "j", "attempt": "1", "script_type": "sal", "script": "40 + 2", "caller_id": "c", "context_id": "x",
        "timeout": "10", "env_vars": "{}",
    }  # fmt: skip
    return ClaimedJob(**{**fields, **changes})


@pytest.fixture
def engine() -> Noting:
    return Noting()


@pytest.fixture
def executor(engine: Noting) -> Executor:
    return make_executor(engine)


def make_executor(engine: Any, memory_bytes: int | None = None) -> Executor:
    quarantine = Quarantine(engine, "noting", None)  # type: ignore[arg-type]
    return Executor(engine, quarantine, ScriptType.SAL, memory_bytes=memory_bytes, max_result_bytes=LIMIT_BYTES)


@pytest.fixture
def execute(executor: Executor) -> Callable[..., Settlement]:
    return lambda **changes: executor.execute(job(**changes), Run())


def test_a_plain_job_gives_the_engine_its_script_its_owner_and_its_environment(
    engine: Noting, execute: Callable[..., Settlement]
) -> None:
    settled = execute(env_vars='{"A":"1"}')
    assert (settled.job_id, settled.attempt, settled.status) == ("j", "1", JobStatus.FINISHED)
    assert (settled.output, settled.output_json) == ("42", "42")
    assert engine.script == Script(source="40 + 2", name="j")
    assert engine.constants == {
        "CALLER_ID": "c", "CONTEXT_ID": "x", "JOB_ID": "j", "ENV": {"A": "1"}, "PREREQUISITES": {},
        "PREREQUISITE_VALUES": {}, "ARGS": (), "SIGNATORIES": (),
    }  # fmt: skip
    assert engine.limits == [Limits(timeout_s=10, memory_bytes=None, result_bytes=LIMIT_BYTES)]


def test_a_job_with_options_gives_what_its_prerequisites_and_its_submitter_say(
    engine: Noting, execute: Callable[..., Settlement]
) -> None:
    outputs = ["a", "text", None, "b", "[1]", "[1]", "c", "x", "no json", "d", None, None]
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    signed = json.dumps([{"public_key": "02" + "ab" * 32, "signature": "30" * 35}])
    execute(options=options(outputs=outputs, args='["p","q"]', traceparent=trace, signatures=signed))
    constants = engine.constants
    assert constants["PREREQUISITES"] == {"a": "text", "b": "[1]", "c": "x", "d": None}
    assert constants["PREREQUISITE_VALUES"] == {"a": "text", "b": [1], "c": "x", "d": None}
    assert list(constants["ARGS"]) == ["p", "q"]
    assert constants["SIGNATORIES"] == ("02" + "ab" * 32,)
    assert trace in constants.values()
    execute(options=options(traceparent="nonsense"))
    assert "nonsense" not in engine.constants.values()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"script_type": None}, "script_type"),
        ({"script_type": "osis"}, "script_type"),
        ({"script_type": "word"}, "script_type"),
        ({"script": None}, "script"),
        ({"caller_id": None}, "caller_id"),
        ({"context_id": None}, "context_id"),
        ({"script": "a\udcff"}, "script"),
        ({"timeout": "x"}, "timeout"),
        ({"timeout": "0"}, "timeout"),
        ({"timeout": "-1"}, "timeout"),
        ({"timeout": "nan"}, "timeout"),
        ({"env_vars": "[]"}, "env_vars"),
        ({"options": options(args="{}")}, "script_args"),
        ({"options": options(memory_bytes="x")}, "memory_bytes"),
        ({"options": options(memory_bytes="-1")}, "memory_bytes"),
    ],
)
def test_a_job_with_a_damaged_field_ends_without_running(
    engine: Noting, execute: Callable[..., Settlement], changes: dict[str, Any], named: str
) -> None:
    settled = execute(**changes)
    assert (settled.status, settled.error_kind) == (JobStatus.ERROR, "damaged")
    assert named in (settled.error or "")
    assert engine.script is None


def test_the_script_type_may_be_written_in_any_case(execute: Callable[..., Settlement]) -> None:
    assert execute(script_type="SAL").status is JobStatus.FINISHED


def test_a_ping_is_answered_without_the_engine(engine: Noting, execute: Callable[..., Settlement]) -> None:
    settled = execute(script="ping", script_type="osis")
    assert (settled.status, settled.output) == (JobStatus.FINISHED, "pong")
    assert engine.script is None


def test_the_smaller_limit_of_memory_counts(engine: Noting) -> None:
    executor = make_executor(engine, memory_bytes=100)
    for asked in (None, "50", "100", "200"):
        executor.execute(job(options=options(memory_bytes=asked)), Run())
    assert [limits.memory_bytes for limits in engine.limits] == [100, 50, 100, 100]
    make_executor(engine).execute(job(options=options(memory_bytes="200")), Run())
    assert engine.limits[-1].memory_bytes == 200


def test_limits_belong_to_what_a_job_asks_for(engine: Noting, executor: Executor) -> None:
    asked: list[tuple[str, ClaimedOptions | None]] = [
        ("1", None), ("2", None), ("1", options(memory_bytes="7")), ("1", options()), ("2", None), ("1", None),
    ]  # fmt: skip
    for timeout, more in asked:
        executor.execute(job(timeout=timeout, options=more), Run())
    found = [(limits.timeout_s, limits.memory_bytes) for limits in engine.limits]
    assert found == [(1, None), (2, None), (1, 7), (1, None), (2, None), (1, None)]
    for number in range(600):  # more than are kept
        executor.execute(job(timeout=str(number + 1)), Run())
    assert [limits.timeout_s for limits in engine.limits[-600:]] == list(range(1, 601))
    assert len(executor._limits) <= 256


@pytest.mark.parametrize(
    ("text", "timeout_s"), [("1e300", 315_360_000), ("5", 5), (None, None), ("0", None), ("x", None)]
)
def test_a_timeout_is_at_most_ten_years_and_an_invalid_one_counts_as_the_default(
    engine: Noting, execute: Callable[..., Settlement], text: str | None, timeout_s: float | None
) -> None:
    default_s = timeout_of(job(timeout=None))
    assert default_s > 0
    assert timeout_of(job(timeout=text)) == (timeout_s or default_s)
    settled = execute(timeout=text)
    if text is not None and timeout_s is None:
        assert settled.error_kind == "damaged"
    else:
        assert engine.limits[-1].timeout_s == (timeout_s or default_s)


@pytest.mark.parametrize(("size", "finished"), [(LIMIT_BYTES, True), (LIMIT_BYTES + 1, False)])
def test_a_result_is_at_most_as_large_as_allowed(
    engine: Noting, execute: Callable[..., Settlement], size: int, finished: bool
) -> None:
    engine.result = Done("x" * size)
    settled = execute()
    assert (settled.status is JobStatus.FINISHED) == finished
    assert settled.error_kind == ("" if finished else "result_too_large")
    engine.result = Done("é" * (size // 2 + (not finished)))
    assert (execute().status is JobStatus.FINISHED) == finished, "bytes count, not characters"


def test_a_result_that_is_not_unicode_is_an_error_that_no_retry_repairs(
    engine: Noting, execute: Callable[..., Settlement]
) -> None:
    engine.result = Done("a\udcff")
    settled = execute(options=options(retries="3"))
    assert (settled.error_kind, settled.retry_in_s) == ("result_not_presentable", None)


def test_an_engine_that_raises_ends_the_job_and_nothing_else(
    engine: Noting, execute: Callable[..., Settlement], caplog: pytest.LogCaptureFixture
) -> None:
    engine.result = ZeroDivisionError("oh")
    with caplog.at_level(logging.ERROR):
        settled = execute()
    assert (settled.error_kind, settled.error) == ("engine_defect", "the engine raised ZeroDivisionError: oh")
    assert [record.message for record in caplog.records] == ["engine.raised"]
    engine.result = EngineUnavailable("noting", "is gone", "bring it back")
    settled = execute()
    assert settled.error_kind == "engine_failed"
    assert "is gone" in (settled.error or "")


def test_a_failure_keeps_its_kind_its_text_and_its_place(engine: Noting, execute: Callable[..., Settlement]) -> None:
    engine.result = Failed("runtime", "no x\udcff", 3, 7)
    settled = execute()
    assert (settled.status, settled.error_kind, settled.error) == (JobStatus.ERROR, "runtime", "no x\\udcff")
    assert (settled.error_line, settled.error_column, settled.retry_in_s) == (3, 7, None)
    assert not settled.ended_its_process
    engine.result = Failed("runtime", "x" * 100_000)
    error = execute().error or ""
    assert error.endswith("(100000 characters)")
    assert len(error) < 66_000
    engine.result = Failed("runtime", "x" * 65536)
    assert execute().error == "x" * 65536, "exactly the limit"


@pytest.mark.parametrize(
    ("retries", "failures", "repeats"), [(None, None, False), ("1", None, True), ("1", "1", False), ("2", "1", True)]
)
def test_a_failed_run_is_repeated_as_often_as_the_job_says(
    retries: str | None, failures: str | None, repeats: bool
) -> None:
    asked = job(options=options(retries=retries, failures=failures))
    for outcome in (Failed("runtime", "x"), TimedOut(2.5)):
        assert (settle(asked, outcome).retry_in_s is not None) == repeats
    assert settle(asked, Failed("runtime", "x", None, None, True)).retry_in_s is None, "it would fail in the same way"
    assert settle(asked, Stopped()).retry_in_s is None


def test_a_run_that_was_ended_says_how() -> None:
    late = settle(job(), TimedOut(2.5))
    assert (late.status, late.error_kind) == (JobStatus.ERROR, "timeout")
    assert late.error == "did not end within its timeout of 2.5 s"
    stopped = settle(job(), Stopped())
    assert (stopped.status, stopped.error_kind, stopped.error) == (JobStatus.STOPPED, "stopped", "stopped")


def test_only_a_suspect_is_charged_with_the_end_of_its_process(
    engine: Noting, execute: Callable[..., Settlement], caplog: pytest.LogCaptureFixture
) -> None:
    engine.result = Failed(CRASHED, "signal 11")
    assert not execute(options=options()).ended_its_process
    assert not execute().ended_its_process
