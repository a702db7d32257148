"""Drives this runtime in the comparison: the no-op is the script `40 + 2`.

The benchmark starts the actor; `BENCH_HERO_TYPE` is its type.
"""

from __future__ import annotations

import os

from protocol import REDIS_URL, drive

from hero_client import SupervisorBuilder
from hero_job.model.builder import JobBuilder
from hero_job.model.job import Job, ScriptType

SCRIPT_TYPE = ScriptType.parse(os.environ.get("BENCH_HERO_TYPE", "osis"))


def make_job() -> Job:
    builder = JobBuilder().caller_id("bench").context_id("bench")
    return builder.script_type(SCRIPT_TYPE).script("40 + 2").timeout(30).build()


def main() -> None:
    with SupervisorBuilder().redis_url(REDIS_URL).build() as supervisor:

        def burst(width: int) -> list[object]:
            job_ids = [supervisor.submit_job(make_job()) for _ in range(width)]
            return [supervisor.await_result(job_id, 20) for job_id in job_ids]

        drive(
            lambda: supervisor.submit_job(make_job()),
            lambda: supervisor.run_job_and_await_result(make_job(), wait_s=20),
            burst,
        )


if __name__ == "__main__":
    main()
