"""A step of the store's clock, as the looks of supervisors see it: when it counts, and what moves with it.

The store's clock is not set here; the clock that is never set is the test's own, and it alone moves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from hero_job import JobStatus
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorOperations
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedule, Schedules
from hero_job.operations.store_clock import STEP_MS, ClockLook, ClockWatch
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeActor, MakeJob

HOUR_S, HOUR_MS = 3600.0, 3_600_000
#: The store's clock and the test's go on between two looks; a test may stand still for this long.
SLACK_MS = 600_000


@dataclass
class Supervisor:
    """A supervisor whose own clock is what the test says."""

    store: Store
    namespace: str
    elapsed_s: float = 1000.0
    watch: ClockWatch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = ClockWatch(self.namespace, lambda: self.elapsed_s)

    def look(self) -> ClockLook:
        return self.store.run(self.watch.look())

    def after_a_step_back(self, by_s: float = HOUR_S) -> ClockLook:
        """Look when so much time has passed, although the store's clock shows the same time."""
        self.elapsed_s += by_s
        return self.look()


@pytest.fixture
def supervisor(store: Store, namespace: str) -> Supervisor:
    one = Supervisor(store, namespace)
    one.look()
    return one


def score(store: Store, key: str, member: str) -> int | None:
    found: str | None = store.run(Op(("ZSCORE", key, member), as_is))
    return None if found is None else int(float(found))


def near(ms: float | None, wanted_ms: float) -> bool:
    return ms is not None and abs(ms - wanted_ms) < SLACK_MS


def test_time_that_passes_is_no_step(store: Store, supervisor: Supervisor) -> None:
    for _ in range(3):
        look = supervisor.look()
        assert (look.step_ms, look.backs, look.behind_until_ms, look.schedules_due, look.left) == (0, 0, 0, False, 0)
    assert store.run(supervisor.watch.last_step()) is None


def test_a_step_back_is_recorded_once_by_the_first_who_sees_it(
    store: Store, namespace: str, supervisor: Supervisor
) -> None:
    other = Supervisor(store, namespace)
    other.look()
    look = supervisor.after_a_step_back()
    assert near(-look.step_ms, HOUR_MS)
    assert (look.backs, look.schedules_due, look.left) == (1, True, 0)
    assert look.behind_until_ms > 0
    again = other.after_a_step_back()
    assert (again.step_ms, again.backs, again.behind_until_ms) == (0, 1, look.behind_until_ms)
    assert supervisor.look().step_ms == 0
    step = store.run(supervisor.watch.last_step())
    assert step is not None
    assert (step.step_ms, step.steps) == (look.step_ms, 1)
    assert step.at.endswith("Z")
    assert supervisor.after_a_step_back().backs == 2


def test_a_difference_below_the_least_step_does_not_count(supervisor: Supervisor) -> None:
    supervisor.elapsed_s += 0.0007 * STEP_MS
    assert supervisor.look().step_ms == 0


def test_a_step_back_is_seen_by_a_supervisor_that_has_not_looked_before(
    store: Store, namespace: str, supervisor: Supervisor
) -> None:
    ahead_ms = store.run(Op(("HGET", supervisor.watch._keys.clock, "at"), int)) + HOUR_MS
    store.run(Op(("HSET", supervisor.watch._keys.clock, "at", ahead_ms), int))
    look = Supervisor(store, namespace).look()
    assert near(-look.step_ms, HOUR_MS)
    assert near(look.behind_until_ms, ahead_ms)


def test_a_step_forward_is_recorded_by_the_next_look(store: Store, namespace: str) -> None:
    one = Supervisor(store, namespace)
    one.look()
    # The store's clock goes on while ours does not: as if it had been set forward.
    one.watch._seen = one.watch._seen._replace(now_ms=one.watch._seen.now_ms - HOUR_MS)  # type: ignore[union-attr]
    store.run(Op(("HINCRBY", one.watch._keys.clock, "at", -HOUR_MS), int))
    assert one.look().step_ms == 0, "only the answer shows it"
    look = one.look()
    assert near(look.step_ms, HOUR_MS)
    assert (look.backs, look.behind_until_ms, look.schedules_due) == (0, 0, False)
    step = store.run(one.watch.last_step())
    assert step is not None
    assert (step.step_ms, step.steps) == (look.step_ms, 1)
    assert one.look().step_ms == 0


