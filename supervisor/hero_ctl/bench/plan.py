"""What a bench measures: the jobs, and how the producers share them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hero_job.model.builder import JobBuilder
from hero_job.model.job import Job, ScriptType

SCRIPT = "40 + 2"
JOB_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchPlan:
    """What is measured.

    Attributes:
        url: The store.
        namespace: Prefix of its keys.
        script_type: Which actors run the jobs.
        jobs: Number of jobs, over all producers.
        producers: Number of producer processes.
        in_flight: Jobs that each producer has in flight simultaneously.
    """

    url: str
    namespace: str
    script_type: ScriptType
    jobs: int
    producers: int
    in_flight: int

    def new_job(self) -> Job:
        """Make one of the jobs."""
        builder = JobBuilder().caller_id("heroctl-bench").context_id("bench").script(SCRIPT)
        return builder.script_type(self.script_type).timeout(JOB_TIMEOUT_S).build()

    def shares(self) -> list[int]:
        """Divide the jobs among the producers: the number of jobs of each."""
        least, rest = divmod(self.jobs, self.producers)
        return [least + (i < rest) for i in range(self.producers)]
