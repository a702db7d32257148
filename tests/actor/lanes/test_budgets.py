"""What a job may hold, return and log: budgets that are on by default."""

from __future__ import annotations

import psutil
import pytest

from hero_actor.lanes.job_log import JobLogBuffer
from hero_job.model.status import JobStatus
from hero_job.operations.operations import Op
from hero_job.protocol.op import as_is
from tests.actor.conftest import StartActor
from tests.actor.engines import TEST_ENGINE
from tests.actor.process import JobClient

MIB = 1 << 20
GROWS = "let a = []; loop { a.push(blob(1_000_000, 1)); }"


def test_job_without_settings_has_a_memory_budget(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor()

    reply = client.run(GROWS)

    assert (reply.error_kind, reply.line) == ("ErrorDataTooLarge", 1)
    assert psutil.Process(actor.pid).memory_info().rss < 256 * MIB, "what the script held is free again"


@pytest.mark.parametrize(("asked", "limit"), [(1 * MIB, 1 * MIB), (64 * MIB, 8 * MIB), (100, 100)])
def test_job_asks_for_less_memory_and_never_gets_more(
    start_actor: StartActor, client: JobClient, asked: int, limit: int
) -> None:
    start_actor("osis", "--memory-bytes", str(8 * MIB))

    reply = client.run("let a = []; loop { a.push([1, 2, 3]); }", memory_bytes=asked)

    assert (reply.error_kind, f"more than {limit} bytes" in (reply.error or "")) == ("ErrorDataTooLarge", True)


def test_zero_turns_the_memory_budget_off(start_actor: StartActor, client: JobClient) -> None:
    start_actor("osis", "--memory-bytes", "0")

    assert client.run("blob(300_000_000).len").result() == "300000000"


@pytest.mark.parametrize("text", ["-5", "many"])
def test_damaged_memory_limit_ends_the_job(start_actor: StartActor, client: JobClient, text: str) -> None:
    job_id = client.submit("1", memory_bytes=1000)
    client.store.run(Op(("HSET", client.operations.keys.job(job_id), "memory_bytes", text), as_is))

    start_actor()

    reply = client.reply(job_id)
    assert (reply.error_kind, "memory_bytes" in (reply.error or "")) == ("damaged", True)


@pytest.mark.parametrize(
    "script",
    [
        'let s = "x"; s.pad(1_048_577, "x"); s',
        'let s = "x"; s.pad(600_000, "é"); s',
        'let s = "x"; s.pad(600_000, "x"); [s, s]',
        "blob(5_000_000)",
        "let a = []; a.pad(200_000, 1); a",
    ],
)
def test_result_above_the_limit_is_an_error_and_is_not_stored(
    start_actor: StartActor, client: JobClient, script: str
) -> None:
    start_actor("osis", "--max-result-bytes", str(MIB))

    job_id = client.submit(script)

    assert client.reply(job_id).error_kind == "result_too_large"
    assert not client.record(job_id).output
    assert client.run("1").result() == "1"


@pytest.mark.parametrize(
    ("script", "size"),
    [
        ('let s = "x"; s.pad(1_048_576, "x"); s', MIB),
        ('let s = "é"; s.pad(524_288, "é"); s', MIB // 2),
        ("let a = []; a.pad(100_000, 12345678); a", 900_001),
    ],
)
def test_result_within_the_limit_is_stored(start_actor: StartActor, client: JobClient, script: str, size: int) -> None:
    start_actor("osis", "--max-result-bytes", str(MIB))

    assert len(client.run(script).result()) == size


def test_results_of_every_engine_are_bounded(start_actor: StartActor, client: JobClient) -> None:
    start_actor("osis", *TEST_ENGINE, "--max-result-bytes", "2000")

    assert client.run("x" * 2001).error_kind == "result_too_large"
    assert client.run("x" * 2000).result() == "x" * 2000


def test_many_large_results_neither_end_the_actor_nor_add_up(start_actor: StartActor, client: JobClient) -> None:
    job_ids = [client.submit('let s = "x"; s.pad(4_000_000, "x"); s', "sal") for _ in range(8)]
    fitting = [client.submit('let s = "x"; s.pad(900_000, "x"); s', "sal") for _ in range(8)]

    actor = start_actor("sal", "--max-result-bytes", str(MIB), "--lanes", "2", control=True)

    assert {client.reply(job_id).error_kind for job_id in job_ids} == {"result_too_large"}
    assert {len(client.reply(job_id).result()) for job_id in fitting} == {900_000}
    assert actor.process.poll() is None
    assert {client.record(job_id).attempt for job_id in (*job_ids, *fitting)} == {1}


def test_printing_millions_of_lines_is_cut_and_says_so(start_actor: StartActor, client: JobClient) -> None:
    start_actor()

    job_id = client.submit('let s = "\\n"; s.pad(150_000_000, "\\n"); for i in 0..20 { print(s) } print("end"); 1')

    assert client.reply(job_id).status is JobStatus.FINISHED
    lines = client.store.run(client.operations.log(job_id, count=2000))
    assert len(lines) <= 1000
    assert lines[-1].text == "end"
    assert [line.level for line in lines if "the script has logged" in line.text] == ["warning"]


def test_log_buffer_keeps_the_newest_lines_and_counts_the_others() -> None:
    log = JobLogBuffer(max_bytes=100_000)

    for number in range(1500):
        log.line("info", f"{number}\n{number}")
    lines, _ = log.take()

    assert len(lines) == 1000
    assert lines[0] == ("warning", "the script has logged 3000 lines; older ones are not kept")
    assert lines[-1] == ("info", "1499")
    log.line("info", "next")
    assert [level for level, _ in log.take()[0]] == ["warning", "info"], "the warning does not get lost"
    log.written = 0  # the next job
    log.line("info", "first")
    assert log.take() == ([("info", "first")], None)


def test_log_buffer_holds_no_more_bytes_than_it_may() -> None:
    log = JobLogBuffer(max_bytes=10_000)

    for _ in range(50):
        log.line("info", "é" * 1000)
    log.progress(1, 2, "é" * 10_000)
    lines, progress = log.take()

    assert sum(len(text.encode()) for _, text in lines[1:]) <= 10_000
    assert lines[0] == ("warning", "the script has logged 50 lines; older ones are not kept")
    assert progress is not None
    assert progress.text.endswith("... (10000 characters)")


def test_line_above_all_limits_is_kept_alone_and_cut() -> None:
    log = JobLogBuffer(max_bytes=10)

    log.line("info", "x" * 9000)

    assert log.take()[0] == [("info", "x" * 8192 + " ... (9000 characters)")]
