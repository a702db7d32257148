"""How long the store keeps ended jobs, replies, events and logs. Plain data.

Every operation that may end a job carries a `Retention` to its Lua script.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long ended jobs are kept, and how often a job is redelivered.

    Attributes:
        reply_ttl_s: Seconds that a reply is kept.
        result_ttl_s: Seconds that a finished job is kept.
        failure_ttl_s: Seconds that a job is kept that ended in error or was stopped.
        events_max: Approximate number of entries in the event stream.
        dead_max: Largest number of dead letters.
        log_lines: Largest number of lines in a job's log.
        max_redeliveries: How often a job may end the process that it runs in alone before it ends as lost.
        tomb_s: Seconds for which recovery looks again at the claimed lists of a dead incarnation. A day covers a host
            that was only frozen and whose lane still had one blocked claim pending.
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
        """The five arguments of every script that may end a job; `lua/parts/ending.lua` reads them."""
        return (
            str(int(self.reply_ttl_s * 1000)),
            str(int(self.result_ttl_s * 1000)),
            str(int(self.failure_ttl_s * 1000)),
            str(self.events_max),
            str(self.dead_max),
        )


DEFAULT_RETENTION = Retention()
