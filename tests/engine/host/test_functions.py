"""Functions in Rhai scripts: how they are found, called and refused, and what a script sees of their failures."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed, Limits, Script, Stopped, TimedOut
from hero_engine.errors import EngineUnavailable, RightsInvalid
from hero_engine.host.catalogue import Catalogue
from hero_engine.host.family_index import NAMES_BY_FAMILY
from hero_engine.rights import ScriptRights
from tests.engine.host.bench_script import ScriptBench
from tests.eventually import eventually

SAMPLE = '''
"""A family of another distribution."""

import errno
import os

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.definition import Family

FAMILY = Family("sample", "For tests.", prefix="Sample error: ")


@FAMILY.function()
def sample_add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Example:
        sample_add(1, 2)
    """
    return a + b


@FAMILY.function("sample_add")
def add_texts(a: str, b: str) -> str:
    """Put two texts together."""
    return a + b


@FAMILY.function()
def sample_fail(text: str) -> None:
    """Fail with a text."""
    raise FunctionError(text)


@FAMILY.function()
def sample_defect() -> None:
    """Fail by a defect."""
    raise KeyError("/secret/path")


@FAMILY.function()
def sample_unable() -> None:
    """Fail because the operating system refuses something."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/secret/path")


@FAMILY.function(needs="sampling")
def sample_guarded() -> str:
    """Do what the operator must allow."""
    return "done"


@FAMILY.function()
def sample_who(call: Call) -> list:
    """Tell who calls."""
    return [call.asker.caller_id, call.asker.context_id, call.asker.job_id]


@FAMILY.function(blocks=True)
def sample_wait(call: Call) -> None:
    """Wait for longer than any job may run."""
    call.log("waiting")
    call.sleep(3600)


@FAMILY.function(blocks=True)
def sample_stuck(call: Call) -> None:
    """Wait for what cannot be interrupted."""
    import threading

    call.log("waiting")
    call.in_thread(threading.Event().wait)


@FAMILY.function()
def sample_open(call: Call) -> None:
    """Open something that must be closed."""
    call.on_close(lambda: call.log("closed"))


@FAMILY.handle
class Box:
    """Something that a script holds."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get(self) -> str:
        """Return what is inside."""
        return self._value

    def put(self, call: Call, value: str) -> "Box":
        """Make a box with something else inside."""
        return Box(value + "@" + call.asker.caller_id)


@FAMILY.handle
class Bag:
    """Something else that a script holds."""

    def get(self) -> str:
        """Return what is inside."""
        return "from the bag"


@FAMILY.function()
def sample_box(value: str) -> Box:
    """Make a box."""
    return Box(value)


@FAMILY.function()
def sample_bag() -> Bag:
    """Make a bag."""
    return Bag()
