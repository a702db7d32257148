"""What the submitter of a job may name: jobs, batches and keys of its own, and only signed jobs where that is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hero_job import Job, JobInvalid, JobStatus
from hero_job.client.store import Store
from hero_job.model.errors import JobConflict
from hero_job.model.reach import Reach
from hero_job.model.signing import sign_job
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeJob
from tests.keypair import KeyPair

NewJob = Callable[..., Job]
MINE = Reach(caller_id="caller")
MINE_HERE = Reach(caller_id="caller", context_id="context")


@pytest.fixture
def new_job(make_job: MakeJob) -> NewJob:
    """Return a maker of jobs with any fields."""
    return lambda **fields: dataclasses.replace(make_job(), **fields)


@pytest.fixture
def owned(store: Store, operations: Operations, new_job: NewJob) -> dict[str, str]:
    """Created jobs of several owners, by a name for each."""
    whose: dict[str, dict[str, str]] = {
        "mine": {},
        "mine elsewhere": {"context_id": "other"},
        "another's": {"caller_id": "other"},
        "another's elsewhere": {"caller_id": "other", "context_id": "other"},
    }
    return {name: store.run(operations.create(new_job(**fields))) for name, fields in whose.items()}


@pytest.mark.parametrize("field", ["prerequisites", "dependents"])
@pytest.mark.parametrize(
    ("reach", "reached"),
    [
        (None, {"mine", "mine elsewhere", "another's", "another's elsewhere"}),
        (Reach(), {"mine", "mine elsewhere", "another's", "another's elsewhere"}),
        (MINE, {"mine", "mine elsewhere"}),
        (MINE_HERE, {"mine"}),
    ],
)
def test_a_job_may_name_only_jobs_in_reach_of_its_submitter(
    store: Store,
    operations: Operations,
    new_job: NewJob,
    owned: dict[str, str],
    field: str,
    reach: Reach | None,
    reached: set[str],
) -> None:
    for name, job_id in owned.items():
        create = operations.create(new_job(**{field: (job_id,)}), reach=reach)
        if name in reached:
            store.run(create)
        else:
            with pytest.raises(JobInvalid, match=job_id):
                store.run(create)


def test_what_a_foreign_program_has_written_belongs_to_whom_it_says(
    store: Store, operations: Operations, new_job: NewJob
) -> None:
    for job_id, caller in (("ours", "caller"), ("theirs", "other")):
        fields = ("callerId", caller, "contextId", "context", "status", "created", "script", "1", "scriptType", "osis")
        store.run(Op(("HSET", operations.keys.job(job_id), *fields), as_is))
    store.run(operations.create(new_job(prerequisites=("ours",)), reach=MINE_HERE))
    with pytest.raises(JobInvalid, match="there is no job with id 'theirs'"):
        store.run(operations.create(new_job(prerequisites=("theirs",)), reach=MINE_HERE))


def test_a_key_that_holds_no_job_is_out_of_reach(store: Store, operations: Operations, new_job: NewJob) -> None:
    store.run(Op(("SET", operations.keys.job("text"), "x"), as_is))
    with pytest.raises(JobInvalid, match="text"):
        store.run(operations.create(new_job(prerequisites=("text",)), reach=MINE))


def test_a_bound_submitter_has_a_space_of_its_own_for_its_keys(
    store: Store, operations: Operations, new_job: NewJob
) -> None:
    first = store.run(operations.create(new_job(unique_key="u"), start=True))
    mine = store.run(operations.create(new_job(unique_key="u"), start=True, reach=MINE))
    here = store.run(operations.create(new_job(unique_key="u"), start=True, reach=MINE_HERE))
    assert len({first, mine, here}) == 3
    assert store.run(operations.create(new_job(unique_key="u"), reach=MINE)) == mine
    assert store.run(operations.create(new_job(unique_key="u"), reach=Reach(caller_id="other"))) not in {first, mine}
    assert MINE.scoped(new_job(unique_key="u")).unique_key != "u"
    assert MINE.scoped(new_job()).unique_key is None
    assert Reach().scoped(new_job(unique_key="u")).unique_key == "u"


def test_the_holder_of_a_key_that_is_out_of_reach_is_not_named(
    store: Store, operations: Operations, new_job: NewJob
) -> None:
    scoped = MINE.scoped(new_job(unique_key="u")).unique_key
    foreign = store.run(operations.create(new_job(caller_id="other", unique_key=scoped)))
    assert store.run(operations.create(new_job(unique_key="u"), reach=MINE)) != foreign


def test_only_a_schedule_creates_an_id_that_ends_like_its_ticks(new_job: NewJob) -> None:
    tick = new_job(id=f"s@{datetime(2026, 1, 2, tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}")
    assert Reach().scoped(tick) is tick
    with pytest.raises(JobInvalid, match="tick"):
        MINE.scoped(tick)
    almost = new_job(id="s@2026-01-02T00:00:00Z-2")
    assert MINE.scoped(almost) is almost


def test_a_bound_submitter_joins_only_batches_of_its_own(store: Store, operations: Operations, new_job: NewJob) -> None:
    for batch, caller in (("mine", "caller"), ("theirs", "other")):
        store.run(Op(("HSET", operations.keys.batch(batch), "caller_id", caller, "open", 0), as_is))
    store.run(operations.create(new_job(batch="mine"), reach=MINE))
    store.run(operations.create(new_job(batch="theirs"), reach=Reach()))
    for batch in ("theirs", "unknown"):
        with pytest.raises(JobInvalid, match=f"there is no batch with id '{batch}'"):
            store.run(operations.create(new_job(batch=batch), reach=MINE))


class Signers:
    """Jobs with and without the signature of their caller."""

    def __init__(self, new_job: NewJob) -> None:
        self.new_job, self.pair = new_job, KeyPair(7)

    def job(self, signer: str, **fields: object) -> Job:
        job = self.new_job(caller_id=self.pair.public, **fields)
        if signer == "caller":
            return sign_job(job, self.pair.secret)
        return sign_job(job, KeyPair(8).secret) if signer == "another" else job


@pytest.mark.parametrize(("signer", "accepted"), [("caller", True), ("another", False), ("nobody", False)])
def test_where_inputs_must_be_signed_each_prerequisite_is_signed_by_its_caller(
    store: Store, operations: Operations, new_job: NewJob, signer: str, accepted: bool
) -> None:
    first = store.run(operations.create(Signers(new_job).job(signer)))
    create = operations.create(new_job(prerequisites=(first,)), reach=Reach(signed_inputs=True))
    if accepted:
        store.run(create)
    else:
        with pytest.raises(JobInvalid, match=f"'{first}' is not signed by its caller"):
            store.run(create)
    store.run(operations.create(new_job(prerequisites=(first,)), reach=Reach(guards_signed=True)))


@pytest.mark.parametrize("waits_signed", [True, False])
@pytest.mark.parametrize("signer", ["caller", "another", "nobody"])
def test_where_signed_jobs_are_guarded_only_a_signed_one_may_come_before_them(
    store: Store, operations: Operations, new_job: NewJob, signer: str, waits_signed: bool
) -> None:
    signers = Signers(new_job)
    waiting = store.run(operations.create(signers.job("caller" if waits_signed else "nobody")))
    create = operations.create(signers.job(signer, dependents=(waiting,)), reach=Reach(guards_signed=True))
    if signer == "caller" or not waits_signed:
        store.run(create)
    else:
        with pytest.raises(JobInvalid, match="only a signed job may come before"):
            store.run(create)
    store.run(operations.create(signers.job("nobody", dependents=(waiting,)), reach=Reach(signed_inputs=True)))


def test_a_refused_job_leaves_nothing_behind(store: Store, operations: Operations, new_job: NewJob) -> None:
    theirs = store.run(operations.create(new_job(caller_id="other")))
    before = set(store.run(Op(("KEYS", f"{operations.keys.prefix}*"), list)))
    with pytest.raises(JobInvalid):
        store.run(operations.create(new_job(id="new", prerequisites=(theirs,), unique_key="u"), reach=MINE))
    assert set(store.run(Op(("KEYS", f"{operations.keys.prefix}*"), list))) == before


def test_a_job_of_the_same_id_with_another_field_is_a_conflict_that_names_the_field(
    store: Store, operations: Operations, new_job: NewJob
) -> None:
    job = new_job(id="j", delay_s=5.0)
    store.run(operations.create(job, reach=MINE))
    assert store.run(operations.create(job, reach=MINE, start=True)) == "j"
    assert store.run(operations.status("j")) is JobStatus.SCHEDULED
    with pytest.raises(JobConflict, match="delay_s"):
        store.run(operations.create(new_job(id="j", delay_s=6.0), reach=MINE))
    with pytest.raises(JobConflict, match="delay_s"):
        store.run(operations.create(new_job(id="j")))


def test_a_job_that_is_sent_again_with_its_variables_in_another_order_is_the_same_job(
    store: Store, operations: Operations, new_job: NewJob
) -> None:
    store.run(operations.create(new_job(id="j", env_vars={"A": "1", "B": "2"})))

    assert store.run(operations.create(new_job(id="j", env_vars={"B": "2", "A": "1"}))) == "j"
    with pytest.raises(JobConflict, match="env_vars"):
        store.run(operations.create(new_job(id="j", env_vars={"A": "2", "B": "1"})))
