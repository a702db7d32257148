"""Runs jobs through a store or a supervisor: python example.py URL [TOKEN]. CI runs it against a real service."""

from __future__ import annotations

import asyncio
import sys

from hero_client import SupervisorBuilder
from hero_job import JobBuilder, JobFailed

url, token = (*sys.argv[1:], "")[:2]
builder = SupervisorBuilder().url(url).token(token)
job = JobBuilder().caller_id("example").context_id("example").script_type("SAL")

with builder.build() as supervisor:
    print("output:", supervisor.run_job_and_await_result(job.script("40 + 2").build()))
    try:
        supervisor.run_job_and_await_result(job.script('let x = 1;\nthrow "no such report"').build())
    except JobFailed as failed:
        print(f"failed in line {failed.line}: {failed.kind}")


async def many() -> list[str]:
    """Run several jobs simultaneously."""
    async with builder.build_async() as supervisor:
        jobs = (job.script(f"{n} * {n}").build() for n in range(5))
        return await asyncio.gather(*(supervisor.run_job_and_await_result(one) for one in jobs))


print("squares:", *asyncio.run(many()))
