"""Foreign spellings count as ours, in Python and in every script that reads a status."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hero_job import HeroJobError, JobStatus
from hero_job.client.store import Store
from hero_job.model.claim_types import ClaimedJob, Settlement
from hero_job.model.fields.spellings import CAMEL_CASE, FOREIGN_STATUS, parse_status
from hero_job.operations.actor_operations import ActorOperations, Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol.op import Op
from tests.job.conftest import MakeActor, MakeJob

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/redis.md").read_text("utf-8")
LUA_FILES = sorted((ROOT / "actors/hero_job/protocol/lua").rglob("*.lua"))

#: Every word that a hash may have as its status, None for an absent one -> ours.
WORDS: Mapping[str | None, JobStatus] = {
    None: JobStatus.CREATED,
    "": JobStatus.CREATED,
    **{word: status for foreign, status in FOREIGN_STATUS.items() for word in (foreign, foreign.title())},
    **{status.value.upper(): status for status in JobStatus},
}


def table_of(heading: str) -> dict[str, str]:
    """A table of two columns from the page."""
    lines = PAGE.partition(f"| {heading} | ours |\n")[2].split("\n\n")[0].splitlines()[1:]
    return {
        foreign.strip("`"): ours for foreign, ours in (re.findall(r"\| (.*) \| `(.*)` \|", line)[0] for line in lines)
    }


def test_the_page_lists_the_foreign_statuses() -> None:
    listed = table_of("foreign status")

    assert listed.pop("(absent or empty)") == parse_status(None) == parse_status("")
    assert listed == FOREIGN_STATUS


def test_the_page_lists_the_foreign_names_of_fields() -> None:
    assert table_of("foreign field") == CAMEL_CASE


@pytest.mark.parametrize("path", LUA_FILES, ids=lambda path: path.stem)
def test_only_the_shared_part_spells_foreign_words(path: Path) -> None:
    literals = set(re.findall(r"'([^']*)'", path.read_text("utf-8")))

    # `pending` is a field of ours too.
    assert literals & (CAMEL_CASE.keys() | FOREIGN_STATUS.keys() - {"pending"}) == set()


def test_only_one_python_module_spells_the_foreign_names_of_fields() -> None:
    spelled = re.compile("|".join(f"[\"']{name}[\"']" for name in CAMEL_CASE))
    modules = [path for folder in ("actors", "supervisor") for path in (ROOT / folder).rglob("*.py")]

    assert [path.name for path in modules if spelled.search(path.read_text("utf-8"))] == ["spellings.py"]


@pytest.mark.parametrize(("word", "status"), WORDS.items())
def test_python_reads_every_word(word: str | None, status: JobStatus) -> None:
    assert parse_status(word) is status


ANY_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


class Scene:
    """A job with a given status, held by a lane, in its queue, due, and with a prerequisite and a dependent."""

    def __init__(self, store: Store, operations: Operations, actor: ActorOperations, make_job: MakeJob) -> None:
        self.store, self.operations, self.actor, self.make_job = store, operations, actor, make_job
        self.me = actor.entry.incarnation

    def set(self, word: str | None) -> None:
        """Lay out the scene anew."""
        keys = self.operations.keys
        self.store.run(Op(("DEL", keys.job("j"), keys.job("next"), keys.reply("j"), keys.reply("next")), int))
        lists = (keys.work("osis"), keys.claimed(self.me, 0), keys.control(self.me))
        self.store.run(Op(("DEL", *lists, keys.scheduled, keys.expiring, keys.dead_jobs), int))
        self.store.run(self.operations.create(self.make_job(id="j", retries=1)))
        self.store.run(Op(("HSET", keys.job("j"), "owner", f"{self.me}/0", "attempt", "1"), int))
        if word is None:
            self.store.run(Op(("HDEL", keys.job("j"), "status"), int))
        else:
            self.store.run(Op(("HSET", keys.job("j"), "status", word), int))

    def run(self, op: Op[Any]) -> object:
        """Run an operation; its error counts as its answer."""
        try:
            return self.store.run(op)
        except HeroJobError as e:
            return type(e), str(e)

    def after(self) -> tuple[object, ...]:
        """What is in the store now, without times and the actor's number, and with statuses in our spelling."""
        keys = self.operations.keys
        hashes = []
        for job_id in ("j", "next"):
            flat = self.store.run(Op(("HGETALL", keys.job(job_id)), list))
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            kept = {
                name: ANY_TIME.sub("", value).replace(self.me, "the actor")
                for name, value in fields.items()
                if not name.endswith("_at")
            }
            hashes.append({**kept, "status": parse_status(kept.get("status"))} if kept else None)
        lists = (
            keys.work("osis"),
            keys.claimed(self.me, 0),
            keys.reply("j"),
            keys.reply("next"),
            keys.control(self.me),
        )
        ids = [self.store.run(Op(("LRANGE", key, 0, -1), list)) for key in lists]
        due = [self.store.run(Op(("ZRANGE", key, 0, -1), list)) for key in (keys.scheduled, keys.expiring)]
        return (*hashes, *ids, *due)


def claimed(scene: Scene) -> None:
    """Put the job into the claimed list of the lane."""
    scene.store.run(Op(("RPUSH", scene.operations.keys.claimed(scene.me, 0), "j"), int))


def queued(scene: Scene) -> None:
    """Put the job into its queue."""
    scene.store.run(Op(("RPUSH", scene.operations.keys.work("osis"), "j"), int))