def test_a_process_that_was_frozen_alone_sees_no_step_forward(store: Store, namespace: str) -> None:
    one = Supervisor(store, namespace)
    one.look()
    one.watch._seen = one.watch._seen._replace(now_ms=one.watch._seen.now_ms - HOUR_MS)  # type: ignore[union-attr]
    # Somebody else has looked meanwhile: `at` is of now.
    assert one.look().step_ms == 0
    assert one.look().step_ms == 0


def test_the_schedules_are_due_until_somebody_has_moved_them(store: Store, supervisor: Supervisor) -> None:
    assert supervisor.after_a_step_back().schedules_due
    look = supervisor.look()
    assert look.schedules_due
    store.run(supervisor.watch.rescheduled(look.backs))
    assert not supervisor.look().schedules_due
    assert supervisor.after_a_step_back().schedules_due


def test_delays_keep_their_length_and_named_times_stay(
    store: Store, operations: Operations, make_job: MakeJob, supervisor: Supervisor
) -> None:
    keys = operations.keys
    delayed = store.run(operations.create(make_job(delay=2 * HOUR_S), start=True))
    named = store.run(operations.create(make_job(not_before="2099-01-01T00:00:00Z"), start=True))
    stopped = store.run(operations.create(make_job(delay=2 * HOUR_S), start=True))
    store.run(operations.stop(stopped))
    store.run(Op(("ZADD", keys.scheduled, 1e13, stopped), as_is))  # a leftover
    before = {one: score(store, keys.scheduled, one) for one in (delayed, named)}
    look = supervisor.after_a_step_back()
    assert look.left == 0
    moved = score(store, keys.scheduled, delayed)
    assert moved == (before[delayed] or 0) + look.step_ms
    assert score(store, keys.scheduled, named) == before[named]
    assert score(store, keys.scheduled, stopped) is None
    supervisor.look()
    assert score(store, keys.scheduled, delayed) == moved, "it moves once"


def test_expiries_keep_their_length(
    store: Store, operations: Operations, make_job: MakeJob, supervisor: Supervisor
) -> None:
    keys = operations.keys
    waiting = store.run(operations.create(make_job(expires=2 * HOUR_S), start=True))
    later = store.run(operations.create(make_job(expires=2 * HOUR_S, delay=HOUR_S), start=True))
    ended = store.run(operations.create(make_job(expires=2 * HOUR_S), start=True))
    before = {one: score(store, keys.expiring, one) for one in (waiting, later, ended)}
    store.run(operations.stop(ended))
    store.run(Op(("ZADD", keys.expiring, before[ended] or 0, ended), as_is))
    look = supervisor.after_a_step_back()
    for one in (waiting, later):
        wanted = (before[one] or 0) + look.step_ms
        assert score(store, keys.expiring, one) == wanted
        assert store.run(Op(("HGET", keys.job(one), "expires_ms"), lambda answer: int(float(answer)))) == wanted
    assert score(store, keys.expiring, ended) is None
    assert store.run(operations.status(ended)) is JobStatus.STOPPED


