"""How many processes an entry should have: properties for any load, and examples over time."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hero_supervisor.fleet.autoscale import HIGH_FOR_S, EntryLoad, ScaleBounds, ScaleState, decide

BOUNDS = ScaleBounds(least=1, most=8, wait_s=1.0, idle_s=10.0)
QUIET = EntryLoad(waiting=0, wait_s=0.0, drained_per_s=5.0, lanes=4, busy=0, ready=1)

loads = st.builds(
    EntryLoad,
    waiting=st.integers(0, 10_000),
    wait_s=st.floats(0, 1e4),
    drained_per_s=st.floats(0, 1e4),
    lanes=st.integers(0, 64),
    busy=st.integers(0, 64),
    ready=st.integers(0, 8),
)
bounds = st.tuples(st.integers(0, 8), st.integers(0, 8), st.floats(0.01, 10), st.floats(0.1, 100)).map(
    lambda n: ScaleBounds(least=min(n[:2]), most=max(n[:2]), wait_s=n[2], idle_s=n[3])
)


@given(st.lists(st.tuples(loads, st.floats(0, 30)), max_size=40), bounds, st.integers(0, 20))
def test_number_stays_within_its_bounds_and_changes_only_after_a_while(
    steps: list[tuple[EntryLoad, float]], bounds: ScaleBounds, count: int
) -> None:
    state, now = ScaleState(), 0.0
    changed = -1e9
    for load, passed_s in steps:
        now += passed_s
        was, (state, count) = count, decide(state, load, count, bounds, now)
        assert bounds.least <= count <= bounds.most
        if was != count and bounds.least <= was <= bounds.most:
            assert now - changed >= min(HIGH_FOR_S, bounds.idle_s)
            assert count == was - 1 or count <= max(1, 2 * was)
            assert state.reason
        if was != count:
            changed = now


@given(loads, st.integers(1, 8))
def test_constant_load_never_makes_the_number_rise_and_fall(load: EntryLoad, count: int) -> None:
    """A number that was raised for a load is not lowered for the same load."""
    state, now, seen = ScaleState(), 0.0, [count]
    for _ in range(60):
        now += 1.0
        state, count = decide(state, load, count, BOUNDS, now)
        seen.append(count)
    changes = [b - a for a, b in pairwise(seen) if a != b]
    assert all(change > 0 for change in changes) or all(change < 0 for change in changes)


def drive(load: EntryLoad, count: int, seconds: float, *, every_s: float = 1.0) -> int:
    state, now = ScaleState(), 0.0
    while now <= seconds:
        state, count = decide(state, load, count, BOUNDS, now)
        now += every_s
    return count


def test_process_is_added_for_a_lasting_wait_and_not_for_a_single_slow_look() -> None:
    busy = EntryLoad(waiting=10, wait_s=3.0, drained_per_s=5.0, lanes=4, busy=4, ready=1)
    assert drive(busy, 1, HIGH_FOR_S - 0.5) == 1
    assert drive(busy, 1, HIGH_FOR_S) == 2
    # A further process is added only when the first new one is ready.
    assert drive(busy, 1, 60.0) == 2
    assert drive(EntryLoad(waiting=10, wait_s=3.0, drained_per_s=5.0, lanes=32, busy=32, ready=8), 1, 60.0) == 8


def test_long_queue_counts_as_a_wait_to_come() -> None:
    assert drive(EntryLoad(waiting=1000, wait_s=0.2, drained_per_s=10.0, lanes=4, busy=4, ready=1), 1, HIGH_FOR_S) == 2
    assert drive(EntryLoad(waiting=10, wait_s=0.2, drained_per_s=1000.0, lanes=4, busy=4, ready=1), 1, 60.0) == 1


def test_very_long_queue_doubles_the_number() -> None:
    assert drive(EntryLoad(waiting=9, wait_s=60.0, drained_per_s=1.0, lanes=8, busy=8, ready=2), 2, HIGH_FOR_S) == 4


def test_process_is_removed_only_when_the_others_would_be_half_idle() -> None:
    assert drive(EntryLoad(waiting=0, wait_s=0.0, drained_per_s=5.0, lanes=8, busy=3, ready=2), 2, 60.0) == 2
    assert drive(EntryLoad(waiting=0, wait_s=0.0, drained_per_s=5.0, lanes=8, busy=2, ready=2), 2, 9.0) == 2
    assert drive(EntryLoad(waiting=0, wait_s=0.0, drained_per_s=5.0, lanes=8, busy=2, ready=2), 2, 10.0) == 1
    assert drive(QUIET, 1, 600.0) == 1


def test_moment_of_load_restarts_the_idle_time() -> None:
    state, count = ScaleState(), 2
    idle = EntryLoad(waiting=0, wait_s=0.0, drained_per_s=5.0, lanes=8, busy=0, ready=2)
    crowd = EntryLoad(waiting=1, wait_s=0.1, drained_per_s=5.0, lanes=8, busy=8, ready=2)
    for now in range(30):
        state, count = decide(state, crowd if now % 9 == 8 else idle, count, BOUNDS, float(now))
    assert count == 2
