"""A real actor process for tests, with or without a control socket, and the jobs given to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hero_job.client.store import Store
from hero_job.model.builder import JobBuilder
from hero_job.model.errors import StoreError
from hero_job.model.job import Job, ScriptType
from hero_job.model.status import JobStatus
from hero_job.model.views import JobRecord, Reply
from hero_job.operations.operations import Op, Operations
from tests.eventually import eventually

T = TypeVar("T")

ROOT = Path(__file__).parents[2]


class ActorProcess:
    """One `python -m hero_actor`.

    Args:
        folder: For its log.
        url: The store.
        namespace: Of the test.
        script_type: "osis", "sal" ...
        flags: More flags.
        control: Give it a control socket, as a supervisor does.
    """

    def __init__(
        self, folder: Path, url: str, namespace: str, script_type: str, flags: Sequence[str], *, control: bool
    ) -> None:
        self.name = f"{script_type}-{uuid.uuid4().hex[:8]}"
        self._log_path = folder / f"{self.name}.log"
        command = [sys.executable, "-m", "hero_actor", "--type", script_type, "--namespace", namespace]
        command += ["--name", self.name, *flags]
        path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
        env = os.environ | {"HERO_REDIS_URL": url, "PYTHONPATH": path}
        ours, theirs = socket.socketpair()
        if control:
            command += ["--control-fd", str(theirs.fileno())]
        with theirs, self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                pass_fds=[theirs.fileno()] if control else [],
                start_new_session=True,
            )
        self._socket = ours
        self._socket.setblocking(False)
        self._received = b""
        self._events: list[dict[str, Any]] = []

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        """Everything it has logged."""
        return self._log_path.read_text()

    def wait_ready(self) -> None:
        """Wait until it has joined; works with and without a control socket."""
        eventually(self._is_ready, what=f"{self.name} is ready")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        return "actor.ready" in self.log()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What it has said on the control socket so far, of one kind."""
        try:
            while data := self._socket.recv(65536):
                self._received += data
        except BlockingIOError:
            pass
        *lines, self._received = self._received.split(b"\n")
        self._events += (json.loads(line) for line in lines)
        return [event for event in self._events if event["event"] == kind]

    def say(self, line: bytes) -> None:
        """Say something on the control socket."""
        self._socket.sendall(line)

    def hang_up(self) -> None:
        """Close our end of the control socket, as the kernel does for a supervisor that died."""
        self._socket.close()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_exit(self) -> int:
        """Wait until it has ended and give its exit code."""
        return self.process.wait(30)

    def computing_threads(self) -> list[str]:
        """Ids of its threads that run, or wait for nothing but a processor."""
        stats = {task.name: (task / "stat").read_text() for task in Path(f"/proc/{self.pid}/task").iterdir()}
        return [thread for thread, stat in stats.items() if stat.rpartition(")")[2].split()[0] == "R"]

    def close(self) -> None:
        """Kill and reap it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._socket.close()


class Client:
    """Gives jobs to actors and reads what came of them; patient with a store that is cut off or down.

    All that it does may be done twice: creating the same job again changes nothing.
    """

    def __init__(self, store: Store, operations: Operations) -> None:
        self.store = store
        self.operations = operations

    def _run(self, op: Op[T]) -> T:
        return _patiently(lambda: self.store.run(op))

    def submit(self, script: str, script_type: str = "osis", *, timeout_s: float = 30, **fields: Any) -> str:
        """Create and start a job; gives its id."""
        return self.submit_job(make_job(script, script_type, timeout_s=timeout_s, **fields))

    def submit_job(self, job: Job) -> str:
        return self._run(self.operations.create(job, start=True))

    def reply(self, job_id: str, wait_s: float = 30) -> Reply:
        return _patiently(lambda: self.store.wait_reply(self.operations, job_id, wait_s))

    def run(self, script: str, script_type: str = "osis", **options: Any) -> Reply:
        """Give a job and wait for its reply."""
        return self.reply(self.submit(script, script_type, **options))

    def record(self, job_id: str) -> JobRecord:
        return self._run(self.operations.record(job_id))

    def status(self, job_id: str) -> JobStatus:
        return self._run(self.operations.status(job_id))

    def wait_status(self, job_id: str, status: JobStatus) -> None:
        eventually(lambda: self.status(job_id) is status, what=f"job is {status}")

    def queue_length(self, script_type: str = "osis") -> int:
        return self._run(self.operations.admin.queue_length(ScriptType.parse(script_type)))

    def incarnations(self) -> list[str]:
        """Incarnations in the registry."""
        return [actor.incarnation for actor in self._run(self.operations.admin.actors())]


def _patiently(run: Callable[[], T]) -> T:
    def attempt() -> tuple[T]:
        try:
            return (run(),)
        except StoreError as e:
            raise AssertionError(str(e)) from e

    return eventually(attempt)[0]


def make_job(script: str, script_type: str, *, timeout_s: float = 30, **fields: Any) -> Job:
    builder = JobBuilder().caller_id("caller-1").context_id("context-1").script_type(script_type).script(script)
    builder.timeout(timeout_s)
    for name, value in fields.items():
        getattr(builder, name)(value)
    return builder.build()
