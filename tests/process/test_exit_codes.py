"""Exit codes are a contract between actors, supervisors and service managers."""

from __future__ import annotations

from hero_process.exit_codes import NO_RESTART, ProcessExit, describe


def test_codes_have_the_numbers_that_unit_files_and_other_supervisors_rely_on() -> None:
    assert {code.name: int(code) for code in ProcessExit} == {
        "OK": 0,
        "USAGE": 2,
        "UNAVAILABLE": 69,
        "DEFECT": 70,
        "NOT_WRITTEN": 74,
        "REPLACE": 75,
    }


def test_every_code_that_is_neither_orderly_nor_final_is_a_crash() -> None:
    known = {ProcessExit.OK, ProcessExit.NOT_WRITTEN, ProcessExit.REPLACE, *NO_RESTART}
    assert [code for code in ProcessExit if code not in known] == [ProcessExit.DEFECT]


def test_ends_are_described_in_words() -> None:
    assert describe(69) == "exit 69"
    assert describe(-9) == "signal 9 (Killed)"
