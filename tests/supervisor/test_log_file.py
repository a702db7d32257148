"""The log file of a service can be rotated."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from hero_job import JobBuilder, ScriptType
from tests.deployment import Deployment
from tests.eventually import eventually


def test_service_and_actors_log_to_the_file_and_to_a_new_file_after_usr1(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, actors='\n[[actors]]\ntype = "sal"\nlanes = 1\n')
    config = tmp_path / "hero.toml"
    log_file, moved = tmp_path / "hero.log", tmp_path / "moved"
    config.write_text(
        config.read_text().replace("[supervisor]", f'[supervisor]\nlog_to = "file"\nlog_file = "{log_file}"')
    )
    deployment.start()
    try:
        eventually(lambda: '"event":"service.ready"' in log_file.read_text())
        assert '"child":"sal-1"' in log_file.read_text()
        log_file.rename(moved)
        os.kill(deployment.pid, signal.SIGUSR1)
        eventually(log_file.exists)
        with deployment.supervisor() as supervisor:
            job = JobBuilder().caller_id("a").context_id("b").script_type(ScriptType.SAL).script("1").build()
            assert supervisor.run_job_and_await_result(job) == "1"
    finally:
        assert deployment.stop() == 0

    assert '"event":"service.stopped"' in log_file.read_text()
    assert "service.stopped" not in moved.read_text()
    assert deployment.log.read_text() == ""
