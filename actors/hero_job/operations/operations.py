"""The operations of those who submit a job and look at it, each defined once as data.

`Operations.admin` has those on queues, dead letters and actors; `actor_operations.py` has those of actors and of
recovery.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hero_job.model.errors import JobConflict, JobDamaged, JobInvalid, JobNotFound, JobStateError
from hero_job.model.job import Job
from hero_job.model.retention import DEFAULT_RETENTION, Retention
from hero_job.model.spellings import parse_status
from hero_job.model.status import JobStatus
from hero_job.model.views import BatchStatus, JobRecord, LogLine, Reply
from hero_job.operations.admin_operations import AdminOperations
from hero_job.protocol import lua
from hero_job.protocol.codec import decode_record, encode_job, has_more
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op, T, as_is, pairs
from hero_job.protocol.replies import OUTCOME_FIELDS, outcome_of

__all__ = ["Op", "Operations", "T"]


class Operations:
    """Builds the operations of one namespace.

    Args:
        namespace: Prefix of all keys.
        retention: How long what has ended is kept.
    """

    __slots__ = ("_keep", "admin", "keys")

    def __init__(self, namespace: str = DEFAULT_NAMESPACE, retention: Retention = DEFAULT_RETENTION) -> None:
        self.keys = Keys(namespace)
        #: What concerns more than one job: queues, dead letters, actors.
        self.admin = AdminOperations(namespace, retention)
        self._keep = retention.arguments

    def create(self, job: Job, *, start: bool = False) -> Op[str]:
        """Store a job; with `start` send it on its way in the same round trip.

        Returns:
            The job's id. The same job sent again gives the same answer; a job whose key of uniqueness is taken gives
            the id of the one that has it.

        Raises:
            JobConflict: Another job has this id.
            JobInvalid: A prerequisite is unknown, or a dependent cannot wait for it any more.
        """
        job_id = job.id

        def decode(answer: list[Any]) -> str:
            code, what = answer
            if code == 1:
                raise JobConflict(job_id, what)
            if code == 2:
                raise JobInvalid("prerequisites", f"there is no job '{what}'")
            if code == 4:
                raise JobInvalid("dependents", f"job '{what}' does not exist, or has been started already")
            if code == 5:
                raise JobInvalid("dependents", f"job '{what}' would wait for itself")
            return str(what)

        keys = self.keys
        queue = keys.work(job.script_type.suffix, job.group, job.instance)
        more = "1" if has_more(job) else "0"
        args = [keys.job_prefix + job_id, queue, keys.prefix, job_id, "1" if start else "0", more, *self._keep]
        args += encode_job(job)
        return Op(args, decode, lua.CREATE, 2, job_id)

    def start(self, job_id: str) -> Op[None]:
        """Send a created job on its way.

        Raises:
            JobNotFound: No such job.
            JobStateError: It was started before.
            JobDamaged: Its hash cannot be read.
        """
        return self._on_job(job_id, lua.START, "start")

    def stop(self, job_id: str) -> Op[JobStatus]:
        """Stop a job, wherever it is; one that has ended keeps its result.

        Returns:
            Its status now: `stopping` when it runs, else a terminal one.

        Raises:
            JobNotFound: No such job.
            JobDamaged: Its hash cannot be read.
        """
        op = self._on_job(job_id, lua.STOP, "stop")

        def decode(answer: list[Any]) -> JobStatus:
            op.decode(answer)
            return parse_status(answer[1])

        return Op(op.args, decode, op.script, op.key_count, job_id)

    def retry(self, job_id: str) -> Op[None]:
        """Run a job again that ended in error or was stopped.

        Raises:
            JobNotFound: No such job.
            JobStateError: It has not ended so.
            JobDamaged: Its hash cannot be read.
        """
        keys = self.keys
        return self._on_job(job_id, lua.RETRY, "retry", keys.reply(job_id), keys.dead_jobs)

    def delete(self, job_id: str) -> Op[None]:
        """Remove a job that does not run.

        Raises:
            JobNotFound: No such job.
            JobStateError: It runs.
        """
        return self._on_job(job_id, lua.DELETE, "delete", self.keys.reply(job_id))

    def _on_job(self, job_id: str, script: lua.LuaScript, action: str, *more_keys: str) -> Op[None]:
        def decode(answer: list[Any]) -> None:
            if answer[0] == 1:
                raise JobNotFound(job_id)
            if answer[0] == 2:
                raise JobStateError(job_id, answer[1], action)
            if answer[0] == 3:
                raise JobDamaged(job_id, answer[1], answer[2])

        key_list = [self.keys.job(job_id), *more_keys]
        return Op([*key_list, self.keys.prefix, job_id, *self._keep], decode, script, len(key_list), job_id)

    def log(self, job_id: str, after: str = "", count: int = 1000) -> Op[list[LogLine]]:
        """Read a job's log.

        Args:
            job_id: The job; without a log, or unknown, it gives no lines.
            after: Cursor of the last line already read; "" for the beginning.
            count: Most lines.
        """

        def decode(answer: list[Any]) -> list[LogLine]:
            lines = []
            for entry_id, flat in answer:
                fields = pairs(flat)
                at_ms = int(entry_id.partition("-")[0])
                lines.append(LogLine(cursor=entry_id, at_ms=at_ms, level=fields["level"], text=fields["text"]))
            return lines

        begin = f"({after}" if after else "-"
        return Op(("XRANGE", self.keys.log(job_id), begin, "+", "COUNT", count), decode)

    def record(self, job_id: str) -> Op[JobRecord]:
        """Read a whole job.

        Raises:
            JobNotFound: No such job.
            JobDamaged: Its hash cannot be read.
        """

        def decode(answer: Any) -> JobRecord:
            fields = pairs(answer)
            if not fields:
                raise JobNotFound(job_id)
            return decode_record(job_id, fields)

        return Op(("HGETALL", self.keys.job(job_id)), decode, job_id=job_id)

    def status(self, job_id: str) -> Op[JobStatus]:
        """Read a job's status.

        Raises:
            JobNotFound: No such job.
            JobDamaged: Its hash cannot be read.
        """

        def decode(answer: list[str | None]) -> JobStatus:
            _found(job_id, answer)
            try:
                return parse_status(answer[0])
            except JobInvalid as e:
                raise JobDamaged(job_id, e.field, e.reason) from e

        return Op(("HMGET", self.keys.job(job_id), "status", "script"), decode, job_id=job_id)

    def outcome(self, job_id: str) -> Op[Reply | None]:
        """Read how a job ended; None while it has not.

        Raises:
            JobNotFound: No such job.
            JobDamaged: Its hash cannot be read.
        """

        def decode(answer: list[str | None]) -> Reply | None:
            _found(job_id, answer)
            return outcome_of(job_id, answer[:-1])

        return Op(("HMGET", self.keys.job(job_id), *OUTCOME_FIELDS, "script"), decode, job_id=job_id)

    def output(self, job_id: str) -> Op[str | None]:
        """Read a job's output; None while it has not ended.

        Raises:
            JobNotFound: No such job.
            JobFailed: It ended without one.
            JobDamaged: Its hash cannot be read.
        """
        outcome = self.outcome(job_id)

        def decode(answer: list[str | None]) -> str | None:
            reply = outcome.decode(answer)
            return None if reply is None else reply.result()

        return Op(outcome.args, decode, job_id=job_id)

    def peek_reply(self, job_id: str, block_s: float) -> Op[str | None]:
        """Wait for a job's reply without taking it away.

        BLMOVE from a list to itself hands the entry to every waiter in turn and leaves it there for the next.

        Args:
            job_id: The job.
            block_s: Longest wait, in seconds, above zero.

        Returns:
            The entry, or None when none came in time.
        """
        key = self.keys.reply(job_id)
        return Op(("BLMOVE", key, key, "LEFT", "LEFT", block_s), as_is, block_s=block_s)

    def open_batch(self, batch_id: str, count: int) -> Op[bool]:
        """Announce a batch before its jobs are created, so that it cannot seem ended while they come.

        Returns:
            False when a batch with this id and another count exists. One with the same count is taken for the same,
            announced again after a lost answer: to create its jobs again changes nothing.
        """
        return Op([self.keys.batch(batch_id), count], bool, lua.OPEN_BATCH, 1)

    def shrink_batch(self, batch_id: str, by: int) -> Op[None]:
        """Take jobs out of a batch that could not be created."""
        return Op([self.keys.batch(batch_id), self.keys.batch_reply(batch_id), by], lambda _: None, lua.SHRINK_BATCH, 2)

    def batch(self, batch_id: str) -> Op[BatchStatus | None]:
        """Look at a batch; None when there is none with this id."""

        def decode(answer: Any) -> BatchStatus | None:
            counts = {name: int(value) for name, value in pairs(answer).items()}
            if not counts:
                return None
            names = ("total", "open", "finished", "error", "stopped")
            return BatchStatus(batch_id=batch_id, **{name: counts.get(name, 0) for name in names})

        return Op(("HGETALL", self.keys.batch(batch_id)), decode)

    def ended_batch(self, batch_id: str) -> Op[BatchStatus | None]:
        """Look at a batch; None while jobs of it are open.

        Raises:
            JobNotFound: There is no batch with this id.
        """
        look = self.batch(batch_id)

        def decode(answer: Any) -> BatchStatus | None:
            status = look.decode(answer)
            if status is None:
                raise JobNotFound(f"batch:{batch_id}")
            return None if status.open > 0 else status

        return Op(look.args, decode)

    def peek_batch(self, batch_id: str, block_s: float) -> Op[str | None]:
        """Wait until all jobs of a batch have ended; None when the time is up before."""
        key = self.keys.batch_reply(batch_id)
        return Op(("BLMOVE", key, key, "LEFT", "LEFT", block_s), as_is, block_s=block_s)

    def ping(self) -> Op[None]:
        """Ask the server whether it is there."""
        return Op(("PING",), lambda _answer: None)


def _found(job_id: str, values: Sequence[str | None]) -> None:
    # HMGET answers nil for every field of a missing key. A hash of the Rust family may lack a status, never a script.
    if all(v is None for v in values):
        raise JobNotFound(job_id)
