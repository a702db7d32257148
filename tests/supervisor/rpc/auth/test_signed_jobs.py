"""Signed jobs: every method verifies them, the configuration can require them, and scripts see the signatories."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from hero_job import Job
from hero_job.model.signing import sign_job
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.keypair import KeyPair
from tests.supervisor.rpc.auth.test_rights import runner_job
from tests.supervisor.rpc.raw_client import RawClient, job
from tests.supervisor.rpc.running_server import RunningServer
from tests.valkey_server import ValkeyServer

ALICE, BOB = KeyPair(7), KeyPair(8)


def signed(*keys: KeyPair, **fields: Any) -> dict[str, Any]:
    """A job of Alice with signatures of the keys, as a client sends it."""
    given = {"id": "j1", "caller_id": ALICE.public, "timeout": 30, **fields}
    made = Job.from_fields(job(**given))
    for key in keys:
        made = sign_job(made, key.secret)
    return {**job(**given), "signatures": [dataclasses.asdict(one) for one in made.signatures]}


def forged(**fields: Any) -> dict[str, Any]:
    """A job that was changed after Alice had signed it."""
    return {**signed(ALICE, **fields), "script": "evil"}


@pytest.fixture
def start(valkey: ValkeyServer, namespace: str, socket_path: Path) -> Iterator[Callable[..., RawClient]]:
    opened: list[Any] = []

    def serve(**settings: Any) -> RawClient:
        server = RunningServer(valkey.url, namespace, socket_path, **settings).start()
        opened.append((server, client := RawClient(server.path)))
        return client

    yield serve
    for server, client in opened:
        client.close()
        server.stop()


FORGED: list[tuple[str, Any]] = [
    ("create_job", [forged()]),
    ("create_job", forged()),
    ("run_job", {"job": forged()}),
    ("create_jobs", [[signed(ALICE, id="j2"), forged()]]),
    ("run_jobs", [[forged()]]),
    ("jobs.create", {"job": runner_job(signatures=forged()["signatures"])}),
    ("job.run", {"job": runner_job(signatures=forged()["signatures"])}),
]


@pytest.mark.parametrize(("method", "params"), FORGED, ids=[f"{m}-{i}" for i, (m, _) in enumerate(FORGED)])
def test_every_method_refuses_a_job_with_a_wrong_signature(
    client: RawClient, caplog: pytest.LogCaptureFixture, method: str, params: Any
) -> None:
    with caplog.at_level(logging.WARNING):
        refused = client.fail(method, params)

    assert (refused["code"], refused["data"]["kind"]) == (ErrorCode.SIGNATURE_REFUSED, "signature_wrong")
    assert refused["data"]["public_key"] == ALICE.public
    assert client.call("list_jobs")["jobs"] == []
    assert [vars(r)["what"] for r in caplog.records if r.message == "rpc.refused"] == ["signature_wrong"]


def test_a_good_signature_is_stored_with_the_job(client: RawClient) -> None:
    given = signed(ALICE, BOB, env_vars={"B": "2", "A": "1"}, retries=1)

    assert client.call("create_job", [given]) == "j1"
    assert client.call("get_job", ["j1"])["signatures"] == given["signatures"]
    assert client.call("create_job", [given]) == "j1"  # the same job again is the same job
    assert client.fail("create_job", [{**given, "signatures": []}])["code"] == ErrorCode.JOB_CONFLICT


def test_a_batch_of_signed_jobs_is_created(client: RawClient) -> None:
    made = client.call("create_jobs", [[signed(ALICE, id=f"j{n}") for n in range(40)]])

    assert len(made["job_ids"]) == 40
    assert made["refused"] == []


def test_a_job_of_the_other_rust_supervisor_is_signed_over_our_form_of_it(client: RawClient) -> None:
    theirs = runner_job(caller_id=ALICE.public)
    ours = {"id": "j9", "context_id": "site-1", "script": theirs["payload"], "script_type": "sal", "timeout": 9}

    assert client.call("jobs.create", {"job": {**theirs, "signatures": signed(ALICE, **ours)["signatures"]}}) == "j9"


def test_where_signatures_are_required_the_caller_must_have_signed(start: Callable[..., RawClient]) -> None:
    client = start(require_signatures=["02d*"])
    unsigned = client.fail("create_job", [job(caller_id=ALICE.public)])
    by_another = client.fail("create_job", [signed(BOB)])
    no_key = client.fail("create_job", [job()])
    elsewhere = client.call("create_job", [job(id="j3", context_id="free")])
    by_caller = client.call("create_job", [signed(BOB, ALICE)])
    uncompressed = client.call("create_job", [signed(ALICE, id="j2", caller_id=ALICE.uncompressed)])

    errors = [unsigned, by_another, no_key]
    assert {(e["code"], e["data"]["kind"]) for e in errors} == {(ErrorCode.SIGNATURE_REFUSED, "signature_missing")}
    assert (elsewhere, by_caller, uncompressed) == ("j3", "j1", "j2")


def test_a_schedule_is_refused_in_a_context_that_requires_signatures(start: Callable[..., RawClient]) -> None:
    client = start(require_signatures=["02def"])
    plain = {"name": "s", "job": job(), "interval_s": 60}
    with_signature = {name: v for name, v in signed(ALICE, context_id="free").items() if name != "id"}

    assert client.fail("create_schedule", plain)["data"]["kind"] == "signature_of_schedule"
    assert client.fail("create_schedule", {**plain, "job": with_signature})["data"]["kind"] == "signature_of_schedule"
    assert client.call("create_schedule", {**plain, "job": job(context_id="free")})["name"] == "s"


@pytest.mark.parametrize("script_type", ["OSIS", "SAL"])
def test_a_script_sees_who_has_signed_its_job(service: RawClient, script_type: str) -> None:
    script = "fn signers() { SIGNATORIES } signers()"
    fields = {"script": script, "script_type": script_type, "id": f"signed-{script_type}"}
    output = service.call("run_job", {"job": signed(ALICE, BOB, **fields)})
    unsigned = service.call("run_job", {"job": job(script=script, script_type=script_type)})

    assert orjson.loads(output) == [ALICE.public, BOB.public]
    assert unsigned == "[]"


def test_a_job_that_is_run_again_after_a_failure_still_has_its_signatories(service: RawClient) -> None:
    script = "if SIGNATORIES.len() == 1 { throw SIGNATORIES[0] } else { throw `none` }"
    error = service.fail("run_job", {"job": signed(ALICE, script=script, id="signed-twice")})
    service.call("retry_job", ["signed-twice"])
    again = service.call("wait_jobs", [["signed-twice"]])["jobs"][0]["error"]

    assert ALICE.public in error["data"]["message"]
    assert ALICE.public in str(again)
