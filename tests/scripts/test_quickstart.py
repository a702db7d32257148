"""`scripts/run`: runs all jobs, stays up or stops, and never leaves a process behind."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.engine.v.test_engine import STAND_IN
from tests.eventually import eventually
from tests.scripts.quickstart import LIMIT_S, PROGRAM, ROOT, QuickStart, environment

Start = Callable[..., QuickStart]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start quick starts; at the end none of their processes may be left."""
    started: list[QuickStart] = []

    def begin(*arguments: str, name: str = "state") -> QuickStart:
        started.append(QuickStart(tmp_path / name, *arguments))
        return started[-1]

    yield begin
    for one in started:
        one.end()
        eventually(partial(_has_no_process, one), what="no process is left behind")


def test_script_is_a_program_without_syntax_errors() -> None:
    script = ROOT / "scripts" / "run"

    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_once_runs_all_jobs_through_both_interfaces_and_exits_with_zero(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", "no-such-hero {file}")
    run = start("--once")

    assert run.process.wait(LIMIT_S) == 0, run.text()
    text = run.text()
    assert "16 of 16 jobs ended as expected" in text
    for interface in ("Python API", "Unix socket"):
        for script_type in ("OSIS", "SAL"):
            assert f"{interface}, {script_type}: in two steps" in text
            assert f"{interface}, {script_type}: run and wait" in text
    assert text.count('{"answer":42,"sums":[1,4,9]}') == 2
    assert text.count("hello quick-start, this is first-circle") >= 4
    assert re.search(r"JobFailed +kind='\w+' line=3 column=9 message='Variable not found: quantity'", text)
    assert "did not end within its timeout of 1 s" in text
    assert '"method": "create_job"' in text
    assert re.search(
        r"actor +v-1, process \d+: runs V scripts, 1 lane\n +unavailable: .*no program 'no-such-hero'", text
    )
    assert len(re.findall(r"as expected .*kind 'engine_unavailable'.*Install herolib", text)) == 2
    assert "\x1b" not in text, "colours are for terminals only"
    assert not run.processes()


def test_it_stays_up_until_control_c_and_its_advice_works(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERO_V_COMMAND", STAND_IN)
    run = start()
    run.await_up()
    assert run.text().count("echoed") == 2
    assert "16 of 16 jobs ended as expected" in run.text()

    advice = [line.split("  ")[-1].strip() for line in run.text().splitlines() if ".venv/bin/heroctl run" in line]
    script = call(shlex.split(advice[0]))
    (client,) = (line[line.index(".venv/") :] for line in run.text().splitlines() if "hero-unix-client" in line)
    over_socket = call(shlex.split(client))
    shown = re.search(r"web page +(http://127\.0\.0\.1:\d+/)#", run.text())
    assert shown is not None, run.text()
    with urllib.request.urlopen(urllib.request.Request(shown[1], headers={"Accept": "text/html"})) as answer:
        page = answer.read()

    assert (script.returncode, script.stdout) == (0, "42\n")
    assert over_socket.returncode == 0
    assert "42" in over_socket.stdout
    assert b"/main.js" in page
    assert run.control_c() == 0
    assert not run.processes()
    assert "Traceback" not in run.text()


def test_second_quick_start_names_the_first_one(start: Start) -> None:
    first = start()
    first.await_up()

    second = start("--once")

    assert second.process.wait(LIMIT_S) == 1
    assert f"another scripts/run is up (process {first.process.pid})" in second.text()
    assert first.process.poll() is None
    assert call(["heroctl", "run", "--redis-url", f"unix://{first.state_dir}/store/valkey.sock", "1"]).stdout == "1\n"
    assert first.control_c() == 0


def test_store_in_use_by_another_service_is_named(start: Start, tmp_path: Path) -> None:
    first = start()
    first.await_up()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "store").symlink_to(first.state_dir / "store")

    second = start("--once", name="other")

    assert second.process.wait(LIMIT_S) == 1
    assert "the service did not start (exit code 69)" in second.text()
    assert "in use by another supervisor" in second.text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["Starting the service", "Python API", "Unix socket"])
def test_signal_at_any_moment_ends_everything(start: Start, number: signal.Signals, moment: str) -> None:
    run = start()
    eventually(lambda: moment in run.text(), every_s=0.002)

    run.process.send_signal(number)
    run.process.send_signal(number)

    assert run.process.wait(LIMIT_S) in (0, 128 + number)
    assert not run.processes()
    assert "Traceback" not in run.text()


def test_nothing_outlives_it_when_it_is_killed(start: Start) -> None:
    run = start()
    run.await_up()

    run.process.kill()

    eventually(lambda: not run.processes(), what="service, actors and store have ended")


def test_death_of_the_service_is_reported(start: Start) -> None:
    run = start()
    run.await_up()
    (service,) = (p for p in run.processes() if "hero_supervisor.cli" in p.cmdline())

    service.kill()

    assert run.process.wait(LIMIT_S) == 1
    assert "the service has ended by itself (-9)" in run.text()


def test_quick_start_ends_when_its_reader_leaves(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, PROGRAM, "--once", "--state-dir", tmp_path / "state"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""

    assert run.returncode == 128 + signal.SIGPIPE


def test_state_folder_that_cannot_be_created_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    run = start("--once", name="file")

    assert run.process.wait(LIMIT_S) == 1
    assert f"the folder {tmp_path / 'file'} cannot be used" in run.text()


def _has_no_process(run: QuickStart) -> bool:
    return not run.processes()


def call(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout, as a user would."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HERO_")}
    program = Path(sys.executable).parent / Path(command[0]).name
    return subprocess.run(
        [program, *command[1:]], cwd=ROOT, env=kept, capture_output=True, text=True, timeout=300, check=False
    )
