"""The figures that an actor reports to its supervisor."""

from __future__ import annotations

from pathlib import Path

import pytest

from hero_actor.lanes.lane import Lane
from hero_actor.upkeep import report
from hero_actor.upkeep.report import lane_report, rss_bytes
from tests.actor.lanes.lane_alone import LaneAlone, MakeLane


def running(make_lane: MakeLane, timeout_s: float) -> tuple[LaneAlone, str]:
    actor = make_lane()
    job_id = actor.submit("1", timeout_s=timeout_s)
    assert actor.batch.load(actor.client.run(actor.claims.turn(0, [], 1)).jobs)
    return actor, job_id


def test_an_idle_lane_has_no_job_and_is_in_its_state_for_some_time(make_lane: MakeLane) -> None:
    lane: Lane = make_lane().lane

    assert lane_report(lane, lane.since_mono + 2.5) == {"state": "idle", "job": None, "for_ms": 2500, "overdue_ms": 0}


def test_a_running_job_is_overdue_only_after_its_timeout(make_lane: MakeLane) -> None:
    actor, job_id = running(make_lane, 10)
    began_mono = actor.batch.started_mono

    early, late = (lane_report(actor.lane, began_mono + s) for s in (4, 12.25))

    assert (early["job"], early["for_ms"], early["overdue_ms"]) == (job_id, 4000, 0)
    assert (late["job"], late["for_ms"], late["overdue_ms"]) == (job_id, 12_250, 2250)


def test_the_memory_is_that_of_this_process() -> None:
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))

    assert abs(rss_bytes() - int(line.split()[1]) * 1024) < 64 << 20


def test_without_proc_the_peak_of_its_memory_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/proc/self/statm")

    now_bytes = rss_bytes()
    monkeypatch.setattr(report, "open", fail, raising=False)

    assert rss_bytes() >= now_bytes * 0.5
