"""Names that clients choose belong to their caller: attacks of one user on another, over every transport."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from hero_job import Job
from hero_job.client.store import Store
from hero_job.model.fields.job_field import ID, IDS, KEY, PATH, ROUTE
from hero_job.model.fields.names import RESERVED_WORDS
from hero_job.model.job import JOB_FIELDS
from hero_job.model.signing import sign_job
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedule
from hero_job.protocol.keys import KeyPart, Keys
from hero_job.protocol.op import Op, as_is, pairs
from hero_supervisor.rpc.protocol.wire import ErrorCode
from tests.keypair import KeyPair
from tests.security.conftest import Serve, Tenants
from tests.supervisor.rpc.transports import Client, job

ROOT = Path(__file__).parents[2]
CALLER = KeyPair(7)
#: What Bob writes into each field to reach what Alice has named there.
ATTACKS: dict[str, dict[str, Any]] = {
    "id": {"id": "a1"},
    "prerequisites": {"prerequisites": ["a1"]},
    "dependents": {"dependents": ["a1"]},
    "batch": {"batch": "ab"},
    "unique_key": {"unique_key": "k"},
    "concurrency_key": {"concurrency_key": "k"},
    "rate_key": {"rate_key": "k"},
    "group": {"group": "g"},
    "instance": {"group": "g", "instance": "i"},
    "log_path": {"log_path": "a.log"},
}


def own(**fields: Any) -> dict[str, Any]:
    """The fields of a job whose caller is that of its connection."""
    return job(caller_id=None, **fields)


def everything(store: Store, namespace: str) -> dict[str, object]:
    """What is stored under each key, apart from queues, events and the list of batches, which have entries of all."""
    keys = store.run(Op(("KEYS", f"{namespace}:*"), as_is))
    passing = tuple(f"{namespace}:{part}" for part in (KeyPart.QUEUE, KeyPart.EVENTS, KeyPart.BATCHES))
    readers = {"hash": ("HGETALL",), "set": ("SMEMBERS",), "string": ("GET",), "list": ("LRANGE", 0, -1)}
    found: dict[str, object] = {}
    for key in keys:
        if not key.startswith(passing):
            kind = store.run(Op(("TYPE", key), as_is))
            command, *arguments = readers[kind]
            found[key] = store.run(Op((str(command), key, *arguments), as_is))
    return found


def stored(store: Store, namespace: str, job_id: str) -> dict[str, str]:
    return dict(pairs(store.run(Op(("HGETALL", Keys(namespace).job(job_id)), as_is))))


def test_every_field_that_names_something_is_attacked_and_documented() -> None:
    page = (ROOT / "docs/security.md").read_text("utf-8")
    table = page[page.index("| field | whose space |") :].partition("\n\n")[0]
    rows = [row.split(" | ") for row in table.splitlines()[2:]]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    tests = [re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[-1]) for row in rows]
    missing = [
        name
        for path, name in itertools.chain.from_iterable(tests)
        if f"\ndef {name}(" not in (ROOT / path).read_text("utf-8")
    ]

    assert {field.name for field in JOB_FIELDS if field.kind in (ID, IDS, KEY, PATH, ROUTE)} == ATTACKS.keys()
    assert ATTACKS.keys() | {"caller_id", "context_id", "batch_id"} == named - {"require_signatures"}
    assert all(tests)
    assert missing == []


@pytest.mark.parametrize("field", ATTACKS)
def test_no_field_of_a_strangers_job_changes_what_a_caller_has(
    tenants: Tenants, store: Store, namespace: str, field: str
) -> None:
    keys = dict.fromkeys(("unique_key", "concurrency_key", "rate_key"), "k")
    tenants.alice.call("create_jobs", {"batch_id": "ab", "jobs": [own(id="a0"), own(id="a2")], "start": False})
    tenants.alice.call("create_job", own(id="a1", group="g", instance="i", log_path="a.log", **keys))
    before = everything(store, namespace)

    answers = [tenants.bob.ask("create_job", own(**{"id": "b1", **ATTACKS[field]}))]
    answers.append(tenants.bob.ask("create_jobs", {"jobs": [own(**{"id": "b2", **ATTACKS[field]})]}))

    after = everything(store, namespace)
    assert {key: after.get(key) for key in before} == before
    assert {answer.get("result") for answer in answers if isinstance(answer.get("result"), str)} <= {"b1"}


@pytest.mark.parametrize("field", ["prerequisites", "dependents", "batch"])
def test_a_user_names_its_own_and_nobody_elses(tenants: Tenants, field: str) -> None:
    tenants.alice.call("create_jobs", {"batch_id": "ab", "jobs": [own(id="a1")], "start": False})
    attack = ATTACKS[field]
    of_nobody = {field: "none" if field == "batch" else ["none"]}

    stranger = tenants.bob.fail("create_job", own(**attack))
    nobody = tenants.bob.fail("create_job", own(**of_nobody))
    tenants.alice.call("create_job", own(**attack))
    tenants.admin.call("create_job", job(**attack))

    assert stranger["code"] == nobody["code"] == ErrorCode.INVALID_PARAMS
    assert stranger["data"]["field"] == nobody["data"]["field"] == field


def test_run_job_with_a_dependent_of_a_stranger_runs_nothing(tenants: Tenants) -> None:
    tenants.alice.call("create_job", own(id="a1"))

    for method, params in (
        ("run_job", own(id="b1", dependents=["a1"])),
        ("jobs.create", {"job": {**own(id="b1", dependents=["a1"]), "executor": "sal"}}),
    ):
        assert tenants.bob.fail(method, params)["code"] == ErrorCode.INVALID_PARAMS
    assert tenants.bob.fail("get_job", ["b1"])["code"] == ErrorCode.JOB_NOT_FOUND
    assert tenants.alice.call("start_job", ["a1"]) == {"success": True}
    assert tenants.alice.call("get_job_status", ["a1"]) == "dispatched"


def test_a_unique_key_finds_only_jobs_of_its_own_caller(tenants: Tenants) -> None:
    ids = {}
    for name in ("alice", "bob", "admin"):
        client: Client = getattr(tenants, name)
        ids[name] = client.call("create_job", job(caller_id=None if name != "admin" else "ops", unique_key="k"))

    assert len(set(ids.values())) == 3
    assert tenants.alice.call("create_job", own(unique_key="k")) == ids["alice"]
    assert tenants.bob.call("create_job", own(unique_key="k")) == ids["bob"]
    assert tenants.admin.call("create_job", job(unique_key="k")) == ids["admin"]


def test_a_unique_key_does_not_lead_to_the_next_job_with_the_id_of_its_holder(tenants: Tenants) -> None:
    tenants.alice.call("create_job", own(id="x", unique_key="k", unique_for_s=3600))
    tenants.alice.call("delete_job", ["x"])
    tenants.bob.call("create_job", own(id="x"))

    assert tenants.alice.call("create_job", own(id="y", unique_key="k")) == "y"


@pytest.mark.parametrize("field", ["unique_key", "concurrency_key", "rate_key"])
def test_a_key_is_stored_in_the_space_of_its_caller_and_shown_without_it(
    tenants: Tenants, store: Store, namespace: str, field: str
) -> None:
    tenants.alice.call("create_job", own(id="a", **{field: "context:ca"}))
    tenants.bob.call("create_job", own(id="b", **{field: "context:ca"}))
    tenants.admin.call("create_job", job(id="c", **{field: "context:ca"}))
    taken = stored(store, namespace, "a")[field]
    tenants.bob.call("create_job", own(id="d", **{field: taken}))

    names = {job_id: stored(store, namespace, job_id)[field] for job_id in "abcd"}
    assert len(set(names.values())) == 4
    assert names["c"] == "context:ca"  # what an administrator and plain Redis programs write keeps its meaning
    assert [tenants.alice.call("get_job", [job_id])[field] for job_id in "abcd"] == ["context:ca"] * 3 + [taken]
    assert tenants.alice.call("create_job", own(id="a", **{field: "context:ca"})) == "a"  # sent again


def test_a_key_has_up_to_500_characters_for_everybody(tenants: Tenants) -> None:
    assert tenants.alice.call("create_job", own(id="a", rate_key="k" * 500)) == "a"
    assert tenants.alice.fail("create_job", own(rate_key="k" * 501))["data"]["field"] == "rate_key"


def test_a_batch_has_one_owner(tenants: Tenants) -> None:
    jobs = [own(), own()]
    tenants.bob.fail("create_job", own(batch="later"))  # it would make the count of a batch to come wrong
    tenants.alice.call("create_jobs", {"batch_id": "later", "jobs": jobs, "start": False})
    tenants.admin.call("create_jobs", {"batch_id": "of-admin", "jobs": [job(), job()], "start": False})

    for batch_id in ("later", "of-admin"):
        refused = tenants.bob.fail("create_jobs", {"batch_id": batch_id, "jobs": jobs})
        assert refused["code"] == ErrorCode.INVALID_PARAMS
        counts = tenants.alice.call("get_batch", [batch_id])
        assert (counts["total"], counts["open"], counts["finished"]) == (2, 2, 0)


@pytest.mark.parametrize("who", ["alice", "admin"])
def test_no_id_begins_like_a_key(tenants: Tenants, who: str) -> None:
    client: Client = getattr(tenants, who)
    for word in RESERVED_WORDS:
        for spelling in (word, word.upper(), word.capitalize()):
            for given in ("x", "", "osis"):
                refused = client.fail("create_job", own(id=f"{spelling}:{given}"))
                assert (refused["code"], refused["data"]["field"]) == (ErrorCode.INVALID_PARAMS, "id"), spelling
    made = client.call(
        "create_jobs",
        [[{**job(id=one), "caller_id": "ops" if who == "admin" else who} for one in ("batch:ab", "good:1")]],
    )
    assert (made["job_ids"], [one["id"] for one in made["refused"]]) == (["good:1"], ["batch:ab"])


def test_the_reserved_words_are_those_of_all_keys() -> None:
    keys = Keys("n")
    fixed = [part.value for part in KeyPart if not part.startswith(":")]
    # What follows the start of one key in a longer one: an id that begins so would spell the longer one.
    of_ids = [KeyPart.JOB, KeyPart.LOG, KeyPart.REPLY, KeyPart.DEPENDENTS]
    longer = {part[len(start) :] for start in of_ids for part in fixed if part.startswith(start) and part != start}
    words = {part.partition(":")[0] for part in (*fixed, *longer) if ":" in part}

    assert words <= RESERVED_WORDS
    assert {part.rstrip(":") for part in longer} <= RESERVED_WORDS
    assert keys.legacy("osis", "x")[0].startswith(keys.job("actor_queue:"))


@pytest.mark.parametrize("timing", [{"interval_s": 1}, {"cron": "0 3 * * *"}, {"cron": "*/5 * * * * *"}])
def test_nobody_else_creates_the_tick_of_a_schedule(tenants: Tenants, timing: dict[str, Any]) -> None:
    given = job(caller_id="ops", script="1")
    schedule = Schedule(name="nightly-2", job=given, **timing)
    tick = schedule.job_at(next(schedule.ticks_after(1_900_000_000)))

    for fields in (own(id=tick.id), own(id=tick.id, script="other"), own(id=f"x{tick.id}")):
        assert tenants.bob.fail("create_job", fields)["data"]["field"] == "id"
    assert tenants.bob.fail("create_jobs", [[own(id=tick.id)]])["data"]["field"] == "id"
    assert tenants.admin.call("create_job", {**given, "id": tick.id}) == tick.id


def test_schedules_are_the_administrators(tenants: Tenants) -> None:
    tenants.admin.call("create_schedule", {"name": "s", "job": job(), "interval_s": 3600})

    assert tenants.bob.fail("delete_schedule", ["s"])["code"] == ErrorCode.FORBIDDEN
    replaced = {"name": "s", "job": own(), "interval_s": 3600}
    assert tenants.bob.fail("create_schedule", replaced)["code"] == ErrorCode.FORBIDDEN


def test_generated_ids_cannot_be_guessed(tenants: Tenants) -> None:
    ids = [tenants.alice.call("create_job", own()) for _ in range(20)]
    batches = [tenants.alice.call("create_jobs", [[own()]])["batch_id"] for _ in range(20)]

    # Random UUIDs: each position that may vary does so, and nothing grows.
    for given in (ids, batches):
        assert {one[14] for one in given} == {"4"}
        varying = [n for n in range(36) if n not in (8, 13, 14, 18, 19, 23)]
        assert all(len({one[n] for one in given}) > 1 for n in varying)
        assert sorted(given) != given


def signed(**fields: Any) -> dict[str, Any]:
    """A job that its caller has signed."""
    given = job(caller_id=CALLER.public, timeout=30, **fields)
    made = sign_job(Job.from_fields(given), CALLER.secret)
    return {**given, "signatures": [dataclasses.asdict(one) for one in made.signatures]}


def test_a_context_that_requires_signatures_takes_outputs_of_signed_jobs_only(serve: Serve) -> None:
    tenants = serve(require_signatures=["vault*"])
    admin = tenants.admin
    admin.call("create_job", job(id="unsigned", caller_id=CALLER.public))
    admin.call("create_job", signed(id="signed", context_id="free"))
    by_another = {**signed(id="by-another", context_id="free"), "caller_id": KeyPair(8).public}
    by_another["signatures"] = signed_by_first(by_another)
    admin.call("create_job", by_another)

    for bad in ("unsigned", "by-another"):
        refused = admin.fail("create_job", signed(context_id="vault", id=f"after-{bad}", prerequisites=[bad]))
        assert (refused["code"], refused["data"]["field"]) == (ErrorCode.INVALID_PARAMS, "prerequisites")
    admin.call("create_job", signed(context_id="vault", id="v1", prerequisites=["signed"]))

    refused = admin.fail("create_job", job(id="b1", dependents=["v1"]))
    assert (refused["code"], refused["data"]["field"]) == (ErrorCode.INVALID_PARAMS, "dependents")
    assert tenants.bob.fail("create_job", own(id="b1", dependents=["v1"]))["data"]["field"] == "dependents"
    schedule = {"name": "s", "job": job(dependents=["v1"]), "interval_s": 3600}
    assert admin.fail("create_schedule", schedule)["code"] == ErrorCode.SIGNATURE_REFUSED
    assert admin.call("create_job", signed(id="v0", context_id="free", dependents=["v1"])) == "v0"


def test_a_signature_covers_the_key_that_the_caller_chose(tenants: Tenants) -> None:
    given = signed(id="j", unique_key="k", rate_key="r")

    assert tenants.admin.call("create_job", given) == "j"
    shown = tenants.admin.call("get_job", ["j"])
    assert (shown["signatures"], shown["unique_key"]) == (given["signatures"], "k")


def signed_by_first(fields: dict[str, Any]) -> list[dict[str, str]]:
    """Signatures of the first key for a job of another caller."""
    plain = {name: value for name, value in fields.items() if name != "signatures"}
    return [dataclasses.asdict(one) for one in sign_job(Job.from_fields(plain), CALLER.secret).signatures]


def test_programs_that_use_redis_themselves_name_everything(store: Store, operations: Operations) -> None:
    def make(job_id: str, **fields: Any) -> Job:
        return Job.from_fields(job(id=job_id, **fields))

    store.run(operations.create(make("a", caller_id="alice")))
    store.run(operations.create(make("b", dependents=["a"], prerequisites=[], unique_key="k")))

    assert store.run(operations.create(make("c", unique_key="k"))) == "b"
    assert store.run(operations.create(make("s@2030-01-01T00:00:00Z"))) == "s@2030-01-01T00:00:00Z"
