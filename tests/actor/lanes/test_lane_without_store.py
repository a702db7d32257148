"""What a lane does with its results while the store is away, and for how long."""

from __future__ import annotations

import time

import pytest

from hero_actor.conditions.shutdown_flags import Reason
from hero_actor.lanes.lane import LaneState
from hero_engine.engine import Done, Outcome, RunLog
from tests.actor.engines import Handle
from tests.actor.lanes.lane_alone import Gate, LaneAlone, MakeLane
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def test_a_large_result_waits_in_the_batch_while_the_store_is_away(
    make_lane: MakeLane, own_valkey: ValkeyServer
) -> None:
    actor = make_lane(own_valkey.url)

    def large_without_store(run: Handle, log: RunLog) -> Outcome:
        own_valkey.kill()
        return Done("x" * 300_000)

    jobs = [actor.submit(script) for script in (actor.script("large", large_without_store), "1")]
    actor.lane._run_jobs(actor.client.run(actor.claims.turn(0, [], 2)))
    own_valkey.start()
    actor.lane.start()

    assert [len(actor.output(job_id)) for job_id in jobs] == [300_000, 1]
    assert actor.engine.ran == ["large", "1"]


def test_a_log_that_the_store_does_not_take_costs_the_job_nothing(
    make_lane: MakeLane, own_valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    actor = make_lane(own_valkey.url)

    def talk_without_store(run: Handle, log: RunLog) -> Outcome:
        log.line("info", "nobody hears this")
        own_valkey.kill()
        return Done("said")

    job_id = actor.submit(actor.script("talk", talk_without_store))
    actor.lane._run_jobs(actor.client.run(actor.claims.turn(0, [], 1)))
    own_valkey.start()
    actor.lane.start()

    assert actor.output(job_id) == "said"
    assert "job.log_lost" in [record.message for record in caplog.records]


def holds_result_without_store(actor: LaneAlone, server: ValkeyServer) -> str:
    """Let the lane run a job, and kill its store before the result is settled."""
    gate = Gate()
    job_id = actor.submit(actor.script("gate", gate))
    actor.lane.start()
    gate.wait_begun()
    server.kill()
    gate.open.set()
    eventually(lambda: actor.lane.state is LaneState.CONNECTING, what="the lane has a result and no store")
    return job_id


def test_a_result_is_kept_until_the_store_is_back_and_the_outage_is_over_then(
    make_lane: MakeLane, own_valkey: ValkeyServer
) -> None:
    actor = make_lane(own_valkey.url)
    job_id = holds_result_without_store(actor, own_valkey)
    assert actor.outage.active
    assert actor.batch.has_results

    own_valkey.start()

    assert actor.output(job_id) == "through the gate"
    eventually(lambda: not actor.outage.active, what="the outage is over")
    assert actor.engine.ran == ["gate"]


def test_a_draining_lane_gives_its_result_up_after_its_time_and_not_before(
    make_lane: MakeLane, own_valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    actor = make_lane(own_valkey.url, give_up_s=0.3)
    began_mono = time.monotonic()
    holds_result_without_store(actor, own_valkey)

    actor.shutdown.request(Reason.SIGNAL)
    eventually(lambda: actor.lane.ended, what="the lane has ended")

    assert time.monotonic() - began_mono > 0.3
    assert "lane.results_lost" in [record.message for record in caplog.records]


@pytest.mark.parametrize("how", ["no result", "stop"])
def test_a_draining_lane_without_a_store_does_not_wait_when_it_has_no_result_or_is_to_stop(
    make_lane: MakeLane, own_valkey: ValkeyServer, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    actor = make_lane(own_valkey.url, give_up_s=3600)
    if how == "stop":
        holds_result_without_store(actor, own_valkey)
    else:
        actor.lane.start()
        actor.wait_idle()
        own_valkey.kill()
        eventually(lambda: actor.lane.state is LaneState.CONNECTING, what="the lane has no store")

    actor.shutdown.request(Reason.SIGNAL, stop=how == "stop")

    eventually(lambda: actor.lane.ended, what="the lane has ended")
    assert not actor.lane.crashed
    assert "lane.results_lost" not in [record.message for record in caplog.records]


def test_a_draining_lane_waits_for_the_store_to_take_its_result(make_lane: MakeLane, own_valkey: ValkeyServer) -> None:
    actor = make_lane(own_valkey.url, give_up_s=3600)
    job_id = holds_result_without_store(actor, own_valkey)

    actor.shutdown.request(Reason.SIGNAL)
    own_valkey.start()

    eventually(lambda: actor.lane.ended, what="the lane has ended")
    assert actor.output(job_id) == "through the gate"
