"""System calls that fail under the log file: the service goes on, no record is lost, and a line says what happened."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_config.logs import targets
from hero_config.logs.targets import LogFile
from tests.failing_calls import OPEN, OPEN_FULL, REMOVE, RENAME, FailingCalls, SystemCall

BELOW = Path(targets.__file__).parent
COUNT = 40


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[LogFile]:
    """A small log file that takes all records of this process."""
    handler = LogFile(tmp_path / "hero.log", 1000, 3)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    handler.close()


def told(folder: Path, stderr: str) -> list[str]:
    """The lines of all files, and those that went to stderr."""
    text = "".join(path.read_text() for path in sorted(folder.glob("hero.log*"), reverse=True))
    return [*text.splitlines(), *stderr.splitlines()]


def write(records: range) -> None:
    for number in records:
        logging.getLogger("tests").error(f"record {number} {'x' * 40}")


@pytest.mark.parametrize("call", [OPEN, OPEN_FULL, RENAME, REMOVE], ids=lambda call: f"{call.name} {call.error}")
def test_each_call_that_fails_in_a_rotation_loses_no_record(
    call: SystemCall,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    handler: LogFile,
) -> None:
    calls = FailingCalls(monkeypatch, BELOW)
    calls.watch(call)
    write(range(60))  # until there is a file to remove
    calls.arm()
    write(range(COUNT))
    count = len(calls.disarm())
    assert count

    for failing in range(1, count + 1):
        monkeypatch.setattr(handler, "_rotates_from_mono", 0.0)
        monkeypatch.setattr(handler, "_tells_from_mono", 0.0)
        capsys.readouterr()
        calls.arm(failing)
        write(range(COUNT))
        calls.disarm()
        assert calls.has_failed
        # A minute later
        monkeypatch.setattr(handler, "_rotates_from_mono", 0.0)
        write(range(COUNT, COUNT + 10))

        lines = told(tmp_path, capsys.readouterr().err)
        # The oldest are gone with the files that are not kept.
        newest = [line.split()[1] for line in lines if line.startswith("record")][-20:]
        assert newest[-10:] == [str(number) for number in range(COUNT, COUNT + 10)]
        assert sum(line in ("log.not_rotated", "log.not_written") for line in lines) >= 1
        assert handler.stream is not None
        assert (tmp_path / "hero.log").stat().st_size <= 1000


def test_a_disk_that_is_full_during_a_rotation_ends_the_log_only_until_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], handler: LogFile
) -> None:
    write(range(14))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "hero.log").stat().st_size + 10, hard))
    try:
        write(range(14, 40))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    write(range(40, 45))

    err = capsys.readouterr().err
    lines = told(tmp_path, err)
    assert {line.split()[1] for line in lines if line.startswith("record")} >= {str(number) for number in range(45)}
    assert err.splitlines().count("log.not_written") == 1
    assert "record 44" in (tmp_path / "hero.log").read_text()
