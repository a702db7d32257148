"""The V engine under the contract, with a program in the place of `hero`, and its own features."""

from __future__ import annotations

import shutil
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from hero_engine.engine import Done, Engine, Failed, Limits, Outcome, Script, TimedOut
from hero_engine.errors import EngineUnavailable
from hero_engine.registry import load_engine
from hero_engine.v.engine import VEngine
from hero_process.proc import arguments_of, process_ids
from tests.engine.contract import EngineContract
from tests.engine.contract import Lines as Log
from tests.eventually import eventually

STAND_IN = f"{sys.executable} -I -S {Path(__file__).parent / 'v_stand_in.py'} {{file}}"


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", STAND_IN)


def run(source: str, *, timeout_s: float = 300, log: Log | None = None, **constants: object) -> Outcome:
    engine = load_engine("v")
    limits = Limits(timeout_s=timeout_s)
    return engine.run(Script(source=source), constants=constants, limits=limits, run=engine.new_run(), log=log)


class TestV(EngineContract):
    ENGINE = "v"
    # The output of the program is always text, even if it looks like a number.
    FORTY_TWO_DONE = Done("42", None)
    FORTY_TWO = "!!test.print text:42"
    FORTY_TWO_TEXT = "!!test.print text:42"
    NOTHING = "!!test.nothing"
    LIST = "!!test.print text:'[1,\"two\",true]'"
    MAP = "!!test.print text:'{\"a\":1}'"
    CONSTANT = "!!test.constant name:NAME"
    FAILING = "!!test.nothing\n!!test.fail"
    INVALID = "!!a.b.c x:1"
    ENDLESS = "!!test.endless"
    SLEEPING = "!!test.sleep"
    SAYING = "!!test.say text:hello"

    def test_list_and_map_are_json(self, engine: Engine) -> None:
        assert self.run(engine, self.LIST) == Done('[1,"two",true]', None)
        assert self.run(engine, self.MAP) == Done('{"a":1}', None)

    def test_constant_cannot_be_changed(self, engine: Engine) -> None:
        # Constants are environment variables of the run's own process; nobody sees what it does to them.
        assert self.run(engine, "!!test.print text:two", NAME="one") == Done("two", None)

    def test_failure_has_kind_message_and_line(self, engine: Engine) -> None:
        # The program mentions the line only in its message.
        outcome = self.run(engine, self.FAILING)
        assert outcome == Failed("v_failed", "exit code 1: Error: no luck in line 2")

    def test_runs_leave_no_traces_for_later_ones(self, engine: Engine) -> None:
        places = [self.run(engine, "!!test.where") for _ in range(2)]
        assert places[0] != places[1]
        for place in places:
            assert isinstance(place, Done)
            assert not any(Path(path).exists() for path in place.output.split())


def test_control_sequences_are_removed_from_the_output() -> None:
    assert run("!!test.color") == Done("green plain\n")


def test_standard_error_goes_to_the_log() -> None:
    log = Log()

    run("!!test.fail", log=log)

    assert log.lines == [("info", "Error: no luck in line 1")]


def test_script_with_a_mistake_costs_no_process_and_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", "/bin/false {file}")

    outcome = run("!!test.nothing\n!!a.b.c")

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.line, outcome.permanent) == ("syntax", 2, True)


def test_actions_that_herolib_never_marks_as_done_are_a_success_with_a_warning() -> None:
    log = Log()

    assert run("!!play.echo content:hi\n!!git.list", log=log) == Done("echoed\nechoed\n")
    assert log.lines[-1] == ("warning", "the program ran, but does not mark as done: git.list, play.echo")


def test_any_other_unfinished_action_is_a_failure() -> None:
    outcome = run("!!play.echo content:hi\n!!no.action x:1")

    assert isinstance(outcome, Failed)
    assert outcome.kind == "unknown_action"
    assert "no.action" in outcome.message


def test_signal_that_ended_the_program_is_named() -> None:
    outcome = run("!!test.abort")

    assert isinstance(outcome, Failed)
    assert outcome.kind == "crashed"
    assert "SIGABRT" in outcome.message


