"""A real actor process for tests, with or without a control socket, and a client that gives jobs to it."""

from __future__ import annotations

import contextlib
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
from tests.eventually import GENEROUS_S, eventually
from tests.forked_programs import ForkedPopen

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
#: Timeout of a job, in seconds, that must not end it on any machine. `sleep(600)` is a script that must be stopped.
LONG_S = 600.0


class ActorProcess:
    """One `python -m hero_actor`.

    Args:
        folder: Folder for its log.
        url: URL of the store.
        namespace: Namespace of the test.
        script_type: "osis", "sal" ...
        flags: More command-line flags.
        control: Give it a control socket, as a supervisor does.
        program: Python's arguments in place of `-m hero_actor`.
        fresh: Execute it in any case, for a test of the start itself.

    Attributes:
        log_path: File with everything that it logs.
        pid: Its process id.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        namespace: str,
        script_type: str,
        flags: Sequence[str],
        *,
        control: bool,
        program: Sequence[str] = ("-m", "hero_actor"),
        fresh: bool = False,
    ) -> None:
        self.name = f"{script_type}-{uuid.uuid4().hex[:8]}"
        self.log_path = folder / f"{self.name}.log"
        command = [sys.executable, *program, "--type", script_type, "--namespace", namespace]
        command += ["--name", self.name, *flags]
        path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
        env = os.environ | {"HERO_REDIS_URL": url, "PYTHONPATH": path}
        ours, theirs = socket.socketpair()
        if control:
            command += ["--control-fd", str(theirs.fileno())]
        with theirs, self.log_path.open("wb") as log:
            self.process = (subprocess.Popen if fresh else ForkedPopen)(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                pass_fds=[theirs.fileno()] if control else [],
                start_new_session=True,
            )
        self.pid = self.process.pid
        self._socket = ours
        self._socket.setblocking(False)
        self._received = b""
        self._events: list[dict[str, Any]] = []

    def log(self) -> str:
        """Return everything that it has logged."""
        return self.log_path.read_text()

    def wait_ready(self) -> None:
        """Wait until it runs jobs; works with and without a control socket."""
        eventually(self._is_ready, what=f"{self.name} is ready")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        return "actor.ready" in self.log()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of one kind that it has sent on the control socket so far."""
        try:
            while data := self._socket.recv(65536):
                self._received += data
        except BlockingIOError:
            pass
        *lines, self._received = self._received.split(b"\n")
        self._events += (json.loads(line) for line in lines)
        return [event for event in self._events if event["event"] == kind]

    def send(self, line: bytes) -> None:
        """Send something on the control socket."""
        self._socket.sendall(line)

    def hang_up(self) -> None:
        """Close our end of the control socket, as the kernel does for a supervisor that died."""
        self._socket.close()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def freeze(self) -> None:
        """Stop it with SIGSTOP, and return when none of its threads runs any more."""
        self.signal(signal.SIGSTOP)
        eventually(lambda: set(self._thread_states().values()) <= {"T"}, what=f"{self.name} is frozen")

    def thaw(self) -> None:
        """Let it go on after a freeze."""
        self.signal(signal.SIGCONT)

    def wait_exit(self) -> int:
        """Wait until it has ended and return its exit code."""
        return self.process.wait(GENEROUS_S)

    def computing_threads(self) -> list[str]:
        """List the ids of its threads that run, or wait for nothing but a processor."""
        return [thread for thread, state in self._thread_states().items() if state == "R"]

    def _thread_states(self) -> dict[str, str]:
        stats: dict[str, str] = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # it has just ended
                stats[task.name] = (task / "stat").read_text()
        return {thread: stat.rpartition(")")[2].split()[0] for thread, stat in stats.items()}

    def close(self) -> None:
        """Kill and reap it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._socket.close()


class JobClient:
    """Submits jobs and reads their results. It retries while the store is away or was cut off.

    Every operation may be repeated: creating the same job again changes nothing.
    """

    def __init__(self, store: Store, operations: Operations) -> None:
        self.store = store
        self.operations = operations

    def _run(self, op: Op[T]) -> T:
        return _retried(lambda: self.store.run(op))

    def submit(self, script: str, script_type: str = "osis", *, timeout_s: float = LONG_S, **fields: Any) -> str:
        """Create and start a job; return its id."""
        return self.submit_job(make_job(script, script_type, timeout_s=timeout_s, **fields))

    def submit_job(self, job: Job) -> str:
        """Create and start a job; return its id."""
        return self._run(self.operations.create(job, start=True))

    def submit_jobs(self, jobs: Sequence[Job]) -> None:
        """Create and start jobs in one round trip."""
        _retried(lambda: self.store.run_many([self.operations.create(job, start=True) for job in jobs]))

    def stop(self, job_id: str) -> None:
        """Stop a job."""
        self._run(self.operations.stop(job_id))

    def reply(self, job_id: str, wait_s: float = GENEROUS_S) -> Reply:
        """Wait for the reply of a job."""
        return _retried(lambda: self.store.wait_reply(self.operations, job_id, wait_s))

    def run(self, script: str, script_type: str = "osis", **options: Any) -> Reply:
        """Submit a job and wait for its reply."""
        return self.reply(self.submit(script, script_type, **options))

    def record(self, job_id: str) -> JobRecord:
        """Read a job with everything that has happened to it."""
        return self._run(self.operations.record(job_id))

    def status(self, job_id: str) -> JobStatus:
        """Read the status of a job."""
        return self._run(self.operations.status(job_id))

    def wait_status(self, job_id: str, status: JobStatus) -> None:
        """Wait until a job has a status. The job must keep it, or the wait may miss it."""
        eventually(lambda: self.status(job_id) is status, what=f"job is {status}")

    def submit_started(self, script: str, script_type: str = "osis", **options: Any) -> str:
        """Submit a job and wait until it is running; its script must not end by itself."""
        job_id = self.submit(script, script_type, **options)
        self.wait_status(job_id, JobStatus.STARTED)
        return job_id

    def queue_length(self, script_type: str = "osis") -> int:
        """Count the jobs in the queue of a script type."""
        return self._run(self.operations.admin.queue_length(ScriptType.parse(script_type)))

    def incarnations(self) -> list[str]:
        """List the incarnations in the registry."""
        return [actor.incarnation for actor in _retried(lambda: self.store.drive(self.operations.admin.actors()))]


def _retried(run: Callable[[], T]) -> T:
    def attempt() -> tuple[T]:
        try:
            return (run(),)
        except StoreError as e:
            raise AssertionError(str(e)) from e

    return eventually(attempt)[0]


def make_job(script: str, script_type: str, *, timeout_s: float = LONG_S, **fields: Any) -> Job:
    """Build a job.

    Args:
        script: Its script.
        script_type: "osis", "sal" ...
        timeout_s: Its timeout, in seconds.
        fields: Names of builder methods with their argument.
    """
    builder = JobBuilder().caller_id("caller-1").context_id("context-1").script_type(script_type).script(script)
    builder.timeout(timeout_s)
    for name, value in fields.items():
        getattr(builder, name)(value)
    return builder.build()
