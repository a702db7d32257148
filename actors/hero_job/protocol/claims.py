"""Reads the store's answers to actors and to recovery: turns, orders, recoveries. Pure."""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson

from hero_job.model.claim_types import ClaimedJob, ClaimedOptions, Order, Recovery, Turn

#: Values of a job without options.
_PLAIN = 9


def decode_order(text: str) -> Order:
    """Read an order. A bare job id, from a client of the Rust family, is an order to stop that job."""
    try:
        data = orjson.loads(text)
    except ValueError:
        data = None
    if isinstance(data, dict) and isinstance(data.get("job_id"), str):
        attempt = data.get("attempt")
        return Order(str(data.get("command", "stop")), data["job_id"], None if attempt is None else str(attempt))
    return Order("stop", text)


def decode_turn(answer: list[Any]) -> Turn:
    """Read the answer of `turn.lua`."""
    alive, refused, plain, rows, at = answer
    jobs = []
    script_type = caller_id = context_id = timeout = env_vars = None
    values = iter(plain)
    for job_id in values:
        if not job_id:
            script_type, caller_id, context_id, timeout, env_vars = islice(values, 5)
            continue
        attempt, script, queued_at = next(values), next(values), next(values)
        jobs.append(
            ClaimedJob(job_id, attempt, script_type, script, caller_id, context_id, timeout, env_vars, queued_at)
        )
    for row in rows:
        job = ClaimedJob(*row[:_PLAIN])
        if len(row) > _PLAIN:
            job.options = ClaimedOptions(*row[_PLAIN])
        jobs.append(job)
    return Turn(alive == 1, refused, jobs, at)


def decode_recovery(answer: list[Any]) -> Recovery:
    """Read the answer of `recover.lua`."""
    return Recovery(answer[0] == 1, answer[1], answer[2:] == [1])
