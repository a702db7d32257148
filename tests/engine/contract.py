"""The contract of every engine, as tests. An engine joins with a subclass of `EngineContract` whose name begins with
`Test`.

Each subclass supplies scripts with the same meaning in its own language.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from hero_engine.engine import Done, Engine, Failed, Limits, Outcome, RunHandle, Script, Stopped, TimedOut
from hero_engine.registry import load_engine

#: Ends a script that hangs. A child that has to be started on a busy machine takes long, too.
LIMITS = Limits(timeout_s=300)


class Lines:
    """Collects what a script prints."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def line(self, level: str, text: str) -> None:
        self.lines.append((level, text))

    def progress(self, done: float, total: float, text: str) -> None:
        raise AssertionError("nothing was said of progress")


class EngineContract:
    """The contract. A subclass sets `ENGINE` and the scripts."""

    ENGINE: ClassVar[str]
    #: The outcome of a script whose result is the number 42.
    FORTY_TWO_DONE: ClassVar[Done] = Done("42", "42")
    #: Its result is the number 42.
    FORTY_TWO: ClassVar[str]
    #: Its result is the string "42".
    FORTY_TWO_TEXT: ClassVar[str]
    #: It has no result.
    NOTHING: ClassVar[str]
    #: Its result is a list of 1, "two" and true.
    LIST: ClassVar[str]
    #: Its result is a map of "a" to 1.
    MAP: ClassVar[str]
    #: Its result is the text of the constant NAME, read where the language makes that hardest.
    CONSTANT: ClassVar[str]
    #: Tries to change NAME.
    ASSIGN_CONSTANT: ClassVar[str]
    #: Fails in its second line, with "no luck" in the message.
    FAILING: ClassVar[str]
    #: A text that is not a script of this language.
    INVALID: ClassVar[str]
    #: Computes forever.
    ENDLESS: ClassVar[str]
    #: Sleeps for a minute.
    SLEEPING: ClassVar[str]
    #: Prints "hello" to where people read it, not as its result.
    SAYING: ClassVar[str]
    #: Sets a global and returns 1, or returns 2 if another run has set it before.
    LEAVING_TRACES: ClassVar[str]

    @pytest.fixture
    def engine(self) -> Engine:
        return load_engine(self.ENGINE)

    def run(
        self, engine: Engine, source: str, *, limits: Limits = LIMITS, run: RunHandle | None = None, **constants: object
    ) -> Outcome:
        script = Script(source=source, name="contract")
        return engine.run(script, constants=constants, limits=limits, run=run or engine.new_run())

    def test_engine_has_a_name_and_a_version(self, engine: Engine) -> None:
        assert engine.name
        assert engine.version

    def test_number_is_its_text_and_its_json(self, engine: Engine) -> None:
        assert self.run(engine, self.FORTY_TWO) == self.FORTY_TWO_DONE

    def test_string_is_itself_and_has_no_json(self, engine: Engine) -> None:
        assert self.run(engine, self.FORTY_TWO_TEXT) == Done("42", None)

    def test_nothing_is_an_empty_output(self, engine: Engine) -> None:
        assert self.run(engine, self.NOTHING) == Done("", None)

    def test_list_and_map_are_json(self, engine: Engine) -> None:
        assert self.run(engine, self.LIST) == Done('[1,"two",true]', '[1,"two",true]')
        assert self.run(engine, self.MAP) == Done('{"a":1}', '{"a":1}')

    def test_output_goes_to_the_log_in_the_thread_that_runs_the_script(self, engine: Engine) -> None:
        threads: set[int] = set()

        class Here(Lines):
            def line(self, level: str, text: str) -> None:
                threads.add(threading.get_ident())
                super().line(level, text)

        said = Here()
        script = Script(source=self.SAYING, name="contract")
        engine.run(script, constants={}, limits=LIMITS, run=engine.new_run(), log=said)

        assert ("info", "hello") in said.lines
        assert threads == {threading.get_ident()}

    def test_constant_is_seen(self, engine: Engine) -> None:
        outcome = self.run(engine, self.CONSTANT, NAME="käthe")
        assert isinstance(outcome, Done)
        assert outcome.output == "käthe"

    def test_each_run_sees_its_own_constants(self, engine: Engine) -> None:
        for name in ("one", "two"):
            outcome = self.run(engine, self.CONSTANT, NAME=name)
            assert isinstance(outcome, Done)
            assert outcome.output == name

    def test_constant_cannot_be_changed(self, engine: Engine) -> None:
        assert isinstance(self.run(engine, self.ASSIGN_CONSTANT, NAME="one"), Failed)

    def test_missing_constant_is_a_failure(self, engine: Engine) -> None:
        assert isinstance(self.run(engine, self.CONSTANT), Failed)

    def test_failure_has_kind_message_and_line(self, engine: Engine) -> None:
        outcome = self.run(engine, self.FAILING)
        assert isinstance(outcome, Failed)
        assert outcome.kind
        assert "no luck" in outcome.message
        assert outcome.line == 2

    def test_invalid_script_fails_in_check_and_in_run_with_the_same_error(self, engine: Engine) -> None:
        checked = engine.check(Script(source=self.INVALID))
        assert isinstance(checked, Failed)
        assert self.run(engine, self.INVALID) == checked

    def test_valid_script_passes_the_check_without_being_run(self, engine: Engine) -> None:
        assert engine.check(Script(source=self.SLEEPING)) is None

    @pytest.mark.parametrize("what", ["ENDLESS", "SLEEPING"])
    def test_run_ends_at_its_deadline(self, engine: Engine, what: str) -> None:
        limits = Limits(timeout_s=0.1)
        assert self.run(engine, getattr(self, what), limits=limits) == TimedOut(0.1)

    @pytest.mark.parametrize("what", ["ENDLESS", "SLEEPING"])
    def test_run_is_cancelled_from_another_thread(self, engine: Engine, what: str) -> None:
        run = engine.new_run()
        timer = threading.Timer(0.1, run.cancel)
        timer.start()
        assert self.run(engine, getattr(self, what), run=run) == Stopped()
        timer.join()

    def test_run_that_is_cancelled_early_does_not_start(self, engine: Engine) -> None:
        run = engine.new_run()
        run.cancel()
        run.cancel()
        assert self.run(engine, self.SLEEPING, run=run) == Stopped()

    def test_cancelling_a_finished_run_is_harmless(self, engine: Engine) -> None:
        run = engine.new_run()
        outcome = self.run(engine, self.FORTY_TWO, run=run)
        run.cancel()
        assert outcome == self.FORTY_TWO_DONE
        assert self.run(engine, self.FORTY_TWO) == self.FORTY_TWO_DONE

    def test_runs_leave_no_traces_for_later_ones(self, engine: Engine) -> None:
        assert self.run(engine, self.LEAVING_TRACES) == Done("1", "1")
        assert self.run(engine, self.LEAVING_TRACES) == Done("1", "1")

    def test_one_engine_serves_many_threads_simultaneously(self, engine: Engine) -> None:
        def named(name: str) -> str:
            outcome = self.run(engine, self.CONSTANT, NAME=name)
            assert isinstance(outcome, Done)
            return outcome.output

        names = [f"n{i}" for i in range(200)]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(named, names)) == names

    def test_endless_run_leaves_the_interpreter_to_other_threads(self, engine: Engine) -> None:
        run = engine.new_run()
        with ThreadPoolExecutor(1) as pool:
            endless = pool.submit(self.run, engine, self.ENDLESS, run=run)
            assert self.run(engine, self.FORTY_TWO) == self.FORTY_TWO_DONE
            run.cancel()
            assert endless.result(300) == Stopped()
