"""`--watch` and Ctrl-C as a person has them: on a pseudo terminal, and in a pipe."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from hero_job.model.status import JobStatus
from tests.ctl.conftest import HEROCTL, environment
from tests.ctl.terminal import Terminal
from tests.deployment import Deployment
from tests.eventually import eventually

CLEAR = "\x1b[H\x1b[2J"
ENDLESS = "print(`begun`); loop { sleep(0.1); }"


def test_watch_draws_a_terminal_anew_until_control_c(deployment: Deployment, tmp_path: Path) -> None:
    with Terminal(
        [HEROCTL, "queues", "--watch"], env=environment(deployment.url), folder=tmp_path, columns=80
    ) as terminal:
        terminal.read_until("Python", times=2)
        terminal.write("\x03")
        code = terminal.wait()

    first, *drawn = terminal.shown.split(CLEAR)
    assert (code, first) == (130, "")
    assert len(drawn) >= 2
    assert [line.split()[0] for line in drawn[0].splitlines()] == ["TYPE", "OSIS", "SAL", "V", "Python"]
    assert "Traceback" not in terminal.shown


def test_watch_in_a_pipe_prints_rows_again_without_control_sequences(deployment: Deployment, tmp_path: Path) -> None:
    with subprocess.Popen(
        [HEROCTL, "queues", "--watch", "-o", "name"], cwd=tmp_path, env=environment(deployment.url),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as watching:  # fmt: skip
        assert watching.stdout is not None
        assert watching.stderr is not None
        try:
            rows = [watching.stdout.readline() for _ in range(8)]
            watching.send_signal(signal.SIGINT)
            rest, said = watching.stdout.read(), watching.stderr.read()
            code = watching.wait()
        finally:
            watching.kill()

    assert rows == ["osis\n", "sal\n", "v\n", "python\n"] * 2
    assert "\x1b" not in rest
    assert (code, said) == (130, "")


#: `heroctl` on a machine that stands still once: between two waits for the job.
STANDS_STILL = """
import signal
from hero_ctl import cli
from hero_ctl.running import waiting
wait = waiting.Watch._await
def stand_and_wait(self, until_s):
    if until_s == waiting.NOTE_AFTER_S and not self._interrupted:
        signal.pause()
    return wait(self, until_s)
waiting.Watch._await = stand_and_wait
cli.main()
"""


@pytest.mark.parametrize(
    "program", [(HEROCTL,), (sys.executable, "-c", STANDS_STILL)], ids=["while it waits", "between two waits"]
)
def test_control_c_asks_whether_to_stop_the_job_and_yes_stops_it(
    deployment: Deployment, tmp_path: Path, program: tuple[str | Path, ...]
) -> None:
    own = f"asked-{uuid.uuid4().hex[:8]}"
    with running(deployment, tmp_path, own, program=program) as terminal:
        terminal.read_until("begun")
        terminal.write("\x03")
        terminal.read_until(f"stop the job {own}?")
        terminal.write("y\n")
        code = terminal.wait()

    assert code == 4, terminal.shown
    assert status(deployment, own) is JobStatus.STOPPED


def test_second_control_c_leaves_and_the_job_goes_on(deployment: Deployment, tmp_path: Path) -> None:
    own = f"left-{uuid.uuid4().hex[:8]}"
    with running(deployment, tmp_path, own) as terminal:
        terminal.read_until("begun")
        terminal.write("\x03")
        terminal.read_until(f"stop the job {own}?")
        terminal.write("\x03")
        code = terminal.wait()

    assert code == 130, terminal.shown
    assert f"job {own} goes on" in terminal.shown
    with deployment.supervisor() as supervisor:
        assert supervisor.get_job_status(own) is JobStatus.STARTED
        supervisor.stop_job(own)
        eventually(lambda: supervisor.get_job_status(own) is JobStatus.STOPPED)


def test_control_c_stops_the_job_without_a_question_if_that_is_wanted(deployment: Deployment, tmp_path: Path) -> None:
    own = f"stopped-{uuid.uuid4().hex[:8]}"
    with running(deployment, tmp_path, own, "--stop-on-interrupt") as terminal:
        terminal.read_until("begun")
        terminal.write("\x03")
        code = terminal.wait()

    assert code == 4, terminal.shown
    assert "stop the job" not in terminal.shown
    assert status(deployment, own) is JobStatus.STOPPED


def running(
    deployment: Deployment, folder: Path, job_id: str, *options: str, program: tuple[str | Path, ...] = (HEROCTL,)
) -> Terminal:
    command = [*program, "run", "--id", job_id, *options, ENDLESS]
    return Terminal(command, env=environment(deployment.url), folder=folder, columns=100)


def status(deployment: Deployment, job_id: str) -> JobStatus:
    with deployment.supervisor() as supervisor:
        return supervisor.get_job_status(job_id)
