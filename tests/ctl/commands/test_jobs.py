"""`heroctl status`, `output` and `list`."""

from __future__ import annotations

import json
import subprocess
import uuid

import redis

from hero_job import JobBuilder
from hero_job.model.overview.kinds import CURES
from hero_job.protocol.op import Op
from hero_supervisor import SupervisorBuilder
from tests.ctl.conftest import HEROCTL, Heroctl, environment, sal_paused
from tests.deployment import Deployment
from tests.forked_programs import ForkedPopen
from tests.valkey_server import ValkeyServer


def test_status_is_one_word_and_everything_as_json(heroctl: Heroctl) -> None:
    job_id = heroctl("submit", "6 * 7", "--caller", "02abc").stdout.strip()
    heroctl("output", job_id, "--wait", "150")

    plain = heroctl("status", job_id)
    whole = json.loads(heroctl("status", job_id, "--json").stdout)

    assert plain.stdout == "finished\n"
    assert whole["id"] == job_id
    assert (whole["status"], whole["output"], whole["caller_id"]) == ("finished", "42", "02abc")
    assert whole["attempt"] == 1


def test_show_says_why_a_job_ran_again(heroctl: Heroctl, deployment: Deployment) -> None:
    job_id = heroctl("submit", 'throw "no\\nluck"').stdout.strip()
    heroctl("output", job_id, "--wait", "150")
    why = "its actor ended: signal 11 (Segmentation fault)"
    with deployment.supervisor() as supervisor:
        fields = ("HSET", f"hero:job:{job_id}", "rerun_reason", why, "redeliveries", "2")
        supervisor.store.run(Op(fields, int))

    shown = heroctl("show", job_id).stdout
    facts = dict(line.split("  ", 1) for line in shown.splitlines())
    facts = {name: fact.strip() for name, fact in facts.items()}

    assert facts["status"] == "error"
    assert facts["attempts"] == "1"
    assert facts["ran again"] == why
    assert facts["ended its process"] == "2 times"
    assert "no luck" in facts["error"], "one line per fact"
    assert json.loads(heroctl("show", job_id, "--json").stdout)["rerun_reason"] == why


def test_unknown_job_exits_with_5(heroctl: Heroctl) -> None:
    for command in (["status", "nobody"], ["output", "nobody"], ["show", "nobody"], ["status", "nobody", "--json"]):
        done = heroctl(*command)

        assert done.returncode == 5
        assert "no job with id 'nobody'" in done.stderr


def test_output_of_a_job_that_has_not_ended_exits_with_7(heroctl: Heroctl) -> None:
    with sal_paused(heroctl):
        job_id = heroctl("submit", "1").stdout.strip()
        done = heroctl("output", job_id)

    assert (done.returncode, done.stdout) == (7, "")
    assert f"job {job_id} has not ended" in done.stderr


def test_output_of_a_failed_job_fails_with_the_error_of_the_job(heroctl: Heroctl) -> None:
    job_id = heroctl("submit", "1 +\nnope()").stdout.strip()

    done = heroctl("output", job_id, "--wait", "150")

    assert done.returncode == 1
    assert done.stderr.startswith(f"job {job_id}:2:1: ")


def test_show_says_what_to_do_about_an_error(heroctl: Heroctl) -> None:
    failed = heroctl("submit", "let x = ;").stdout.strip()
    well = heroctl("submit", "1").stdout.strip()
    heroctl("wait", failed, well)

    facts = dict(line.split("  ", 1) for line in heroctl("show", failed).stdout.splitlines())
    assert facts["error"].strip().startswith("BadInput: ")
    assert facts["what to do"].strip() == f"{CURES['BadInput'].cause}: {CURES['BadInput'].cure}"
    assert "what to do" not in heroctl("show", well).stdout


def test_list_shows_the_newest_jobs_up_to_the_limit(heroctl: Heroctl) -> None:
    ids = [heroctl("submit", str(n), "--type", "v").stdout.strip() for n in range(3)]

    listed = json.loads(heroctl("list", "--json", "--type", "v", "--limit", "2").stdout)

    assert [job["id"] for job in listed] == [ids[2], ids[1]]


def test_list_reads_all_pages(heroctl: Heroctl, valkey: ValkeyServer, namespace: str) -> None:
    with SupervisorBuilder().redis_url(valkey.url).namespace(namespace).build() as supervisor:
        job = JobBuilder().caller_id("a").context_id("b").script_type("osis").script("1")
        ids = {supervisor.create_job(job.id(f"job-{n}").build()) for n in range(1500)}

    where = ("--redis-url", valkey.url, "--namespace", namespace)
    listed = json.loads(heroctl("list", "--json", "--limit", "0", *where).stdout)
    table = heroctl("list", "--limit", "0", *where).stdout.splitlines()

    assert {job["id"] for job in listed} == ids
    assert len(listed) == 1500
    assert len(table) == 1501


def test_list_filters_by_status(heroctl: Heroctl) -> None:
    good = heroctl("submit", "1").stdout.strip()
    bad = heroctl("submit", "throw 1").stdout.strip()
    for job_id in (good, bad):
        heroctl("output", job_id, "--wait", "150")

    failed = {job["id"] for job in json.loads(heroctl("list", "--json", "--status", "error").stdout)}

    assert bad in failed
    assert good not in failed


def test_list_shows_a_damaged_job(heroctl: Heroctl, valkey: ValkeyServer, namespace: str) -> None:
    with redis.Redis.from_url(valkey.url) as plain:
        plain.hset(f"{namespace}:job:broken", mapping={"script": "1", "status": "no such status"})

    where = ("--redis-url", valkey.url, "--namespace", namespace)
    table = heroctl("list", *where)
    listed = json.loads(heroctl("list", "--json", *where).stdout)

    assert table.returncode == 0
    assert "damaged" in table.stdout
    assert [(job["id"], job["status"]) for job in listed] == [("broken", "damaged")]


def test_markup_in_the_output_of_a_script_is_printed_as_text(heroctl: Heroctl) -> None:
    job_id = heroctl("submit", r'"[red]\u001b[31m\nsecond"').stdout.strip()
    heroctl("output", job_id, "--wait", "150")

    (line,) = (line for line in heroctl("list").stdout.splitlines() if job_id in line)

    assert "[red]" in line
    assert "second" in line
    assert "\x1b" not in line


def test_list_of_an_empty_store_says_so(heroctl: Heroctl, valkey: ValkeyServer) -> None:
    where = ("--redis-url", valkey.url, "--namespace", f"empty{uuid.uuid4().hex}")

    assert heroctl("list", *where).stdout == "no jobs\n"
    assert heroctl("list", "--json", *where).stdout == "[]\n"
    assert "no actors" in heroctl("actors", *where).stdout


def test_reader_that_leaves_early_causes_no_message(
    deployment: Deployment, valkey: ValkeyServer, namespace: str
) -> None:
    with SupervisorBuilder().redis_url(valkey.url).namespace(namespace).build() as supervisor:
        job = JobBuilder().caller_id("a").context_id("b").script_type("osis").script("x" * 2000)
        for _ in range(100):
            supervisor.create_job(job.build())
            job = JobBuilder().caller_id("a").context_id("b").script_type("osis").script("x" * 2000)

    for output in (["--json"], []):
        with ForkedPopen(
            [HEROCTL, "list", "--limit", "0", "--namespace", namespace, *output],
            env=environment(valkey.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as listing:
            assert listing.stdout is not None
            assert listing.stderr is not None
            listing.stdout.close()
            assert listing.stderr.read() == b""