def test_many_delayed_jobs_move_page_by_page(
    store: Store, operations: Operations, make_job: MakeJob, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hero_job.operations.store_clock._PAGE", 2)
    ids = [store.run(operations.create(make_job(delay=2 * HOUR_S), start=True)) for _ in range(5)]
    ids += [store.run(operations.create(make_job(expires=2 * HOUR_S), start=True)) for _ in range(3)]
    both = {
        one: score(store, operations.keys.scheduled, one) or score(store, operations.keys.expiring, one) for one in ids
    }
    first = supervisor.after_a_step_back()
    left = [first.left, *(supervisor.look().left for _ in range(3))]
    assert left == [4, 1, 0, 0]
    for one, due in both.items():
        now = score(store, operations.keys.scheduled, one) or score(store, operations.keys.expiring, one)
        assert now == (due or 0) + first.step_ms


def test_what_was_set_before_the_clock_went_wrong_by_being_set_forward_stays(
    store: Store, namespace: str, operations: Operations, make_job: MakeJob
) -> None:
    before = store.run(operations.create(make_job(delay=2 * HOUR_S), start=True))
    early = store.run(Op(("HGET", operations.keys.job(before), "updated_at"), as_is)).replace("20", "19", 1)
    store.run(Op(("HSET", operations.keys.job(before), "updated_at", early), as_is))
    due = score(store, operations.keys.scheduled, before)
    one = Supervisor(store, namespace)
    one.look()
    one.watch._seen = one.watch._seen._replace(now_ms=one.watch._seen.now_ms - HOUR_MS)  # type: ignore[union-attr]
    store.run(Op(("HINCRBY", one.watch._keys.clock, "at", -HOUR_MS), int))
    one.look()
    forward = one.look()
    assert near(forward.step_ms, HOUR_MS)
    after = store.run(operations.create(make_job(delay=2 * HOUR_S), start=True))
    due_after = score(store, operations.keys.scheduled, after)
    back = one.after_a_step_back()
    # It went an hour forward and an hour back, so what is older than both is right again.
    assert near(score(store, operations.keys.scheduled, before), due or 0)
    assert score(store, operations.keys.scheduled, after) == (due_after or 0) + back.step_ms


def test_leases_keep_their_length_once(
    store: Store, operations: Operations, make_actor: MakeActor, supervisor: Supervisor
) -> None:
    long, short = make_actor(lease_s=3 * HOUR_S), make_actor(lease_s=0.5 * HOUR_S)
    others = [make_actor(lease_s=5 * HOUR_S) for _ in range(3)]

    def lease_ms(one: ActorOperations) -> int:
        return store.run(Op(("PTTL", operations.keys.actor(one.entry.incarnation)), int))

    supervisor.after_a_step_back()
    assert near(lease_ms(long), 2 * HOUR_MS)
    assert near(lease_ms(short), HOUR_MS / 2), "it ends within the step anyway"
    assert all(near(lease_ms(other), 4 * HOUR_MS) for other in others)
    supervisor.look()
    assert near(lease_ms(long), 2 * HOUR_MS)
    supervisor.after_a_step_back()
    assert near(lease_ms(long), HOUR_MS)
    store.run(long.beat(busy=0, jobs=0))
    assert near(lease_ms(long), 3 * HOUR_MS), "a beat has the new time"


def test_the_next_tick_of_a_schedule_comes_after_the_present_time(
    store: Store, namespace: str, supervisor: Supervisor
) -> None:
    job = {"caller_id": "c", "context_id": "x", "script": "1", "script_type": "osis"}
    schedule = Schedule(name="s", job=job, interval_s=60)
    schedules = Schedules(namespace)
    store.run(schedules.put(schedule, 1_000_000_000))
    ticks = supervisor.watch._keys.ticks
    now_ms = 2_000_000_000_000
    store.run(Op(("ZADD", ticks, now_ms + 10 * HOUR_MS, "s"), as_is))
    store.run(supervisor.watch.reschedule(schedule, now_ms))
    moved = score(store, ticks, "s")
    assert moved is not None
    assert now_ms < moved <= now_ms + 60_000
    store.run(Op(("ZADD", ticks, now_ms - 5, "s"), as_is))
    store.run(supervisor.watch.reschedule(schedule, now_ms))
    assert score(store, ticks, "s") == now_ms - 5, "what is due stays due"
    store.run(Op(("ZREM", ticks, "s"), int))
    store.run(supervisor.watch.reschedule(schedule, now_ms))
    assert score(store, ticks, "s") is None, "a schedule that is gone does not come back"
