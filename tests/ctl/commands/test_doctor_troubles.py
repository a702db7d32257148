"""`heroctl doctor` finds each trouble while it lasts, says what to do, and finds nothing once that is done."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hero_job import JobBuilder, ScriptType
from hero_job.client.store import Store
from hero_job.operations.objects.guard import ObjectAccess
from hero_job.operations.objects.objects import Objects
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedule, Schedules
from hero_job.operations.values import Values
from hero_job.protocol.keys import Keys
from hero_job.protocol.op import Op, as_is
from tests.ctl.commands.test_doctor import findings
from tests.ctl.conftest import HEROCTL, LIMIT_S, environment
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.forked_heroctl import run_heroctl
from tests.valkey_server import ValkeyServer

JOB = {"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"}
ACCESS = ObjectAccess(context_id="ctx", caller_id=None)


class Patient:
    """A namespace in a store, and what doctor says about it."""

    def __init__(self, folder: Path, store: Store, url: str, namespace: str) -> None:
        self.folder = folder
        self.store = store
        self.url = url
        self.operations = Operations(namespace)
        self.keys: Keys = self.operations.keys

    def tell(self, *command: Any) -> Any:
        return self.store.run(Op(command, as_is))

    def heroctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [HEROCTL, *arguments, "--namespace", self.keys.namespace]
        return run_heroctl(
            command, capture_output=True, check=False, cwd=self.folder, env=environment(self.url),
            stdin=subprocess.DEVNULL, text=True, timeout=LIMIT_S,
        )  # fmt: skip

    def complaints(self, *arguments: str) -> list[tuple[str, str, str]]:
        """Run doctor; return area, text and cure of what is wrong with this namespace."""
        found = findings("--namespace", self.keys.namespace, *arguments, cwd=self.folder, url=self.url)
        return [
            (finding["area"], finding["text"], finding["cure"])
            for finding in found
            if finding["level"] != "ok" and finding["area"] in ("jobs", "records", "actors")
            if "no actor is alive" not in finding["text"]
        ]


@pytest.fixture
def patient(tmp_path: Path, valkey: ValkeyServer, namespace: str) -> Iterator[Patient]:
    with Store(valkey.url) as store:
        yield Patient(tmp_path, store, valkey.url, namespace)


def break_schedule(patient: Patient) -> None:
    schedules = Schedules(patient.keys.namespace)
    patient.store.run(schedules.put(Schedule(name="nightly", job=JOB, interval_s=60), 2**50))
    patient.tell("HSET", patient.keys.schedules, "nightly", '{"name": "nightly"}')


def break_object(patient: Patient) -> None:
    objects = Objects(patient.keys.namespace)
    for sid in ("good", "bad"):
        patient.store.drive(objects.put(ACCESS, "hero.task", sid, {"title": "red"}, indexed=("title",)))
    patient.tell("HSET", patient.keys.objects("hero.task", "ctx")[0], "bad", "rubbish")


def break_all_objects(patient: Patient) -> None:
    patient.tell("SET", patient.keys.objects("hero.task", "ctx")[0], "rubbish")


def break_rights(patient: Patient) -> None:
    patient.tell("SET", patient.keys.acl("ctx"), '3 {"read": "alice"}')


def break_values(patient: Patient) -> None:
    patient.store.run(Values(patient.keys.namespace).set("good", "name", "1"))
    patient.tell("RPUSH", patient.keys.values("ctx"), "rubbish")


@pytest.mark.parametrize(
    ("damage", "text", "cure"),
    [
        (break_schedule, "schedule 'nightly'", "upgrade this host"),
        (break_object, "object 'hero.task bad in ctx'", "restore it from an export"),
        (break_all_objects, "object 'hero.task * in ctx'", "restore it from an export"),
        (break_rights, "rights 'ctx'", "heroctl osis acl set"),
        (break_values, "values 'ctx'", "nothing of it can be read"),
    ],
)
def test_damaged_record_is_named_and_deleted(
    patient: Patient, damage: Callable[[Patient], None], text: str, cure: str
) -> None:
    damage(patient)
    ((area, said, advice),) = patient.complaints()
    assert area == "records"
    assert f"this host cannot read the {text}" in said
    assert cure in advice
    assert "heroctl doctor --delete-damaged" in advice

    assert patient.complaints("--delete-damaged") == []
    assert patient.complaints() == []
    assert (
        patient.tell("ZRANGEBYLEX", patient.keys.objects("hero.task", "ctx")[1], "[title:red bad", "[title:red bad")
        == []
    )


def test_damaged_job_is_named_and_deleted(patient: Patient) -> None:
    job = JobBuilder().caller_id("a").context_id("b").script_type(ScriptType.OSIS).script("1").build()
    patient.store.run(patient.operations.create(job))
    patient.tell("HSET", patient.keys.job(job.id), "timeout", "soon")

    ((area, said, cure),) = patient.complaints()
    assert (area, job.id in said, "heroctl delete ID" in cure) == ("jobs", True, True)

    assert patient.heroctl("delete", job.id).returncode == 0
    assert patient.complaints() == []


def test_queue_that_nobody_serves_is_named(patient: Patient) -> None:
    job = JobBuilder().caller_id("a").context_id("b").script_type(ScriptType.SAL).script("1").group("io").build()
    patient.store.run(patient.operations.create(job, start=True))

    ((area, said, cure),) = patient.complaints()
    assert (area, said) == ("actors", "1 jobs wait for an SAL actor of the group io, but none is up")
    assert 'type = "sal"' in cure

    assert patient.heroctl("stop", job.id).returncode == 0
    patient.heroctl("queue", "purge", "sal", "--group", "io", "--yes")
    assert patient.complaints() == []


@pytest.mark.parametrize("group", [None, "io"])
def test_paused_queue_is_named(patient: Patient, group: str | None) -> None:
    place = [] if group is None else ["--group", group]
    patient.store.run(patient.operations.admin.pause(ScriptType.OSIS, group))

    ((area, said, cure),) = patient.complaints()
    assert (area, f"the queue {'/'.join(['osis', *place[1:]])} is paused" in said) == ("jobs", True)
    assert cure == " ".join(["heroctl resume osis", *place])

    assert patient.heroctl(*cure.split()[1:]).returncode == 0
    assert patient.complaints() == []


def test_secret_that_is_not_percent_encoded_is_explained_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "hero.toml").write_text('[store]\nredis_url = "redis://:hid#den/pass@127.0.0.1:6379/0"\n')
    done = run_heroctl(
        [HEROCTL, "doctor"], capture_output=True, check=False, cwd=tmp_path, env=environment(""), text=True,
        timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 1
    assert "PROBLEM" in done.stdout
    assert "%23" in done.stdout, done.stdout
    assert not any(part in done.stdout + done.stderr for part in ("hid", "den", "pass@")), done.stdout


STUBBORN = """
import os, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
os.close(1)
while True:
    time.sleep(1)
