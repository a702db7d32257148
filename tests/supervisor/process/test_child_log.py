"""The output of actors is read without waiting, kept for a while, and written to the service's log."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import orjson
import pytest

from hero_supervisor.process.child_log import ActorLogs, open_pipe
from tests.eventually import eventually, eventually_async
from tests.supervisor.conftest import OSIS, StartSupervisor
from tests.supervisor.supervising import child, program, run, supervising

LINE = (
    b'{"at":"2026-01-02T03:04:05.678Z","level":"warning","logger":"hero_actor.x","pid":7,'
    b'"event":"job.odd","job":"j1"}\n'
)


def follow(logs: ActorLogs, slot: str = "a-1", incarnation: str = "a-1.h.0") -> int:
    """Have a pipe read as if it were that of a process, and give its writing end."""
    ours, theirs = open_pipe()
    logs.follow(slot, incarnation, 42, ours)
    return theirs


def texts(logs: ActorLogs, slot: str = "a-1", **options: int) -> list[str]:
    return [line.text for line in logs.tail(slot, **options)]


def test_line_of_an_actor_becomes_the_record_that_it_was(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        logs = ActorLogs()
        write = follow(logs)
        os.write(
            write, LINE + b'{"level":"info","event":"x","logger":"hero_actor.x","name":"n","args":[1],"child":"lie"}\n'
        )
        await eventually_async(lambda: len(texts(logs)) == 2)
        os.close(write)
        logs.close()
        first, second = logs.tail("a-1")
        assert (first.level, first.number, first.incarnation) == ("warning", 1, "a-1.h.0")
        assert second.level == "info"

    with caplog.at_level("INFO"):
        run(test)
    odd, other = [record for record in caplog.records if record.name == "hero_actor.x"]
    assert (odd.message, odd.levelno, odd.process) == ("job.odd", logging.WARNING, 7)
    assert odd.created == pytest.approx(1767323045.678)
    assert vars(odd)["job"] == "j1"
    assert (vars(odd)["child"], vars(odd)["incarnation"]) == ("a-1", "a-1.h.0")
    # Fields that would overwrite attributes get a prefix, and no line can pretend to come from another child.
    assert (other.name, vars(other)["actor_name"], vars(other)["actor_args"]) == ("hero_actor.x", "n", [1])
    assert vars(other)["child"] == "a-1"


def test_other_lines_become_child_said_records(caplog: pytest.LogCaptureFixture) -> None:
    words = [
        b"plain",
        b'{"event": 1}',
        b'{"event": "x"}',
        b'{"event":"x","level":"loud"}',
        b"[1]",
        b"{nonsense",
        b"\xff",
    ]

    async def test() -> None:
        logs = ActorLogs()
        write = follow(logs)
        os.write(write, b"\n".join(words) + b"\n\n  \nno end")
        os.close(write)
        await eventually_async(lambda: len(texts(logs)) == len(words) + 1)

    with caplog.at_level("INFO"):
        run(test)
    said = [vars(record)["text"] for record in caplog.records if record.message == "child.said"]
    assert said == [word.decode("utf-8", "backslashreplace") for word in words] + ["no end"]


def test_lines_come_whole_no_matter_how_they_are_cut_and_long_lines_are_shortened() -> None:
    async def test() -> None:
        logs = ActorLogs()
        write = follow(logs)
        for byte in b"one\ntwo\n":
            os.write(write, bytes([byte]))
            logs.catch_up("a-1.h.0")
        assert texts(logs) == ["one", "two"]
        for _ in range(20):
            os.write(write, b"x" * 10_000)
            logs.catch_up("a-1.h.0")
        os.write(write, b"rest\nthree\n")
        os.close(write)
        await eventually_async(lambda: texts(logs)[-1] == "three")
        assert texts(logs) == ["one", "two", "x" * 16_384, "three"]

    run(test)


def test_newest_lines_are_kept_and_can_be_read_from_a_given_number_on() -> None:
    async def test() -> None:
        logs = ActorLogs(max_lines=50, max_chars=1000)
        write = follow(logs)
        os.write(write, b"".join(b"%d\n" % number for number in range(200)))
        os.close(write)
        await eventually_async(lambda: texts(logs)[-1:] == ["199"])
        assert texts(logs) == [str(number) for number in range(150, 200)]
        assert texts(logs, count=2) == ["198", "199"]
        assert texts(logs, count=2, after=160) == ["160", "161"]
        assert texts(logs, after=197 + 1, count=10) == ["198", "199"]
        assert texts(logs, after=200) == texts(logs, count=0) == texts(logs, "other") == []
        long = follow(logs)
        os.write(long, b"y" * 600 + b"\n" + b"z" * 600 + b"\n")
        os.close(long)
        await eventually_async(lambda: texts(logs)[-1] == "z" * 600)
        assert texts(logs) == ["z" * 600]
        logs.forget({"b-1"})
        assert texts(logs) == []

    run(test)


def test_lines_of_a_flood_are_dropped_and_counted_and_other_processes_are_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        flood = "import sys\nwhile True: sys.stdout.write('noise\\n' * 1000)"
        async with supervising(
            program("flood", flood), program("quiet", "print('hush', flush=True); import time; time.sleep(600)")
        ) as s:
            await eventually_async(lambda: texts(s.logs, "quiet-1") == ["hush"], what="hush is read")
            await eventually_async(lambda: s.logs.tail("flood-1", after=20_000), what="much was read")
            assert len(s.logs.tail("flood-1", count=10_000)) == 1000
            pid = child(s, "flood-1").pid
            assert pid is not None  # it still runs
            await eventually_async(
                lambda: any(r.message == "child.lines_dropped" for r in caplog.records),
                what="the number of dropped lines is reported",
            )

    begin_mono = time.monotonic()
    with caplog.at_level("INFO"):
        run(test)
    most = 5000 + 1000 * (time.monotonic() - begin_mono)
    noise = [r for r in caplog.records if r.message == "child.said" and vars(r)["text"] == "noise"]
    dropped = sum(vars(r)["lines"] for r in caplog.records if r.message == "child.lines_dropped")
    assert dropped > 0
    assert 5000 <= len(noise) <= most


def test_last_words_of_a_process_come_before_the_report_of_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with supervising(
            program("x", "print('word\\n' * 1500 + 'the last'); raise SystemExit('why')")
        ) as supervision:
            await eventually_async(lambda: child(supervision, "x-1").restarts > 0)

    with caplog.at_level("INFO"):
        run(test)
    order = [vars(r).get("text", r.message) for r in caplog.records]
    assert {"the last", "why"} <= set(order[: order.index("child.ended")])


def test_everything_that_an_ended_process_has_left_in_its_pipe_is_read() -> None:
    async def test() -> None:
        logs = ActorLogs(max_lines=10_000, max_chars=1 << 20)
        write = follow(logs)
        # More than one read takes, and less than a pipe holds. Somebody else may hold the writing end open.
        line = b"x" * 999 + b"\n"
        os.write(write, line * 180 + b"the last\n")
        logs.catch_up("another one")
        assert texts(logs) == []
        logs.catch_up("a-1.h.0")
        assert texts(logs, count=1000)[-1] == "the last"
        os.close(write)
        logs.close()

    run(test)


def test_log_lines_of_actors_have_the_format_of_the_service(start_supervisor: StartSupervisor) -> None:
    supervisor = start_supervisor(OSIS, environ={"HERO_SUPERVISOR__LOG_FORMAT": "text"})
    eventually(
        lambda: "actor.ready child=osis-1 incarnation=osis-1." in supervisor.log_text(), what="text, with its fields"
    )
    assert '{"' not in supervisor.log_text()


def test_actor_whose_supervisor_was_killed_drains_and_ends_although_nothing_reads_its_log(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    supervisor = start_supervisor(environ={"HERO_SUPERVISOR__LOG_LEVEL": "debug"})
    supervisor.wait_ready()
    job_id = supervisor.submit("sleep(2); 42")
    supervisor.wait_status(job_id, "started")
    supervisor.kill()
    eventually(lambda: not supervisor.survivors(), what="it drains and ends")
    successor = start_supervisor()
    # It finished its job and settled it before it ended, so the job does not start again.
    assert successor.reply(job_id).output == "42"


@pytest.mark.parametrize("name", sorted({*dir(logging.makeLogRecord({})), "message", "taskName", "", "a b"}))
def test_no_field_of_a_line_reaches_an_attribute_of_its_record(name: str, caplog: pytest.LogCaptureFixture) -> None:
    line = orjson.dumps(
        {"event": "x", "level": "info", "logger": "hero_actor.x", "at": "0001-01-01T00:00:00+00:00", name: "y"}
    )

    async def test() -> None:
        logs = ActorLogs()
        write = follow(logs)
        os.write(write, line + b"\nand on\n")
        await eventually_async(lambda: len(texts(logs)) == 2)
        os.close(write)
        logs.close()

    with caplog.at_level("INFO"):
        run(test)
    assert "x" in [record.getMessage() for record in caplog.records if record.name == "hero_actor.x"]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
