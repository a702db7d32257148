"""Runs a real `hero-supervisor` for a test, which observes it by its log, its processes and its store."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from hero_job.client.store import Store
from hero_job.model.builder import JobBuilder
from hero_job.model.job import Job, ScriptType
from hero_job.model.views import JobRecord, Reply
from hero_job.operations.operations import Operations
from tests.eventually import GENEROUS_S, eventually
from tests.forked_programs import ForkedPopen

ROOT = Path(__file__).parents[2]


class SupervisorProcess:
    """One `hero-supervisor` with its own folder, config, log and namespace.

    Args:
        folder: Working folder, with config, store and log.
        config: TOML text. The environment sets the log format.
        redis_url: An external store; empty for the embedded one.
        namespace: First part of the keys.
        environ: Further variables.
        flags: Further flags.
    """

    def __init__(
        self,
        folder: Path,
        config: str,
        *,
        redis_url: str = "",
        namespace: str = "hero",
        environ: dict[str, str] | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.url = redis_url or f"unix://{folder}/.hero/store/valkey.sock"
        self.operations = Operations(namespace)
        self._log_path = folder / "supervisor.log"
        (folder / "hero.toml").write_text(config)
        env = os.environ | {
            "PYTHONPATH": str(ROOT),
            "HERO_SUPERVISOR__LOG_FORMAT": "json",
            "HERO_STORE__REDIS_URL": redis_url,
            "HERO_STORE__NAMESPACE": namespace,
        }
        command = [sys.executable, "-m", "hero_supervisor.cli", "--config", "hero.toml", *flags]
        with self._log_path.open("ab") as log:
            self.process = ForkedPopen(
                command, cwd=folder, env=env | (environ or {}), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._seen: dict[int, psutil.Process] = {}

    # Its log

    def log_text(self) -> str:
        return self._log_path.read_text()

    def events(self, what: str, **fields: object) -> list[dict[str, Any]]:
        """Find its log lines with this event and these fields. The log contains the lines of the actors too."""
        found = []
        for line in self.log_text().splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == what and all(entry.get(key) == value for key, value in fields.items()):
                    found.append(entry)
        return found

    def wait_event(
        self, what: str, *, count: int = 1, within_s: float = GENEROUS_S, **fields: object
    ) -> dict[str, Any]:
        """Wait until an event has been logged `count` times, and give the last one."""

        def there() -> dict[str, Any] | None:
            found = self.events(what, **fields)
            if len(found) >= count:
                return found[-1]
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log_text()}"
            return None

        entry = eventually(there, within_s=within_s, what=f"{count} x {what} {fields} in\n{self.log_text()[-3000:]}")
        assert entry is not None
        return entry

    def wait_ready(self) -> None:
        self.wait_event("service.ready")
        self.descendants()

    # Its processes

    def descendants(self) -> list[psutil.Process]:
        """List its children and their children, and remember them for `survivors`."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        self._seen |= {process.pid: process for process in found}
        return found

    def pid_of(self, slot: str) -> int:
        """Give the id of the newest process of a slot."""
        return int(self.wait_event("child.started", child=slot)["child_pid"])

    def wait_pid(self, slot: str, *, after: int) -> int:
        """Wait until another process than this one is ready in a slot, and give its id."""
        starts = len(self.events("child.started", child=slot))
        eventually(lambda: self.pid_of(slot) != after, what=f"{slot} is replaced (after {starts} starts)")
        self.wait_event("child.ready", child=slot, count=len(self.events("child.started", child=slot)))
        return self.pid_of(slot)

    def survivors(self) -> list[psutil.Process]:
        """List the processes that `descendants` has ever seen and that still run."""
        alive = []
        for process in self._seen.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                # is_running compares the start time too, so a reused process id counts as another process.
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(process)
        return alive

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def terminate(self, within_s: float = GENEROUS_S) -> int:
        """Send TERM and wait for the end."""
        self.descendants()
        self.signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def kill(self) -> None:
        """Kill only the supervisor, with signal 9."""
        self.descendants()
        self.process.kill()
        self.process.wait()

    def clean_up(self) -> None:
        """End it and all its processes, no matter what state it is in."""
        if self.process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.descendants()
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        for process in self.survivors():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    # Jobs

    def job(self, script: str, script_type: ScriptType = ScriptType.OSIS, *, timeout: int = 600) -> Job:
        builder = JobBuilder().caller_id("caller").context_id("context").script_type(script_type)
        return builder.script(script).timeout(timeout).build()

    def submit(self, script: str, script_type: ScriptType = ScriptType.OSIS, *, timeout: int = 600) -> str:
        """Create and start a job, and give its id."""
        job = self.job(script, script_type, timeout=timeout)
        with Store(self.url) as store:
            return store.run(self.operations.create(job, start=True))

    def record(self, job_id: str) -> JobRecord:
        with Store(self.url) as store:
            return store.run(self.operations.record(job_id))

    def wait_status(self, job_id: str, status: str) -> JobRecord:
        def there() -> JobRecord | None:
            record = self.record(job_id)
            return record if record.status == status else None

        record = eventually(there, what=f"job {job_id} is {status}")
        assert record is not None
        return record

    def reply(self, job_id: str, wait_s: float = GENEROUS_S) -> Reply:
        with Store(self.url) as store:
            return store.wait_reply(self.operations, job_id, wait_s)
