"""The processes behind the engine: what ends them, what they leave behind, and what the job's error says about it."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed, Stopped, TimedOut
from hero_engine.errors import EngineUnavailable
from hero_engine.heroscript_engine.run.settings import EngineSettings
from hero_process.proc import children_of
from tests.engine.heroscript_engine.conftest import ROOT, VOCABULARY, Bench, MakeBench
from tests.eventually import eventually

LAST = "!!play.output result:last\n"


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def template_pid(bench: Bench) -> int:
    process = bench.engine._pool._process
    assert process is not None
    return process.pid


def child_pids(bench: Bench) -> set[int]:
    return set(children_of(template_pid(bench)))


def has_printed(bench: Bench, text: str, times: int) -> bool:
    return bench.log.lines.count(("info", text)) == times


def count_files(folder: str) -> int:
    return len(list(Path(folder).iterdir()))


def is_zombie(pid: int) -> bool:
    """Whether a process has ended; one that is gone meanwhile has, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def is_killed(pid: int) -> bool:
    """Whether a process has ended, or ends as soon as the kernel gives it a processor."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return True
    pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    return status["State"].split()[0] in "ZX" or bool(pending >> (signal.SIGKILL - 1) & 1)


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("!!test.exit code:3", "exited", "sys.exit(3)"),
        ("!!test.die code:4", "crashed", "exit code 4 in test.die (line 2)"),
        ("!!test.die code:0", "crashed", "exit code 0 in test.die (line 2)"),
        ("!!test.segfault", "crashed", "signal SIGSEGV in test.segfault (line 2)"),
        ("!!test.eat", "out_of_memory", "test.eat: MemoryError"),
    ],
)
def test_job_whose_process_ends_fails_and_says_how_it_ended(bench: Bench, script: str, kind: str, words: str) -> None:
    outcome = bench.run(f"!!test.nothing\n{script}")

    assert isinstance(outcome, Failed)
    assert outcome.kind == kind
    assert words in outcome.message
    assert bench.run(LAST + "!!test.number value:1") == Done("1", "1")


def test_limit_of_processor_time_ends_the_job(make_bench: MakeBench) -> None:
    outcome = make_bench(cpu_s=1).run("!!test.endless")

    assert isinstance(outcome, Failed)
    assert "processor time was used up" in outcome.message


def test_memory_limit_of_a_run_takes_precedence_over_the_engines(make_bench: MakeBench) -> None:
    bench = make_bench(memory_bytes=0)

    assert isinstance(bench.run("!!test.big size:300000000", memory_bytes=200 * 1024 * 1024), Failed)


@pytest.mark.parametrize("how", ["deadline", "cancel", "end"])
def test_whole_tree_is_dead_when_a_run_has_ended(bench: Bench, tmp_path: Path, how: str) -> None:
    seconds = 0 if how == "end" else 60
    script = f"!!test.spawn folder:'{tmp_path}' seconds:{seconds}"
    run = bench.engine.new_run()

    def pids() -> list[int]:
        return [int((tmp_path / name).read_text()) for name in ("plain", "hidden")]

    def end_at_a_deadline() -> None:
        for timeout_s in (2, 20, 200):
            assert bench.run(script, timeout_s=timeout_s) == TimedOut(timeout_s)
            if _grown(pids):  # otherwise the time was up before the tree had grown
                break

    if how == "cancel":
        with ThreadPoolExecutor(1) as pool:
            going = pool.submit(bench.run, script, run=run)
            eventually(lambda: _grown(pids), what="the tree has grown")
            run.cancel()
            assert going.result(300) == Stopped()
    elif how == "deadline":
        end_at_a_deadline()
        assert "test.spawn (line 1)" in bench.log.lines[-1][1]
    else:
        assert isinstance(bench.run(script), Done)

    assert how == "end" or all(map(is_killed, pids()))
    eventually(lambda: all(map(is_gone, pids())), what="the tree is dead")


def _grown(pids: Callable[[], list[int]]) -> bool:
    try:
        return all(pids())
    except (OSError, ValueError):
        return False


def test_runs_leave_no_process_and_no_descriptor_behind(make_bench: MakeBench) -> None:
    bench = make_bench()
    scripts = ["!!test.nothing", "!!test.die code:1", "!!test.exit code:1", "!!test.sleep seconds:60", "!!no.action"]

    def run_all() -> None:
        for script in scripts:
            bench.run(script, timeout_s=0.1)

    def is_settled() -> bool:
        children = child_pids(bench)
        return len(children) == 2 and not any(map(is_zombie, children))

    run_all()
    # The next child must be there before counting; otherwise its descriptors would look like a leak later.
    eventually(is_settled)
    gc.collect()  # what earlier tests have left is not closed while this one counts
    descriptors = count_files("/proc/self/fd")
    template_descriptors = count_files(f"/proc/{template_pid(bench)}/fd")
    for _ in range(3):
        run_all()

    eventually(is_settled)
    assert count_files("/proc/self/fd") <= descriptors
    eventually(lambda: count_files(f"/proc/{template_pid(bench)}/fd") <= template_descriptors)


def test_each_job_runs_in_a_child_of_its_own(bench: Bench) -> None:
    assert bench.run(LAST + "!!test.pid") != bench.run(LAST + "!!test.pid")


def test_child_runs_as_many_jobs_as_the_setting_allows(make_bench: MakeBench) -> None:
    bench = make_bench(jobs_per_child=3)

    pids = [bench.run(LAST + "!!test.pid") for _ in range(12)]

    assert len(set(map(str, pids))) == 4


def test_child_is_replaced_after_a_failure_or_a_leftover_process(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench(jobs_per_child=1000)

    def keeps_its_child(script: str) -> bool:
        before = str(bench.run(LAST + "!!test.pid"))
        bench.run(script)
        return before == str(bench.run(LAST + "!!test.pid"))

    assert keeps_its_child("!!test.nothing")
    assert not keeps_its_child("!!test.fail message:x")
    assert not keeps_its_child(f"!!test.spawn folder:'{tmp_path}' seconds:0")


def test_child_with_the_memory_limit_of_its_job_runs_no_other(make_bench: MakeBench) -> None:
    bench = make_bench(jobs_per_child=1000)

    limited = bench.run(LAST + "!!test.pid", memory_bytes=512 * 1024 * 1024)

    assert isinstance(limited, Done)
    assert bench.run(LAST + "!!test.pid") != limited


def test_another_child_runs_the_job_if_the_waiting_one_has_died(make_bench: MakeBench) -> None:
    bench = make_bench()
    eventually(lambda: len(child_pids(bench)) == 2)
    for pid in child_pids(bench):
        os.kill(pid, signal.SIGKILL)

    assert bench.run(LAST + "!!test.number value:1") == Done("1", "1")


def test_killed_template_is_replaced(make_bench: MakeBench) -> None:
    bench = make_bench()
    first = template_pid(bench)
    os.kill(first, signal.SIGKILL)

    def is_replaced() -> bool:
        # The first runs may still have a child that does not know of its template's end.
        return bench.run(LAST + "!!test.number value:1") == Done("1", "1") and template_pid(bench) != first

    eventually(is_replaced)


def test_job_runs_again_when_its_template_is_killed_and_fails_the_second_time(make_bench: MakeBench) -> None:
    bench = make_bench()
    children: set[int] = set()
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(bench.run, "!!play.echo content:going\n!!test.sleep seconds:60")
        for number in (1, 2):
            eventually(partial(has_printed, bench, "going", number))
            children |= child_pids(bench)
            os.kill(template_pid(bench), signal.SIGKILL)
        outcome = going.result(300)

    assert isinstance(outcome, Failed)
    assert "template process ended in test.sleep (line 2)" in outcome.message
    eventually(lambda: all(map(is_gone, children)))


def test_all_processes_end_with_the_process_that_owns_the_engine(tmp_path: Path) -> None:
    program = (
        "import sys, os\n"
        "from hero_engine.engine import Limits, Script\n"
        "from hero_engine.heroscript_engine.engine import HeroScriptEngine\n"
        "from hero_engine.heroscript_engine.run.settings import EngineSettings\n"
        f"engine = HeroScriptEngine(EngineSettings(actions=({VOCABULARY!r},)))\n"
        "print(engine._pool._process.pid, flush=True)\n"
        f"script = \"!!test.spawn folder:'{tmp_path}'\"\n"
        "engine.run(Script(source=script), constants={}, limits=Limits(timeout_s=60), run=engine.new_run())\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        template = int(process.stdout.readline())
        names = ("plain", "hidden")
        eventually(lambda: all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in names))
        pids = [template, *(int((tmp_path / name).read_text()) for name in names), *children_of(template)]
        process.kill()

    eventually(lambda: all(map(is_gone, pids)), what="all are gone")


def test_script_with_endless_output_ends_at_the_deadline(bench: Bench) -> None:
    for timeout_s in (0.3, 3, 30, 300):
        assert bench.run("!!test.flood", timeout_s=timeout_s) == TimedOut(timeout_s)
        if bench.log.lines:  # otherwise the time was up before the script had begun
            break

    assert bench.log.lines


def test_large_scripts_and_results_come_through(bench: Bench) -> None:
    text = "x" * 3_000_000

    outcome = bench.run(LAST + f"!!play.echo content:{text}")

    assert outcome == Done(text)


def test_many_threads_run_and_cancel_simultaneously(bench: Bench) -> None:
    def one(number: int) -> bool:
        if number % 3:
            return bench.run(LAST + f"!!test.number value:{number}") == Done(str(number), str(number))
        run = bench.engine.new_run()
        timer = threading.Timer(0.01 * (number % 5), run.cancel)
        timer.start()
        outcome = bench.run("!!test.sleep seconds:60", run=run)
        timer.join()
        return outcome == Stopped()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(60)))


def test_package_that_does_not_load_makes_the_engine_unavailable_and_is_named(make_bench: MakeBench) -> None:
    with pytest.raises(EngineUnavailable, match=r"module:tests\.no_such_module.*does not load.*ModuleNotFoundError"):
        make_bench(actions=("module:tests.no_such_module",))


def test_allowed_package_that_is_not_installed_makes_the_engine_unavailable(make_bench: MakeBench) -> None:
    with pytest.raises(EngineUnavailable, match="allows what is not installed: wallet"):
        make_bench(actions=("wallet",))


@pytest.mark.parametrize(
    ("name", "value"), [("HERO_CHILD_JOBS", "0"), ("HERO_CHILD_FILES", "many"), ("HERO_OUTPUT", "first")]
)
def test_invalid_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(EngineUnavailable, match=f"{name} is '{value}'"):
        EngineSettings.from_environ({name: value})


def test_process_with_the_engine_loads_neither_pydantic_nor_the_parser() -> None:
    program = (
        "import json, sys\n"
        "from hero_engine.registry import load_engine\n"
        "engine = load_engine('heroscript')\n"
        "names = ('pydantic', 'hero_engine.languages.heroscript')\n"
        "print(json.dumps([name for name in names if name in sys.modules]))\n"
        "engine.close()\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=300)

    assert json.loads(shown.stdout) == []


def test_result_and_log_are_bounded_before_they_leave_the_child(make_bench: MakeBench) -> None:
    bench = make_bench()
    text = "x" * 3_000_000

    fitting = bench.run(f"!!play.echo content:'{text}'", result_bytes=4_000_000)
    assert isinstance(fitting, Done)
    assert max(len(line) for _, line in bench.log.lines) < 1_100_000
    refused = bench.run(f"!!play.echo content:'{text}'", result_bytes=2_000_000)
    assert isinstance(refused, Failed)
    assert refused.kind == "result_too_large"


def test_memory_of_a_job_is_counted_beyond_what_its_process_has(make_bench: MakeBench) -> None:
    bench = make_bench()

    assert isinstance(bench.run("!!play.echo content:a", memory_bytes=32 * 1024 * 1024), Done)
    assert isinstance(bench.run("!!test.big size:300000000", memory_bytes=32 * 1024 * 1024), Failed)