'''


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A distribution with a family, on the path."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "sample_functions.py").write_text(SAMPLE)
    (folder / "text_functions.py").write_text(
        "from hero_engine.host.definition import Family\nFAMILY = Family('text', 'Takes a name.')\nOTHER = 3\n"
    )
    info = folder / "sample_functions-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sample-functions\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[hero.functions]\nsample = sample_functions:FAMILY\ntaken = text_functions:FAMILY\n"
        "odd = text_functions:OTHER\nlost = no_such_module:FAMILY\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


@pytest.fixture
def bench(package: Path) -> ScriptBench:
    return ScriptBench(ScriptRights(families=("sample",)))


def test_index_names_exactly_the_functions_of_the_families() -> None:
    catalogue = Catalogue()

    found = {f.name: " ".join(sorted({function.name for function in f.functions})) for f in catalogue.families()}

    assert {name: " ".join(names.split()) for name, names in NAMES_BY_FAMILY.items()} == found


def test_every_function_is_documented_and_has_an_example_unless_it_is_a_method() -> None:
    for family in Catalogue().families():
        for function in family.functions:
            is_method = "." in function.python.__qualname__
            assert function.summary, function.name
            assert function.example or is_method, function.name


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("sample_add(1, 2)", "3"),
        ("sample_add(1)", "2"),
        ('sample_add("a", "b")', "ab"),
        ("sample::sample_add(1, 2)", "3"),
        ('eval("sample_" + "add(1)")', "2"),
        ("let f = Fn(`sample_add`); f.call(4)", "5"),
        ("fn sample_add(a, b) { 40 } sample_add(1, 2)", "40"),
        ('sample_box("x").get()', "x"),
        ("sample_bag().get()", "from the bag"),
        ("#{a: 1}.get(`a`)", "1"),
        ('sample_box("x").put("y").get()', "y@alice"),
        ("sample_who().len()", "3"),
    ],
)
def test_function_is_called(bench: ScriptBench, source: str, output: str) -> None:
    outcome = bench.run(source)

    assert isinstance(outcome, Done), outcome
    assert outcome.output == output


def test_function_knows_its_job(bench: ScriptBench) -> None:
    assert bench.run("sample_who()") == Done('["alice","circle","job-1"]', '["alice","circle","job-1"]')


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ('sample_fail("no luck")', "Sample error: no luck"),
        ("sample_add(1.5)", "Function not found: sample_add (f64)"),
        ("sample_add(true, ())", "Function not found: sample_add (bool, ())"),
        ('sample_add("a")', "Function not found: sample_add (string)"),
        (
            "sample_guarded()",
            "sample: sample_guarded is not allowed here; "
            "the operator enables it with other = { sampling = [...] } in [actors.allow]",
        ),
        ("sample_defect()", "Sample error: sample_defect failed by a defect; the log of the service has the details"),
        ("sample_unable()", "Sample error: sample_unable failed: No space left on device"),
    ],
)
def test_failure_is_caught_as_a_string_and_uncaught_has_a_kind_and_a_place(
    bench: ScriptBench, call: str, text: str
) -> None:
    caught = bench.run(f"let seen = (); try {{ {call} }} catch (e) {{ seen = [type_of(e), e] }} seen")
    uncaught = bench.run(f"\n  {call}")

    assert isinstance(caught, Done)
    assert caught.output == f'["string","{text}"]'
    assert uncaught == Failed("function_failed", text, 2, 3)


def test_defect_of_a_function_is_logged_for_the_operator(bench: ScriptBench, caplog: pytest.LogCaptureFixture) -> None:
    bench.run("sample_defect()")

    assert "/secret/path" in caplog.text
    assert "function.defect" in caplog.text


def test_what_the_system_refuses_a_function_is_logged_without_a_traceback(
    bench: ScriptBench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.run("sample_unable()")

    (record,) = [record for record in caplog.records if record.getMessage() == "function.defect"]
    assert record.exc_info is None
    assert vars(record)["reason"] == "/secret/path: No space left on device"


def test_error_that_a_script_throws_itself_keeps_its_kind(bench: ScriptBench) -> None:
    outcome = bench.run('try { sample_fail("x") } catch { } throw "mine"')

    assert isinstance(outcome, Failed)
    assert outcome.kind == "ErrorRuntime"


def test_right_that_another_family_asks_for_is_given_by_the_operator(package: Path) -> None:
    bench = ScriptBench(ScriptRights(families=("sample",), other={"sampling": ("all",)}))

    assert bench.run("sample_guarded()") == Done("done")


def test_rule_takes_a_right_away_from_a_context(package: Path) -> None:
    bench = ScriptBench(
        ScriptRights.from_json(
            '{"families": ["sample"], "other": {"sampling": ["all"]},'
            ' "context_rules": [{"contexts": ["guest-*"], "other": {}}]}'
        )
    )

    assert bench.run("sample_guarded()", context_id="home") == Done("done")
    assert isinstance(bench.run("sample_guarded()", context_id="guest-1"), Failed)


@pytest.mark.parametrize("function", ["sample_wait", "sample_stuck"])
@pytest.mark.parametrize("caught", [False, True])
def test_stop_ends_a_waiting_function(bench: ScriptBench, function: str, caught: bool) -> None:
    run = bench.engine.new_run()
    outcomes: list[object] = []
    source = f"try {{ {function}() }} catch {{ 1 }}" if caught else f"{function}()"
    thread = threading.Thread(target=lambda: outcomes.append(bench.run(source, run=run)))
    thread.start()
    eventually(lambda: bench.log.lines)

    run.cancel()

    thread.join()
    assert outcomes == [Stopped()]


@pytest.mark.parametrize("function", ["sample_wait", "sample_stuck"])
def test_deadline_ends_a_waiting_function(bench: ScriptBench, function: str) -> None:
    assert bench.run(f"try {{ {function}() }} catch {{ 1 }}", timeout_s=0.05) == TimedOut(0.05)


def test_call_that_takes_longer_than_the_operator_allows_fails_and_the_script_goes_on(package: Path) -> None:
    bench = ScriptBench(ScriptRights(families=("sample",), call_s=0.05))

    outcome = bench.run("let seen = ``; try { sample_wait() } catch (e) { seen = e } seen")

    assert outcome == Done("Sample error: it takes longer than call_s allows (0.05 s)")


@pytest.mark.parametrize("end", ["1", "throw 1", "sample_defect()"])
def test_what_a_function_has_opened_is_closed_when_the_run_ends(bench: ScriptBench, end: str) -> None:
    bench.run(f"sample_open(); {end}")

    assert bench.log.lines == [("info", "closed")]


def test_scripts_of_many_threads_each_have_their_own_call(bench: ScriptBench) -> None:
    seen: list[bool] = []

    def ask(number: int) -> None:
        for turn in range(20):
            job_id = f"job-{number}-{turn}"
            outcome = bench.run("sleep(0.001); sample_who()[2]", job_id=job_id)
            seen.append(outcome == Done(job_id))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [True] * 160


@pytest.mark.parametrize(
    ("family", "named"),
    [("nothing", "no family"), ("taken", "text"), ("odd", "no Family"), ("lost", "no_such_module")],
)
def test_family_that_the_operator_names_must_load(package: Path, family: str, named: str) -> None:
    with pytest.raises(EngineUnavailable) as failed:
        ScriptBench(ScriptRights(families=(family,)))

    assert named in str(failed.value)


@pytest.mark.parametrize("text", ["[]", "{", '{"reed": []}', "3"])
def test_table_of_rights_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RightsInvalid):
        ScriptRights.from_json(text)


def test_script_without_functions_imports_none() -> None:
    program = """
import sys
from hero_engine.engine import Limits, Script
from hero_engine.rhai import RhaiEngine
from hero_engine.rights import ScriptRights
engine = RhaiEngine()
engine.give_rights(ScriptRights(read=("/srv",)))
engine.run(Script(source="40 + 2"), constants={}, limits=Limits(timeout_s=60), run=engine.new_run())
loaded = [name for name in sys.modules if name.startswith("hero_engine.host")]
print(sorted(loaded))
engine.run(Script(source='name_fix("a b")'), constants={}, limits=Limits(timeout_s=60), run=engine.new_run())
print("hero_engine.host.families.text" in sys.modules, "hero_engine.host.families.core" in sys.modules)
"""
    lines = subprocess.check_output([sys.executable, "-c", program], text=True).splitlines()

    assert lines == [
        "['hero_engine.host', 'hero_engine.host.family_index', "
        "'hero_engine.host.places', 'hero_engine.host.places.scratch']",
        "True False",
    ]


def test_many_different_scripts_are_not_remembered_forever(bench: ScriptBench) -> None:
    for number in range(1100):
        bench.run(f"{number}")
        bench.run(f"sample_add({number})")

    assert len(bench.engine._plain) <= 1024
    assert len(bench.engine._prepared) <= 1024
    assert bench.engine.run(
        Script(source="sample_add(1)"), constants={}, limits=Limits(timeout_s=60), run=bench.engine.new_run()
    ) == Done("2", "2")
