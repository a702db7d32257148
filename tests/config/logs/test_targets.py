"""Where the log goes: the journal, by its protocol on a real socket; files, rotated and reopened; stderr."""

from __future__ import annotations

import array
import fcntl
import logging
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hero_config.layers.load import load
from hero_config.layers.problems import ConfigError
from hero_config.logs import targets as log_targets
from hero_config.logs.targets import JournalHandler, LogFile
from hero_config.model.settings import SupervisorSettings

log = logging.getLogger("tests.log_targets")
F_GET_SEALS = 1034  # fcntl(2); Python 3.11 has no name for it


class Journal:
    """A journal that records what it receives."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(10)

    def close(self) -> None:
        self._socket.close()

    def read(self) -> dict[str, str]:
        """Read one record, from its datagram or from the file that came with an empty datagram."""
        data, ancillary, _, _ = self._socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        if not data:
            fd = array.array("i", ancillary[0][2])[0]
            assert fcntl.fcntl(fd, F_GET_SEALS) == 0xF, "the journal refuses a file that can still change"
            with os.fdopen(fd, "rb") as file:
                file.seek(0)
                data = file.read()
        return parsed(data)


def parsed(data: bytes) -> dict[str, str]:
    fields = {}
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:  # then follow the length, and a value that may hold line feeds
            (length,) = struct.unpack("<Q", data[:8])
            value, data = data[8 : 8 + length], data[9 + length :]
        fields[name.decode()] = value.decode()
    return fields


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture(autouse=True)
def root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def to_journal(journal: Journal) -> Iterator[logging.Logger]:
    handler = JournalHandler(journal.path)
    own = logging.Logger("tests.journal", logging.DEBUG)
    own.addHandler(handler)
    yield own
    handler.close()


def settings(**given: object) -> SupervisorSettings:
    return SupervisorSettings.model_validate(given)


def test_record_arrives_with_its_fields_by_name(journal: Journal, to_journal: logging.Logger) -> None:
    extra = {"child": "sal-1", "incarnation": "sal-1.host.7", "job_id": "j1", "after_s": 0.5}
    to_journal.warning("child.ready", extra=extra)

    fields = journal.read()

    assert fields["MESSAGE"] == "child.ready child=sal-1 incarnation=sal-1.host.7 job_id=j1 after_s=0.5"
    assert (fields["PRIORITY"], fields["SYSLOG_IDENTIFIER"], fields["HERO_EVENT"]) == (
        "4",
        "hero-supervisor",
        "child.ready",
    )
    assert (fields["HERO_ACTOR"], fields["HERO_INCARNATION"], fields["HERO_JOB"]) == ("sal-1", "sal-1.host.7", "j1")
    assert fields["HERO_AFTER_S"] == "0.5"


def test_traceback_keeps_its_lines(journal: Journal, to_journal: logging.Logger) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        to_journal.exception("service.defect")

    fields = journal.read()

    assert fields["MESSAGE"].startswith("service.defect\nTraceback")
    assert fields["MESSAGE"].endswith("ValueError: first\nsecond")
    assert fields["PRIORITY"] == "3"


def test_record_longer_than_a_datagram_arrives_whole(journal: Journal, to_journal: logging.Logger) -> None:
    text = "x" * 2_000_000
    to_journal.error("child.said", extra={"text": text})

    assert journal.read()["HERO_TEXT"] == text


def test_record_that_the_journal_does_not_accept_goes_to_stderr(
    journal: Journal, to_journal: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.close()
    Path(journal.path).unlink()

    to_journal.error("store.ended", extra={"reason": "it was killed"})

    assert "store.ended" in capsys.readouterr().err


def test_missing_journal_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        JournalHandler(str(tmp_path / "none"))


def test_auto_chooses_the_journal_only_if_stderr_leads_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(log_targets, "JOURNAL_SOCKET", str(tmp_path))  # something that exists
    with (tmp_path / "stderr").open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        facts = os.fstat(stderr.fileno())

        assert log_targets.stderr_is_journal({"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"})
        assert not log_targets.stderr_is_journal({"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino + 1}"})
        assert not log_targets.stderr_is_journal({})


def test_full_file_is_rotated_and_the_set_number_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "hero.log"
    log_targets.configure(settings(log_to="file", log_file=str(path), log_max_bytes=1000, log_keep=2))

    for number in range(100):
        log.info("child.said", extra={"number": number})

    assert sorted(p.name for p in tmp_path.iterdir()) == ["hero.log", "hero.log.1", "hero.log.2"]
    assert all(p.stat().st_size <= 1000 for p in tmp_path.iterdir())
    assert path.read_text().endswith("number=99\n")
    assert path.stat().st_mode & 0o777 == 0o640


def test_existing_file_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "hero.log"
    path.write_text("from before\n")
    log_targets.configure(settings(log_to="file", log_file=str(path)))
    log.info("first.event")

    assert path.read_text().startswith("from before\n")
    assert "first.event" in path.read_text()


def test_moved_file_is_reopened_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "hero.log"
    log_targets.configure(settings(log_to="file", log_file=str(path), log_max_bytes=0))
    log.info("first.event")
    path.rename(tmp_path / "moved")
    log.info("second.event")

    log_targets.reopen()
    log.info("third.event")

    assert "second.event" in (tmp_path / "moved").read_text()
    assert "third.event" in path.read_text()
    assert "third.event" not in (tmp_path / "moved").read_text()


def test_old_file_stays_open_if_it_cannot_be_reopened(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log_targets.configure(settings(log_to="file", log_file=str(folder / "hero.log")))
    folder.rename(tmp_path / "moved")

    log_targets.reopen()
    log.info("after.event")

    text = (tmp_path / "moved" / "hero.log").read_text()
    assert "log.not_reopened" in text
    assert "after.event" in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_record_that_does_not_fit_on_the_disk_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(Path("/dev/full"), 0, 1)
    own = logging.Logger("tests.full", logging.INFO)
    own.addHandler(handler)

    own.info("store.ended")

    assert "store.ended" in capsys.readouterr().err
    own.removeHandler(handler)
    with pytest.raises(OSError, match="No space"):
        handler.close()


def test_log_to_file_needs_a_file_name(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text('[supervisor]\nlog_to = "file"\n')

    with pytest.raises(ConfigError, match="needs log_file"):
        load(tmp_path / "hero.toml")


def test_missing_log_folder_ends_the_service_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text('[supervisor]\nlog_to = "file"\nlog_file = "none/hero.log"\n')

    done = subprocess.run(
        [sys.executable, "-m", "hero_supervisor.cli", "--config", "hero.toml"],
        capture_output=True, check=False, cwd=tmp_path, text=True, timeout=300,
    )  # fmt: skip

    assert done.returncode == 69
    assert done.stderr.startswith("hero-supervisor: cannot log to file: [Errno 2] No such file or directory")
