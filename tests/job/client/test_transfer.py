"""Export and import: the copy is complete; an incomplete file and a namespace in use are refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from hero_job import JobStatus, ScriptType
from hero_job.client.store import Store
from hero_job.client.transfer import export_lines, import_lines
from hero_job.model.errors import ExportInvalid, NamespaceInUse
from hero_job.operations.actor_operations import ActorEntry, ActorOperations, Recoveries
from hero_job.operations.batches import create_jobs
from hero_job.operations.operations import Operations
from hero_job.operations.schedules import Schedule, Schedules
from hero_job.protocol.op import Op, as_is
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.job.steps import submit
from tests.valkey_server import ValkeyServer


@pytest.fixture
def other(own_valkey: ValkeyServer) -> Iterator[Store]:
    """The server to import into."""
    with Store(own_valkey.url) as store:
        yield store


def gone(store: Store, actor: ActorOperations) -> None:
    """End the presence of an incarnation, as happens some seconds after the end of its process."""
    store.run(Op(("DEL", actor.keys.actor(actor.entry.incarnation)), as_is))


def contents(lines: Iterator[str]) -> list[dict[str, object]]:
    parsed = [json.loads(line) for line in lines][1:-1]
    for line in parsed:
        # Time passes between two exports.
        line.pop("expires_at_ms", None)
    return sorted(parsed, key=lambda line: (line["key"], json.dumps(line["value"])))


def lane_in(store: Store, namespace: str, incarnation: str) -> Lane:
    entry = ActorEntry(
        incarnation=incarnation, name="osis", script_type=ScriptType.OSIS, host="there", pid=1, lanes=1, engine="rhai",
        engine_version="1",
    )  # fmt: skip
    actor = ActorOperations(entry, namespace, lease_s=60)
    assert store.run(actor.join())
    return Lane(store, actor)


def test_waiting_running_and_ended_jobs_are_all_on_the_other_server(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, namespace: str, other: Store
) -> None:
    actor = make_actor()
    lane = Lane(store, actor)
    finished, failed, running = (submit(store, operations, make_job) for _ in range(3))
    first, second, _ = lane.claim()
    store.run(actor.write_log(0, first, [("info", "printed")]))
    lane.finish(first, output="out")
    lane.fail(second)
    queued = [submit(store, operations, make_job, script=f'{n}; "ü"') for n in range(3)]
    later = submit(store, operations, make_job, delay=3600)
    waiting = submit(store, operations, make_job, prerequisites=[queued[0], finished])
    created = store.run(operations.create(make_job()))
    batch = store.drive(create_jobs(operations, [make_job() for _ in range(4)]))
    place = submit(store, operations, make_job, concurrency="k")
    in_line = submit(store, operations, make_job, concurrency="k")
    store.run(operations.admin.pause(ScriptType.SAL))
    store.run(Op(("HSET", operations.keys.job(queued[2]), "theirs", b"\xff\x00bytes"), as_is))
    schedule = Schedule(
        name="nightly",
        job={"caller_id": "a", "context_id": "b", "script": "1", "script_type": "osis"},
        cron="0 3 * * *",
    )
    store.run(Schedules(namespace).put(schedule, 4_000_000_000_000))
    gone(store, actor)

    lines = list(export_lines(store, namespace))
    count = import_lines(other, namespace, lines)

    assert count == len({json.loads(line)["key"] for line in lines[1:-1]})
    assert contents(export_lines(other, namespace)) == contents(export_lines(store, namespace))
    assert other.run(operations.output(finished)) == "out"
    assert [line.text for line in other.run(operations.log(finished))] == ["printed"]
    assert other.run(operations.record(failed)).status is JobStatus.ERROR
    assert [letter.job_id for letter in other.run(operations.admin.dead())] == [failed]
    assert other.run(operations.record(later)).status is JobStatus.SCHEDULED
    assert other.run(Op(("HGET", operations.keys.job(queued[2]), "theirs"), as_is)) == "\udcff\x00bytes"
    assert other.run(operations.admin.queue(ScriptType.SAL)).paused_since is not None
    assert [s.name for s in other.run(Schedules(namespace).list())] == ["nightly"]

    # The old incarnation has no presence there: a supervisor hands back its jobs, and all open jobs run.
    recoveries = Recoveries(namespace)
    assert other.drive(recoveries.expired())[1] == [actor.entry.incarnation]
    other.run(recoveries.recover(actor.entry.incarnation, proven_dead=False))
    other.run(operations.start(created))
    ran = lane_in(other, namespace, "new").work_off()
    assert sorted(ran) == sorted([running, *queued, waiting, created, *batch.job_ids, place, in_line])
    assert ran[0] == running
    assert other.wait_batch(operations, batch.batch_id, 5).finished == 4


def test_long_lists_and_streams_are_copied_completely_and_in_order(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, namespace: str, other: Store
) -> None:
    created = store.drive(create_jobs(operations, [make_job() for _ in range(1203)]))

    import_lines(other, namespace, list(export_lines(store, namespace)))

    assert lane_in(other, namespace, "new").claim_ids(2000) == list(created.job_ids)
    # Followers continue after the last id that they know.
    last = store.run(Op(("XINFO", "STREAM", operations.keys.events), as_is))
    again = other.run(Op(("XINFO", "STREAM", operations.keys.events), as_is))
    at = last.index("last-generated-id") + 1
    assert tuple(int(n) for n in again[at].split("-")) >= tuple(int(n) for n in last[at].split("-"))


def test_expiry_is_kept(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, namespace: str, other: Store
) -> None:
    actor = make_actor()
    lane = Lane(store, actor)
    job_id = submit(store, operations, make_job)
    lane.finish(*lane.claim())
    gone(store, actor)

    import_lines(other, namespace, list(export_lines(store, namespace)))

    before, after = (int(s.run(Op(("PTTL", operations.keys.job(job_id)), as_is))) for s in (store, other))
    assert 0 < before - 60_000 < after < before + 60_000


def test_a_namespace_with_actors_is_exported_only_on_request(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, namespace: str, other: Store
) -> None:
    actor = make_actor()
    job_id = submit(store, operations, make_job)

    with pytest.raises(NamespaceInUse, match=actor.entry.incarnation):
        list(export_lines(store, namespace))

    import_lines(other, namespace, list(export_lines(store, namespace, live=True)))
    assert other.run(operations.record(job_id)).status is JobStatus.DISPATCHED


def test_an_export_fails_if_jobs_move_meanwhile(
    store: Store, operations: Operations, make_job: MakeJob, namespace: str
) -> None:
    submit(store, operations, make_job)
    lines = export_lines(store, namespace)
    next(lines)
    submit(store, operations, make_job)

    with pytest.raises(NamespaceInUse, match="meanwhile"):
        list(lines)


def test_an_import_goes_into_an_empty_namespace_only(
    store: Store, operations: Operations, make_job: MakeJob, namespace: str
) -> None:
    submit(store, operations, make_job)
    lines = list(export_lines(store, namespace))

    with pytest.raises(NamespaceInUse, match="not empty"):
        import_lines(store, namespace, lines)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda lines: lines[1:], "line 1", id="without its head"),
        pytest.param(lambda lines: lines[:-1], "its end", id="cut off"),
        pytest.param(lambda lines: [*lines[:1], *lines[2:]], "lines were written", id="a line missing"),
        pytest.param(lambda lines: [*lines, lines[1]], "behind the end", id="a line too many"),
        pytest.param(lambda lines: [lines[0], lines[1][:-5]], "line 2: is not JSON", id="half a line"),
        pytest.param(lambda lines: [lines[0], "[]"], "line 2: is not an object", id="not an object"),
        pytest.param(lambda lines: [lines[0], '{"key": "a"}'], "line 2: cannot be read", id="no value"),
        pytest.param(lambda lines: [lines[0], '{"key": "a", "type": "b", "value": 1}'], "line 2", id="no known type"),
        pytest.param(lambda lines: [], "its end", id="nothing"),
        pytest.param(lambda lines: ['{"hero_export": 99}', *lines[1:]], "line 1", id="another format"),
        pytest.param(lambda lines: [lines[0].replace('"t', '"T'), *lines[1:]], "namespace", id="another namespace"),
    ],
)
def test_a_file_that_is_not_a_complete_export_is_refused(
    store: Store, operations: Operations, make_job: MakeJob, namespace: str, other: Store, damage: object, message: str
) -> None:
    submit(store, operations, make_job)
    lines = list(export_lines(store, namespace))
    assert callable(damage)

    with pytest.raises(ExportInvalid, match=message):
        import_lines(other, namespace, damage(lines))


def test_a_namespace_with_characters_of_patterns_is_exported_alone(store: Store, make_job: MakeJob) -> None:
    names = {name: Operations(name) for name in (f"{uuid.uuid4().hex}{tail}" for tail in ("*", "[ab]?", "\\\\x"))}
    stranger = Operations(next(iter(names)).replace("*", "-other"))
    for operations in (*names.values(), stranger, Operations(list(names)[1].replace("[ab]?", "ac"))):
        store.run(operations.create(make_job(id="one")))

    for name in names:
        keys = {json.loads(line)["key"] for line in list(export_lines(store, name))[1:-1]}
        assert keys == {"job:one", "events"}, name


def test_followers_of_an_imported_stream_miss_nothing_although_its_last_entries_are_gone(
    store: Store, operations: Operations, make_job: MakeJob, namespace: str, other: Store
) -> None:
    submit(store, operations, make_job)
    ((entry, _),) = store.run(Op(("XRANGE", operations.keys.events, "-", "+"), as_is))
    late = f"{int(entry.split('-')[0]) + 10**9}-7"
    store.run(Op(("XADD", operations.keys.events, late, "a", "b"), as_is))
    store.run(Op(("XDEL", operations.keys.events, late), as_is))

    import_lines(other, namespace, list(export_lines(store, namespace)))

    flat = other.run(Op(("XINFO", "STREAM", operations.keys.events), as_is))
    assert flat[flat.index("last-generated-id") + 1] == late
