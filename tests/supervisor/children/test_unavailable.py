"""Actors whose engine cannot run anything: what the supervisor shows of them, and what a rolling restart does."""

from __future__ import annotations

import logging

import pytest

from hero_supervisor.policy.child_state import Phase
from tests.eventually import eventually_async
from tests.supervisor.supervising import SPEAKS, child, run, speaking_program, supervising
from tests.valkey_server import ValkeyServer

READY = 'say(event="ready", incarnation=options.incarnation)'
#: Ready with two lanes, but without an engine.
LACKS = SPEAKS.replace(READY, 'say(event="ready", incarnation=options.incarnation, lanes=2, unavailable="no engine")')
#: The same, and then the engine is there after all.
FINDS = SPEAKS.replace(
    READY,
    'say(event="ready", incarnation=options.incarnation, lanes=2, unavailable="no engine")\n'
    'say(event="ready", incarnation=options.incarnation, lanes=3)',
)


def test_an_actor_without_its_engine_runs_and_says_what_is_missing(
    valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", LACKS), speaking_program("b"), url=valkey.url) as supervision:
            await supervision.settled()
            lacking, complete = child(supervision, "a-1"), child(supervision, "b-1")
            assert (lacking.phase, lacking.unavailable, lacking.lanes) == (Phase.RUNNING, "no engine", 2)
            assert (complete.phase, complete.unavailable) == (Phase.RUNNING, "")

    with caplog.at_level(logging.INFO):
        run(test)
    said = [(vars(record)["child"], record.message) for record in caplog.records if "child" in vars(record)]
    assert ("a-1", "child.unavailable") in said
    assert ("a-1", "child.ready") not in said
    assert ("b-1", "child.ready") in said
    (record,) = (record for record in caplog.records if record.message == "child.unavailable")
    assert vars(record)["reason"] == "no engine"


def test_an_engine_that_is_found_later_is_shown_and_announced_once(
    valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", FINDS), url=valkey.url) as supervision:
            await eventually_async(lambda: child(supervision, "a-1").lanes == 3)
            assert child(supervision, "a-1").unavailable == ""

    with caplog.at_level(logging.INFO):
        run(test)
    assert [record.message for record in caplog.records].count("child.unavailable") == 1
    assert [record.message for record in caplog.records].count("child.ready") == 0


def test_a_roll_stops_at_a_new_process_without_its_engine_and_the_old_ones_stay(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", count=2), url=valkey.url) as supervision:
            before = [view.pid for view in await supervision.settled()]
            supervision.want([speaking_program("a", LACKS, count=2)])
            report = await supervision.replace(())
            assert (report.failed, report.reason, report.replaced) == ("a-1", "no engine", ())
            assert report.kept == ("a-1", "a-2")
            assert [view.pid for view in supervision.children() if view.role == "owner"] == before
            assert all(view.unavailable == "" for view in supervision.children() if view.role == "owner")

    run(test)


def test_processes_that_had_no_engine_before_are_replaced_by_others_without_one(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a", LACKS), url=valkey.url) as supervision:
            (before,) = await supervision.settled()
            report = await supervision.replace(["a-1"])
            assert (report.replaced, report.failed) == (("a-1",), "")
            assert child(supervision, "a-1").pid != before.pid

    run(test)


def test_another_spec_that_is_wanted_by_then_is_tried_instead(valkey: ValkeyServer) -> None:
    async def test() -> None:
        async with supervising(speaking_program("a"), url=valkey.url) as supervision:
            await supervision.settled()
            supervision.want([speaking_program("a", LACKS)])
            supervision.want([speaking_program("a", SPEAKS + "\n")])
            report = await supervision.replace(())
            assert (report.replaced, report.failed) == (("a-1",), "")
            assert child(supervision, "a-1").unavailable == ""

    run(test)
