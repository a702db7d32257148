"""The control socket: what an actor tells its supervisor, and how it takes nonsense."""

from __future__ import annotations

from tests.actor.conftest import StartActor
from tests.actor.process import Client
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def test_actor_says_that_it_is_ready_with_what_it_is(start_actor: StartActor, client: Client) -> None:
    actor = start_actor("sal", "--lanes", "3", "--incarnation", "me.here.1.x", control=True)

    eventually(lambda: actor.events("ready"))

    (ready,) = actor.events("ready")
    assert ready["incarnation"] == "me.here.1.x"
    assert (ready["lanes"], ready["engine"], ready["pid"]) == (3, "rhai", actor.pid)
    assert ready["engine_version"]
    assert client.incarnations() == ["me.here.1.x"]


def test_beat_tells_what_each_lane_does_and_since_when(start_actor: StartActor, client: Client) -> None:
    actor = start_actor("sal", "--lanes", "2", control=True)
    job_id = client.submit("sleep(30)", "sal")

    def running() -> bool:
        beats = actor.events("beat")
        return bool(beats) and any(lane["for_ms"] >= 1000 and lane["job"] == job_id for lane in beats[-1]["lanes"])

    eventually(running, what="a beat shows the job running for a second")
    beat = actor.events("beat")[-1]
    assert sorted(lane["state"] for lane in beat["lanes"]) == ["idle", "running"]
    assert {lane["overdue_ms"] for lane in beat["lanes"]} == {0}
    idle = next(lane for lane in beat["lanes"] if lane["state"] == "idle")
    assert idle["for_ms"] < 2000
    assert beat["store_up"] is True
    assert 1_000_000 < beat["rss_bytes"] < 200_000_000


def test_beat_tells_when_the_store_is_gone_and_back(start_actor: StartActor, own_valkey: ValkeyServer) -> None:
    actor = start_actor(control=True, url=own_valkey.url)

    own_valkey.kill()
    eventually(lambda: any(not beat["store_up"] for beat in actor.events("beat")))
    own_valkey.start()
    eventually(lambda: actor.events("beat")[-1]["store_up"])
    assert actor.log().count("store.lost") == 1
    eventually(lambda: actor.log().count("store.back") == 1)


def test_nonsense_on_the_control_socket_is_logged_and_ignored(start_actor: StartActor, client: Client) -> None:
    actor = start_actor(control=True)

    actor.say(b'no json\n[1]\n\n{"command":"dance"}\n')

    eventually(lambda: "control.unknown_command" in actor.log())
    assert actor.log().count("control.not_understood") == 2
    assert client.run("1").result() == "1"
