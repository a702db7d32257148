"""A supervisor writes events of its actors. A long outage of the store costs only the oldest ones."""

from __future__ import annotations

import asyncio

from hero_job.client.async_store import AsyncStore
from hero_job.client.cancellation import end_task
from hero_job.operations.events import BEGINNING, Events
from hero_supervisor.upkeep.actor_events import MAX_WAITING, ActorEvents, SlotEvent
from tests.chaos.proxy import Act, Proxy
from tests.eventually import GENEROUS_S
from tests.valkey_server import ValkeyServer


def test_events_during_an_outage_are_written_afterwards_except_the_oldest_beyond_the_limit(
    own_valkey: ValkeyServer,
) -> None:
    async def run() -> list[dict[str, str]]:
        events = Events()
        async with AsyncStore(own_valkey.url) as store:
            actor_events = ActorEvents(store, events, "here")
            writing = asyncio.create_task(actor_events.run())
            own_valkey.kill()
            for n in range(MAX_WAITING + 10):
                actor_events.add(SlotEvent(event="ready", slot=f"sal-{n}", script_type="sal", incarnation=""))
            own_valkey.start()
            try:
                async with asyncio.timeout(GENEROUS_S):
                    while True:
                        found = await store.run(events.entries(events.keys.actor_events, BEGINNING, 1000))
                        if found and found[-1][1]["name"] == f"sal-{MAX_WAITING + 9}":
                            return [fields for _, fields in found]
                        await asyncio.sleep(0.01)
            finally:
                await end_task(writing)

    written = asyncio.run(run())

    assert len({one.pop("token") for one in written}) == MAX_WAITING
    assert written[-1] == {"event": "ready", "name": "sal-265", "suffix": "sal", "host": "here"}
    assert len(written) == MAX_WAITING


def test_an_event_whose_answer_is_lost_is_written_once(valkey: ValkeyServer, namespace: str) -> None:
    proxy = Proxy(valkey.port).start()
    events = Events(namespace)
    trap = proxy.trap(Act.DROP_REPLY, lambda exchange: exchange.command[0].startswith(b"EVAL") and exchange.reply == 1)

    async def run() -> list[str]:
        async with AsyncStore(proxy.url) as store:
            actor_events = ActorEvents(store, events, "here")
            for event in ("ready", "draining"):
                actor_events.add(SlotEvent(event=event, slot="sal", script_type="sal", incarnation="sal-1"))
            writing = asyncio.create_task(actor_events.run())
            try:
                async with asyncio.timeout(GENEROUS_S):
                    while True:
                        found = await store.run(events.entries(events.keys.actor_events, BEGINNING, 1000))
                        if found and found[-1][1]["event"] == "draining":
                            return [fields["event"] for _, fields in found]
                        await asyncio.sleep(0.01)
            finally:
                await end_task(writing)

    try:
        assert asyncio.run(run()) == ["ready", "draining"]
        assert trap.caught
    finally:
        proxy.close()
