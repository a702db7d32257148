"""The family `redis` with a real server: what upstream's scripts expect, the prefix, and never the job store."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hero_actor.lanes.script_access import ScriptAccess
from hero_engine.engine import Done, Failed, Stopped
from hero_engine.rights import ScriptRights
from hero_job.client.store import Store
from hero_job.model.retention import DEFAULT_RETENTION
from hero_job.protocol.op import Op
from tests.engine.host.bench_script import ScriptBench
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


@pytest.fixture
def other(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server that is not the job store."""
    server = ValkeyServer(tmp_path, "--requirepass", "s3cret/word")
    server.answers = server.socket.exists  # type: ignore[method-assign]  # it wants a password
    server.start()
    yield server
    server.stop()


def url_of(server: ValkeyServer) -> str:
    return f"redis://:s3cret%2Fword@127.0.0.1:{server.port}/0"


def bench_for(redis: str, access: ScriptAccess | None = None, **rights: Any) -> ScriptBench:
    bench = ScriptBench(ScriptRights(redis=redis, **rights))
    if access is not None:
        bench.engine.give_access(access)
    return bench


def evaluate(bench: ScriptBench, source: str) -> str:
    outcome = bench.run(source)
    assert isinstance(outcome, Done), outcome
    return outcome.output


def thrown(bench: ScriptBench, source: str) -> str:
    return evaluate(bench, f"let caught = ``; try {{ {source}; }} catch (e) {{ caught = e; }} caught")


def test_results_are_those_of_upstream(other: ValkeyServer) -> None:
    bench = bench_for(url_of(other))
    for source, output in (
        ("redis_ping()", "PONG"),
        ("[redis_set(`k`, `v ä\\n`), redis_get(`k`), redis_get(`none`)]", '[true,"v ä\\\\n",""]'),
        ("[redis_del(`k`), redis_del(`k`)]", "[true,false]"),
        ("[redis_hset(`h`, `a`, `1`), redis_hset(`h`, `a`, `2`), redis_hset(`h`, `b`, `3`)]", "[true,true,true]"),
        ("[redis_hget(`h`, `a`), redis_hget(`h`, `x`), redis_hgetall(`h`).len()]", '["2","",2]'),
        ("[redis_hdel(`h`, `a`), redis_hdel(`h`, `a`), redis_hget(`h`, `a`)]", '[true,false,""]'),
        ("[redis_rpush(`l`, `b`), redis_rpush(`l`, `c`), redis_lpush(`l`, `a`), redis_llen(`l`)]", "[1,2,3,3]"),
        ("let l = redis_lrange(`l`, 0, -1); [l[0], l.len(), redis_lrange(`none`, 0, -1).len()]", '["a",3,0]'),
        ("redis_set(`a`, `1`); [redis_reset(), redis_get(`a`)]", '[true,"1"]'),
    ):
        assert evaluate(bench, source) == output, source
    assert thrown(bench, "redis_hget(`l`, `f`)").startswith("Redis error: WRONGTYPE")
    assert evaluate(bench, "try { redis_hget(`l`, `f`) } catch { } redis_get(`a`)") == "1"


@pytest.mark.parametrize(
    "form", ["redis://ann:pw@127.0.0.1:{port}/2", "unix://{socket}?db=2", "redis://localhost:{port}"]
)
def test_url_has_user_database_or_socket(tmp_path: Path, form: str) -> None:
    server = ValkeyServer(tmp_path, "--user", "ann", "on", ">pw", "~*", "+@all").start()
    try:
        bench = bench_for(form.format(port=server.port, socket=server.socket))
        assert evaluate(bench, "redis_set(`k`, `v`); redis_get(`k`)") == "v"
    finally:
        server.stop()