def test_endless_output_is_a_failure() -> None:
    outcome = run("!!test.flood")

    assert isinstance(outcome, Failed)
    assert outcome.kind == "result_too_large"


def test_environment_has_the_jobs_variables_and_what_a_program_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_REDIS_URL", "redis://:secret@nowhere")
    monkeypatch.setenv("HERO_JOB_ENV", "COLOR, SIZE")
    given = {"COLOR": "red", "SHAPE": "round", "bad=name": "x", "LD_PRELOAD": "x", "HERO_INCARNATION": "x"}

    outcome = run("!!test.environment", CALLER_ID="me", ENV=given)

    assert isinstance(outcome, Done)
    names = set(outcome.output.split(","))
    assert {"CALLER_ID", "COLOR", "JOB_ENV_COLOR", "JOB_ENV_SHAPE", "PATH"} <= names
    assert not names & {"HERO_REDIS_URL", "SHAPE", "LD_PRELOAD", "HERO_INCARNATION"}


def test_operator_cannot_list_a_variable_that_changes_what_programs_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_JOB_ENV", "COLOR,LD_PRELOAD")

    with pytest.raises(EngineUnavailable, match="LD_PRELOAD changes what programs do"):
        load_engine("v")


@pytest.mark.parametrize(("keys", "seen"), [(("02ab", "03cd"), "02ab,03cd"), ((), "")])
def test_signatories_come_from_the_job_and_not_from_its_variables(keys: tuple[str, ...], seen: str) -> None:
    outcome = run("!!test.constant name:SIGNATORIES", SIGNATORIES=keys, ENV={"SIGNATORIES": "02ff"})

    assert outcome == Done(seen)


def test_process_that_is_left_behind_neither_delays_the_run_nor_survives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"mark={uuid.uuid4().hex}"  # other tests start the same program
    monkeypatch.setenv("HERO_V_COMMAND", STAND_IN.replace(" -I ", f" -X {mark} -I ", 1))

    def sleepers() -> list[int]:
        return [pid for pid in process_ids() if mark in arguments_of(pid)]

    assert run("!!test.leave") == Done("")
    eventually(lambda: not sleepers())


@pytest.mark.parametrize("end", ["", "!!test.fail", "!!test.abort", "!!test.sleep"])
def test_daemon_in_a_session_of_its_own_does_not_survive_the_run(tmp_path: Path, end: str) -> None:
    file = tmp_path / "pid"

    for timeout_s in (2.0, 20.0, 200.0) if end == "!!test.sleep" else (300.0,):
        outcome = run(f"!!test.daemon file:{file}\n{end}".rstrip(), timeout_s=timeout_s)
        if file.exists():  # otherwise the time was up before the daemon had begun
            break

    pid = int(file.read_text())
    eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    match end:
        case "":
            assert outcome == Done("")
        case "!!test.sleep":
            assert outcome == TimedOut(timeout_s)
        case _:
            assert isinstance(outcome, Failed)
            assert outcome.kind == ("crashed" if end == "!!test.abort" else "v_failed")


def test_program_that_was_removed_after_the_start_is_reported(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    engine = VEngine(f"{program} {{file}}")
    program.unlink()

    outcome = engine.run(
        Script(source="!!test.nothing"), constants={}, limits=Limits(timeout_s=300.0), run=engine.new_run()
    )

    assert isinstance(outcome, Failed)
    assert "does not start: No such file or directory" in outcome.message


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-hero {file}", ["no program 'no-such-hero'", "Install herolib", "HERO_V_COMMAND"]),
        ("hero", ["no {file}"]),
        ("hero '{file}", ["cannot be used"]),
    ],
)
def test_missing_program_or_malformed_command_is_an_unavailable_engine(command: str, words: list[str]) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        VEngine(command)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.skipif(shutil.which("hero") is None, reason="herolib's program `hero` is not installed")
def test_real_hero_runs_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HERO_V_COMMAND")

    outcome = run("!!play.echo content:'hello from hero'")

    assert isinstance(outcome, Done), outcome
    assert "hello from hero" in outcome.output
