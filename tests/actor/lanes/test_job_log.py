"""The log of a running script: lines, cuts, what is dropped, and progress."""

from __future__ import annotations

from hero_actor.lanes.job_log import JobLogBuffer
from hero_job.model.views import Progress

MANY = 1 << 20


def texts(buffer: JobLogBuffer) -> list[str]:
    lines, _ = buffer.take()
    return [text for _, text in lines]


def test_a_text_is_kept_line_by_line_with_its_level_until_it_is_taken() -> None:
    buffer = JobLogBuffer(MANY)
    assert not buffer.dirty
    buffer.line("info", "a\nb")
    buffer.line("error", "c")
    assert buffer.dirty
    assert buffer.take() == ([("info", "a"), ("info", "b"), ("error", "c")], None)
    assert not buffer.dirty
    assert buffer.written == 3
    assert buffer.take() == ([], None)


def test_a_long_line_is_cut_and_says_how_long_it_was() -> None:
    buffer = JobLogBuffer(MANY)
    buffer.line("info", "x" * 8192)
    buffer.line("info", "x" * 8193)
    whole, cut = texts(buffer)
    assert whole == "x" * 8192
    assert cut == "x" * 8192 + " ... (8193 characters)"


def test_the_newest_thousand_lines_are_kept_and_the_first_line_says_how_many_there_were() -> None:
    buffer = JobLogBuffer(MANY)
    for number in range(1000):
        buffer.line("info", str(number))
    assert texts(buffer) == [str(number) for number in range(1000)], "exactly as many as are kept"
    assert buffer.written == 1000
    buffer.line("info", "one more")
    told, line = texts(buffer)
    assert "1001 lines" in told
    assert line == "one more"
    buffer.written = 0
    for number in range(1005):
        buffer.line("info", str(number))
    lines, _ = buffer.take()
    assert lines[0][0] == "warning"
    assert "1005 lines" in lines[0][1]
    assert [text for _, text in lines[1:]] == [str(number) for number in range(6, 1005)]
    assert buffer.written == 1005


def test_a_text_of_very_many_lines_counts_as_so_many() -> None:
    buffer = JobLogBuffer(MANY)
    buffer.line("info", "\n".join(str(number) for number in range(3000)))
    lines = texts(buffer)
    assert "3000 lines" in lines[0]
    assert len(lines) == 1000
    assert lines[-1] == "2999"
    buffer.written = 0
    buffer.line("info", "\n" * 999)
    assert len(texts(buffer)) == 1000
    assert buffer.written == 1000


def test_no_more_bytes_are_kept_than_allowed_but_always_the_last_line() -> None:
    buffer = JobLogBuffer(10)
    buffer.line("info", "12345")
    buffer.line("info", "67890")
    assert texts(buffer) == ["12345", "67890"], "exactly the limit"
    buffer.line("info", "12345")
    buffer.line("info", "éé")
    buffer.line("info", "éé")
    told, *rest = texts(buffer)
    assert "lines" in told
    assert rest == ["éé", "éé"], "bytes count, not characters"
    buffer.line("info", "x" * 100)
    assert texts(buffer)[-1] == "x" * 100
    buffer.written = 0
    buffer.line("info", "12345")
    buffer.line("info", "67890")
    assert texts(buffer) == ["12345", "67890"], "what was taken no longer counts"


def test_the_last_progress_is_taken_once() -> None:
    buffer = JobLogBuffer(MANY)
    buffer.progress(1, 4, "a")
    buffer.progress(2, 4, "x" * 9000)
    assert buffer.dirty
    lines, progress = buffer.take()
    assert lines == []
    assert progress == Progress(done=2, total=4, text="x" * 8192 + " ... (9000 characters)")
    assert buffer.take() == ([], None)
    assert buffer.written == 0
