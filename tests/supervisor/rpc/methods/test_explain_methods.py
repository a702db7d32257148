"""Why a job does not run and what its attempts were, over each transport."""

from __future__ import annotations

import pytest

from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.supervisor.rpc.transports import Client, job


@pytest.fixture
def client(any_client: Client) -> Client:
    """Run every test of this module over each transport."""
    return any_client


def test_each_wait_is_explained_in_a_sentence_and_in_data(client: Client) -> None:
    created = client.call("create_job", job(id="created"))
    queued = client.call("create_job", job(id="queued"))
    delayed = client.call("create_job", job(id="delayed", delay_s=1000))
    blocked = client.call("create_job", job(id="blocked", prerequisites=[created]))
    for job_id in (queued, delayed, blocked):
        client.call("start_job", [job_id])

    found = {i: client.call("explain_job", [i]) for i in (created, queued, delayed, blocked)}

    reasons = {i: one["reason"] for i, one in found.items()}
    assert reasons == {
        created: "not_started", queued: "no_actor", delayed: "delayed", blocked: "prerequisites"
    }  # fmt: skip
    assert found[queued]["place"] == 1
    assert found[delayed]["due_at"].endswith("Z")
    assert found[blocked]["prerequisites"] == [{"job_id": created, "status": "created"}]
    assert all(one["text"].endswith(".") for one in found.values())
    client.call("pause_queue", ["SAL"])
    assert client.call("explain_job", [queued])["reason"] == "paused"
    assert client.call("get_job_attempts", [queued]) == []


@pytest.mark.parametrize("method", ["explain_job", "get_job_attempts"])
def test_an_unknown_job_is_an_error(client: Client, method: str) -> None:
    assert client.fail(method, ["nowhere"])["code"] == ErrorCode.JOB_NOT_FOUND
