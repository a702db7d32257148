"""`heroctl doctor` on healthy deployments, and on each problem that it can detect."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hero_job import JobBuilder, ScriptType
from hero_job.client.store import Store
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op, as_is
from tests.ctl.conftest import HEROCTL, LIMIT_S, environment
from tests.deployment import LONG_LEASE_S, deployed
from tests.forked_heroctl import run_heroctl
from tests.valkey_server import ValkeyServer


def doctor(*arguments: str, cwd: Path, url: str = "") -> subprocess.CompletedProcess[str]:
    return run_heroctl(
        [HEROCTL, "doctor", *arguments],
        capture_output=True, check=False, cwd=cwd, env=environment(url), stdin=subprocess.DEVNULL, text=True,
        timeout=LIMIT_S,
    )  # fmt: skip


def findings(*arguments: str, cwd: Path, url: str = "") -> list[dict[str, Any]]:
    done = doctor("--json", *arguments, cwd=cwd, url=url)
    assert "Traceback" not in done.stderr, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert done.returncode == any(finding["level"] == "problem" for finding in found)
    assert all(finding["cure"] for finding in found if finding["level"] == "problem")
    return found


def problems(found: list[dict[str, Any]], area: str) -> list[str]:
    return [finding["text"] for finding in found if finding["area"] == area and finding["level"] != "ok"]


def test_healthy_deployment_has_no_problems(tmp_path: Path) -> None:
    # Of its own, because in a shared one other tests leave what doctor finds.
    with deployed(tmp_path, lease_s=LONG_LEASE_S) as running:
        done = doctor(cwd=running.folder)

    assert done.returncode == 0, done.stdout
    assert "hero.ipc answers" in done.stdout
    assert "actors alive: 1 OSIS, 1 SAL" in done.stdout
    assert "0 problems" in done.stdout


def test_rights_of_each_actor_are_shown_without_secrets(tmp_path: Path, valkey: ValkeyServer) -> None:
    (tmp_path / "hero.toml").write_text(
        "[[actors]]\ntype = 'osis'\n[[actors]]\ntype = 'sal'\n[actors.allow]\nread = ['/srv/a', '/srv/b']\n"
        "redis = 'redis://:hidden@cache/2'\njobs = true\ncontext_rules = [{ contexts = ['guest'], jobs = false }]\n"
    )

    found = findings("--config", "hero.toml", cwd=tmp_path, url=valkey.url)

    assert [finding["text"] for finding in found if finding["area"] == "rights"] == [
        "osis: a scratch folder for each run",
        "sal: read /srv/a, /srv/b; redis redis://***@cache/2; jobs on; less by 1 context_rules",
    ]


def test_unreachable_store_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text('[store]\nredis_url = "redis://127.0.0.1:1/"\n')

    found = findings(cwd=tmp_path)

    assert problems(found, "store") == ["store at redis://127.0.0.1:1/ is not reachable: Connection refused"]


def test_every_error_of_the_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text('[store]\nnamespace = "a b"\n[jobs]\nmax_timeout = 5\n')

    text = problems(findings(cwd=tmp_path, url="redis://127.0.0.1:1/"), "config")

    assert len(text) == 2
    assert "hero.toml:2: store.namespace" in text[0]
    assert "did you mean" in text[1]


def test_server_that_evicts_jobs_is_a_problem(tmp_path: Path, own_valkey: ValkeyServer) -> None:
    own_valkey.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    own_valkey.command("CONFIG", "SET", "appendonly", "no")

    found = problems(findings(cwd=tmp_path, url=own_valkey.url), "store")

    assert ["maxmemory-policy allkeys-lru" in text for text in found] == [True, False]
    assert "appendonly no" in found[1]


def test_jobs_that_will_never_run_are_named(tmp_path: Path, valkey: ValkeyServer, namespace: str) -> None:
    keys = Keys(namespace)
    job = JobBuilder().caller_id("a").context_id("b").script_type(ScriptType.V).script("1").build()
    with Store(valkey.url) as store:
        store.run(Op(("HSET", keys.job(job.id), "script_type", "V", "script", "1", "status", "dispatched",
                      "caller_id", "a", "context_id", "b", "created_at", "2020-01-01T00:00:00Z"), as_is))  # fmt: skip
        store.run(Op(("RPUSH", keys.work("sal"), job.id), as_is))
        store.run(Op(("ZADD", keys.scheduled, 1000, "late"), as_is))

    found = findings("--namespace", namespace, cwd=tmp_path, url=valkey.url)

    assert any("in the queue of another script type" in text and job.id in text for text in problems(found, "jobs"))
    assert any("no supervisor runs on this store" in text for text in problems(found, "jobs"))
    assert "1 jobs wait for an SAL actor, but none is up" in problems(found, "actors")


def test_socket_without_a_listener_is_a_problem(tmp_path: Path, valkey: ValkeyServer) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "hero.ipc"))
    (tmp_path / "hero.toml").write_text('[rpc]\nunix_socket = "hero.ipc"\nport = 1\n')

    found = problems(findings(cwd=tmp_path, url=valkey.url), "rpc")

    assert "nobody listens at hero.ipc: its server has died" in found[0]
    assert "nothing answers at 127.0.0.1:1" in found[1]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ('[[actors]]\ntype = "v"\n', "V actors need the program hero, which is not installed"),
        ('[embedded]\ndir = "open"\n', "other users can read the jobs in open"),
    ],
)
def test_what_this_machine_lacks_is_named(tmp_path: Path, valkey: ValkeyServer, config: str, text: str) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "hero.toml").write_text(config)

    assert text in problems(findings(cwd=tmp_path, url=valkey.url), "host")


def test_incomplete_data_and_kept_copies_of_the_embedded_store_are_named(tmp_path: Path) -> None:
    data = tmp_path / "kept" / "appendonlydir"
    data.mkdir(parents=True)
    (data / "appendonly.aof.1.incr.aof").write_bytes(b"")
    copy = tmp_path / "kept" / "damaged" / "appendonly.aof.1.incr.aof.20260101T000000000000Z"
    copy.parent.mkdir()
    copy.write_bytes(b"x")
    (tmp_path / "hero.toml").write_text('[embedded]\ndir = "kept"\n')

    found = problems(findings(cwd=tmp_path), "store")

    assert any("its data is not complete: appendonly.aof.manifest is missing" in text for text in found)
    assert any("1 copies of damaged data" in text and copy.name in text for text in found)