"""


def test_processes_that_are_held_or_that_cannot_be_asked_to_end_are_named(
    tmp_path: Path, own_valkey: ValkeyServer
) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    needed = tmp_path / "needed"
    needed.touch()  # so that the short one is up when the service is asked whether all of them are
    actors = (
        f"[[actors]]\ntype = 'osis'\nname = 'stubborn'\ncommand = ['{sys.executable}', '{tmp_path}/stubborn.py']\n"
        "[[actors]]\ntype = 'sal'\nname = 'short'\nmax_restarts = 2\nbackoff_max_s = 1\n"
        f"command = ['/bin/sh', '-c', 'test -e {needed} && exec sleep 9999']\n"
    )
    deployment = Deployment(tmp_path, redis_url=own_valkey.url, actors=actors).start()
    try:
        (short,) = eventually(lambda: deployment.processes("sleep"), what="the short one runs")
        needed.unlink()
        with contextlib.suppress(psutil.NoSuchProcess):  # its shell may look for the file only now
            short.kill()

        def complaints(area: str) -> list[tuple[str, str]]:
            found = findings("--config", "hero.toml", cwd=tmp_path, url=own_valkey.url)
            return [(one["text"], one["cure"]) for one in found if one["level"] == "problem" and one["area"] == area]

        held = eventually(
            lambda: [one for one in complaints("actors") if "is held after" in one[0]], what="the short one is held"
        )
        assert "short-1" in held[0][0]
        assert "heroctl actors start short-1" in held[0][1]
        (stubborn,) = eventually(lambda: complaints("host"), what="the stubborn one is named")
        assert "stubborn-1 blocks SIGTERM, SIGHUP and has no standard output" in stubborn[0]
        assert "heroctl actors restart stubborn-1" in stubborn[1]
        needed.touch()
        eventually(lambda: not complaints("actors"), what="the hold has ended")
    finally:
        deployment.stop()


def test_doctor_itself_works_with_closed_streams_and_blocked_signals(patient: Patient) -> None:
    patient.store.run(patient.operations.admin.pause(ScriptType.OSIS))
    out = patient.folder / "out"

    def impair() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))

    command = f"exec {HEROCTL} doctor --namespace {patient.keys.namespace} >{out} 2>&- <&-"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=patient.folder, env=environment(patient.url), check=False, preexec_fn=impair,
        timeout=LIMIT_S,
    )  # fmt: skip
    assert "the queue osis is paused" in out.read_text()
    assert done.returncode == 0
