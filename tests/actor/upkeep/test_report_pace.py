"""How often an actor reports to its supervisor: rarely while there is no news, and soon when there is some."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hero_actor.conditions.shutdown_flags import ShutdownFlags
from hero_actor.conditions.store_outage import StoreOutage
from hero_actor.lanes.lane import LaneState
from hero_actor.upkeep.report_pace import QUIET_REPORT_S, REPORT_S, ReportPace
from hero_job.model.errors import StoreUnavailable
from hero_supervisor.policy.child_state import RestartLimits


@dataclass
class Moves:
    """What a lane shows of itself."""

    state: LaneState = LaneState.IDLE
    since_mono: float = field(default_factory=time.monotonic)
    jobs: int = 0


@dataclass
class Scene:
    """The pace of an actor with two lanes, one of them spare, that has just reported."""

    lane: Moves = field(default_factory=Moves)
    shutdown: ShutdownFlags = field(default_factory=ShutdownFlags)
    outage: StoreOutage = field(default_factory=StoreOutage)

    def __post_init__(self) -> None:
        spare = Moves(LaneState.SPARE, since_mono=0.0)
        self.pace = ReportPace([self.lane, spare], self.shutdown, self.outage)
        self.report()

    def report(self) -> None:
        self.reported_mono = time.monotonic()
        self.pace.reported(self.reported_mono)

    @property
    def every_s(self) -> float:
        return self.pace.due_s(self.reported_mono)

    def is_woken(self) -> bool:
        woken = select.select([self.shutdown.wake_read_fd], [], [], 0)[0] != []
        self.shutdown.clear_wake()
        return woken


def run_a_job(scene: Scene) -> None:
    scene.lane.jobs += 1


def begin_a_job(scene: Scene) -> None:
    scene.lane.state = LaneState.RUNNING


def stop_moving(scene: Scene) -> None:
    scene.lane.since_mono -= 10.0


def lose_the_store(scene: Scene) -> None:
    scene.outage.begin("lane-0", StoreUnavailable("redis://here", "it is gone"))


NEWS = [run_a_job, begin_a_job, stop_moving, lose_the_store]


def test_actor_without_news_reports_rarely_but_before_it_seems_to_hang() -> None:
    assert Scene().every_s == pytest.approx(QUIET_REPORT_S)
    assert REPORT_S < QUIET_REPORT_S <= RestartLimits().beat_s / 2


@pytest.mark.parametrize("happens", NEWS)
def test_news_is_reported_after_a_second_and_the_beat_wakes_the_main_thread_for_it(
    happens: Callable[[Scene], None],
) -> None:
    scene = Scene()

    with scene.pace.asleep():
        scene.pace.wake_if_news()
        before = scene.is_woken()
        happens(scene)
        scene.pace.wake_if_news()

    assert (before, scene.is_woken()) == (False, True)
    assert scene.every_s == pytest.approx(REPORT_S)


def test_actor_that_has_told_of_its_job_and_is_idle_again_reports_rarely() -> None:
    scene = Scene()
    begin_a_job(scene)
    scene.report()
    assert scene.every_s == pytest.approx(REPORT_S)
    scene.lane.state = LaneState.IDLE
    run_a_job(scene)

    scene.report()

    assert scene.every_s == pytest.approx(QUIET_REPORT_S)


def test_main_thread_that_is_awake_or_reports_every_second_is_not_woken() -> None:
    scene = Scene()
    begin_a_job(scene)
    scene.pace.wake_if_news()
    awake = scene.is_woken()
    scene.report()

    with scene.pace.asleep():
        run_a_job(scene)
        scene.pace.wake_if_news()

    assert not awake
    assert not scene.is_woken()
