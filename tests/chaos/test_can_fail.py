"""The harness is able to fail: the checker finds a removed fence, and an actor that loses jobs because it uses BLPOP.

Each scenario is also played with the unchanged product and then has no problem. So the checker finds what was broken.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hero_job.client.store import Store
from hero_job.operations.actor_operations import ActorOperations, Recoveries
from hero_job.operations.operations import Operations
from hero_job.protocol import lua
from hero_job.protocol.lua import LuaScript
from hero_job.protocol.op import Op, pairs
from tests.chaos.checker import StoredJob, Verdict, check, read_history
from tests.chaos.witness import Witness
from tests.eventually import eventually
from tests.job.conftest import MakeActor, MakeJob
from tests.job.lane import Lane
from tests.valkey_server import ValkeyServer

OWNER = "owner == me and attempt == my_attempt"
STATUS = "if mine and (status == 'started' or status == 'stopping') then"


def without(script: LuaScript, **cuts: str) -> LuaScript:
    """Copy a script with some of its conditions replaced."""
    source = script.source
    for old, new in ((OWNER, cuts.get("owner")), (STATUS, cuts.get("status"))):
        if new is not None:
            assert source.count(old) == 1
            source = source.replace(old, new)
    return LuaScript(script.name, source)


class Play:
    """A history that the test plays itself, in place of the load and the engines.

    Args:
        folder: Folder for the witness's file.
        store: The store.
        operations: Operations of the test's namespace.
    """

    def __init__(self, folder: Path, store: Store, operations: Operations) -> None:
        self.witness = Witness(folder / "witness.jsonl")
        self.store, self.operations = store, operations

    def submit(self, job_id: str) -> None:
        """Note that a job was submitted and acknowledged."""
        ends = ["finished"]
        self.witness.note("submitted", job=job_id, type="osis", kind="played", ends=ends, output="42", retries=0)
        self.witness.note("acknowledged", job=job_id)

    def began(self, job_id: str, pid: int) -> None:
        """Note the start of a run."""
        self.witness.note("began", job=job_id, pid=pid, holder=f"actor-{pid}")

    def ended(self, job_id: str, pid: int, outcome: str = "Done") -> None:
        """Note the end of a run."""
        self.witness.note("ended", job=job_id, pid=pid, outcome=outcome)

    def verdict(self, *job_ids: str) -> Verdict:
        """Check the history against what the store holds."""
        keys = self.operations.keys
        for _, flat in self.store.run(Op(("XRANGE", keys.events, "-", "+"), list)):
            for job, status in zip(flat[::2], flat[1::2], strict=True):
                self.witness.note("event", job=job, status=status)
        jobs = {}
        for job_id in job_ids:
            fields = self.store.run(Op(("HGETALL", keys.job(job_id)), pairs))
            jobs[job_id] = StoredJob(fields, self.store.run(Op(("LLEN", keys.reply(job_id)), int)))
        return check(read_history(self.witness.read()), jobs, [])


def play_zombie(
    play: Play, job_id: str, frozen: ActorOperations, heir: ActorOperations, recoveries: Recoveries, *, late: str
) -> Verdict:
    """Play a lane that is frozen past its lease, and whose result comes late: another lane runs its job meanwhile."""
    store = play.store
    zombie, runner = Lane(store, frozen), Lane(store, heir)
    play.submit(job_id)
    (held,) = zombie.claim()
    play.began(job_id, 1)
    store.run(recoveries.recover(frozen.entry.incarnation, proven_dead=True))
    now = play.witness.read()[-1]["at"]
    play.witness.note("fault", kind="freeze", hit=["actor-1"], begin=now, on="osis")
    (taken,) = runner.claim()
    play.began(job_id, 2)
    if late == "before the other has finished":
        play.ended(job_id, 1, "Failed")
        zombie.fail(held, retry_in_s=0)
        store.run(play.operations.admin.promote())
    play.ended(job_id, 2)
    runner.finish(taken)
    if late == "after the other has finished":
        play.ended(job_id, 1)
        zombie.finish(held, output="42")
    for again in runner.claim():
        play.began(job_id, 2)
        play.ended(job_id, 2)
        runner.finish(again)
    return play.verdict(job_id)


LATE = ("before the other has finished", "after the other has finished")


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("fence", ["stands", "is removed"])
def test_the_checker_finds_the_effects_of_a_removed_fence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
    operations: Operations,
    make_job: MakeJob,
    make_actor: MakeActor,
    recoveries: Recoveries,
    fence: str,
    late: str,
) -> None:
    job_id = store.run(operations.create(make_job(), start=True))
    frozen, heir = make_actor(), make_actor()
    if fence == "is removed":
        status = "if mine then" if late == LATE[1] else None
        cuts = {"owner": "true"} | ({"status": status} if status else {})
        monkeypatch.setattr(lua, "TURN", without(lua.TURN, **cuts))

    verdict = play_zombie(Play(tmp_path, store, operations), job_id, frozen, heir, recoveries, late=late)

    rules = {rule for rule, _ in verdict.problems}
    if fence == "stands":
        assert verdict.problems == []
        assert verdict.excused == {"freeze": 1}
    elif late == LATE[0]:
        assert "starts" in rules, verdict.problems
    else:
        assert {"ends", "replies"} <= rules, verdict.problems


#: An actor as many are written: when the id has left the queue, only this process knows it.
BLPOP_ACTOR = """
import sys
from hero_job.operations.operations import Op
from hero_job.client.store import Store
with Store(sys.argv[1]) as store:
    queue, job_id = store.run(Op(("BLPOP", sys.argv[2], 10), list, block_s=10))
    print(job_id, flush=True)
    sys.stdin.read()
"""
#: The same actor with BLMOVE, which keeps the id in the claimed list of an incarnation.
BLMOVE_ACTOR = BLPOP_ACTOR.replace(
    'queue, job_id = store.run(Op(("BLPOP", sys.argv[2], 10), list, block_s=10))',
    'job_id = store.run(Op(("BLMOVE", sys.argv[2], sys.argv[3], "LEFT", "RIGHT", 10), str, block_s=10))',
)


@pytest.mark.parametrize("actor", ["pops", "moves"])
def test_the_checker_finds_the_job_of_an_actor_that_was_killed_after_a_plain_pop(
    tmp_path: Path,
    valkey: ValkeyServer,
    store: Store,
    operations: Operations,
    make_job: MakeJob,
    make_actor: MakeActor,
    recoveries: Recoveries,
    actor: str,
) -> None:
    play = Play(tmp_path, store, operations)
    job_id = store.run(operations.create(make_job(), start=True))
    play.submit(job_id)
    victim, heir = make_actor(), make_actor()
    keys = operations.keys
    claimed = keys.claimed(victim.entry.incarnation, 0)
    program = BLPOP_ACTOR if actor == "pops" else BLMOVE_ACTOR
    process = subprocess.Popen(
        [sys.executable, "-c", program, valkey.url, keys.work("osis"), claimed],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == job_id
        process.kill()
    store.run(recoveries.recover(victim.entry.incarnation, proven_dead=True))

    lane = Lane(store, heir)
    for job in lane.claim():
        lane.finish(job)
    verdict = play.verdict(job_id)

    if actor == "pops":
        assert verdict.problems == [("lost", f"{job_id} was acknowledged and is still dispatched")]
    else:
        eventually(lambda: store.run(operations.status(job_id)).terminal)
        assert verdict.problems == []