def due(scene: Scene) -> None:
    """Make the job due."""
    scene.store.run(Op(("ZADD", scene.operations.keys.scheduled, 1, "j"), int))


def expired(scene: Scene) -> None:
    """Make the job expire."""
    scene.store.run(Op(("ZADD", scene.operations.keys.expiring, 1, "j"), int))


def nothing(_scene: Scene) -> None:
    """Leave the job alone."""


Prepare = Callable[[Scene], None]
ACTIONS: Mapping[str, tuple[Prepare, Callable[[Scene], Op[Any]]]] = {
    "create": (nothing, lambda s: s.operations.create(s.make_job(id="j", retries=1), start=True)),
    "create after it": (nothing, lambda s: s.operations.create(s.make_job(id="next", prerequisites=["j"]), start=True)),
    "start": (nothing, lambda s: s.operations.start("j")),
    "stop": (nothing, lambda s: s.operations.stop("j")),
    "retry": (nothing, lambda s: s.operations.retry("j")),
    "delete": (nothing, lambda s: s.operations.delete("j")),
    "turn, queued": (queued, lambda s: s.actor.turn(0, [], 5)),
    "turn, claimed": (claimed, lambda s: s.actor.turn(0, [], 5)),
    "turn, settled": (claimed, lambda s: s.actor.turn(0, [Settlement("j", "1", JobStatus.FINISHED, "42")], 0)),
    "turn, repeated": (
        claimed,
        lambda s: s.actor.turn(0, [Settlement("j", "1", JobStatus.ERROR, error="e", retry_in_s=9e6)], 0),
    ),
    "release": (claimed, lambda s: s.actor.release(0, [ClaimedJob("j", "1", None, None, None, None, None, None)])),
    "promote, due": (due, lambda s: s.operations.admin.promote()),
    "promote, expired": (expired, lambda s: s.operations.admin.promote()),
    "purge": (queued, lambda s: s.operations.admin.purge(s.actor.entry.script_type)),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_script_takes_every_word_as_ours(
    store: Store, operations: Operations, make_job: MakeJob, make_actor: MakeActor, action: str
) -> None:
    scene = Scene(store, operations, make_actor(), make_job)
    prepare, build = ACTIONS[action]

    def outcome(word: str | None) -> tuple[object, ...]:
        scene.set(word)
        prepare(scene)
        return (scene.run(build(scene)), *scene.after())

    ours = {status: outcome(status.value) for status in JobStatus}
    for word, status in WORDS.items():
        assert outcome(word) == ours[status], f"{word!r} is not taken as {status.value}"


@pytest.mark.parametrize(("word", "status"), WORDS.items())
def test_recovery_takes_every_word_as_ours(
    store: Store,
    operations: Operations,
    make_job: MakeJob,
    make_actor: MakeActor,
    recoveries: Recoveries,
    word: str | None,
    status: JobStatus,
) -> None:
    def outcome(text: str | None) -> tuple[object, ...]:
        scene = Scene(store, operations, make_actor(), make_job)
        scene.set(text)
        claimed(scene)
        answer = scene.run(recoveries.recover(scene.me, proven_dead=True))
        hash_, *rest = scene.after()
        assert isinstance(hash_, dict)
        return (answer, {**hash_, "owner": None}, *rest)

    assert outcome(word) == outcome(status.value)


@pytest.mark.parametrize(("word", "status"), WORDS.items())
def test_the_end_of_a_prerequisite_takes_every_word_of_its_dependent_as_ours(
    store: Store,
    operations: Operations,
    make_job: MakeJob,
    make_actor: MakeActor,
    word: str | None,
    status: JobStatus,
) -> None:
    scene = Scene(store, operations, make_actor(), make_job)

    def outcome(text: str | None) -> tuple[object, ...]:
        scene.set("created")
        store.run(operations.create(make_job(id="next", prerequisites=["j"]), start=True))
        key = operations.keys.job("next")
        store.run(Op(("HDEL", key, "status") if text is None else ("HSET", key, "status", text), int))
        return (scene.run(operations.stop("j")), *scene.after())

    assert outcome(word) == outcome(status.value)


@pytest.mark.parametrize(("word", "status"), WORDS.items())
def test_a_freed_place_goes_to_a_job_whose_status_has_any_spelling(
    store: Store,
    operations: Operations,
    make_job: MakeJob,
    make_actor: MakeActor,
    word: str | None,
    status: JobStatus,
) -> None:
    scene = Scene(store, operations, make_actor(), make_job)

    def outcome(text: str | None) -> tuple[object, ...]:
        for job_id in ("j", "next"):
            store.run(Op(("DEL", operations.keys.job(job_id), operations.keys.reply(job_id)), int))
            store.run(operations.create(make_job(id=job_id, concurrency=f"{text}-{word}"), start=True))
        first = store.run(scene.actor.turn(0, [], 5)).jobs
        key = operations.keys.job("next")
        store.run(Op(("HDEL", key, "status") if text is None else ("HSET", key, "status", text), int))
        done = Settlement("j", first[0].attempt, JobStatus.FINISHED, "42")
        store.run(scene.actor.turn(0, [done], 0))
        waiting = store.run(Op(("LRANGE", operations.keys.work("osis"), 0, -1), list))
        store.run(Op(("DEL", operations.keys.work("osis")), int))
        return ([job.id for job in first], waiting)

    assert outcome(word) == outcome(status.value)
