"""The command `bench`: measures how fast a deployment runs jobs."""

from __future__ import annotations

from typing import Annotated

from hero_ctl.connect.store import namespace_of, open_supervisor, url_of
from hero_ctl.exits import CtlExitCode
from hero_ctl.job_fields import ScriptTypeOption
from hero_ctl.options import Json, StoreOptions
from hero_ctl.output.console import echo, fail, print_note
from hero_ctl.parameters import Option
from hero_ctl.running.waiting import missing_actor, serves
from hero_job.model.job import ScriptType


def bench(
    *,
    jobs: Annotated[int, Option("--jobs", "-n", min=1, help="Total number of no-op jobs.")] = 10_000,
    producers: Annotated[int, Option("--producers", "-p", min=1, max=64, help="Producer processes.")] = 2,
    in_flight: Annotated[
        int,
        Option("--in-flight", min=1, max=1000, help="Jobs that each producer has in flight simultaneously."),
    ] = 8,
    script_type: ScriptTypeOption = ScriptType.SAL,
    as_json: Json = False,
    store: StoreOptions,
) -> None:
    """Measure a deployment: jobs per second, and latency from submission to result.

    The jobs are deleted at the end.
    """
    from hero_ctl.bench.plan import BenchPlan
    from hero_ctl.bench.run import run_bench
    from hero_ctl.output.json_views import to_json

    plan = BenchPlan(
        url=url_of(store),
        namespace=namespace_of(store),
        script_type=script_type,
        jobs=jobs,
        producers=min(producers, jobs),
        in_flight=in_flight,
    )
    job = plan.new_job()
    with open_supervisor(store) as supervisor:
        if not any(serves(actor, job) for actor in supervisor.list_actors()):
            fail(missing_actor(job), CtlExitCode.FAILED)
    summary = run_bench(plan)
    echo(to_json(summary.as_json()) if as_json else summary.as_text())
    print_note(
        f"{plan.producers} producers with {plan.in_flight} jobs in flight wait for every result, beside the actors "
        "if those are on this machine; docs/performance.md measures an actor that empties a full queue, which is faster"
    )
    raise SystemExit(summary.exit_code)
