"""The Rhai engine in child processes, under the contract of every engine and beyond it; and any other engine there."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hero_engine.engine import Asker, Done, Engine, Failed, Limits, Outcome, Script, TimedOut
from hero_engine.errors import AccessRefused, EngineUnavailable
from hero_engine.isolated import IsolatedEngine, IsolationSettings
from hero_process.proc import children_of
from tests.engine.test_rhai import TestRhai as RhaiContract
from tests.eventually import eventually

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rhai() -> Iterator[IsolatedEngine]:
    """One engine for all tests, because it takes a moment to start."""
    engine = IsolatedEngine("rhai", IsolationSettings())
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def odd() -> Iterator[IsolatedEngine]:
    """An engine of the tests, whose scripts do what Rhai scripts cannot; see `odd_engine.py`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        patch.setenv("HERO_REDIS_URL", "redis://secret")
        engine = IsolatedEngine(
            "tests.engine.odd_engine:create", IsolationSettings(memory_bytes=1 << 30, cpu_s=1, files=32)
        )
    yield engine
    engine.close()


@dataclass
class Heard:
    """Collects what a run prints and reports."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    progressed: list[tuple[float, float, str]] = field(default_factory=list)

    def line(self, level: str, text: str) -> None:
        self.lines += ((level, part) for part in text.split("\n"))

    def progress(self, done: float, total: float, text: str) -> None:
        self.progressed.append((done, total, text))


def run(engine: IsolatedEngine, source: str, *, timeout_s: float = 300, heard: Heard | None = None) -> Outcome:
    return engine.run(
        Script(source=source, name="j"),
        constants={"JOB_ID": "j", "CALLER_ID": "alice", "CONTEXT_ID": "c"},
        limits=Limits(timeout_s=timeout_s),
        run=engine.new_run(),
        log=heard,
    )


class TestIsolatedRhai(RhaiContract):
    @pytest.fixture
    def engine(self, rhai: IsolatedEngine) -> Engine:
        return rhai


def test_output_progress_and_debug_lines_come_in_order(rhai: IsolatedEngine) -> None:
    heard = Heard()

    run(rhai, 'print("one"); debug("two"); progress(1, 2, "half"); print("three\\nfour")', heard=heard)

    assert [text.rpartition("two")[1] or text for _, text in heard.lines] == ["one", "two", "three", "four"]
    assert [level for level, _ in heard.lines] == ["info", "debug", "info", "info"]
    assert heard.progressed == [(1.0, 2.0, "half")]


def test_child_is_kept_from_job_to_job_also_after_a_failure(odd: IsolatedEngine) -> None:
    first = run(odd, "pid")

    assert isinstance(run(odd, "fail"), Failed)
    assert run(odd, "pid") == first


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("segfault", "crashed", "signal SIGSEGV"),
        ("abort", "crashed", "signal SIGABRT"),
        ("die", "crashed", "exit code 3"),
        ("spin", "crashed", "processor time was used up"),
        ("eat", "out_of_memory", "memory"),
        ("open", "child_failed", "Too many open files"),
    ],
)
def test_script_that_ends_its_process_fails_alone(odd: IsolatedEngine, source: str, kind: str, words: str) -> None:
    before = os.getpid()
    with ThreadPoolExecutor(1) as pool:
        neighbour = pool.submit(run, odd, "wait")
        outcome = run(odd, source)
        assert isinstance(outcome, Failed)
        assert (outcome.kind, words in outcome.message) == (kind, True), outcome.message
        assert neighbour.result(300) == Done("waited")
    assert before == os.getpid()


def test_script_that_never_yields_is_killed_at_its_deadline(odd: IsolatedEngine) -> None:
    pid = run(odd, "pid")

    assert run(odd, "hold", timeout_s=0.2) == TimedOut(0.2)
    assert run(odd, "pid") != pid


def test_result_beyond_the_limit_is_refused_before_the_actor_holds_it(odd: IsolatedEngine) -> None:
    limits = Limits(timeout_s=300, result_bytes=1 << 20)

    outcome = odd.run(Script(source="flood"), constants={}, limits=limits, run=odd.new_run())

    assert isinstance(outcome, Failed)
    assert outcome.kind == "result_too_large"


def test_child_that_starts_a_thread_or_a_process_is_not_kept(odd: IsolatedEngine) -> None:
    for source in ("thread", "process"):
        pid = run(odd, "pid")
        run(odd, source)
        assert run(odd, "pid") != pid


def test_children_do_not_have_the_address_of_the_store(odd: IsolatedEngine) -> None:
    assert run(odd, "environment") == Done("")


def test_program_that_a_script_starts_inherits_none_of_the_sockets_of_its_child(odd: IsolatedEngine) -> None:
    heard = Heard()

    run(odd, "inherited", heard=heard)

    assert [text for _, text in heard.lines][-1] == "0"


def test_children_do_not_have_the_variable_that_makes_the_template_link_its_libraries_early(
    odd: IsolatedEngine,
) -> None:
    assert run(odd, "linker") == Done("")


def test_child_does_not_begin_with_a_garbage_collection(odd: IsolatedEngine) -> None:
    # It would copy the memory of all objects that the template has made since it loaded.
    assert run(odd, "collected") == Done("0")


def test_child_collects_the_garbage_of_its_scripts(odd: IsolatedEngine) -> None:
    assert run(odd, "collects") == Done("True")


def test_children_have_none_of_the_signal_handlers_that_a_library_installs(odd: IsolatedEngine) -> None:
    assert run(odd, "handlers") == Done("True")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        engine = IsolatedEngine("tests.engine.odd_engine:create_with_handlers", IsolationSettings())
    try:
        assert run(engine, "handlers") == Done("True")
    finally:
        engine.close()


def test_child_that_was_killed_while_it_waited_costs_no_job(odd: IsolatedEngine) -> None:
    run(odd, "pid")
    process = odd._pool._process
    assert process is not None
    for pid in children_of(process.pid):
        os.kill(pid, signal.SIGKILL)

    eventually(lambda: isinstance(run(odd, "pid"), Done), what="another child runs the job")


def test_as_many_children_are_ready_as_jobs_ran_simultaneously_and_one_more() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        engine = IsolatedEngine("tests.engine.odd_engine:create", IsolationSettings())
    try:
        pool = engine._pool
        assert pool._process is not None
        template = pool._process.pid
        for child in [pool.take() for _ in range(8)]:
            pool.give_back(child, reusable=False)

        eventually(lambda: len(children_of(template)) == 9, what="the others have ended, and those have begun")
        assert isinstance(run(engine, "wait"), Done)
        assert len(children_of(template)) == 9
    finally:
        engine.close()


def test_scripts_reach_the_store_through_their_actor_which_says_for_whom(odd: IsolatedEngine) -> None:
    asked: list[tuple[Asker, str, Mapping[str, object]]] = []

    class Access:
        def call(self, asker: Asker, method: str, params: Mapping[str, object]) -> object:
            asked.append((asker, method, params))
            if method == "store.delete":
                raise AccessRefused("no")
            return {"value": [1, 2]}

    odd.give_access(Access())

    assert run(odd, "ask store.get") == Done("{'value': [1, 2]}")
    assert run(odd, "ask store.delete") == Done("refused: no")
    (asker, method, params), _ = asked
    assert (asker.job_id, asker.caller_id, asker.context_id) == ("j", "alice", "c")
    assert (method, params) == ("store.get", {"name": "n"})


def test_flood_of_output_leaves_most_of_the_interpreter_to_other_threads(rhai: IsolatedEngine) -> None:
    spent: list[float] = []
    done = threading.Event()

    def flood() -> None:
        import time

        run(rhai, 'loop { print("x") }', timeout_s=3, heard=Heard())
        spent.append(time.thread_time())
        done.set()

    threading.Thread(target=flood).start()
    done.wait()

    # A tenth of three seconds, the burst, and what comes at the end. Processor time does not depend on other load.
    assert spent[0] < 1.0


def test_engine_that_does_not_load_is_named() -> None:
    with pytest.raises(EngineUnavailable, match="nowhere"):
        IsolatedEngine("tests.nowhere:create", IsolationSettings())
