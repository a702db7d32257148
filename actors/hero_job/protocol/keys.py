"""Every key in Redis. No other module and no Lua script spells one.

A key is the namespace, a colon, and a `KeyPart`; some go on with an id. Python composes keys with `Keys`; the Lua
scripts get the parts that they use as constants (see `lua/__init__.py`). A namespace in braces, `{hero}`, puts a whole
deployment into one Cluster slot. docs/redis.md describes each key.

Source: the queue names of the Rust system.
"""

from __future__ import annotations

from enum import StrEnum

from hero_job.model.errors import JobInvalid

DEFAULT_NAMESPACE = "hero"


class KeyPart(StrEnum):
    """What follows the namespace in a key. A part that ends in a colon is followed by an id or a name."""

    #: Hash: a job.
    JOB = "job:"
    #: Stream, bounded: what a job's script prints.
    LOG = "log:"
    #: Hash: the counts of a batch.
    BATCH = "batch:"
    #: Hash, by context: name -> value that scripts keep; the empty name holds the size in bytes.
    VALUES = "values:"
    VALUE_ENDS = "value_ends:"
    #: Hash, by type and context: SID -> an object of OSIS.
    OBJECTS = "osis:objects:"
    #: Sorted set, by type and context: `field:word SID`, the words by which objects are found.
    OBJECT_INDEX = "osis:index:"
    #: Hash, by type and context: `SID version` -> an earlier version of an object.
    OBJECT_HISTORY = "osis:history:"
    #: String, by context: who may do what with its objects.
    ACL = "osis:acl:"
    #: Sorted set: `context type` of everything that has objects.
    OBJECT_TYPES = "osis:types"
    #: Stream, bounded: one entry per script run that moved jobs; its fields are id -> new status.
    EVENTS = "events"
    #: Stream, bounded: actors that join and leave, and what supervisors observe of them.
    ACTOR_EVENTS = "events:actors"

    #: Stream, bounded: who has changed what through JSON-RPC.
    AUDIT = "events:audit"
    #: String, by id: an act on many jobs and how far it has come, as JSON; expires.
    ACT = "meta:act:"

    #: List of ids, by script type: a queue.
    QUEUE = "q:work:type:"
    #: List: the reply of a job, expires.
    REPLY = "q:reply:"
    #: List: one entry once all jobs of a batch have ended, expires.
    BATCH_REPLY = "q:reply:batch:"
    #: Sorted set: delayed jobs, by due time in ms.
    SCHEDULED = "q:scheduled"
    #: Sorted set: jobs that wait for prerequisites, or in line for a key, by the time since when in ms.
    BLOCKED = "q:blocked"
    #: Sorted set: jobs that expire unless they run, by expiry in ms.
    EXPIRING = "q:expiring"
    #: Sorted set: dead letters, by the time of their end in ms.
    DEAD_LETTERS = "q:dead"
    #: Hash: job whose end has released only some of what it held -> its status; the next supervisor goes on.
    UNSETTLED = "q:unsettled"
    #: Sorted set: schedules, by their next tick in ms.
    TICKS = "q:ticks"
    #: Sorted sets: delayed and expiring jobs whose times are being moved, because the server's clock was set back.
    MOVING_SCHEDULED = "q:scheduled:moving"
    MOVING_EXPIRING = "q:expiring:moving"
    #: List, by incarnation: orders to an actor, as JSON.
    CONTROL = "q:ctl:actor:"
    #: List, by script type: ids of jobs to stop, from foreign clients.
    CONTROL_TYPE = "q:ctl:type:"

    #: Hash: incarnation -> its description as JSON. An entry lives from join to leave or recovery; it is the fence.
    ACTORS = "meta:actors"
    #: Hash, by incarnation: presence, expires.
    PRESENCE = "meta:actor:"
    #: List of ids, by incarnation and lane: claimed and not yet settled jobs.
    CLAIMED = "meta:claimed:"
    #: Hash: dead incarnation -> JSON: its description, and until when recovery looks at its claimed lists again.
    DEAD = "meta:dead"
    #: Hash: the server's time when a supervisor looked last, and how it was set.
    CLOCK = "meta:clock"
    #: Hash: what has been counted since the deployment began; see docs/redis.md.
    COUNTS = "meta:counts"
    #: Hash, by the start of a minute in s: what was counted in it, expires.
    COUNTS_MINUTE = "meta:counts:minute:"
    #: Hash, by the start of an hour in s: what was counted in it, expires.
    COUNTS_HOUR = "meta:counts:hour:"
    #: Hash: incarnation -> number of its last report of counts, so that a repeated one counts once.
    COUNT_REPORTS = "meta:counts:reports"
    #: Sorted set, bounded: batches, by the time at which each began in ms.
    BATCHES = "meta:batches"
    #: Hash: paused queue -> since when.
    PAUSED = "meta:paused"
    #: Hash: name of a token -> JSON of its scope, hash and times.
    TOKENS = "meta:tokens"
    #: String: the public key that was given this nonce to sign.
    NONCE = "meta:nonce:"
    #: Hash: schedule -> its JSON; "schedule last" -> id of its last job.
    SCHEDULES = "meta:schedules"
    #: Set of ids, by job: the jobs that wait for it.
    DEPENDENTS = "meta:dependents:"
    #: Set of ids, by job: the jobs that will read its output, so its record is kept until they have ended.
    READERS = "meta:readers:"
    #: String, by key of uniqueness: id of the job that holds it.
    UNIQUE = "meta:unique:"

    #: Set of ids, by concurrency key: the jobs that hold a place.
    LIMIT_RUNNING = "limit:run:"
    #: List of ids, by concurrency key: the jobs that wait in line for a place.
    LIMIT_WAITING = "limit:wait:"
    #: String, by rate key: until when the rate is used up, in ms.
    LIMIT_RATE = "limit:rate:"

    #: List of ids, by script type: a queue of older programs of the Rust family.
    LEGACY_TYPE_QUEUE = "job:actor_queue:"
    #: List of ids, by name of an actor: a queue of older programs of the Rust family.
    LEGACY_NAME_QUEUE = "work_queue:"

    #: In a queue's key, before the name of a group.
    GROUP = ":group:"
    #: In a queue's key, before the name of an instance.
    INSTANCE = ":inst:"
    #: After a queue's key: the list of its jobs of low priority.
    LOW = ":low"
    #: After a queue's key: the list of ids that a paused queue holds aside.
    HELD = ":held"


