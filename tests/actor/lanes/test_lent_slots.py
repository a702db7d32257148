"""The loans of an actor: who may look for a job, who steps aside, and who goes on first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from hero_actor.lanes import lent_slots
from hero_actor.lanes.lent_slots import MOST_SPARE_LANES, LentSlots, TooManyLoans
from tests.eventually import GENEROUS_S, eventually


class Ended(Exception):
    """The script must end."""


def nothing() -> None:
    """A script that need not end."""


def never() -> bool:
    return False


class Threads:
    """Threads that must have ended when the test does."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def run(self, target: Callable[[], object]) -> threading.Event:
        """Run a function in a thread; the event says that it has returned."""
        done = threading.Event()

        def call() -> None:
            target()
            done.set()

        thread = threading.Thread(target=call)
        thread.start()
        self._threads.append(thread)
        return done

    def join(self) -> None:
        for thread in self._threads:
            thread.join(GENEROUS_S)
            assert not thread.is_alive()


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.join()


@pytest.fixture
def added() -> list[int]:
    """The numbers of the spare lanes that were started."""
    return []


def slots(lanes: int, added: list[int], has_idle_lane: Callable[[], bool] = never) -> LentSlots:
    return LentSlots(lanes, has_idle_lane, added.append)


def test_each_loan_has_a_spare_lane_which_later_loans_use_again(added: list[int]) -> None:
    lent = slots(2, added)
    with lent.lend(nothing):
        assert added == [0]
        with lent.lend(nothing):
            assert added == [0, 1]
    with lent.lend(nothing), lent.lend(nothing):
        assert added == [0, 1]


def test_a_script_may_not_wait_if_then_every_lane_would(added: list[int]) -> None:
    lent = slots(1, added)
    with ExitStack() as loans:
        for _ in range(MOST_SPARE_LANES):
            loans.enter_context(lent.lend(nothing))
        with pytest.raises(TooManyLoans), lent.lend(nothing):
            pass
    assert added == list(range(MOST_SPARE_LANES))
    many = slots(3, [])
    with ExitStack() as loans:
        for _ in range(MOST_SPARE_LANES + 2):
            loans.enter_context(many.lend(nothing))
        with pytest.raises(TooManyLoans), many.lend(nothing):
            pass
    with many.lend(nothing):
        pass  # they were given back


def test_a_spare_lane_looks_only_while_a_script_waits(added: list[int], threads: Threads) -> None:
    lent = slots(2, added)
    assert not lent.wait_for_look(lambda: True), "it is to end"
    looked = threads.run(lambda: lent.wait_for_look(never))
    assert not looked.wait(0.05)
    with lent.lend(nothing):
        assert looked.wait(GENEROUS_S)
        lent.looked(found=False)


def test_no_spare_lane_looks_while_a_lane_of_the_actor_is_idle(added: list[int], threads: Threads) -> None:
    idle = True
    lent = slots(2, added, lambda: idle)
    with lent.lend(nothing):
        looked = threads.run(lambda: lent.wait_for_look(never))
        assert not looked.wait(0.1)
        idle = False
        assert looked.wait(GENEROUS_S)
        lent.looked(found=False)


def test_one_look_at_a_time_and_one_job_for_each_loan(added: list[int], threads: Threads) -> None:
    lent = slots(4, added)
    ending = threading.Event()
    with lent.lend(nothing), lent.lend(nothing):
        assert lent.wait_for_look(never)
        second = threads.run(lambda: lent.wait_for_look(never))
        assert not second.wait(0.05), "the first one looks"
        lent.looked(found=True)
        assert second.wait(GENEROUS_S)
        lent.looked(found=True)
        third = threads.run(lambda: lent.wait_for_look(ending.is_set))
        assert not third.wait(0.05), "each loan has a job"
        lent.ended("j1")
        assert third.wait(GENEROUS_S)
        lent.looked(found=False)
        lent.ended("j2")


def test_looks_without_a_job_become_rarer_and_a_job_or_a_new_loan_makes_them_frequent_again(added: list[int]) -> None:
    lent = slots(4, added)

    with lent.lend(nothing):
        pauses = []
        for _ in range(8):
            assert lent.wait_for_look(never)
            before = time.monotonic()
            lent.looked(found=False)
            pauses.append(round(lent._next_look_mono - before, 3))
        assert all(one >= 0.002 for one in pauses)
        assert lent._pause_s == 0.05
        assert lent.wait_for_look(never)
        lent.looked(found=True)
        assert lent._pause_s == 0.002
        lent.ended("j")
        lent._pause_s, lent._next_look_mono = 0.05, time.monotonic() + 1000
        with lent.lend(nothing):
            assert lent._next_look_mono == 0
            assert lent._pause_s == 0.002


