"""A forked program is for its caller what an executed one is, and dies with its caller."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests import forked_programs
from tests.deployment import alive
from tests.eventually import eventually
from tests.forked_heroctl import run_heroctl
from tests.forked_programs import ENVIRON, HEROCTL, ForkedPopen, program_forks

Script = Callable[[str], Path]
_CLONE_NEWNET = 0x40000000

#: All that a program can see of how it was started.
SEEN = """
import json, os, signal, sys, __main__
def stream(s):
    return [s.fileno(), s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, type(s.buffer).__name__]
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv[1:], "path": sys.path[0], "main": [__name__, __main__.__file__],
    "folder": os.getcwd(), "environ": dict(os.environ), "umask": os.umask(0),
    "group": os.getpgrp(), "sid": os.getsid(0),
    "streams": [stream(s) for s in (sys.stdin, sys.stdout, sys.stderr)], "flags": list(sys.flags),
    "signals": [str(signal.getsignal(n)).partition(" at ")[0] for n in sorted(signal.valid_signals())],
    "blocked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())], "read": sys.stdin.read(),
    "threads": len(os.listdir("/proc/self/task")), "descriptors": sorted(map(int, os.listdir("/proc/self/fd")))[:3],
    "child": os.system("exit 3"),
}))
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Make a program that is forked as `heroctl` is."""

    def make(text: str) -> Path:
        path = tmp_path / "program"
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)
        monkeypatch.setattr(forked_programs, "SCRIPTS", {path})
        return path

    return make


def test_program_sees_the_same_whether_it_was_forked_or_executed(script: Script, tmp_path: Path) -> None:
    program = script(SEEN)
    environ = {**ENVIRON, "OTHER": "value\udcff"}
    environ.pop("HOME", None)
    before = os.umask(0o027)
    try:
        forked, executed = (
            run_heroctl(
                [program, "-a", "b c"], fresh=fresh, input=b"said", capture_output=True, cwd=tmp_path, env=environ
            )
            for fresh in (False, True)
        )
    finally:
        os.umask(before)

    assert (forked.returncode, forked.stderr) == (executed.returncode, executed.stderr) == (0, b"")
    seen, expected = json.loads(forked.stdout), json.loads(executed.stdout)
    # The folder of this script is where `heroctl` has that of all commands.
    assert (seen.pop("path"), expected.pop("path")) == (str(HEROCTL.parent), str(tmp_path))
    assert seen == expected


def test_module_sees_the_same_whether_it_was_forked_or_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "modules" / "seen"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    of_module = """
import pathlib
own = pathlib.Path("/proc/self")
print(json.dumps([
    (own / "cmdline").read_text(), (own / "environ").read_text(), sys.argv, sys.orig_argv, sys.path, __spec__.name,
    __package__, __main__.__dict__ is globals(), os.getpid() == os.getsid(0) == os.getpgrp(),
    os.read(int(sys.argv[1]), 9).decode(), os.get_inheritable(int(sys.argv[1])),
]))
"""
    (package / "__main__.py").write_text(
        SEEN.replace('    "group": os.getpgrp(), "sid": os.getsid(0),\n', "") + of_module
    )
    # The server of any program will do: what it has imported is none of what this module imports.
    monkeypatch.setattr(forked_programs, "program_of", lambda command: "heroctl")
    monkeypatch.setattr(forked_programs, "_ROOT", str(tmp_path / "modules"))
    environ = {name: value for name, value in ENVIRON.items() if name != "PYTHONPATH"} | {"OTHER": "value"}
    seen = []
    for start in (ForkedPopen, subprocess.Popen):
        reading, writing = os.pipe()
        os.write(writing, b"passed")
        os.close(writing)
        with start(
            [sys.executable, "-m", "seen", str(reading)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=tmp_path, pass_fds=[reading], start_new_session=True,
            env=environ | {"PYTHONPATH": str(tmp_path / "modules")},
        ) as process:  # fmt: skip
            os.close(reading)
            out, err = process.communicate()
        assert (process.returncode, err) == (0, b"")
        if isinstance(process, ForkedPopen):
            assert process.status_fd != -1 or "PYTHONPATH" in ENVIRON
        seen.append(out.decode().replace(f'"{reading}"', "").replace(f"\\u0000{reading}\\u0000", ""))
    assert seen[0] == seen[1]
    assert '"passed"' in seen[0]


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("sys.exit(7)", 7, ""),
        ("sys.exit('no')", 1, "no\n"),
        ("os.kill(os.getpid(), 9)", -9, ""),
        ("os.kill(os.getpid(), 2)", -2, "KeyboardInterrupt\n"),
        ("os._exit(5)", 5, ""),
        ("sys.exit(-1)", 255, ""),
        ("threading.Thread(target=lambda: print('thread', file=sys.stderr)).start()", 0, "thread\n"),
        ("atexit.register(print, 'last', file=sys.stderr)", 0, "last\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
    ],
)
def test_exit_code_or_signal_comes_back(script: Script, end: str, code: int, said: str) -> None:
    done = run_heroctl([script(f"import atexit, os, sys, threading\n{end}\n")], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr[-len(said) :] if said else done.stderr) == (code, "", said)
    if code:
        with pytest.raises(subprocess.CalledProcessError):
            run_heroctl([script(f"import os, sys\n{end}\n")], capture_output=True, check=True)


def test_much_input_and_output_passes(script: Script) -> None:
    program = script("import sys\nfor line in sys.stdin: print(line, end=''); print(line, end='', file=sys.stderr)\n")
    text = "a line of some length\n" * 100_000
    done = run_heroctl([program], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout == text, done.stderr == text) == (0, True, True)


def test_file_in_place_of_a_pipe_is_written(script: Script, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        run_heroctl([script("print('text')")], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    assert (tmp_path / "out").read_text() == "text\n"


@pytest.mark.parametrize("fresh", [False, True])
def test_output_that_cannot_be_written_at_the_exit_is_an_error(script: Script, fresh: bool) -> None:
    with Path("/dev/full").open("w") as full:
        program = script("import os, sys\nsys.stdout = os.fdopen(1, 'w', closefd=False)\nprint('text')\n")
        done = run_heroctl([program], fresh=fresh, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 120
    assert "No space left on device" in done.stderr


def test_signals_reach_it_and_two_run_side_by_side(script: Script) -> None:
    program = script("import time\nprint('runs', flush=True)\ntime.sleep(1000)\n")
    with (
        ForkedPopen([program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as one,
        ForkedPopen([program], stdout=subprocess.PIPE) as other,
    ):
        assert one.stdout is not None
        assert other.stdout is not None
        assert (one.stdout.read(5), other.stdout.read(5)) == (b"runs\n", b"runs\n")
        assert one.poll() is None
        one.send_signal(signal.SIGINT)
        assert one.wait(timeout=300) == -signal.SIGINT
        assert other.poll() is None
        other.kill()
        assert other.wait() == -signal.SIGKILL


def test_one_that_takes_too_long_is_killed(script: Script) -> None:
    program = script("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(1000)\n")
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        run_heroctl([program], capture_output=True, timeout=1)
    assert not caught.value.stdout or not psutil.pid_exists(int(caught.value.stdout))


def test_it_dies_with_its_caller(script: Script, tmp_path: Path) -> None:
    program = script("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(1000)\n")
    caller = f"""
