"""The checker finds each kind of problem in small histories, and no problem in good ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.chaos.checker import StoredJob, check, read_history
from tests.chaos.witness import Entry

ACTOR, OTHER = "sal-1", "sal-2"


def note(at: float, what: str, job: str = "a", **facts: object) -> Entry:
    return {"at": at, "what": what, "job": job, **facts}


def submitted(job: str = "a", at: float = 0.0, **facts: object) -> list[Entry]:
    fields = {"type": "osis", "kind": "quick", "ends": ["finished"], "output": "1", "retries": 0} | facts
    return [note(at, "submitted", job, **fields), note(at, "acknowledged", job)]


def ran(at: float, job: str = "a", holder: str = ACTOR, outcome: str = "Done", pid: int = 1) -> list[Entry]:
    return [*began(at, job, holder, pid), note(at + 0.5, "ended", job, pid=pid, outcome=outcome)]


def began(at: float, job: str = "a", holder: str = ACTOR, pid: int = 1) -> list[Entry]:
    return [note(at, "began", job, pid=pid, holder=holder)]


def life(*statuses: str, job: str = "a", at: float = 1.0) -> list[Entry]:
    return [note(at + n / 10, "event", job, status=status) for n, status in enumerate(statuses)]


def acted(at: float, holder: str = ACTOR) -> Entry:
    return note(at, "acted", holder=holder)


def fault(begin: float, end: float, *hit: str) -> Entry:
    return {"at": end, "what": "fault", "kind": "kill actor", "begin": begin, "hit": list(hit) or None}


FINISHED = StoredJob({"status": "finished", "output": "1", "attempt": "1"}, 1)
TWICE = StoredJob({"status": "finished", "output": "1", "attempt": "2"}, 1)
GOOD = [*submitted(), *life("dispatched", "started", "finished"), *ran(1)]


def rules(entries: Sequence[Entry], *finals: StoredJob, strays: Sequence[str] = (), unseen: int = 0) -> list[str]:
    jobs = dict(zip("abcdef", finals, strict=False))
    return [rule for rule, _ in check(read_history(entries), jobs, strays, unseen).problems]


def test_a_good_history_has_no_problem() -> None:
    assert rules(GOOD, FINISHED) == []


def test_who_gives_up_must_not_be_told_so_after_the_end() -> None:
    assert rules([*GOOD, note(2, "answered", answer="not in time")], FINISHED) == []
    assert rules([*GOOD, note(9, "answered", answer="not in time")], FINISHED) == ["outcome"]


@pytest.mark.parametrize(
    ("expected", "entries", "final"),
    [
        ("lost", submitted(), StoredJob({}, 0)),
        ("lost", [*submitted(), *life("dispatched")], StoredJob({"status": "dispatched"}, 0)),
        ("unexpected", [*GOOD, *life("dispatched", job="x")], FINISHED),
        ("unexpected", [*GOOD, *ran(1, job="x")], FINISHED),
        ("ends", [*GOOD, *life("finished", at=9)], FINISHED),
        ("ends", [*GOOD, *life("stopped", at=9)], FINISHED),
        ("ends", [*submitted(), *life("created", "finished"), *ran(1)], FINISHED),
        ("replies", GOOD, StoredJob(FINISHED.fields, 0)),
        ("replies", GOOD, StoredJob(FINISHED.fields, 2)),
        ("outcome", GOOD, StoredJob({**FINISHED.fields, "output": "2"}, 1)),
        ("outcome", [*submitted(), *life("started", "error")], StoredJob({"status": "error", "error_kind": "oops"}, 1)),
        ("outcome", [*GOOD, note(3, "answered", answer="finished:7")], FINISHED),
        ("starts", [*GOOD, *ran(3)], TWICE),
        ("starts", [*GOOD, *ran(3), fault(2.8, 2.9, OTHER)], TWICE),
        ("starts", [*GOOD, *ran(3), fault(1.2, 1.3, ACTOR)], FINISHED),
        ("starts", [*submitted(), *life("started", "finished"), *ran(1, outcome="Failed"), *ran(3)], TWICE),
    ],
)
def test_each_rule_finds_its_violation(expected: str, entries: list[Entry], final: StoredJob) -> None:
    jobs_gone = not final.fields
    assert expected in (rules(entries) if jobs_gone else rules(entries, final))


def test_a_repeated_run_is_excused_only_by_a_fault_that_hit_its_holder() -> None:
    assert rules([*GOOD, *ran(3, holder=OTHER), fault(1.2, 1.3, ACTOR)], TWICE) == []
    assert rules([*GOOD, *ran(3, holder=OTHER), fault(1.2, 1.3)], TWICE) == []


def test_a_claim_from_before_a_freeze_may_be_run_late() -> None:
    again = [*submitted(), *life("dispatched", "started", "dispatched", "started", "finished"), *ran(5, holder=OTHER)]
    frozen = fault(1.2, 6.0, ACTOR)
    assert rules([*again, frozen, *ran(6.1, pid=2)], TWICE) == []
    assert rules([*again, frozen, *ran(5.2, pid=2)], TWICE) == [], "both run simultaneously"
    assert rules([*again, frozen, *ran(9, pid=2)], TWICE) == ["starts"], "long after the freeze"
    assert rules([*again, fault(5.5, 6.0, ACTOR), *ran(6.1, pid=2)], TWICE) == ["starts"], "not frozen at the first run"


def test_a_run_in_a_child_was_hit_if_its_actor_was() -> None:
    child, next_child = 101, 201
    again = [*submitted(type="sal"), *life("dispatched", "started", "dispatched", "started", "finished")]
    again += [*began(1, pid=child), *ran(3, holder=OTHER, pid=next_child)]
    assert rules([*again, fault(1.2, 1.3, ACTOR)], TWICE) == []
    assert rules([*again, fault(1.2, 1.3, OTHER)], TWICE) == ["starts"]


def test_a_retry_is_no_repeated_run() -> None:
    history = [*submitted(retries=1), *life("dispatched", "started", "scheduled", "dispatched", "started", "finished")]
    assert rules([*history, *ran(1, outcome="Failed"), *ran(3)], TWICE) == []


def two(first: str, second: str, *more: Entry) -> list[Entry]:
    """Make a history of two jobs, queued as a and b, that start in the given order."""
    entries = [*submitted("a"), *submitted("b"), *life("dispatched", job="a"), *life("dispatched", job="b", at=1.1)]
    for at, job in ((2.0, first), (3.0, second)):
        entries += [*life("started", "finished", job=job, at=at), *ran(at, job)]
    return [*entries, *more]


def test_osis_jobs_start_in_the_order_of_the_queue_except_for_one_job_per_fault() -> None:
    assert rules(two("a", "b"), FINISHED, FINISHED) == []
    assert set(rules(two("b", "a"), FINISHED, FINISHED)) == {"order"}
    assert rules(two("b", "a", fault(1.2, 1.3, ACTOR)), FINISHED, FINISHED) == []


def queue(*steps: tuple[str, str]) -> set[str]:
    """List the rules that OSIS jobs break.

    Args:
        steps: Event (d: dispatched, s: started) and job (h1: urgent, n1: normal, l1: patient).
    """
    priorities = {"h": "high", "n": "normal", "l": "low"}
    entries: list[Entry] = []
    finals = {}
    for at, (step, job) in enumerate(steps, 1):
        if step == "d":
            entries += [*submitted(job, priority=priorities[job[0]]), *life("dispatched", job=job, at=at)]
        else:
            entries += [*life("started", "finished", job=job, at=at), *ran(at, job)]
            finals[job] = FINISHED
    return {rule for rule, _ in check(read_history(entries), finals, []).problems}


def test_urgent_jobs_start_first_and_patient_jobs_after_all_that_were_queued_before() -> None:
    n1, n2, h1, h2, l1, l2 = (("d", job) for job in ("n1", "n2", "h1", "h2", "l1", "l2"))

    def start(*jobs: str) -> list[tuple[str, str]]:
        return [("s", job) for job in jobs]

    assert queue(n1, n2, h1, h2, *start("h2", "h1", "n1", "n2")) == set()
    assert queue(n1, n2, h1, *start("n1", "h1", "n2")) == set(), "an idle lane had taken the first one already"
    assert queue(n1, n2, h1, *start("h1", "n2", "n1")) == {"order"}
    assert queue(n1, n2, h1, *start("n1", "n2", "h1")) == {"order"}
    assert queue(n1, l1, n2, *start("n1", "n2", "l1")) == set()
    assert queue(n1, l1, n2, *start("n1", "l1", "n2")) == set(), "the queue was empty but for what a lane had taken"
    assert queue(n1, l1, n2, *start("l1", "n1", "n2")) == {"order"}
    assert queue(n1, l1, l2, h1, *start("h1", "n1", "l2", "l1")) == set()
    assert queue(n1, l1, h1, *start("n1", "l1", "h1")) == {"order"}


def test_a_delayed_job_does_not_start_before_its_time() -> None:
    late = [*submitted(earliest=0.9), *life("scheduled", "dispatched", "started", "finished"), *ran(1)]
    early = [*submitted(earliest=1.5), *life("scheduled", "dispatched", "started", "finished"), *ran(1)]
    assert rules(late, FINISHED) == []
    assert rules(early, FINISHED) == ["early"]


def test_a_tick_without_its_job_is_lost_and_one_with_two_lives_has_ended_twice() -> None:
    tick = submitted(kind="tick", type="sal")
    assert rules(tick) == ["lost"]
    lives = [*life("dispatched", "started", "finished"), *life("dispatched", "started", "finished", at=5)]
    assert set(rules([*tick, *lives, *ran(1)], FINISHED)) == {"ends"}


def test_a_script_acts_once_per_run_and_not_after_it() -> None:
    acting = [*submitted(kind="acting", type="python"), *life("dispatched", "started", "finished"), *ran(1)]
    assert rules([*acting, acted(1.2)], FINISHED) == []
    assert rules(acting, FINISHED) == ["acts"]
    assert rules([*acting, acted(1.2), acted(1.3)], FINISHED) == ["acts"]
    assert rules([*acting, acted(1.8)], FINISHED) == ["acts"]
    assert rules([*acting, acted(1.2, OTHER)], FINISHED) == ["acts"]


def test_no_process_acts_for_an_actor_that_was_killed_some_time_ago() -> None:
    statuses = ("dispatched", "started", "dispatched", "started", "finished")
    again = [*submitted(kind="acting", type="python"), *life(*statuses), *began(1), *ran(9, holder=OTHER, pid=2)]
    killed = fault(1.2, 1.3, ACTOR)
    assert rules([*again, killed, acted(9.1, OTHER)], TWICE) == []
    assert rules([*again, killed, acted(1.4), acted(9.1, OTHER)], TWICE) == [], "it may have been too fast to be killed"
    assert rules([*again, killed, acted(5.0), acted(9.1, OTHER)], TWICE) == ["acts"]
    frozen = killed | {"kind": "freeze actor past its lease", "at": 6.0}
    assert rules([*again, frozen, acted(5.0), acted(9.1, OTHER)], TWICE) == []


def test_a_job_ends_as_crashed_only_if_its_process_was_killed() -> None:
    crashed = StoredJob({"status": "error", "error_kind": "crashed", "attempt": "1"}, 1)
    entries = [*submitted(type="python"), *life("dispatched", "started", "error"), *ran(1, outcome="Failed")]
    killed: Entry = {"at": 1.3, "what": "fault", "kind": "kill job processes", "begin": 1.2, "hit": []}
    assert rules(entries, crashed) == ["outcome"]
    assert rules([*entries, killed], crashed) == []
    assert rules([*entries, killed | {"kind": "kill supervisor"}], crashed) == ["outcome"]


def test_two_osis_scripts_do_not_run_simultaneously() -> None:
    entries = [*submitted("b"), *life("dispatched", "started", "finished", job="b", at=1.5), *ran(1.2, "b", OTHER)]
    assert rules([*GOOD, *entries], FINISHED, FINISHED) == ["exclusion"]


def test_a_suspect_whose_process_its_actor_has_killed_runs_no_longer() -> None:
    follower = [*submitted("b"), *life("dispatched", "started", "finished", job="b", at=2), *ran(2, "b")]
    unended = [*submitted(ends=["error:timeout", "finished"]), *began(1), *follower]
    timed_out = StoredJob({"status": "error", "error_kind": "timeout", "attempt": "1"}, 1)
    assert rules([*unended, *life("dispatched", "started", "error")], timed_out, FINISHED) == []
    assert rules([*unended, *life("dispatched", "started", "finished")], FINISHED, FINISHED) == ["exclusion"]


def test_strays_and_unseen_events_are_problems() -> None:
    assert rules(GOOD, FINISHED, strays=["key k"], unseen=3) == ["strays", "witness"]
