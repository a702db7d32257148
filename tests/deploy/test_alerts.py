"""The alerts and the dashboard: what they name is exported, and each alert fires when its trouble is caused."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from hero_job import JobBuilder, JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.model.claim_types import ActorEntry, Settlement
from hero_job.model.errors import DISK_FULL_MAXMEMORY
from hero_job.model.retention import Retention
from hero_job.operations.actor_operations import ActorOperations
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.deploy.promtool import RULES, firing, promtool
from tests.deployment import deployed
from tests.eventually import eventually
from tests.supervisor.rpc.running_server import RunningServer
from tests.supervisor.rpc.tcp_client import curl
from tests.valkey_server import ValkeyServer

ROOT = Path(__file__).parents[2]
OLD = "2026-01-01T00:00:00.000Z"


@dataclass
class Stage:
    """A supervisor's port in front of a store of its own, without anything that does the work of a supervisor."""

    server: RunningServer
    valkey: ValkeyServer
    store: Store
    operations: Operations

    def scrape(self, *, lag: bool = False) -> str:
        """Read the metrics; without the lag of the loop, which is large on a busy machine."""
        text = curl(self.server.url("/metrics")).body.decode()
        return text if lag else re.sub(r"^(hero_event_loop_lag_seconds) .*", r"\1 0", text, flags=re.MULTILINE)

    def command(self, *words: str | int) -> Any:
        return self.store.run(Op(words, as_is))

    def submit(self, **fields: Any) -> str:
        builder = JobBuilder().caller_id("a").context_id("b").script_type("sal").script("1")
        for name, value in fields.items():
            getattr(builder, name)(value)
        return self.store.run(self.operations.create(builder.build(), start=True))

    def actor(self, **fields: Any) -> ActorOperations:
        entry = ActorEntry(
            incarnation="sal-1", name="sal", script_type=ScriptType.SAL, host="here", pid=1, lanes=1, engine="rhai",
            engine_version="1", **fields,
        )  # fmt: skip
        actor = ActorOperations(entry, "hero", lease_s=600, retention=Retention(max_redeliveries=0))
        assert self.store.run(actor.join())
        return actor


@pytest.fixture
def stage(own_valkey: ValkeyServer) -> Iterator[Stage]:
    server = RunningServer(own_valkey.url, "hero").start()
    try:
        with Store(own_valkey.url) as store:
            yield Stage(server, own_valkey, store, Operations("hero"))
    finally:
        server.stop()


def unserved(stage: Stage) -> None:
    stage.submit()


def waits(stage: Stage) -> None:
    stage.actor()
    stage.command("HSET", stage.operations.keys.job(stage.submit()), "updated_at", OLD)


def paused(stage: Stage) -> None:
    stage.store.run(stage.operations.admin.pause(ScriptType.V))


def fail(stage: Stage) -> None:
    for _ in range(20):
        job_id = stage.submit(expires=1000)
        stage.command("HSET", stage.operations.keys.job(job_id), "expires_ms", 1)
        stage.command("ZADD", stage.operations.keys.expiring, 1, job_id)
    stage.store.run(stage.operations.admin.promote())
    assert stage.store.run(stage.actor().turn(0, [], 100)).jobs == []


def lose(stage: Stage) -> None:
    actor = stage.actor()
    stage.submit()
    (job,) = stage.store.run(actor.turn(0, [], 1)).jobs
    crashed = Settlement(job.id, job.attempt, JobStatus.ERROR, error="it broke", ended_its_process=True)
    stage.store.run(actor.turn(0, [crashed], 0))


def overdue(stage: Stage) -> None:
    actor = stage.actor()
    job_id = stage.submit()
    stage.store.run(actor.turn(0, [], 1))
    stage.store.run(actor.beat(busy=1, jobs=0))
    stage.command("HSET", stage.operations.keys.job(job_id), "started_at", OLD)


def late(stage: Stage) -> None:
    stage.command("ZADD", stage.operations.keys.scheduled, 1, stage.submit(delay=1000))


def schedule_late(stage: Stage) -> None:
    stage.command("ZADD", stage.operations.keys.ticks, int(time.time() * 1000) - 1_000_000, "nightly")


def silent(stage: Stage) -> None:
    stage.command("DEL", stage.operations.keys.actor(stage.actor().entry.incarnation))


def no_engine(stage: Stage) -> None:
    stage.actor(unavailable="the wheel is not installed")


def memory(stage: Stage) -> None:
    used = re.search(r"^hero_store_memory_bytes (\d+)", stage.scrape(), re.MULTILINE)
    assert used is not None
    stage.command("CONFIG", "SET", "maxmemory", int(int(used[1]) * 1.1))


def disk_full(stage: Stage) -> None:
    stage.command("CONFIG", "SET", "maxmemory", DISK_FULL_MAXMEMORY)


def store_down(stage: Stage) -> None:
    stage.valkey.kill()