class Keys:
    """Composes the keys of one namespace.

    Args:
        namespace: Prefix of every key, without the colon.

    Raises:
        JobInvalid: The namespace is empty or contains white space.
    """

    __slots__ = (
        "actor_events",
        "actors",
        "audit",
        "batches",
        "blocked",
        "clock",
        "counts",
        "dead",
        "dead_jobs",
        "events",
        "expiring",
        "job_prefix",
        "moving_expiring",
        "moving_scheduled",
        "namespace",
        "object_types",
        "paused",
        "prefix",
        "queue_prefix",
        "reply_prefix",
        "scheduled",
        "schedules",
        "ticks",
        "tokens",
    )

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        if not namespace or any(c.isspace() for c in namespace):
            raise JobInvalid("namespace", "must not be empty and must not contain white space")
        self.namespace = namespace
        self.prefix = f"{namespace}:"
        self.job_prefix = self.prefix + KeyPart.JOB
        self.reply_prefix = self.prefix + KeyPart.REPLY
        self.queue_prefix = self.prefix + KeyPart.QUEUE
        self.actors = self.prefix + KeyPart.ACTORS
        self.dead = self.prefix + KeyPart.DEAD
        self.scheduled = self.prefix + KeyPart.SCHEDULED
        self.blocked = self.prefix + KeyPart.BLOCKED
        self.expiring = self.prefix + KeyPart.EXPIRING
        self.moving_scheduled = self.prefix + KeyPart.MOVING_SCHEDULED
        self.moving_expiring = self.prefix + KeyPart.MOVING_EXPIRING
        self.clock = self.prefix + KeyPart.CLOCK
        self.counts = self.prefix + KeyPart.COUNTS
        self.dead_jobs = self.prefix + KeyPart.DEAD_LETTERS
        self.batches = self.prefix + KeyPart.BATCHES
        self.paused = self.prefix + KeyPart.PAUSED
        self.schedules = self.prefix + KeyPart.SCHEDULES
        self.ticks = self.prefix + KeyPart.TICKS
        self.tokens = self.prefix + KeyPart.TOKENS
        self.object_types = self.prefix + KeyPart.OBJECT_TYPES
        self.events = self.prefix + KeyPart.EVENTS
        self.audit = self.prefix + KeyPart.AUDIT
        self.actor_events = self.prefix + KeyPart.ACTOR_EVENTS

    def job(self, job_id: str) -> str:
        """Key of a job's hash."""
        return self.job_prefix + job_id

    def work(self, suffix: str, group: str | None = None, instance: str | None = None) -> str:
        """Key of the queue of a script type, of a group, or of one actor in the group.

        Args:
            suffix: Lower-case script type: osis, sal, v, python.
            group: Group, or None for the queue of the type.
            instance: Instance within the group.
        """
        key = self.queue_prefix + suffix
        if group:
            key += KeyPart.GROUP + group
            if instance:
                key += KeyPart.INSTANCE + instance
        return key

    def reply(self, job_id: str) -> str:
        """Key of a job's reply list."""
        return self.reply_prefix + job_id

    def actor(self, incarnation: str) -> str:
        """Key of the presence of an incarnation."""
        return f"{self.prefix}{KeyPart.PRESENCE}{incarnation}"

    def claimed(self, incarnation: str, lane: int) -> str:
        """Key of the claimed list of a lane."""
        return f"{self.prefix}{KeyPart.CLAIMED}{incarnation}:{lane}"

    def log(self, job_id: str) -> str:
        """Key of a job's log."""
        return f"{self.prefix}{KeyPart.LOG}{job_id}"

    def batch(self, batch_id: str) -> str:
        """Key of the counts of a batch."""
        return f"{self.prefix}{KeyPart.BATCH}{batch_id}"

    def batch_reply(self, batch_id: str) -> str:
        """Key of the list on which the end of a batch is announced."""
        return f"{self.prefix}{KeyPart.BATCH_REPLY}{batch_id}"

    def nonce(self, nonce: str) -> str:
        """Key of a nonce."""
        return f"{self.prefix}{KeyPart.NONCE}{nonce}"

    def values(self, context_id: str) -> str:
        """Key of the values that the scripts of a context keep."""
        return f"{self.prefix}{KeyPart.VALUES}{context_id}"

    def value_ends(self, context_id: str) -> str:
        """Key of the times at which values of a context end, in milliseconds."""
        return f"{self.prefix}{KeyPart.VALUE_ENDS}{context_id}"

    def objects(self, type_name: str, context_id: str) -> tuple[str, str, str]:
        """Keys of the objects of a type in a context: the objects, their index, their earlier versions."""
        parts = (KeyPart.OBJECTS, KeyPart.OBJECT_INDEX, KeyPart.OBJECT_HISTORY)
        objects, index, history = (f"{self.prefix}{part}{type_name}:{context_id}" for part in parts)
        return objects, index, history

    def acl(self, context_id: str) -> str:
        """Key of the rights in a context."""
        return f"{self.prefix}{KeyPart.ACL}{context_id}"

    def counts_of(self, start_s: int, *, hour: bool) -> str:
        """Key of what was counted in a minute or an hour.

        Args:
            start_s: Its start, in seconds since 1970.
            hour: It is an hour.
        """
        return f"{self.prefix}{KeyPart.COUNTS_HOUR if hour else KeyPart.COUNTS_MINUTE}{start_s}"

    def control(self, incarnation: str) -> str:
        """Key of the list of orders to an incarnation."""
        return f"{self.prefix}{KeyPart.CONTROL}{incarnation}"

    def control_type(self, suffix: str) -> str:
        """Key of the list on which foreign clients ask to stop jobs of a type."""
        return f"{self.prefix}{KeyPart.CONTROL_TYPE}{suffix}"

    def legacy(self, suffix: str, name: str) -> list[str]:
        """Keys of the queues of older programs of the Rust family, by type and by name of the actor."""
        return [self.prefix + KeyPart.LEGACY_TYPE_QUEUE + suffix, self.prefix + KeyPart.LEGACY_NAME_QUEUE + name]

    @property
    def holder_prefixes(self) -> tuple[str, ...]:
        """What the keys of the lists begin with that hold ids of jobs to run, apart from the queues."""
        parts = (KeyPart.CLAIMED, KeyPart.LIMIT_WAITING, KeyPart.LEGACY_TYPE_QUEUE, KeyPart.LEGACY_NAME_QUEUE)
        return tuple(self.prefix + part for part in parts)
