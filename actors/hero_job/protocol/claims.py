"""Reads the store's answers to actors and to recovery: turns, orders, recoveries. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from hero_job.model.claim_types import ClaimedJob, ClaimedOptions, Order, Recovery, Turn


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
    alive, refused, rows, at = answer
    # A plain job has a shorter row: its last value, the options, is missing.
    jobs = [ClaimedJob(*row) if len(row) == 9 else _with_options(row) for row in rows]
    return Turn(alive == 1, refused, jobs, at)


def decode_recovery(answer: list[Any]) -> Recovery:
    """Read the answer of `recover.lua`."""
    return Recovery(answer[0] == 1, answer[1], answer[2:] == [1])


def _with_options(row: list[Any]) -> ClaimedJob:
    *plain, options = row
    job = ClaimedJob(*plain)
    job.options = ClaimedOptions(*options)
    return job