def test_in_an_actor_with_one_lane_a_script_goes_on_only_when_no_spare_lane_runs_a_job(
    added: list[int], threads: Threads
) -> None:
    lent = slots(1, added)
    back = threading.Event()
    waits, may_return = threading.Event(), threading.Event()

    def script() -> None:
        with lent.lend(nothing):
            waits.set()
            may_return.wait(GENEROUS_S)
        back.set()

    threads.run(script)
    assert waits.wait(GENEROUS_S)
    assert lent.wait_for_look(never)
    lent.looked(found=True)
    may_return.set()
    assert not back.wait(0.05)
    eventually(lambda: lent.overdrawn, what="the lane must let the script go on")
    lent.ended("j")
    assert back.wait(GENEROUS_S)
    assert not lent.overdrawn


def test_while_the_lane_rests_a_script_goes_on_in_its_slot_and_the_lane_steps_aside(
    added: list[int], threads: Threads
) -> None:
    lent = slots(1, added)
    with lent.lend(nothing):
        assert lent.wait_for_look(never)
        lent.looked(found=True)
        lent.rest()
    assert not lent.resume(), "a spare lane runs a job"
    aside = threads.run(lambda: lent.step_aside(never))
    assert not aside.wait(0.05)
    lent.ended("j")
    assert aside.wait(GENEROUS_S)
    lent.rest()
    assert lent.resume()


def test_a_lane_that_must_end_does_not_wait_aside(added: list[int]) -> None:
    lent = slots(1, added)
    with lent.lend(nothing):
        assert lent.wait_for_look(never)
        lent.looked(found=True)
        lent.rest()
    lent.step_aside(lambda: True)
    lent.ended("j")


def test_in_an_actor_with_several_lanes_scripts_and_lanes_do_not_wait_for_spare_lanes(added: list[int]) -> None:
    lent = slots(2, added)
    with lent.lend(nothing):
        assert lent.wait_for_look(never)
        lent.looked(found=True)
    assert not lent.overdrawn
    lent.rest()
    assert lent.resume()
    lent.ended("j")


def test_a_script_that_must_end_does_not_wait_for_its_slot(added: list[int]) -> None:
    lent = slots(1, added)

    def end() -> None:
        raise Ended

    with pytest.raises(Ended), lent.lend(end):
        assert lent.wait_for_look(never)
        lent.looked(found=True)
    assert lent.overdrawn, "its spare lane still runs"
    lent.ended("j")
    assert not lent.overdrawn


def test_the_script_that_waits_for_a_job_goes_on_before_the_next_job_begins(
    added: list[int], threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lent_slots, "_COURTESY_S", GENEROUS_S)
    lent = slots(1, added)
    with lent.lend(nothing) as loan:
        loan.awaits = "j"
        assert lent.wait_for_look(never)
        lent.looked(found=True)
        lent.ended("another")  # nobody waits for it, so this returns immediately
        assert lent.wait_for_look(never)
        lent.looked(found=True)
        ended = threads.run(lambda: lent.ended("j"))
        assert not ended.wait(0.05)
    assert ended.wait(GENEROUS_S)


def test_a_look_without_a_job_gives_its_slot_back_once(added: list[int], threads: Threads) -> None:
    lent = slots(4, added)
    ending = threading.Event()
    with lent.lend(nothing):
        for _ in range(3):
            assert lent.wait_for_look(never)
            lent.looked(found=False)
        assert lent.wait_for_look(never)
        lent.looked(found=True)
        another = threads.run(lambda: lent.wait_for_look(ending.is_set))
        assert not another.wait(0.1), "the only loan has a job"
        ending.set()
        lent.ended("j")


def test_a_look_that_had_to_wait_is_not_made_after_the_end_of_the_loan(added: list[int], threads: Threads) -> None:
    idle, must_end = True, False
    lent = slots(1, added, lambda: idle)
    returned = threads.run(lambda: lent.wait_for_look(lambda: must_end))
    with lent.lend(nothing):
        eventually(lambda: lent._is_looking, what="a spare lane waits for the idle one")
    idle = False

    assert not returned.wait(0.1)
    assert not lent.overdrawn, "it has taken no slot"
    must_end = True
    assert returned.wait(GENEROUS_S)
