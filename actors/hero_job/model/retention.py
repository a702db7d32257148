"""How long what has ended is kept. Plain data; travels with every operation that may end a job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what has ended is kept, and how often a job is redelivered.

    Attributes:
        reply_ttl_s: A reply that nobody took.
        result_ttl_s: A finished job.
        failure_ttl_s: A job that ended in error or was stopped.
        events_max: Entries of the event stream (about).
        dead_max: Dead letters.
        log_lines: Lines of a job's log.
        max_redeliveries: How often a job may lose its holder before it ends as lost.
        tomb_s: How long the claimed lists of a dead incarnation are looked at again. A day covers a host that was
            frozen, not dead, and whose lane still had one blocked claim under way.
    """

    reply_ttl_s: float = 300
    result_ttl_s: float = 86_400
    failure_ttl_s: float = 604_800
    events_max: int = 10_000
    dead_max: int = 10_000
    log_lines: int = 1000
    max_redeliveries: int = 3
    tomb_s: float = 86_400

    @property
    def arguments(self) -> tuple[str, ...]:
        """The five arguments of every script that may end a job; see lua/parts/ending.lua."""
        return (
            str(int(self.reply_ttl_s * 1000)),
            str(int(self.result_ttl_s * 1000)),
            str(int(self.failure_ttl_s * 1000)),
            str(self.events_max),
            str(self.dead_max),
        )


DEFAULT_RETENTION = Retention()
