"""Actor and supervisor mean the same by an exit code, although neither imports the other."""

from __future__ import annotations

from hero_actor.exits import ExitCode
from hero_supervisor.children.exits import BOOT_FAILURES, Exit, describe


def test_actor_and_supervisor_have_the_same_codes() -> None:
    pairs = {
        ExitCode.DRAINED: Exit.OK,
        ExitCode.USAGE: Exit.USAGE,
        ExitCode.ENGINE_UNAVAILABLE: Exit.UNAVAILABLE,
        ExitCode.CRASHED: Exit.DEFECT,
        ExitCode.REPLACE: Exit.REPLACE,
    }
    assert [int(code) for code in pairs] == [int(code) for code in pairs.values()]


def test_every_other_code_of_the_actor_is_a_crash_to_the_supervisor() -> None:
    known = {int(code) for code in (Exit.OK, Exit.REPLACE, *BOOT_FAILURES)}
    assert [code for code in ExitCode if int(code) not in known] == [ExitCode.CRASHED]


def test_ends_are_described_in_words() -> None:
    assert describe(69) == "exit 69"
    assert describe(-9) == "signal 9 (Killed)"
