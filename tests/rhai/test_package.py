"""The package as a whole: the examples of its README, and processes that import it."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import rhai
from tests.rhai.bounds import GUARD_S

README = Path(__file__).resolve().parents[2] / "engines" / "rhai-py" / "README.md"


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=GUARD_S, check=False
    )


def test_the_examples_of_the_readme_run(tmp_path: Path) -> None:
    # In a file instead of `-c`, because annotations and dataclasses look for their module.
    examples = tmp_path / "examples.py"
    # The script that is to reach its limit of memory would reach that of time first on a busy machine.
    shown = "\n".join(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
    assert shown.count("timeout_s=2.0") == 1
    examples.write_text(shown.replace("timeout_s=2.0", f"timeout_s={GUARD_S}"))
    done = subprocess.run([sys.executable, examples], capture_output=True, text=True, timeout=GUARD_S, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_every_public_name_exists() -> None:
    assert sorted(rhai.__all__) == sorted(set(rhai.__all__))
    for name in rhai.__all__:
        assert hasattr(rhai, name)


def test_a_panic_of_the_crate_is_an_internal_error_and_the_process_goes_on() -> None:
    # Rhai 1.27 panics when a script assigns to a property of a constant map that the optimizer knows.
    done = run_python("""
        import rhai
        engine = rhai.Engine()
        try:
            engine.eval("const A = #{b: 1}; A.b = 2")
        except rhai.RhaiInternalError as error:
            print(error.kind, engine.eval("40 + 2"))
    """)

    assert (done.stdout, done.stderr) == ("Panic 42\n", "")


def test_a_forked_process_evaluates_scripts() -> None:
    done = run_python("""
        import os, rhai
        engine = rhai.Engine(limits=rhai.Limits(timeout_s=20))
        script = engine.compile("let s = 0; for i in 0..100 { s += i } s")
        engine.eval(script)
        child = os.fork()
        if child == 0:
            os._exit(0 if engine.eval(script) == 4950 and engine.eval("1 + 1") == 2 else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), engine.eval(script))
    """)

    assert (done.stdout, done.stderr) == ("0 4950\n", "")


def test_a_sub_interpreter_is_refused_with_an_import_error() -> None:
    pytest.importorskip("_xxsubinterpreters", reason="this Python has another module for sub-interpreters")
    done = run_python("""
        import _xxsubinterpreters as interpreters
        import rhai
        try:
            interpreters.run_string(interpreters.create(), "import rhai")
        except interpreters.RunFailedError as error:
            print("ImportError" in str(error), rhai.Engine().eval("40 + 2"))
    """)

    assert done.stdout == "True 42\n", done.stderr


def test_the_import_is_light() -> None:
    done = run_python("""
        import sys
        before = set(sys.modules)
        import rhai
        rhai.Engine().eval("1")
        print(sorted(name for name in set(sys.modules) - before if name in {"inspect", "asyncio", "dataclasses"}))
    """)

    assert done.stdout == "[]\n", done.stderr
