"""Each row of docs/combinations.md holds: what two features of jobs mean together."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from hero_job import JobInvalid, JobNotFound, JobStateError, ScriptType
from hero_job.client.store import Store
from hero_job.operations.batches import create_jobs, purge_queue
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.job.conftest import MakeJob
from tests.job.lane import Lane
from tests.job.scene import Scene

PAGE = Path(__file__).parents[3] / "docs/combinations.md"
OPTIONS = ("unique", "rate", "concurrency", "batch", "prerequisites", "schedule")
EVENTS = ("retry", "stop", "expire", "purge", "delete", "dead letter")
FEATURES = (*OPTIONS, *EVENTS)


Check = Callable[[Scene], None]
ROWS: dict[tuple[str, str], Check] = {}


def row(first: str, second: str) -> Callable[[Check], Check]:
    """Register the check of a row."""

    def register(check: Check) -> Check:
        ROWS[first, second] = check
        return check

    return register


ENDS = {"stop": "stopped", "expire": "error", "purge": "stopped", "delete": None, "dead letter": "error"}


def _unique(event: str) -> Check:
    def check(scene: Scene) -> None:
        scene.create("x", "unique")
        scene.do(event, "x")
        assert scene.create("y", "unique") == ("x" if event == "retry" else "y")

    return check


def _rate(event: str) -> Check:
    def check(scene: Scene) -> None:
        scene.create("x", "rate")
        scene.do(event, "x")
        if event == "retry":
            scene.run("x")
        scene.create("y", "rate")
        started = scene.lane.claim_ids()
        assert started == ([] if event in ("retry", "dead letter") else ["y"])
        assert scene.status("y") == ("started" if started else "scheduled")

    return check


def _concurrency(event: str) -> Check:
    def check(scene: Scene) -> None:
        scene.create("x", "concurrency")
        scene.do(event, "x")
        scene.create("y", "concurrency")
        assert scene.work_off() == (["x", "y"] if event == "retry" else ["y"])

    return check


def _batch(event: str) -> Check:
    def check(scene: Scene) -> None:
        scene.create("x", "batch")
        scene.do(event, "x")
        batch = scene.store.run(scene.operations.batch("b"))
        assert batch is not None
        if event == "retry":
            assert (batch.total, batch.open, batch.stopped) == (1, 1, 0)
        elif ENDS[event] == "error":
            assert (batch.total, batch.open, batch.error) == (1, 0, 1)
        else:
            assert (batch.total, batch.open, batch.stopped) == (1, 0, 1)

    return check


def _prerequisites(event: str) -> Check:
    def check(scene: Scene) -> None:
        scene.create("P")
        scene.create("x", "prerequisites")
        scene.do(event, "P")
        record = scene.store.run(scene.operations.record("x"))
        assert (record.status.value, record.error_kind) == ("error", "prerequisite_failed")
        if event == "retry":
            scene.run("P")
            assert scene.status("x") == "error"

    return check


def _schedule(event: str) -> Check:
    def check(scene: Scene) -> None:
        job_id = scene.create("s", "schedule")
        scene.do(event, job_id)
        if event == "delete":
            with pytest.raises(JobNotFound):
                scene.status(job_id)
            return
        # A supervisor that creates the job of the tick once more creates nothing.
        before = scene.status(job_id)
        assert scene.create("s", "schedule") == job_id
        assert scene.status(job_id) == before
        assert scene.lane.work_off() == ([job_id] if event == "retry" else [])

    return check


for _event in EVENTS:
    for _option, _check in zip(OPTIONS, (_unique, _rate, _concurrency, _batch, _prerequisites, _schedule), strict=True):
        ROWS[_option, _event] = _check(_event)


@row("unique", "rate")
def _(scene: Scene) -> None:
    scene.create("x", "unique")
    assert scene.create("y", "unique", "rate") == "x"
    scene.create("z", "rate")
    assert scene.lane.work_off() == ["x", "z"]


@row("unique", "concurrency")
def _(scene: Scene) -> None:
    scene.create("x", "unique")
    assert scene.create("y", "unique", "concurrency") == "x"
    scene.create("z", "concurrency")
    assert scene.lane.claim_ids() == ["x", "z"]


@row("unique", "batch")
def _(scene: Scene) -> None:
    with pytest.raises(JobInvalid, match="unique_key"):
        scene.store.drive(create_jobs(scene.operations, [scene.job("x", "unique")], batch_id="b"))


@row("unique", "prerequisites")
def _(scene: Scene) -> None:
    scene.create("P")
    scene.create("x", "unique", "prerequisites")
    assert scene.create("y", "unique") == "x"
    scene.run("P")
    scene.run("x")
    assert scene.create("y", "unique") == "y"


@row("unique", "schedule")
def _(scene: Scene) -> None:
    scene.create("x", "unique")
    assert scene.create("s", "schedule", "unique") == "x"


@row("rate", "concurrency")
def _(scene: Scene) -> None:
    scene.create("x", "rate")
    scene.run("x")
    scene.create("y", "rate", "concurrency")
    assert scene.lane.claim_ids() == []
    assert scene.status("y") == "scheduled"
    scene.create("z", "concurrency")
    assert scene.lane.work_off() == ["z"]


@row("rate", "batch")
def _(scene: Scene) -> None:
    scene.create("x", "rate")
    scene.run("x")
    scene.create("y", "rate", "batch")
    assert scene.lane.claim_ids() == []
    assert (scene.status("y"), scene.open()) == ("scheduled", 1)


@row("rate", "prerequisites")
def _(scene: Scene) -> None:
    scene.create("P")
    scene.create("x", "rate", "prerequisites")
    scene.create("y", "rate")
    scene.run("P")
    assert scene.lane.claim_ids() == ["y"]
    assert scene.status("x") == "scheduled"


@row("rate", "schedule")
def _(scene: Scene) -> None:
    scene.create("x", "rate")
    scene.run("x")
    job_id = scene.create("s", "schedule", "rate")
    assert scene.lane.claim_ids() == []
    assert scene.status(job_id) == "scheduled"


@row("concurrency", "batch")
def _(scene: Scene) -> None:
    scene.create("x", "concurrency", "batch")
    scene.create("y", "concurrency", "batch")
    (first,) = scene.lane.claim()
    assert scene.open() == 2
    scene.lane.finish(first)
    scene.run("y")
    assert scene.open() == 0


@row("concurrency", "prerequisites")
def _(scene: Scene) -> None:
    scene.create("P", start=False)
    scene.create("x", "concurrency", "prerequisites")
    scene.create("y", "concurrency")
    assert scene.lane.claim_ids() == ["y"]
    assert scene.status("x") == "waiting_for_prerequisites"


@row("concurrency", "schedule")
def _(scene: Scene) -> None:
    scene.create("x", "concurrency")
    (first,) = scene.lane.claim()
    job_id = scene.create("s", "schedule", "concurrency")
    assert scene.lane.claim() == []
    scene.lane.finish(first)
    assert scene.lane.work_off() == [job_id]


@row("batch", "prerequisites")
def _(scene: Scene) -> None:
    scene.create("P", "batch")
    scene.create("x", "batch", "prerequisites")
    scene.run("P", fails=True)
    batch = scene.store.run(scene.operations.batch("b"))
    assert batch is not None
    assert (batch.total, batch.open, batch.error) == (2, 0, 2)


@row("batch", "schedule")
def _(scene: Scene) -> None:
    scene.create("s", "schedule", "batch")
    scene.create("x", "batch")
    assert scene.open() == 2


@row("prerequisites", "schedule")
def _(scene: Scene) -> None:
    scene.create("P")
    job_id = scene.create("s", "schedule", "prerequisites")
    assert scene.status(job_id) == "waiting_for_prerequisites"
    assert scene.lane.work_off() == ["P", job_id]


@row("retry", "stop")
def _(scene: Scene) -> None:
    scene.create("x")
    scene.do("retry", "x")
    scene.do("stop", "x")
    assert (scene.status("x"), scene.lane.claim()) == ("stopped", [])


@row("retry", "expire")
def _(scene: Scene) -> None:
    job = dataclasses.replace(scene.job("x"), expires_s=60)
    scene.store.run(scene.operations.create(job, start=True))
    scene.do("expire", "x")
    scene.store.run(scene.operations.retry("x"))
    assert scene.store.run(Op(("HEXISTS", scene.operations.keys.job("x"), "expires_ms"), int)) == 0
    assert scene.lane.work_off() == ["x"]


@row("retry", "purge")
def _(scene: Scene) -> None:
    scene.create("x")
    scene.do("purge", "x")
    scene.store.run(scene.operations.retry("x"))
    assert scene.status("x") == "dispatched"
    scene.do("purge", "x")
    assert scene.status("x") == "stopped"


@row("retry", "delete")
def _(scene: Scene) -> None:
    scene.create("x")
    scene.do("retry", "x")
    scene.do("delete", "x")
    with pytest.raises(JobNotFound):
        scene.store.run(scene.operations.retry("x"))


@row("retry", "dead letter")
def _(scene: Scene) -> None:
    scene.create("x")
    scene.do("dead letter", "x")
    scene.store.run(scene.operations.retry("x"))
    assert scene.dead() == []
    scene.run("x", fails=True)
    assert scene.dead() == ["x"]


@row("stop", "expire")
def _(scene: Scene) -> None:
    scene.create("x", "batch")
    scene.do("stop", "x")
    scene.do("expire", "x")
    assert scene.status("x") == "stopped"


@row("stop", "purge")
def _(scene: Scene) -> None:
    scene.create("x")
    scene.do("stop", "x")
    assert scene.store.drive(purge_queue(scene.operations, ScriptType.OSIS)) == 0
    assert scene.status("x") == "stopped"


@row("stop", "delete")
def _(scene: Scene) -> None:
    scene.create("x")
    (job,) = scene.lane.claim()
    scene.do("stop", "x")
    with pytest.raises(JobStateError):
        scene.do("delete", "x")
    scene.lane.stop(job)
    scene.do("delete", "x")
    with pytest.raises(JobNotFound):
        scene.status("x")


@row("stop", "dead letter")
def _(scene: Scene) -> None:
    scene.create("x")
    scene.do("stop", "x")
    assert scene.dead() == []


@row("expire", "purge")
def _(scene: Scene) -> None:
    scene.create("x", "batch")
    scene.do("purge", "x")
    scene.do("expire", "x")
    assert scene.status("x") == "stopped"


@row("expire", "delete")
def _(scene: Scene) -> None:
    job = dataclasses.replace(scene.job("x"), expires_s=60)
    scene.store.run(scene.operations.create(job, start=True))
    scene.do("delete", "x")
    assert scene.store.run(Op(("ZCARD", scene.operations.keys.expiring), int)) == 0


@row("expire", "dead letter")
def _(scene: Scene) -> None:
    scene.create("x", "batch")
    scene.do("expire", "x")
    assert scene.dead() == ["x"]


@row("purge", "delete")
def _(scene: Scene) -> None:
    scene.create("x")
    scene.do("delete", "x")
    assert scene.store.drive(purge_queue(scene.operations, ScriptType.OSIS)) == 0


@row("purge", "dead letter")
def _(scene: Scene) -> None:
    scene.create("x")
    scene.do("purge", "x")
    assert scene.dead() == []


@row("delete", "dead letter")
def _(scene: Scene) -> None:
    scene.create("x")
    scene.do("dead letter", "x")
    scene.do("delete", "x")
    assert scene.dead() == []


def test_the_page_has_a_row_for_each_two_features() -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| ([a-z ]+) \| [^|]{10,} \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(combinations(FEATURES, 2))
    assert rows == sorted(rows, key=lambda two: [FEATURES.index(one) for one in two])


@pytest.mark.parametrize("features", list(combinations(FEATURES, 2)), ids=" and ".join)
def test_two_features_together_mean_what_the_page_says(
    store: Store, operations: Operations, lane: Lane, make_job: MakeJob, features: tuple[str, str]
) -> None:
    ROWS[features](Scene(store, operations, lane, make_job))
