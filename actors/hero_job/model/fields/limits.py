"""The limits that a deployment sets for jobs. Plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Limits of a deployment. A job beyond them is refused when it is created.

    Attributes:
        max_script_bytes: Largest script, in bytes of UTF-8.
        max_timeout_s: Largest timeout, in seconds.
        default_timeout_s: Timeout of a job that does not set one, in seconds.
    """

    max_script_bytes: int = 1024 * 1024
    max_timeout_s: float = 86_400
    default_timeout_s: float = 300


DEFAULT_LIMITS = JobLimits()
