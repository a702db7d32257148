"""Turns the settings of jobs into the limits that the store's operations take.

Pure. The service and both transports of the RPC use this, so that a job is held to the same limits on every way in.
"""

from __future__ import annotations

from hero_config.model.settings import JobsSettings
from hero_job.model.job import JobLimits
from hero_job.model.retention import Retention


def job_limits(jobs: JobsSettings) -> JobLimits:
    """Give what a submitted job may ask for."""
    return JobLimits(
        max_script_bytes=jobs.max_script_bytes,
        max_timeout_s=jobs.max_timeout_s,
        default_timeout_s=jobs.default_timeout_s,
    )


def retention(jobs: JobsSettings) -> Retention:
    """Give how long replies and ended jobs are kept, and how often a job is redelivered."""
    return Retention(
        reply_ttl_s=jobs.reply_ttl_s,
        result_ttl_s=jobs.result_ttl_s,
        failure_ttl_s=jobs.failure_ttl_s,
        max_redeliveries=jobs.max_redeliveries,
    )