import os, subprocess, sys, time
sys.path.insert(0, {os.fspath(Path(__file__).parents[1])!r})
from pathlib import Path
from tests import forked_programs
forked_programs.SCRIPTS = {{Path({os.fspath(program)!r})}}
forked = forked_programs.ForkedPopen([Path({os.fspath(program)!r})])
assert forked.status_fd != -1
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", caller], stdout=subprocess.PIPE, cwd=tmp_path) as calling:
        assert calling.stdout is not None
        forked = psutil.Process(int(calling.stdout.readline()))
        server = forked.parent()
        calling.kill()
    assert server is not None
    eventually(lambda: not alive(forked) and not alive(server), what="both have ended")


def test_environment_that_an_import_has_read_or_a_closed_stream_is_not_forked(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = script("import os\nprint(os.getppid())\n")

    def parent(**variables: str) -> int:
        return int(run_heroctl([program], capture_output=True, env={**ENVIRON, **variables}).stdout)

    assert "FORCE_COLOR" in program_forks("heroctl").read_by_imports
    assert parent() == parent(HOME="/", COLUMNS="80") == program_forks("heroctl").process.pid
    for name in ("FORCE_COLOR", "PYTHONUTF8", "PYTHONPATH", "TZ", "LC_ALL"):
        assert parent(**{name: "0" if name == "PYTHONUTF8" else "C"}) == os.getpid()
    assert run_heroctl([program], fresh=True, capture_output=True).stdout == b"%d\n" % os.getpid()


def test_program_of_a_thread_in_another_network_is_in_that_network(script: Script) -> None:
    program = script("import os\nprint(os.readlink('/proc/self/ns/net'))")

    def run_in_another_network() -> list[str]:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
            return []
        done = run_heroctl([program], capture_output=True, text=True, check=True)
        return [str(Path("/proc/thread-self/ns/net").readlink()), done.stdout.strip()]

    with ThreadPoolExecutor(1) as threads:
        networks = threads.submit(run_in_another_network).result()
    if not networks:
        pytest.skip("cannot make network namespaces: no right to unshare")

    ours = run_heroctl([program], capture_output=True, text=True, check=True).stdout.strip()
    assert networks[0] == networks[1] != ours


def test_folder_that_is_missing_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_heroctl([HEROCTL, "--version"], cwd=tmp_path / "none")


def test_heroctl_answers_the_same_whether_it_was_forked_or_executed(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HERO_")}
    for words in (["list", "--redis-url", "redis://127.0.0.1:1/"], ["lst"]):
        forked, executed = (
            run_heroctl(
                [HEROCTL, *words], fresh=fresh, capture_output=True, stdin=subprocess.DEVNULL, cwd=tmp_path,
                env=environ | {"HOME": str(tmp_path)},
            )
            for fresh in (False, True)
        )  # fmt: skip
        assert (forked.returncode, forked.stdout, forked.stderr) == (
            executed.returncode,
            executed.stdout,
            executed.stderr,
        )
