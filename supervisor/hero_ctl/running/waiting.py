"""Runs a job while a person watches: shows its log, says why it waits, and asks what Ctrl-C is to mean."""

from __future__ import annotations

import dataclasses
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hero_client import Supervisor
from hero_client.calls import QUEUE_ALLOWANCE_S
from hero_ctl.connect.store import is_remote
from hero_ctl.exits import CtlExitCode
from hero_ctl.output.console import PREFIX, ask, confirm, fail, print_note
from hero_ctl.running.live_log import LiveLog
from hero_job.model.errors import WaitTimeout
from hero_job.model.job import Job
from hero_job.protocol.op import Op

if TYPE_CHECKING:
    from hero_job.model.views import ActorPresence

#: Most jobs end before this time, and need nobody who follows their log.
_FOLLOW_AFTER_S = 0.15
NOTE_AFTER_S = 2.0


class Watch:
    """One job that `heroctl run` has submitted, until it ends.

    Args:
        supervisor: The API.
        job: The job, not submitted yet.
        wait_s: Longest wait in seconds; None for its delay, its timeout, and the API's allowance for the queue.
        quiet: Print neither its log nor notes.
        stop_on_interrupt: Ctrl-C stops the job; otherwise it asks.

    Attributes:
        job_id: The job; the id of another one if an open job has the same unique key.
    """

    def __init__(
        self, supervisor: Supervisor, job: Job, wait_s: float | None, *, quiet: bool, stop_on_interrupt: bool
    ) -> None:
        self._supervisor = supervisor
        self._quiet = quiet
        self._stop_on_interrupt = stop_on_interrupt
        self._wait_s = _seconds_until_start(job) + job.timeout + QUEUE_ALLOWANCE_S if wait_s is None else wait_s
        self._began = time.monotonic()
        self.job_id = supervisor.submit_job(job)
        self._job = dataclasses.replace(job, id=self.job_id)
        self._log = LiveLog(supervisor, self.job_id, quiet=quiet)
        self._interrupted = False
        #: What a longer wait needs, each with the seconds after which it begins.
        self._later = [(_FOLLOW_AFTER_S, self._log.start), (NOTE_AFTER_S, self._note_why_it_waits)]

    @property
    def took_s(self) -> float:
        """Seconds since it was submitted."""
        return time.monotonic() - self._began

    def result(self) -> str:
        """Wait for its output.

        Raises:
            JobFailed: It ended without an output.
            WaitTimeout: It has not ended in that time; it goes on.
            HeroJobError: Any other error of the API.
            KeyboardInterrupt: The user leaves; the job goes on.
        """
        try:
            while True:
                # Ctrl-C means the same at each moment, also between two waits.
                try:
                    return self._go_on()
                except KeyboardInterrupt:
                    self._interrupt()
        finally:
            self._log.finish()

    def _go_on(self) -> str:
        """Wait, and begin what a longer wait needs; what was begun before an interrupt is not begun again."""
        while self._later:
            until_s, then = self._later[0]
            if until_s < self._wait_s:
                try:
                    return self._await(until_s)
                except WaitTimeout:
                    del self._later[0]
                    then()
            else:
                self._later.clear()
        try:
            return self._await(self._wait_s)
        except WaitTimeout as e:
            raise WaitTimeout(e.job_id, self._wait_s) from e

    def _await(self, until_s: float) -> str:
        """Wait until so many seconds after the submission."""
        return self._supervisor.await_result(self.job_id, max(0.001, until_s - self.took_s))

    def _interrupt(self) -> None:
        """Decide what the first Ctrl-C means; a second one leaves."""
        if self._interrupted or not (self._stop_on_interrupt or sys.stdin.isatty()):
            raise KeyboardInterrupt
        self._interrupted = True
        if self._stop_on_interrupt or ask(f"\n{PREFIX}stop the job {self.job_id}? (Ctrl-C again leaves it running)"):
            status = self._supervisor.stop_job(self.job_id)
            print_note(f"job {self.job_id} is {status}")

    def _note_why_it_waits(self) -> None:
        if self._quiet:
            return
        if any(serves(actor, self._job) for actor in self._supervisor.list_actors()):
            queue = self._supervisor.get_queue(self._job.script_type, self._job.group, self._job.instance)
            if queue.paused_since is not None:
                print_note(
                    f"the job waits: its queue is paused; `heroctl resume {self._job.script_type.suffix}` ends that"
                )
            else:
                print_note(f"job {self.job_id} has not ended yet; Ctrl-C offers to stop it")
        else:
            print_note(f"the job waits: {missing_actor(self._job)}")


def _seconds_until_start(job: Job) -> float:
    """How long from now the job starts at the earliest."""
    if job.not_before is None:
        return job.delay_s
    return max(job.delay_s, (datetime.fromisoformat(job.not_before) - datetime.now(UTC)).total_seconds())


def ensure_known(supervisor: Supervisor, *, yes: bool) -> None:
    """Ask before a job goes into a namespace that nothing has ever served; without a terminal, refuse.

    Args:
        supervisor: The API.
        yes: Do not ask.
    """
    if yes or is_remote(supervisor) or supervisor.list_actors():
        return
    keys = supervisor.operations.keys
    traces = (keys.actor_events, keys.dead, keys.schedules, keys.tokens)
    # One by one: on a Cluster they may be in different slots.
    if any(supervisor.store.run(Op(("EXISTS", key), int)) for key in traces):
        return
    said = (
        f"no actor and no supervisor has ever used the namespace '{keys.namespace}' of {supervisor.store.url.shown}, "
        "so the job may wait forever"
    )
    if not sys.stdin.isatty():
        fail(
            f"{said}: `heroctl config where` shows what named this store; --yes submits all the same",
            CtlExitCode.STORE,
        )
    confirm(f"{PREFIX}{said}. Submit it all the same?")


def serves(actor: ActorPresence, job: Job) -> bool:
    """Tell whether this actor is alive and would take this job."""
    if actor.beat_at is None or actor.script_type is not job.script_type:
        return False
    return job.group in (None, actor.group) and job.instance in (None, actor.instance)


def missing_actor(job: Job) -> str:
    """Say which actor is missing for a job, and how to start one."""
    place = ""
    if job.group is not None:
        place = f" in group '{job.group}'" + (f", instance '{job.instance}'" if job.instance else "")
    return f"no {job.script_type} actor is up{place}; start one with `hero-actor --type {job.script_type.suffix}`"
