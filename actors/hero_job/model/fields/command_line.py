"""The options of `heroctl run`, `submit` and `schedule add` that set fields of a job. The rows of `Job` name them."""

from __future__ import annotations

from hero_job.model.fields.job_field import CommandLineOption

ID = CommandLineOption(
    flag="--id",
    metavar="ID",
    help="Choose the id; submitting the same job twice is then harmless.",
    panel="Job",
    default_text="a new UUID",
    once=True,
)
MEMORY_BYTES = CommandLineOption(
    flag="--memory-bytes",
    metavar="BYTES",
    help="Let it hold no more memory than this; the limit of the actor stands if it is lower.",
    panel="Job",
)
RETRIES = CommandLineOption(
    flag="--retries", metavar="N", default_text="0", help="Run it up to N more times if it fails."
)
LOG_PATH = CommandLineOption(
    flag="--log-path",
    metavar="PATH",
    help="Also write what it prints to this file below the log folder of the deployment.",
    panel="Job",
)
AFTER = CommandLineOption(
    flag="--after",
    metavar="JOB_ID",
    help="Start it when this job has finished; may be repeated.",
    once=True,
)
BEFORE = CommandLineOption(
    flag="--before",
    metavar="JOB_ID",
    help="This job waits for it; may be repeated. The job must not be started yet.",
    once=True,
)
GROUP = CommandLineOption(flag="--group", metavar="NAME", help="Only actors of this group.", panel="Job")
INSTANCE = CommandLineOption(
    flag="--instance", metavar="NAME", help="Only this actor of the group; needs --group.", panel="Job"
)
PRIORITY = CommandLineOption(
    flag="--priority",
    default_text="normal",
    help="high: to the front of the queue; low: after everything else.",
)
RUN_AFTER_FAILURE = CommandLineOption(
    flag="--run-after-failure", help="Run it even if a job of --after has failed.", once=True
)
NOT_BEFORE = CommandLineOption(
    flag="--not-before",
    metavar="TIME",
    help="Start it then: ISO 8601 with a time zone, such as 2026-11-24T06:00:00Z.",
    once=True,
)
DELAY = CommandLineOption(flag="--delay", metavar="SECONDS", help="Start it this long from now.", once=True)
EXPIRES = CommandLineOption(
    flag="--expires", metavar="SECONDS", help="Do not run it if it has not started within this time."
)
UNIQUE = CommandLineOption(
    flag="--unique",
    metavar="KEY",
    help="If a job with this key has not ended yet, use that job instead.",
    once=True,
)
UNIQUE_FOR = CommandLineOption(
    flag="--unique-for",
    metavar="SECONDS",
    help="The key of --unique holds for this long, whether or not its job has ended.",
    once=True,
)
CONCURRENCY = CommandLineOption(
    flag="--concurrency",
    metavar="KEY",
    help="Only --concurrency-max jobs with this key run simultaneously; the others wait.",
)
CONCURRENCY_MAX = CommandLineOption(flag="--concurrency-max", metavar="N", default_text="1", help="See --concurrency.")
RATE = CommandLineOption(
    flag="--rate",
    metavar="KEY",
    help="Only --rate-max jobs with this key start within --rate-window; the others start later.",
)
RATE_MAX = CommandLineOption(flag="--rate-max", metavar="N", default_text="1", help="See --rate.")
RATE_WINDOW = CommandLineOption(flag="--rate-window", metavar="SECONDS", default_text="1 s", help="See --rate.")
TRACEPARENT = CommandLineOption(
    flag="--traceparent",
    metavar="SPAN",
    help="The span that the job belongs to, as W3C writes it: 00-TRACE-SPAN-01.",
    once=True,
)
