"""The operations of submitters on jobs and batches, as data; no I/O.

The client API, the RPC, the supervisor and `heroctl` run them through a store. `Operations.admin` has the operations on
queues, dead letters and actors; `actor_operations.py` has those of actors. Invariant: each operation is one round trip
and is defined once, for the synchronous and the asyncio store alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hero_job.model.errors import JobConflict, JobDamaged, JobInvalid, JobNotFound, JobStateError
from hero_job.model.fields.limits import MAX_IDS
from hero_job.model.fields.names import check_new_id
from hero_job.model.fields.spellings import parse_status
from hero_job.model.job import Job
from hero_job.model.reach import Reach
from hero_job.model.retention import DEFAULT_RETENTION, Retention
from hero_job.model.status import JobStatus
from hero_job.model.views import BatchStatus, JobRecord, LogLine, Reply
from hero_job.operations.admin_operations import AdminOperations
from hero_job.protocol import lua
from hero_job.protocol.codec import decode_record, encode_new_job
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op, T, as_is, pairs
from hero_job.protocol.replies import OUTCOME_FIELDS, outcome_of

__all__ = ["Op", "Operations", "T"]

#: The largest integer that every client reads exactly.
_MOST_COUNTED = 2**53


class Operations:
    """Builds the operations of one namespace.

    Args:
        namespace: Prefix of all keys.
        retention: How long ended jobs are kept.
    """

    __slots__ = ("_keep", "admin", "keys", "retention_arguments")

    def __init__(self, namespace: str = DEFAULT_NAMESPACE, retention: Retention = DEFAULT_RETENTION) -> None:
        self.keys = Keys(namespace)
        #: The operations on queues, dead letters and actors.
        self.admin = AdminOperations(namespace, retention)
        self._keep = self.retention_arguments = retention.arguments

    def create(self, job: Job, *, start: bool = False, reach: Reach | None = None) -> Op[str]:
        """Store a job, and start it in the same round trip if asked.

        Args:
            job: The job.
            start: Start it: queue it, or let it wait for its time or its prerequisites.
            reach: What its submitter may name; None for everything.

        Returns:
            The job's id. The same job sent again gives the same answer. If an open job has the same unique key, nothing
            is stored and that job's id is returned.

        Raises:
            JobConflict: A different job has this id.
            JobInvalid: The id is reserved, a prerequisite is unknown, a dependent cannot wait for the job any more, or
                the submitter may not name one of them.
        """
        job_id = job.id
        check_new_id(job_id)
        if reach is not None:
            job = reach.scoped(job)

        def decode(answer: list[Any]) -> str:
            code, what = answer[:2]
            if code == 1:
                raise JobConflict(job_id, what)
            if code == 2:
                kind = "job" if reach is None or reach.caller_id is None else "job with id"
                raise JobInvalid("prerequisites", f"there is no {kind} '{what}'")
            if code == 4:
                raise JobInvalid("dependents", f"job '{what}' does not exist, or has been started already")
            if code == 5:
                raise JobInvalid("dependents", f"job '{what}' would wait for itself")
            if code == 6:
                raise JobInvalid("batch", f"there is no batch with id '{what}' that its jobs may join")
            if code == 7:
                raise JobInvalid("prerequisites", f"job '{what}' is not signed by its caller")
            if code == 8:
                raise JobInvalid("dependents", f"only a signed job may come before '{what}', which is signed")
            if code == 9:
                raise JobInvalid("dependents", f"job '{what}' waits for {MAX_IDS} jobs already, and takes no more")
            if code == 10:
                problem = f"too many jobs come before the new one and after '{what}' to tell whether they form a circle"
                raise JobInvalid("dependents", f"{problem}; create '{what}' last, with the new job as its prerequisite")
            return str(what)

        keys = self.keys
        queue = keys.work(job.script_type.suffix, job.group, job.instance)
        fields, sets_options = encode_new_job(job)
        options = "0"
        if sets_options:
            options = "1" if reach is None else reach.argument()
        args = [keys.job_prefix + job_id, queue, keys.prefix, job_id, "1" if start else "0", options, *self._keep]
        args += fields
        return Op(args, decode, lua.CREATE, 2, job_id)

    def start(self, job_id: str) -> Op[None]:
        """Start a created job: queue it, or let it wait for its time or its prerequisites.

        Args:
            job_id: The job.

        Raises:
            JobNotFound: There is no such job.
            JobStateError: The job was started before.
            JobDamaged: The job's hash cannot be read.
        """
        return self._on_job(job_id, lua.START, "start")

    def stop(self, job_id: str) -> Op[JobStatus]:
        """Stop a job in any state; a job that has ended keeps its result.

        Args:
            job_id: The job.

        Returns:
            The job's status now: `stopping` if it runs, a terminal one otherwise.

        Raises:
            JobNotFound: There is no such job.
            JobDamaged: The job's hash cannot be read.
        """
        op = self._on_job(job_id, lua.STOP, "stop")

        def decode(answer: list[Any]) -> JobStatus:
            op.decode(answer)
            return parse_status(answer[1])

        return Op(op.args, decode, op.script, op.key_count, job_id)

    def retry(self, job_id: str) -> Op[None]:
        """Run a job again that ended in error or was stopped.

        Args:
            job_id: The job.

        Raises:
            JobNotFound: There is no such job.
            JobStateError: The job has not ended, or has finished.
            JobInvalid: Another job holds its unique key.
            JobDamaged: The job's hash cannot be read.
        """
        keys = self.keys
        return self._on_job(job_id, lua.RETRY, "retry", keys.reply(job_id), keys.dead_jobs)

    def delete(self, job_id: str) -> Op[None]:
        """Delete a job that is not running.

        Args:
            job_id: The job.

        Raises:
            JobNotFound: There is no such job.
            JobStateError: The job is running.
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
            if answer[0] == 4:
                raise JobInvalid("unique_key", f"job '{answer[1]}' holds it")

        key_list = [self.keys.job(job_id), *more_keys]
        return Op([*key_list, self.keys.prefix, job_id, *self._keep], decode, script, len(key_list), job_id)

    def log(self, job_id: str, after: str = "", count: int = 1000) -> Op[list[LogLine]]:
        """Read lines of a job's log.

        Args:
            job_id: The job.
            after: Cursor of the last line already read; "" for the beginning.
            count: Most lines.

        Returns:
            The lines in order; none if the job has no log, or does not exist.

        Raises:
            JobDamaged: There is something else in the place of the log.
        """

        def decode(answer: list[Any]) -> list[LogLine]:
            lines = []
            for entry_id, flat in answer:
                fields = {"level": "info", "text": ""} | pairs(flat)  # a foreign actor may have left one out
                at_ms = int(entry_id.partition("-")[0])
                lines.append(LogLine(cursor=entry_id, at_ms=at_ms, level=fields["level"], text=fields["text"]))
            return lines

        begin = f"({after}" if after else "-"
        return Op(("XRANGE", self.keys.log(job_id), begin, "+", "COUNT", count), decode, job_id=job_id)

    def record(self, job_id: str) -> Op[JobRecord]:
        """Read a whole job.

        Args:
            job_id: The job.

        Returns:
            The job, its status, and what the runtime has noted about it.

        Raises:
            JobNotFound: There is no such job.
            JobDamaged: The job's hash cannot be read.
        """

        def decode(answer: Any) -> JobRecord:
            fields = pairs(answer)
            if not fields:
                raise JobNotFound(job_id)
            return decode_record(job_id, fields)

        return Op(("HGETALL", self.keys.job(job_id)), decode, job_id=job_id)

    def status(self, job_id: str) -> Op[JobStatus]:
        """Read a job's status.

        Args:
            job_id: The job.

        Raises:
            JobNotFound: There is no such job.
            JobDamaged: The job's hash cannot be read.
        """

        def decode(answer: list[str | None]) -> JobStatus:
            _found(job_id, answer)
            try:
                return parse_status(answer[0])
            except JobInvalid as e:
                raise JobDamaged(job_id, e.field, e.reason) from e

        return Op(("HMGET", self.keys.job(job_id), "status", "script"), decode, job_id=job_id)

    def outcome(self, job_id: str) -> Op[Reply | None]:
        """Read how a job ended.

        Args:
            job_id: The job.

        Returns:
            The outcome; None while the job has not ended.

        Raises:
            JobNotFound: There is no such job.
            JobDamaged: The job's hash cannot be read.
        """

        def decode(answer: list[str | None]) -> Reply | None:
            _found(job_id, answer)
            return outcome_of(job_id, answer[:-1])

        return Op(("HMGET", self.keys.job(job_id), *OUTCOME_FIELDS, "script"), decode, job_id=job_id)

    def output(self, job_id: str) -> Op[str | None]:
        """Read a job's output.

        Args:
            job_id: The job.

        Returns:
            The output; None while the job has not ended.

        Raises:
            JobNotFound: There is no such job.
            JobFailed: The job ended without an output; carries kind, message, line and column.
            JobDamaged: The job's hash cannot be read.
        """
        outcome = self.outcome(job_id)

        def decode(answer: list[str | None]) -> str | None:
            reply = outcome.decode(answer)
            return None if reply is None else reply.result()

        return Op(outcome.args, decode, job_id=job_id)

    def peek_reply(self, job_id: str, block_s: float) -> Op[str | None]:
        """Wait for a job's reply and leave it there.

        Args:
            job_id: The job.
            block_s: Longest wait, in seconds, above zero.

        Returns:
            The entry; None if none came in time.
        """
        # BLMOVE from a list to itself gives the entry to every waiter, one after the other.
        key = self.keys.reply(job_id)
        return Op(("BLMOVE", key, key, "LEFT", "LEFT", block_s), as_is, block_s=block_s)

    def open_batch(self, batch_id: str, count: int, caller_id: str | None = None) -> Op[bool]:
        """Announce a batch before its jobs are created, so that it cannot seem to have ended too early.

        Args:
            batch_id: The batch.
            count: How many jobs it will have.
            caller_id: Its owner; None for one that is not bound to a caller.

        Returns:
            False if a batch with this id and another count or owner exists. A batch with the same ones is taken for
            this one, announced again after a lost answer: creating its jobs again changes nothing.
        """
        args = (self.keys.batch(batch_id), self.keys.batches, count, caller_id or "", batch_id)
        return Op(args, bool, lua.OPEN_BATCH, 2)

    def shrink_batch(self, batch_id: str) -> Op[int]:
        """Take the jobs out of a batch that were announced and could not be created.

        Args:
            batch_id: The batch.

        Returns:
            How many jobs were taken out; 0 when this is sent again.
        """
        args = [self.keys.batch(batch_id), self.keys.prefix, batch_id, *self._keep]
        return Op(args, int, lua.SHRINK_BATCH, 1, f"batch:{batch_id}")

    def batch(self, batch_id: str) -> Op[BatchStatus | None]:
        """Read the counts of a batch; None if there is no batch with this id.

        Args:
            batch_id: The batch.

        Raises:
            JobDamaged: Its counts cannot be read.
        """

        def decode(answer: Any) -> BatchStatus | None:
            fields = pairs(answer)
            if not fields:
                return None
            names = ("total", "open", "finished", "error", "stopped")
            try:
                counts = {name: int(fields.get(name, 0)) for name in names}
            except ValueError as e:
                raise JobDamaged(f"batch:{batch_id}", "", f"a count is not a number: {e}") from e
            if any(abs(count) > _MOST_COUNTED for count in counts.values()):
                raise JobDamaged(f"batch:{batch_id}", "", "a count is too large to be one")
            return BatchStatus(batch_id=batch_id, **counts)

        return Op(("HGETALL", self.keys.batch(batch_id)), decode, job_id=f"batch:{batch_id}")

    def ended_batch(self, batch_id: str) -> Op[BatchStatus | None]:
        """Read the counts of a batch that has ended; None while some of its jobs are open.

        Args:
            batch_id: The batch.

        Raises:
            JobNotFound: There is no batch with this id.
        """
        look = self.batch(batch_id)

        def decode(answer: Any) -> BatchStatus | None:
            status = look.decode(answer)
            if status is None:
                raise JobNotFound(f"batch:{batch_id}")
            return None if status.open > 0 else status

        return Op(look.args, decode, job_id=look.job_id)

    def peek_batch(self, batch_id: str, block_s: float) -> Op[str | None]:
        """Wait until all jobs of a batch have ended.

        Args:
            batch_id: The batch.
            block_s: Longest wait, in seconds, above zero.

        Returns:
            A text once they have; None if the time is up before.
        """
        key = self.keys.batch_reply(batch_id)
        return Op(("BLMOVE", key, key, "LEFT", "LEFT", block_s), as_is, block_s=block_s)

    def ping(self) -> Op[None]:
        """Check that the server answers."""
        return Op(("PING",), lambda _answer: None)


def _found(job_id: str, values: Sequence[str | None]) -> None:
    # HMGET answers nil for each field of a missing key. A hash of another program may lack a status, but never a
    # script.
    if all(v is None for v in values):
        raise JobNotFound(job_id)