@pytest.mark.parametrize(
    ("cause", "alerts", "minutes"),
    [
        (unserved, {"HeroQueueUnserved"}, 3),
        (waits, {"HeroQueueWaits"}, 7),
        (paused, {"HeroQueuePaused"}, 62),
        (fail, {"HeroJobsFail", "HeroDeadLetters"}, 4),
        (lose, {"HeroJobsLost", "HeroDeadLetters"}, 4),
        (overdue, {"HeroJobsOverdue"}, 3),
        (late, {"HeroDelayedLate"}, 3),
        (schedule_late, {"HeroScheduleLate"}, 3),
        (silent, {"HeroActorsSilent"}, 3),
        (no_engine, {"HeroEngineMissing"}, 7),
        (memory, {"HeroStoreMemory"}, 7),
        (disk_full, {"HeroStoreRefusesWrites"}, 3),
        (store_down, {"HeroStoreDown"}, 3),
    ],
)
def test_an_alert_fires_when_its_trouble_is_caused_and_no_other_does(
    stage: Stage, tmp_path: Path, cause: Callable[[Stage], None], alerts: set[str], minutes: int
) -> None:
    promtool()
    before = stage.scrape()
    assert firing(tmp_path, before, before, minutes=62) == set()
    cause(stage)

    assert firing(tmp_path, before, stage.scrape(), minutes=minutes) == alerts


def test_an_alert_fires_when_no_supervisor_tells_anything(stage: Stage, tmp_path: Path) -> None:
    promtool()
    assert firing(tmp_path, stage.scrape(), None, minutes=12) == {"HeroNoMetrics"}


def test_an_alert_fires_when_the_event_loop_is_held(stage: Stage, tmp_path: Path) -> None:
    promtool()
    before = stage.scrape()

    async def hold() -> None:
        time.sleep(2)  # noqa: ASYNC251  # this is the trouble

    stage.server.run(hold())
    after = eventually(lambda: _with_lag(stage.scrape(lag=True)), what="the lag is told")

    assert firing(tmp_path, before, after, minutes=7) == {"HeroLoopLags"}


def _with_lag(text: str) -> str:
    found = re.search(r"^hero_event_loop_lag_seconds (\S+)", text, re.MULTILINE)
    return text if found and float(found[1]) > 1 else ""


def test_alerts_fire_when_an_actor_ends_again_and_again(tmp_path: Path) -> None:
    promtool()
    gone = tmp_path / "gone"
    program = f"while ! test -e {gone}; do sleep 0.1; done; exit 1"
    # With the window of the defaults, a slow machine does not restart it often enough to hold it.
    actors = f'[[actors]]\ntype = "sal"\nname = "broken"\ncommand = ["sh", "-c", "{program}"]\n'
    actors += "max_restarts = 3\nwindow_s = 3600\nbackoff_max_s = 1\n"
    with deployed(tmp_path, actors=actors) as running:

        def scrape() -> str:
            return subprocess.run(
                ["curl", "-sf", "--unix-socket", str(running.socket), "http://hero/metrics"],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip

        before = scrape()
        gone.touch()

        def broken() -> str:
            text = scrape()
            held = 'hero_actor_held{entry="broken"} 1' in text
            return text if held and _restarts(text) > _restarts(before) + 5 else ""

        after = eventually(broken, what="it is held, and is started again and again")

    assert {"HeroActorHeld", "HeroActorRestarts"} <= firing(tmp_path, before, after, minutes=4)


def _restarts(text: str) -> int:
    found = re.search(r'^hero_actor_restarts_total\{entry="broken"\} (\d+)', text, re.MULTILINE)
    return int(found[1]) if found else 0


def exported() -> set[str]:
    """Names of all metrics, from the reference, which a test compares with the code."""
    page = (ROOT / "docs/reference/metrics.md").read_text("utf-8")
    names = set(re.findall(r"^\| `((?:hero|process)_\w+)` \|", page, re.MULTILINE))
    return names | {f"{name}_{part}" for name in names for part in ("bucket", "sum", "count")}


def named(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:hero|process)_\w+", expression))


def test_everything_that_the_alerts_and_the_dashboard_name_is_exported() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    dashboard = json.loads((ROOT / "config/grafana/hero.json").read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]

    assert len(rules) > 10
    assert len(shown) > 20
    for expression in (*(rule["expr"] for rule in rules), *shown):
        assert named(expression), expression
        assert named(expression) <= exported(), expression


def test_the_guide_says_what_to_do_about_each_alert() -> None:
    guide = (ROOT / "docs/how-to/watch.md").read_text("utf-8")
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]

    assert {rule["alert"] for rule in rules} == set(re.findall(r"^\| `(Hero\w+)` \|", guide, re.MULTILINE))


def test_prometheus_itself_accepts_the_rules() -> None:
    done = subprocess.run([promtool(), "check", "rules", str(RULES)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
