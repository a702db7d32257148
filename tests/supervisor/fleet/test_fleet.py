"""Who sets the number of processes, within which limits, and how the scaler follows queues. With real processes."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from hero_config.model.settings import ActorSettings, Settings, SupervisorSettings
from hero_job.client.async_store import AsyncStore
from hero_job.model.job import ScriptType
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from hero_supervisor.errors import ActorUnknown, ReloadRefused, ScaleRefused
from hero_supervisor.fleet.fleet import Fleet
from hero_supervisor.fleet.scaler import Scaler
from hero_supervisor.policy.child_state import Phase, Restart
from hero_supervisor.process.spec import ActorSpec, Strategy, actor_specs
from tests.eventually import GENEROUS_S, eventually_async
from tests.supervisor.supervising import SLEEP, program, run, speaking_program, supervising
from tests.valkey_server import ValkeyServer


def counts(fleet: Fleet) -> dict[str, int]:
    return {entry.name: entry.count for entry in fleet.entries}


def test_number_of_an_operator_holds_until_the_number_in_the_config_changes() -> None:
    async def test() -> None:
        async with supervising() as supervision:
            fleet = Fleet(supervision)
            a, b = program("a", SLEEP, count=1), program("b", SLEEP, count=1, scale_min=1, scale_max=4)
            assert fleet.apply([a, b]).added == ("a", "b")
            fleet.scale("a", 3)
            fleet.scale("b", 4)
            assert fleet.apply([replace(a, after=("b",)), b]).scaled == ()
            assert counts(fleet) == {"a": 3, "b": 4}
            assert fleet.apply([a, replace(b, scale_max=2)]).scaled == ("b",)
            assert fleet.apply([replace(a, count=2), b]).scaled == ("a",)
            assert counts(fleet) == {"a": 2, "b": 2}
            await eventually_async(lambda: [v.slot for v in fleet.children()] == ["a-1", "a-2", "b-1", "b-2"])
            assert fleet.apply([a]).removed == ("b",)

    run(test)


def test_impossible_commands_are_refused_with_the_known_names() -> None:
    async def test() -> None:
        async with supervising() as supervision:
            fleet = Fleet(supervision)
            fleet.apply([program("a", SLEEP, scale_min=1, scale_max=2)])
            for count in (0, 3):
                with pytest.raises(ScaleRefused, match="between 1 and 2"):
                    fleet.scale("a", count)
            with pytest.raises(ScaleRefused, match="its entry, a"):
                fleet.scale("a-1", 2)
            for act in (fleet.stop, fleet.start, fleet.restart, fleet.look, fleet.logs):
                with pytest.raises(ActorUnknown, match="there are a, a-1"):
                    act("b")
            with pytest.raises(ReloadRefused, match="without a config"):
                fleet.reload()
            fleet.step(-1)
            assert counts(fleet) == {"a": 1}

    run(test)


def test_an_entry_is_named_by_its_slots_too_and_one_slot_has_one_log() -> None:
    async def test() -> None:
        says = "print('hello', flush=True); import time; time.sleep(600)"
        async with supervising() as supervision:
            fleet = Fleet(supervision)
            fleet.apply([program("a", says, count=2), program("b", says)])
            assert [view.slot for view in fleet.look("a").slots] == ["a-1", "a-2"]
            assert [view.slot for view in fleet.look("a-2").slots] == ["a-2"]
            assert fleet.look("a-2").spec.name == "a"
            await eventually_async(lambda: bool(fleet.logs("b") and fleet.logs("a-2")))
            assert [line.text for line in fleet.logs("b")] == ["hello"]
            with pytest.raises(ActorUnknown, match="a-1, a-2"):
                fleet.logs("a")
            assert [view.slot for view in fleet.scale("a", 1).slots if view.phase is not Phase.DRAINING] == ["a-1"]
            assert [view.phase for view in fleet.stop("b").slots] == [Phase.DRAINING]
            await eventually_async(lambda: fleet.look("b").slots[0].phase is Phase.STOPPED)
            assert fleet.start("b").spec.name == "b"
            await eventually_async(lambda: fleet.look("b").slots[0].phase is Phase.RUNNING)

    run(test)


def test_a_number_of_processes_that_is_a_mistake_is_refused() -> None:
    async def test() -> None:
        async with supervising() as supervision:
            fleet = Fleet(supervision)
            # Nothing is started, since what it waits for never comes up.
            held_back = program("a", SLEEP, count=0, after=("b",))
            fleet.apply([held_back, ActorSpec(name="b", script_type="", command=("/none",), control=False)])
            assert fleet.scale("a", 1000).spec.count == 1000
            with pytest.raises(ScaleRefused, match="1001 is not between 0 and 1000"):
                fleet.scale("a", 1001)
            fleet.step(1)
            assert counts(fleet)["a"] == 1000
            fleet.scale("a", 0)

    run(test)


def test_step_does_not_change_an_entry_that_serves_its_queue_in_order() -> None:
    async def test() -> None:
        async with supervising() as supervision:
            fleet = Fleet(supervision)
            fleet.apply([program("a", SLEEP), program("b", SLEEP, ordered=True)])
            fleet.step(1)
            assert counts(fleet) == {"a": 2, "b": 1}
            fleet.step(-1)
            fleet.step(-1)
            assert counts(fleet) == {"a": 1, "b": 1}

    run(test)


def test_jobs_of_a_third_party_producer_start_a_process_of_an_entry_that_had_none(
    valkey: ValkeyServer, namespace: str
) -> None:
    async def test() -> None:
        operations = Operations(namespace)
        async with supervising(url=valkey.url) as supervision:
            store = AsyncStore(valkey.url)
            fleet = Fleet(supervision)
            scaler = Scaler(store, operations, fleet)
            spec = speaking_program("v", script_type="v", count=0, scale_max=2, scale_wait_s=0.1, scale_idle_s=0.1)
            fleet.apply([spec])
            await scaler.look()
            assert counts(fleet) == {"v": 0}
            # Only an id: there is no record that says since when it waits.
            await store.run(Op(("RPUSH", operations.keys.work(ScriptType.V.suffix), "one"), int))
            deadline_mono = time.monotonic() + GENEROUS_S
            while counts(fleet) == {"v": 0}:
                assert time.monotonic() < deadline_mono
                await scaler.look()
            await eventually_async(lambda: [view.phase for view in fleet.children()] == [Phase.RUNNING])
            assert "jobs wait" in fleet.scaling["v"].reason
            await store.run(Op(("DEL", operations.keys.work(ScriptType.V.suffix)), int))
            while counts(fleet) != {"v": 0}:
                assert time.monotonic() < deadline_mono
                await scaler.look()
            await store.aclose()

    run(test)


def test_entry_that_does_not_scale_automatically_is_left_alone_by_the_load(
    valkey: ValkeyServer, namespace: str
) -> None:
    async def test() -> None:
        operations = Operations(namespace)
        async with supervising(url=valkey.url) as supervision, AsyncStore(valkey.url) as store:
            fleet = Fleet(supervision)
            third_party = program("x", SLEEP, count=0, scale_max=2, scale_wait_s=0.1, scale_idle_s=0.1)
            fleet.apply([speaking_program("v", script_type="v", count=2), third_party])
            await store.run(Op(("RPUSH", operations.keys.work(ScriptType.V.suffix), "one"), int))
            for _ in range(3):
                await Scaler(store, operations, fleet).look()
            assert counts(fleet) == {"v": 2, "x": 0}
            assert fleet.scaling == {}, "nothing is known of an entry that serves no queue"

    run(test)


def test_settings_of_an_entry_reach_its_spec() -> None:
    entries = (
        ActorSettings(type="osis"),
        ActorSettings(type="osis", name="by", by_context=True, shutdown_s=3, after=("osis",), min=2, max=4),
        ActorSettings(type="sal", restart="transient", strategy="one_for_all", strategy_group="g", count=9, max=5),
    )
    settings = Settings(supervisor=SupervisorSettings(shutdown_s=7), actors=entries)
    osis, by, sal = actor_specs(settings, "unix:///s")
    assert (osis.successor_first, by.successor_first, sal.successor_first) == (False, True, True)
    assert (osis.limits.shutdown_s, by.limits.shutdown_s) == (7, 3)
    assert (by.after, by.count, sal.count) == (("osis",), 2, 5)
    assert (sal.limits.restart, sal.strategy, sal.strategy_group) == (Restart.TRANSIENT, Strategy.ONE_FOR_ALL, "g")
