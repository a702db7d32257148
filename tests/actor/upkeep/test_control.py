"""The control socket: what an actor reports to its supervisor, and what it does with invalid commands."""

from __future__ import annotations

import psutil

from tests.actor.conftest import StartActor
from tests.actor.process import ActorProcess, JobClient
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


def test_actor_says_that_it_is_ready_with_what_it_is(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor("sal", "--lanes", "3", "--incarnation", "me.here.1.x", control=True)

    eventually(lambda: actor.events("ready"))

    (ready,) = actor.events("ready")
    assert ready["incarnation"] == "me.here.1.x"
    assert (ready["lanes"], ready["engine"], ready["pid"]) == (3, "rhai", actor.pid)
    assert ready["engine_version"]
    assert client.incarnations() == ["me.here.1.x"]


def test_beat_tells_what_each_lane_does_and_since_when(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor("sal", "--lanes", "2", control=True)
    job_id = client.submit("sleep(600)", "sal")

    def reported() -> bool:
        beat = actor.events("beat")[-1]
        lanes = {lane["state"]: lane for lane in beat["lanes"]}
        assert set(lanes) == {"idle", "running"}
        assert (lanes["running"]["job"], lanes["idle"]["job"]) == (job_id, None)
        # A lane reports since when it runs its job. An idle lane looks at its queues every second.
        assert lanes["running"]["for_ms"] >= 2000 > lanes["idle"]["for_ms"]
        assert {lane["overdue_ms"] for lane in beat["lanes"]} == {0}
        assert beat["store_up"] is True
        return 1_000_000 < int(beat["rss_bytes"]) < 200_000_000

    eventually(lambda: actor.events("beat"))
    eventually(reported, what="a beat shows one running and one idle lane")


def connections(actor: ActorProcess, port: int) -> list[object]:
    """List the connections of an actor to a port that it has not closed, although the server may have."""
    open_states = (psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT)
    found = psutil.Process(actor.pid).net_connections("tcp")
    return [one for one in found if one.raddr and one.raddr.port == port and one.status in open_states]


def test_beat_tells_when_the_store_is_gone_and_back(start_actor: StartActor, own_valkey: ValkeyServer) -> None:
    actor = start_actor(control=True, url=own_valkey.url)

    own_valkey.kill()
    eventually(lambda: any(not beat["store_up"] for beat in actor.events("beat")))
    # A thread that noticed the outage only when it is over would tell of another one.
    eventually(lambda: not connections(actor, own_valkey.port), what="every thread has noticed the outage")
    own_valkey.start()
    eventually(lambda: actor.events("beat")[-1]["store_up"])
    assert actor.log().count("store.lost") == 1
    eventually(lambda: actor.log().count("store.back") == 1)


def test_invalid_commands_are_logged_and_ignored(start_actor: StartActor, client: JobClient) -> None:
    actor = start_actor(control=True)

    actor.send(b'no json\n[1]\n\n{"command":"dance"}\n')

    eventually(lambda: "control.unknown_command" in actor.log())
    assert actor.log().count("control.not_understood") == 2
    assert client.run("1").result() == "1"
