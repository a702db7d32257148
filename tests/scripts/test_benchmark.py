"""`benchmarks/throughput.py`: a quick run works and prints every figure."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.deployment import alive
from tests.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "benchmarks" / "throughput.py"
PEERS = ("dramatiq", "taskiq", "huey", "bullmq", "asynq", "apalis")


@pytest.mark.slow
def test_quick_run_measures_ours_and_the_ceiling(tmp_path: Path) -> None:
    done = benchmark("--quick", "--systems", "hero", "--json", str(tmp_path / "figures.json"))

    assert done.returncode == 0, done.stderr
    for text in ("Machine: cpu", "Valkey", "Hero OSIS, 1 lane", "Hero SAL, 16 lanes", "the ceiling, aim 0.5",
                 "BullMQ with 50 concurrent jobs as measured elsewhere", "idle OSIS actor, resident",
                 "launch to first finished job", "until its job starts again"):  # fmt: skip
        assert text in done.stdout
    report = json.loads((tmp_path / "figures.json").read_text())
    for system in report["systems"]:
        assert system["failure"] == ""
        assert system["drain_per_s"][0] > 0
        assert system["submit_per_s"][0] > 0
        assert len(system["round_trip_ms"]) == 20
        assert len(system["burst_ms"]) == 2
    assert report["ceiling_per_s"][0] > 0
    assert [len(figure["values"]) for figure in report["actors"]] == [1, 1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS)
def test_quick_run_measures_a_peer(peer: str) -> None:
    if not (ROOT / ".bench" / peer / "made-from").exists():
        pytest.skip(f"the environment of {peer} has not been made: benchmarks/throughput.py makes it")

    done = benchmark("--quick", "--no-actors", "--systems", peer)

    assert done.returncode == 0, done.stderr
    assert "not measured" not in done.stdout


def test_unknown_system_is_refused() -> None:
    done = benchmark("--systems", "hero,nosuch")

    assert done.returncode == 2
    assert "unknown system 'nosuch'" in done.stderr


def test_interrupted_run_leaves_no_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, PROGRAM, "--quick", "--systems", "hero", "--rounds", "200"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    ) as run:
        actor = eventually(lambda: [p for p in below(run.pid) if "hero_actor" in words_of(p)])
        everything = below(run.pid)
        run.terminate()
        run.wait(300)

    assert actor
    eventually(lambda: not any(alive(p) for p in everything), what="server and actor have ended")


def test_an_interrupt_that_falls_into_a_destructor_still_ends_the_program() -> None:
    program = """
import os, signal, time
from benchmarks.figures.processes import end_like_ctrl_c

class Falls:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000): pass  # the handler runs here, and Python drops what it raises

end_like_ctrl_c(again_s=0.1)
Falls()
print("goes on", flush=True)
time.sleep(600)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROGRAM.parent.parent, capture_output=True, text=True, check=False
    )

    assert done.stdout == "goes on\n"
    assert "Exception ignored" in done.stderr
    assert done.returncode == -signal.SIGINT


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark."""
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, timeout=300, check=False
    )


def words_of(process: psutil.Process) -> list[str]:
    """Give the command line of a process; nothing once it has ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def below(pid: int) -> list[psutil.Process]:
    """Find the processes that a process has started."""
    try:
        return [p for p in psutil.Process(pid).children(recursive=True) if alive(p)]
    except psutil.NoSuchProcess:
        return []
