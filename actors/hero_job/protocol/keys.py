"""Every key in Redis, spelled here alone.

All keys start with the namespace. A namespace in braces, `{hero}`, puts a whole deployment into one Cluster slot.
Source: the key table in ARCHITECTURE.md, which follows the queue naming of the Rust system.
"""

from __future__ import annotations

from hero_job.model.errors import JobInvalid

DEFAULT_NAMESPACE = "hero"


class Keys:
    """Spells the keys of one namespace.

    Args:
        namespace: Prefix of every key, without the colon.
    """

    __slots__ = (
        "actor_events",
        "actors",
        "dead",
        "dead_jobs",
        "events",
        "expiring",
        "job_prefix",
        "namespace",
        "paused",
        "prefix",
        "reply_prefix",
        "scheduled",
        "schedules",
        "ticks",
        "tokens",
    )

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        if not namespace or any(c.isspace() for c in namespace):
            raise JobInvalid("namespace", "must not be empty nor hold white space")
        self.namespace = namespace
        self.prefix = f"{namespace}:"
        self.job_prefix = f"{namespace}:job:"
        self.reply_prefix = f"{namespace}:q:reply:"
        #: Hash: incarnation -> JSON of what it is. An entry lives from join to leave or recovery; it is the fence.
        self.actors = f"{namespace}:meta:actors"
        #: Sorted set: incarnations declared dead, by time; their claimed lists are looked at again for a day.
        self.dead = f"{namespace}:meta:dead"
        #: Sorted set: scheduled jobs by due time, ms.
        self.scheduled = f"{namespace}:q:scheduled"
        #: Sorted set: jobs that must have begun by then, ms.
        self.expiring = f"{namespace}:q:expiring"
        #: Sorted set: dead letters by the time of their end, ms.
        self.dead_jobs = f"{namespace}:q:dead"
        #: Hash: paused queue -> since when.
        self.paused = f"{namespace}:meta:paused"
        #: Hash: schedule -> JSON of it, and "schedule last" -> id of its last job.
        self.schedules = f"{namespace}:meta:schedules"
        #: Sorted set: schedules by their next tick, ms.
        self.ticks = f"{namespace}:q:ticks"
        #: Hash: name of a token -> JSON of its scope, hash and times.
        self.tokens = f"{namespace}:meta:tokens"
        #: Stream, bounded: each entry has, as its fields, id -> new status of the jobs that one script moved.
        self.events = f"{namespace}:events"
        #: Stream, bounded: actors that come, go, and what their supervisors see of them.
        self.actor_events = f"{namespace}:events:actors"

    def job(self, job_id: str) -> str:
        """Hash: the job."""
        return self.job_prefix + job_id

    def work(self, suffix: str, group: str | None = None, instance: str | None = None) -> str:
        """List of ids: the queue of a script type, of a group of it, or of one actor in the group.

        Args:
            suffix: Lower-case script type: osis, sal, v, python.
            group: Group, or None for the queue of the type.
            instance: Instance within the group.
        """
        key = f"{self.prefix}q:work:type:{suffix}"
        if group:
            key += f":group:{group}"
            if instance:
                key += f":inst:{instance}"
        return key

    def reply(self, job_id: str) -> str:
        """List: one reply, expires."""
        return self.reply_prefix + job_id

    def actor(self, incarnation: str) -> str:
        """Hash with a time to live: presence of an incarnation."""
        return f"{self.prefix}meta:actor:{incarnation}"

    def claimed(self, incarnation: str, lane: int) -> str:
        """List of ids: what a lane of an incarnation has taken and not settled."""
        return f"{self.prefix}meta:claimed:{incarnation}:{lane}"

    def log(self, job_id: str) -> str:
        """Stream: what a job's script prints, bounded."""
        return f"{self.prefix}log:{job_id}"

    def batch(self, batch_id: str) -> str:
        """Hash: counts of a batch."""
        return f"{self.prefix}batch:{batch_id}"

    def batch_reply(self, batch_id: str) -> str:
        """List: one entry when all jobs of a batch have ended, expires."""
        return f"{self.prefix}q:reply:batch:{batch_id}"

    def nonce(self, nonce: str) -> str:
        """String: the public key that this nonce was given to, until it is used or expires."""
        return f"{self.prefix}meta:nonce:{nonce}"

    def values(self, context_id: str) -> str:
        """Hash: name -> value of what scripts of a context keep; under the empty name, how many bytes it holds."""
        return f"{self.prefix}values:{context_id}"

    def control(self, incarnation: str) -> str:
        """List: orders to an incarnation, JSON."""
        return f"{self.prefix}q:ctl:actor:{incarnation}"

    def control_type(self, suffix: str) -> str:
        """List: ids of jobs of a type to stop, from foreign clients."""
        return f"{self.prefix}q:ctl:type:{suffix}"

    def legacy(self, suffix: str, name: str) -> list[str]:
        """Lists of ids: the queues of older programs of the Rust family, by type and by name of the actor."""
        return [f"{self.prefix}job:actor_queue:{suffix}", f"{self.prefix}work_queue:{name}"]
