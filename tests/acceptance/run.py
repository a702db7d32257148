"""Runs the scripts of published crates in a real deployment, and prints which pass: `scripts/acceptance [CRATE...]`.

A script passes if its job finishes, its result is neither `false` nor a number of failures, and it logs no failure of
its own. What it skips by itself is counted. Exit code 0: each script passed, except those of `CANNOT`, which did not;
1: something else happened; 3: cargo could not fetch the crates.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hero_job import JobBuilder, JobFailed
from hero_supervisor import Supervisor
from tests.acceptance.published import CANNOT, CRATES, NOT_OFFERED, PublishedScript, Unreachable, fetched, scripts
from tests.acceptance.servers import LocalServers, serving
from tests.deployment import LONG_LEASE_S, deployed

ACTORS = """
[[actors]]
type = "osis"
name = "project"
group = "project"
osis_namespace = "project"
osis_schemas = "schemas"

[[actors]]
type = "osis"
name = "demo"
group = "demo"
osis_namespace = "demo"

[[actors]]
type = "sal"
lanes = 1
[actors.allow]
run = {run}
net = ["{web}", "localhost:*", "127.0.0.1:*"]
redis = "{redis}"
git = ["{git}"]
"""
#: Programs that the scripts start, as far as they are installed.
PROGRAMS = ("bash", "sh", "echo", "false", "true", "ls", "cat", "rm", "pwd", "whoami", "curl", "ssh", "ping", "sleep")
#: Crate -> what the program that runs its scripts provides before they begin.
PROVIDED = {
    "sal-process": "fn assert_true(condition, message) { if !condition { throw message } }\n",
    "sal-rhai": 'file_write("Cargo.toml", "");\n',
}
#: Scripts of OSIS -> the group of the actor with their namespace. All others are for SAL.
GROUPS = {"herolib-osis/task": "project", "herolib-osis/test_all_modes": "demo"}
_FAILURE = re.compile(r"✗|❌|💥|!!!|ASSERTION FAILED|test error")
_SKIP = re.compile(r"SKIPPED|[Ss]kipping|skipped|not available|may not be running|^Warning")


@dataclass(frozen=True)
class Verdict:
    """What a script did.

    Attributes:
        failure: Why it did not pass; "" if it did.
        skipped: How many lines of its log say that it skips something.
    """

    name: str
    failure: str
    skipped: int

    @property
    def expected(self) -> bool:
        """Did it do what this repository says of it?"""
        return bool(self.failure) == (self.name in CANNOT)

    def __str__(self) -> str:
        told = f"passed{f', it says of {self.skipped} parts that it skips them' if self.skipped else ''}"
        if self.failure and self.expected:
            told = f"cannot pass: {CANNOT[self.name]}\n{'':50}({self.failure})"
        elif self.failure:
            told = f"FAILED: {self.failure}"
        elif not self.expected:
            told = "PASSED, although CANNOT says that it cannot"
        return f"{self.name:50}{told}"


def judged(supervisor: Supervisor, servers: LocalServers, script: PublishedScript) -> Verdict:
    """Run a script as a job, and judge it."""
    source = PROVIDED.get(script.crate, "") + servers.localized(re.sub(r"\A#!.*", "", script.path.read_text("utf-8")))
    group = GROUPS.get(script.name, "")
    job = JobBuilder().caller_id("acceptance").context_id("acceptance").script(source).timeout(300)
    job = job.script_type("osis").group(group) if group else job.script_type("sal")
    made = job.build()
    try:
        output = str(supervisor.run_job_and_await_result(made))
        failure = "" if output in ("", "true", "0") else f"its result is {output}"
    except JobFailed as failed:
        failure = f"line {failed.line}: {failed.message}".splitlines()[0]
    log = [line.text for line in supervisor.get_job_log(made.id)]
    complaints = [line.strip() for line in log if _FAILURE.search(line)]
    if failure:
        complaints.insert(0, failure)
    return Verdict(script.name, "; ".join(complaints), sum(bool(_SKIP.search(line)) for line in log))


def verdicts(chosen: list[PublishedScript]) -> Iterator[Verdict]:
    """Run these scripts.

    Raises:
        Unreachable: cargo cannot fetch a crate.
    """
    with tempfile.TemporaryDirectory(prefix="hero-") as name:
        folder = Path(name)
        schemas = fetched("herolib-osis") / "examples/basic/schemas/task.oschema"
        (folder / "schemas").mkdir()
        shutil.copyfile(schemas, folder / "schemas/task.oschema")
        run = json.dumps([program for program in PROGRAMS if shutil.which(program)])
        with serving(folder) as servers:
            actors = ACTORS.format(run=run, web=servers.web, redis=servers.redis, git=servers.git)
            (folder / "service").mkdir()
            (folder / "schemas").rename(folder / "service/schemas")
            with (
                deployed(folder / "service", actors=actors, lease_s=LONG_LEASE_S) as service,
                service.supervisor() as supervisor,
            ):
                for script in chosen:
                    yield judged(supervisor, servers, script)


def main(crates: list[str]) -> int:
    try:
        unexpected = 0
        chosen = [script for crate in crates or CRATES for script in scripts(crate)]
        for verdict in verdicts(chosen):
            print(verdict, flush=True)
            unexpected += not verdict.expected
    except Unreachable as e:
        print(e, file=sys.stderr)
        return 3
    for crate, subject in NOT_OFFERED.items() if not crates else ():
        print(f"{crate:50}not run: there are no functions for {subject}")
    print(f"{unexpected} unexpected" if unexpected else "all as expected")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
