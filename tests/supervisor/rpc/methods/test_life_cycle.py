"""The methods on jobs, batches, queues and schedules, in front of a whole service with real actors."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from hero_job import JobBuilder, ScriptType
from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorEntry, ActorOperations
from hero_job.operations.schedules import Schedule
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.deployment import Deployment
from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.rpc.raw_client import RawClient
from tests.supervisor.rpc.transports import Client, job

LOOP = "loop { sleep(0.05) }"


def new_id() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def paused(service: Client) -> Iterator[None]:
    """Pause the queue of V, which no actor serves anyway, so that no job of it moves during the test."""
    yield
    service.call("resume_queue", ["V"])


def test_a_running_job_is_stopped_and_says_so(service: Client) -> None:
    job_id = service.call("create_job", job(script=LOOP))
    service.call("start_job", [job_id])
    eventually(lambda: service.call("get_job_status", [job_id]) == "started")

    status = service.call("stop_job", [job_id])
    ended = eventually(lambda: "error" in service.ask("get_job_output", [job_id]))

    assert status == "stopping"
    assert ended
    assert service.call("get_job_status", [job_id]) == "stopped"
    assert service.fail("get_job_output", [job_id])["data"]["kind"] == "stopped"


def test_a_stop_that_comes_late_leaves_the_result(service: Client) -> None:
    job_id = new_id()
    service.call("run_job", {"job": job(id=job_id)})

    assert service.call("stop_job", [job_id]) == "finished"
    assert service.call("get_job_output", [job_id]) == "42"


def test_a_stopped_job_runs_again_when_retried_and_a_finished_one_does_not(service: Client) -> None:
    job_id = service.call("create_job", job())
    assert service.call("stop_job", [job_id]) == "stopped"

    assert service.call("retry_job", [job_id]) == {"success": True}
    output = eventually(lambda: service.call("get_job_output", [job_id]))
    error = service.fail("retry_job", [job_id])

    assert output == "42"
    assert (error["code"], error["data"]["status"]) == (ErrorCode.JOB_STATE, "finished")
    assert "stopped" in error["data"]["hint"]


@pytest.mark.parametrize("method", ["stop_job", "retry_job", "get_job_logs", "job.start", "job.status", "job.result"])
def test_an_unknown_job_has_its_own_error(service: Client, method: str) -> None:
    error = service.fail(method, {"job_id": "nowhere"})

    assert (error["code"], error["data"]["kind"]) == (ErrorCode.JOB_NOT_FOUND, "job_not_found")


def test_a_log_is_read_from_cursor_to_cursor_also_while_the_job_runs(service: Client) -> None:
    job_id = service.call("create_job", job(script=f'for n in 0..5 {{ print("line " + n) }} {LOOP}'))
    assert service.call("get_job_logs", [job_id]) == {"lines": [], "cursor": ""}
    service.call("start_job", [job_id])
    eventually(lambda: len(service.call("get_job_logs", [job_id])["lines"]) == 5)

    first = service.call("get_job_logs", {"job_id": job_id, "count": 2})
    rest = service.call("get_job_logs", [job_id, first["cursor"]])
    none = service.call("get_job_logs", [job_id, rest["cursor"]])
    service.call("stop_job", [job_id])

    assert [line["text"] for line in first["lines"] + rest["lines"]] == [f"line {n}" for n in range(5)]
    assert {line["level"] for line in first["lines"]} == {"info"}
    assert first["lines"][0]["at"].endswith("Z")
    assert none == {"lines": [], "cursor": rest["cursor"]}


def test_an_invalid_cursor_is_refused(service: Client) -> None:
    assert service.fail("get_job_logs", ["j", "yesterday"])["code"] == ErrorCode.INVALID_PARAMS


def listed(service: Client, **filters: Any) -> set[str]:
    found: set[str] = set()
    cursor = ""
    while True:
        page = service.call("list_jobs", {"cursor": cursor, "count": 3, **filters})
        found |= {record["id"] for record in page["jobs"]}
        cursor = page["cursor"]
        if not cursor:
            return found


def test_jobs_are_filtered_page_by_page(service: Client) -> None:
    caller = new_id()
    ids = [service.call("create_job", job(caller_id=caller)) for _ in range(4)]
    other = service.call("create_job", job(caller_id=caller, context_id="elsewhere", script_type="OSIS"))
    service.call("stop_job", [ids[0]])
    created_at = service.call("get_job", [other])["created_at"]

    assert listed(service, caller_id=caller) == {*ids, other}
    assert listed(service, caller_id=caller, status="stopped") == {ids[0]}
    assert listed(service, caller_id=caller, script_type="osis") == {other}
    assert listed(service, caller_id=caller, context_id="elsewhere") == {other}
    assert other in listed(service, caller_id=caller, created_after=created_at)
    assert other not in listed(service, caller_id=caller, created_before=created_at)
    assert listed(service, caller_id="nobody") == set()


@pytest.mark.parametrize("filters", [{"status": "asleep"}, {"script_type": "lua"}, {"created_after": "yesterday"}])
def test_an_invalid_filter_is_refused_by_name(service: Client, filters: dict[str, str]) -> None:
    error = service.fail("list_jobs", filters)

    assert (error["code"], error["data"]["field"]) == (ErrorCode.INVALID_PARAMS, *filters)


def test_options_of_a_job_are_accepted_and_obeyed(service: Client) -> None:
    first, second = new_id(), new_id()
    service.call("create_job", job(id=first, delay_s=1, priority="high", retries=2, expires_s=60, unique_key=first))
    service.call("create_job", job(id=second, prerequisites=[first], script=f'PREREQUISITES["{first}"] + "!"'))
    service.call("start_job", [second])
    service.call("start_job", [first])

    statuses = service.call("get_job_status", [first]), service.call("get_job_status", [second])
    waited = service.call("wait_jobs", [[first, second], None, 100])

    assert statuses == ("scheduled", "waiting_for_prerequisites")
    assert [end["output"] for end in waited["jobs"]] == ["42", "42!"]
    record = service.call("get_job", [first])
    shown = {name: record[name] for name in ("priority", "delay_s", "retries", "expires_s", "unique_key")}
    assert shown == {"priority": "high", "delay_s": 1, "retries": 2, "expires_s": 60, "unique_key": first}


def test_a_second_job_with_a_concurrency_key_waits_for_the_first(service: Client) -> None:
    key = new_id()

    first = service.call("create_job", job(unique_key=key, script='"of the first"'))
    second = service.call("create_job", job(unique_key=key))
    service.call("start_job", [first])

    assert second == first
    assert service.call("run_job", {"job": job(unique_key=new_id())}) == "42"


def test_run_job_with_a_taken_unique_key_returns_the_output_of_the_job_that_has_it(service: Client) -> None:
    key = new_id()
    first = service.call("create_job", job(unique_key=key, script='"of the first"', delay_s=1))
    service.call("start_job", [first])

    assert service.call("run_job", {"job": job(unique_key=key)}) == "of the first"


def test_a_batch_lists_the_refused_jobs_and_creates_the_others(service: Client) -> None:
    taken, good, bad, lonely = new_id(), new_id(), new_id(), new_id()
    service.call("create_job", job(id=taken, script="something else"))

    made = service.call(
        "create_jobs",
        [[job(id=good), job(id=bad, script_type="lua"), job(id=taken), job(id=lonely, prerequisites=[bad])]],
    )
    waited = service.call("wait_jobs", {"batch_id": made["batch_id"], "timeout": 100})

    assert made["job_ids"] == [good]
    refused = {one["id"]: (one["index"], one["error"]["code"]) for one in made["refused"]}
    assert refused == {
        bad: (1, ErrorCode.INVALID_PARAMS),
        taken: (2, ErrorCode.JOB_CONFLICT),
        lonely: (3, ErrorCode.INVALID_PARAMS),
    }
    assert waited["done"]
    assert (waited["batch"]["total"], waited["batch"]["finished"]) == (1, 1)
    assert service.call("get_batch", [made["batch_id"]]) == waited["batch"]


def test_a_batch_whose_jobs_are_all_refused_is_not_created(service: Client) -> None:
    made = service.call("create_jobs", [[job(script_type="lua")]])
    error = service.fail("create_jobs", [[]])

    assert (made["batch_id"], made["job_ids"], len(made["refused"])) == (None, [], 1)
    assert error["data"]["field"] == "jobs"


def test_run_jobs_returns_each_output_or_error_in_the_order_given(service: Client) -> None:
    jobs = [job(script=str(n)) for n in range(200)]
    jobs[7] = job(script="nowhere + 1", id=new_id())

    ran = service.call("run_jobs", {"jobs": jobs, "timeout": 100})

    assert ran["done"]
    assert len(ran["jobs"]) == 200
    assert [end["output"] for end in ran["jobs"][:7]] == [str(n) for n in range(7)]
    failed = ran["jobs"][7]
    assert (failed["job_id"], failed["status"], failed["output"]) == (jobs[7]["id"], "error", None)
    assert failed["error"]["code"] == ErrorCode.JOB_FAILED
    assert failed["error"]["data"]["line"] == 1


def test_a_wait_that_times_out_lists_the_jobs_that_go_on(service: Client) -> None:
    for timeout in (0.5, 5.0, 50.0):  # a slow machine may not have run the first job so soon
        ran = service.call("run_jobs", {"jobs": [job(), job(script=LOOP)], "timeout": timeout})
        done, going_on = ran["jobs"]
        batch = service.call("wait_jobs", {"batch_id": ran["batch_id"], "timeout": 0})
        service.call("stop_job", [going_on["job_id"]])
        if (done["status"], going_on["status"]) == ("finished", "started"):
            break

    assert not ran["done"]
    assert (done["output"], going_on["status"], going_on["error"]) == ("42", "started", None)
    assert (batch["done"], batch["batch"]["open"]) == (False, 1)
    again = service.call("wait_jobs", [[end["job_id"] for end in ran["jobs"]]])
    assert [end["status"] for end in again["jobs"]] == ["finished", "stopped"]


def test_a_wait_for_an_unknown_job_or_batch_is_an_error(service: Client) -> None:
    job_id = new_id()
    service.call("run_job", {"job": job(id=job_id)})

    waited = service.call("wait_jobs", [[job_id, "nowhere"]])
    errors = [service.fail("wait_jobs", {"batch_id": "nowhere"}), service.fail("get_batch", ["nowhere"])]

    assert waited["done"]
    assert waited["jobs"][1]["error"]["code"] == ErrorCode.JOB_NOT_FOUND
    assert {error["code"] for error in errors} == {ErrorCode.BATCH_NOT_FOUND}
    assert service.fail("wait_jobs", {})["data"]["field"] == "job_ids"


def test_a_wait_does_not_delay_other_requests_of_its_connection(deployment: Deployment, service: Client) -> None:
    job_id = service.call("create_job", job())
    with RawClient(deployment.socket) as waiting:
        answer: list[Any] = []
        thread = threading.Thread(target=lambda: answer.append(waiting.call("wait_jobs", [[job_id]])))
        thread.start()
        service.call("start_job", [job_id])
        thread.join()

    assert answer[0]["jobs"][0]["output"] == "42"


def test_dead_letters_are_listed_with_their_reason_retried_and_purged(service: Client) -> None:
    service.call("purge_dead")
    caller = new_id()
    for _ in range(2):
        service.fail("run_job", {"job": job(caller_id=caller, script="nowhere")})
    dead = eventually(lambda: (found := service.call("list_dead"))["total"] == 2 and found)

    assert {one["caller_id"] for one in dead["dead"]} == {caller}
    assert all("nowhere" in one["error"] and one["error_kind"] for one in dead["dead"])
    assert len(service.call("list_dead", [1, 10])["dead"]) == 1
    assert service.call("stats")["dead"] == 2
    assert service.call("retry_dead")["retried"] >= 2
    eventually(lambda: service.call("list_dead")["total"] == 2, what="they failed again")
    assert service.call("purge_dead") == {"purged": 2}
    assert service.call("list_dead") == {"dead": [], "total": 0}
    assert listed(service, caller_id=caller) == set()


@pytest.mark.usefixtures("paused")
def test_a_paused_queue_keeps_new_jobs_until_it_is_resumed(service: Client) -> None:
    before = service.call("resume_queue", ["v"])
    since = service.call("pause_queue", ["V"])
    again = service.call("pause_queue", {"script_type": "v"})
    service.call("start_job", [service.call("create_job", job(script_type="V"))])
    (listed_queue,) = [q for q in service.call("list_queues") if q["script_type"] == "V"]
    after = service.call("resume_queue", ["V"])

    assert before["paused_since"] is None
    assert since["paused_since"] == again["paused_since"] == listed_queue["paused_since"]
    assert listed_queue["waiting"] == after["waiting"] == before["waiting"] + 1
    assert after["paused_since"] is None


def test_an_invalid_queue_is_refused_by_the_wrong_field(service: Client) -> None:
    errors = [
        service.fail("pause_queue", ["lua"]),
        service.fail("pause_queue", {"script_type": "V", "instance": "1"}),
        service.fail("pause_queue", {"script_type": "V", "group": "a:b"}),
    ]

    assert [error["data"]["field"] for error in errors] == ["script_type", "instance", "group"]


def test_queues_of_groups_are_listed_while_an_actor_serves_them(client: Client, store: Store, namespace: str) -> None:
    entry = ActorEntry(
        incarnation="sal-1", name="sal", script_type=ScriptType.SAL, host="here", pid=1, lanes=2, engine="rhai",
        engine_version="1", group="blue", instance="1",
    )  # fmt: skip
    store.run(ActorOperations(entry, namespace, lease_s=60).join())

    queues = client.call("list_queues")
    counts = client.call("stats")["actors"]

    named = [(q["script_type"], q["group"], q["instance"]) for q in queues]
    assert named == [
        ("OSIS", None, None), ("SAL", None, None), ("SAL", "blue", None), ("SAL", "blue", "1"), ("V", None, None),
        ("Python", None, None),
    ]  # fmt: skip
    assert (counts["alive"], counts["lanes"]) == (1, 2)


def test_a_schedule_runs_its_job_repeatedly_until_deleted(service: Client) -> None:
    caller = new_id()
    made = service.call(
        "create_schedule", {"name": "often", "job": job(caller_id=caller), "interval_s": 1, "missed": "skip"}
    )
    eventually(lambda: len(listed(service, caller_id=caller)) >= 2, what="two ticks have come")
    names = [schedule["name"] for schedule in service.call("list_schedules")]

    assert made["next_at"].endswith("Z")
    assert "often" in names
    assert service.call("delete_schedule", ["often"]) is None
    assert service.fail("delete_schedule", ["often"])["code"] == ErrorCode.SCHEDULE_NOT_FOUND
    assert all(job_id.startswith("often@") for job_id in listed(service, caller_id=caller))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "cron"),
        ({"cron": "* * * * *", "interval_s": 5}, "cron"),
        ({"cron": "every day"}, "cron"),
        ({"cron": "* * * * *", "tz": "Mars/Base"}, "tz"),
        ({"interval_s": 5, "overlap": "maybe"}, "overlap"),
        ({"interval_s": 5, "job": {"script": "1"}}, "caller_id"),
        ({"interval_s": 5, "job": {**job(), "id": "x"}}, "job"),
        ({"interval_s": 5, "job": {**job(), "timeout": 1e9}}, "timeout"),
    ],
)
def test_an_invalid_schedule_is_refused_by_the_wrong_field(service: Client, given: dict[str, Any], field: str) -> None:
    error = service.fail("create_schedule", {"name": "never", "job": job(), **given})

    assert (error["code"], error["data"]["field"]) == (ErrorCode.INVALID_PARAMS, field)
    assert "never" not in [schedule["name"] for schedule in service.call("list_schedules")]


def test_all_jobs_are_deleted_except_those_that_run(client: Client, foreign_actor: Any) -> None:
    actor = foreign_actor("sal")
    actor.may_finish.clear()
    running = client.call("create_job", job())
    client.call("start_job", [running])
    assert actor.held.wait(GENEROUS_S)
    for _ in range(700):
        client.call("create_job", job())

    cleared = client.call("clear_all_jobs")
    # While it runs: what a third-party actor has ended is listed only after a supervisor has seen it.
    left = [record["id"] for record in client.call("list_jobs", {"count": 1000})["jobs"]]
    actor.may_finish.set()

    assert cleared == {"deleted": 700, "running": 1}
    assert left == [running]


def test_api_and_rpc_see_the_same_schedule(service: Client, deployment: Deployment) -> None:
    with deployment.supervisor() as supervisor:
        first_ms = supervisor.put_schedule(Schedule(name="shared", job=job(), cron="0 3 * * *"))
        (shown,) = [one for one in service.call("list_schedules") if one["name"] == "shared"]
        names = [schedule.name for schedule in supervisor.list_schedules()]
        deleted = supervisor.delete_schedule("shared"), supervisor.delete_schedule("shared")

    assert first_ms > time.time() * 1000
    assert shown["cron"] == "0 3 * * *"
    assert "shared" in names
    assert deleted == (True, False)


def test_api_returns_the_output_of_the_job_that_has_the_unique_key(deployment: Deployment) -> None:
    key = new_id()
    builder = JobBuilder().caller_id("a").context_id("b").script_type("sal").unique(key)
    with deployment.supervisor() as supervisor:
        first = supervisor.submit_job(builder.script('"first"').delay(1).build())
        output = supervisor.run_job_and_await_result(builder.id(new_id()).script('"second"').build(), GENEROUS_S)
        assert supervisor.get_job(first).job.unique_key == key

    assert output == "first"
