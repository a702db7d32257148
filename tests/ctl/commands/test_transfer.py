"""`heroctl export` and `import`: a deployment moves from its embedded store to another server."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from hero_job import JobBuilder, ScriptType
from hero_supervisor import SupervisorBuilder
from tests.ctl.conftest import HEROCTL, LIMIT_S, environment
from tests.deployment import LONG_LEASE_S, deployed
from tests.forked_heroctl import run_heroctl
from tests.valkey_server import ValkeyServer

SAL = '\n[[actors]]\ntype = "sal"\nlanes = 1\n'


def heroctl(*arguments: str, url: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_heroctl(
        [HEROCTL, *arguments],
        capture_output=True, check=False, cwd=cwd, env=environment(url), stdin=subprocess.DEVNULL, text=True,
        timeout=LIMIT_S,
    )  # fmt: skip


def job(script: str, **fields: object) -> JobBuilder:
    builder = JobBuilder().caller_id("a").context_id("b").script_type(ScriptType.SAL).script(script)
    for name, value in fields.items():
        getattr(builder, name)(value)
    return builder


def test_deployment_moves_to_another_server_with_its_open_jobs(tmp_path: Path, own_valkey: ValkeyServer) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    with deployed(old, actors=SAL, lease_s=LONG_LEASE_S) as deployment, deployment.supervisor() as supervisor:
        done = job("40 + 2").build()
        assert supervisor.run_job_and_await_result(done) == "42"
        supervisor.pause_queue(ScriptType.SAL)
        waiting = [supervisor.submit_job(job(f"{n} * 2").build()) for n in range(20)]
        after = supervisor.submit_job(job("6 * 7", prerequisites=waiting).build())
        running = heroctl("export", "jobs", url=deployment.url, cwd=tmp_path)
        assert running.returncode == 1
        assert "runs; stop the service and all actors first" in running.stderr
        assert not list(tmp_path.glob("jobs*"))

    exported = heroctl("export", "jobs", "--store-dir", str(old / "store"), cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert stat.S_IMODE((tmp_path / "jobs").stat().st_mode) == 0o600
    imported = heroctl("import", "jobs", url=own_valkey.url, cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr

    with (
        deployed(new, redis_url=own_valkey.url, actors=SAL, lease_s=LONG_LEASE_S) as deployment,
        deployment.supervisor() as supervisor,
    ):
        assert supervisor.get_job_output(done.id) == "42"
        assert supervisor.get_job_output(waiting[0]) is None, "its queue is still paused"
        supervisor.resume_queue(ScriptType.SAL)
        assert supervisor.await_result(after, 300) == "42"
        assert [supervisor.get_job_output(job_id) for job_id in waiting] == [str(n * 2) for n in range(20)]


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (("import", "nothing"), "nothing cannot be read: No such file or directory", 2),
        (("import", "text"), "the export cannot be read: line 1: is not JSON", 1),
        (("import", "bytes"), "bytes is not an export", 2),
        (("export", "none/jobs"), "none/jobs cannot be written: No such file or directory", 2),
        (("export", "jobs", "--store-dir", "text"), "cannot be used", 6),
        (("export", "jobs", "--store-dir", "nowhere"), "nowhere holds no data of a store\n", 6),
        (("export", "jobs", "--store-dir", "."), ". holds no data of a store; store does\n", 6),
    ],
)
def test_file_that_cannot_be_read_or_written_is_named(
    tmp_path: Path, valkey: ValkeyServer, arguments: tuple[str, ...], message: str, code: int
) -> None:
    (tmp_path / "text").write_text("text\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "store/appendonlydir").mkdir(parents=True)

    done = heroctl(*arguments, url=valkey.url, cwd=tmp_path)

    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == code
    assert not (tmp_path / "nowhere").exists()


def test_store_still_belongs_to_its_service_after_an_import_and_an_export_by_root(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    theirs = 12_345 if os.geteuid() == 0 else os.geteuid()
    with SupervisorBuilder().redis_url(valkey.url).namespace(namespace).build() as supervisor:
        supervisor.create_job(job("1").build())
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    if theirs != os.geteuid():
        os.chown(store, theirs, theirs)

    for line in (
        ("export", "jobs", "--namespace", namespace),
        ("import", "jobs", "--namespace", namespace, "--store-dir", str(store)),
        ("export", "again", "--namespace", namespace, "--store-dir", str(store)),
    ):
        done = heroctl(*line, url=valkey.url, cwd=tmp_path)
        assert done.returncode == 0, done.stderr

    written = [store, *store.rglob("*")]
    assert len(written) > 3
    assert {path.lstat().st_uid for path in written} == {theirs}