def test_prefix_is_put_before_every_key_and_not_shown(valkey: ValkeyServer, namespace: str) -> None:
    prefix = f"scripts-{namespace}:"
    bench = bench_for(valkey.url, redis_prefix=prefix)
    evaluate(bench, "redis_set(`k`, `v`); redis_hset(`h`, `f`, `1`); redis_rpush(`l`, `1`)")

    assert evaluate(bench, "[redis_get(`k`), redis_hgetall(`h`).f, redis_lrange(`l`, 0, 0)[0]]") == '["v","1","1"]'
    assert valkey.command("GET", f"{prefix}k") == "v"
    assert sorted(valkey.command("KEYS", f"{prefix}*")) == [f"{prefix}{name}" for name in "hkl"]  # type: ignore[call-overload]


@pytest.mark.parametrize("form", ["redis://127.0.0.1:{port}/", "redis://localhost:{port}/0", "redis://127.1:{port}",
                                  "unix://{socket}", "unix://{socket}?db=0"])  # fmt: skip
def test_job_store_is_never_reached_without_a_prefix_of_its_own(
    valkey: ValkeyServer, store: Store, namespace: str, form: str
) -> None:
    url = form.format(port=valkey.port, socket=valkey.socket)
    access = ScriptAccess(store, namespace, DEFAULT_RETENTION)
    for prefix in ("", namespace[:2], f"{namespace}:", f"{namespace}:job:"):
        outcome = bench_for(url, access, redis_prefix=prefix).run("redis_ping()")
        assert isinstance(outcome, Failed), prefix
        assert outcome.message.startswith("redis: the server is the job store"), prefix

    assert evaluate(bench_for(url, access, redis_prefix=f"mine-{namespace}:"), "redis_set(`k`, `v`)") == "true"


def test_other_database_of_the_job_stores_server_is_another_store(
    valkey: ValkeyServer, store: Store, namespace: str
) -> None:
    access = ScriptAccess(store, namespace, DEFAULT_RETENTION)

    assert evaluate(bench_for(f"{valkey.url}9", access), f"redis_set(`{namespace}`, `v`)") == "true"


def test_nothing_is_reached_unless_it_is_allowed() -> None:
    outcome = ScriptBench().run("redis_get(`k`)")

    assert isinstance(outcome, Failed)
    assert outcome.message.startswith("redis: redis_get is not allowed here; the operator enables it with redis = ")


def test_server_that_is_away_or_refuses_is_an_error_without_its_password(other: ValkeyServer) -> None:
    assert thrown(bench_for(f"redis://:wrong@127.0.0.1:{other.port}/"), "redis_get(`k`)").startswith(
        "Redis error: WRONGPASS"
    )
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        text = thrown(bench_for(f"redis://:s3cret@127.0.0.1:{nobody.getsockname()[1]}/"), "redis_get(`k`)")
    assert text == "Redis error: Connection refused"


def test_connection_that_breaks_is_replaced(other: ValkeyServer) -> None:
    bench = bench_for(url_of(other))
    evaluate(bench, "redis_set(`k`, `v`)")
    with Store(url_of(other)) as admin:
        admin.run(Op(("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"), lambda answer: answer))

    assert evaluate(bench, "redis_get(`k`)") == "v"


def test_long_answer_is_an_error(other: ValkeyServer) -> None:
    bench = bench_for(url_of(other), max_file_bytes=5000)

    assert evaluate(bench, "let t = `x`; t.pad(4000, 'x'); redis_set(`a`, t); redis_get(`a`).len()") == "4000"
    assert evaluate(bench, "let t = `x`; t.pad(6000, 'x'); redis_set(`b`, t)") == "true"
    assert "more than 5000 bytes" in thrown(bench, "redis_get(`b`)")
    assert evaluate(bench, "redis_get(`a`).len()") == "4000"


def test_stop_ends_a_call_to_a_silent_server(other: ValkeyServer) -> None:
    bench = bench_for(url_of(other))
    evaluate(bench, "redis_ping()")
    other.freeze()
    try:
        run = bench.engine.new_run()
        outcomes: list[object] = []
        thread = threading.Thread(
            target=lambda: outcomes.append(bench.run("print(1); try { redis_get(`k`) } catch { }", run=run))
        )
        thread.start()
        eventually(lambda: bench.log.lines)
        run.cancel()
        thread.join()
    finally:
        other.thaw()

    assert outcomes == [Stopped()]
    assert evaluate(bench, "redis_ping()") == "PONG"
