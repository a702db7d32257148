"""The transition table, the headers and behaviour of the Lua scripts, the diagram and the page on Redis agree."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from hero_job import HeroJobError, JobStatus
from hero_job.client.store import Store
from hero_job.model.status import TRANSITIONS
from hero_job.operations.actor_operations import ClaimedJob, Recoveries, Settlement
from hero_job.operations.operations import Op, Operations
from hero_job.protocol import lua
from hero_job.protocol.lua import LuaScript
from tests.job.conftest import MakeActor, MakeJob

ROOT = Path(__file__).parents[3]
LUA = ROOT / "actors/hero_job/protocol/lua"
TABLE = {(old.value, new.value) for old, news in TRANSITIONS.items() for new in news}
STATES = {s.value for s in JobStatus}


def declared_in(path: Path) -> set[tuple[str, str]]:
    """The transitions that the header of a Lua file declares."""
    header = re.match(r"(?:--.*\n)+", path.read_text("utf-8"))
    assert header, f"{path.name} has no header"
    declared = re.search(r"-- Transitions: ((?:.|\n--   )+)", header.group())
    assert declared, f"{path.name} declares no transitions"
    pairs = re.findall(r"(\w+|\([^)]*\)) -> (\w+|\(none\))", declared.group(1))
    return {(old, new) for old, new in pairs if old in STATES and new in STATES}


def in_header(script: LuaScript) -> set[tuple[str, str]]:
    """The transitions that the script declares, with those of the ends that it may bring about."""
    own = declared_in(LUA / f"{script.name}.lua")
    return own | declared_in(LUA / "parts/ending.lua") if "local function settle_ended" in script.source else own


def test_the_table_is_what_the_scripts_declare() -> None:
    assert set().union(*(in_header(s) for s in lua.ALL)) == TABLE


def test_the_diagram_in_the_architecture_page_is_the_table() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    diagram = re.search(r"```mermaid\nstateDiagram-v2\n(.*?)```", text, re.DOTALL)
    assert diagram
    drawn = re.findall(r"^\s*(\w+) --> (\w+)", diagram.group(1), re.MULTILINE)

    assert {(old, new) for old, new in drawn if old != "[*]" and new != "[*]"} == TABLE


def test_every_script_file_is_loaded_and_documents_its_guarantee_and_answer() -> None:
    files = {p.stem for p in LUA.glob("*.lua")}

    assert files == {s.name for s in lua.ALL}
    table = (ROOT / "docs/redis.md").read_text("utf-8").partition("| script | does |")[2]
    assert files == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    for script in lua.ALL:
        for part in ("-- Guarantee", "-- KEYS[1]", "-- Returns"):
            assert part in (LUA / f"{script.name}.lua").read_text("utf-8"), f"{script.name}: {part}"


@pytest.mark.parametrize(
    ("status", "action"),
    list(
        product(
            sorted(STATES),
            ["create", "start", "turn", "settle", "repeat", "crash", "release", "recover", "stop", "promote", "retry"],
        )
    ),
)
def test_no_script_makes_a_transition_that_it_does_not_declare(
    store: Store,
    operations: Operations,
    make_job: MakeJob,
    make_actor: MakeActor,
    recoveries: Recoveries,
    status: str,
    action: str,
) -> None:
    # Given a job in some status, owned and held by an incarnation, and in its queue too
    job = make_job(id="j")
    actor = make_actor()
    me = actor.entry.incarnation
    store.run(operations.create(job))
    store.run(Op(("HSET", operations.keys.job("j"), "status", status, "owner", f"{me}/0", "attempt", "1"), int))
    store.run(Op(("RPUSH", operations.keys.claimed(me, 0), "j"), int))
    store.run(Op(("ZADD", operations.keys.scheduled, 1, "j"), int))
    ops: dict[str, tuple[LuaScript, Op[Any]]] = {
        "create": (lua.CREATE, operations.create(job, start=True)),
        "start": (lua.START, operations.start("j")),
        "turn": (lua.TURN, actor.turn(0, [], 5)),
        "settle": (lua.TURN, actor.turn(0, [Settlement("j", "1", JobStatus.FINISHED, "42")], 0)),
        "repeat": (lua.TURN, actor.turn(0, [Settlement("j", "1", JobStatus.ERROR, error="e", retry_in_s=60)], 0)),
        "crash": (lua.TURN, actor.turn(0, [Settlement("j", "1", JobStatus.ERROR, ended_its_process=True)], 0)),
        "stop": (lua.STOP, operations.stop("j")),
        "promote": (lua.PROMOTE, operations.admin.promote()),
        "retry": (lua.RETRY, operations.retry("j")),
        "release": (lua.RELEASE, actor.release(0, [ClaimedJob("j", "1", None, None, None, None, None, None)])),
        "recover": (lua.RECOVER, recoveries.recover(me, proven_dead=True)),
    }
    script, op = ops[action]

    # When the script runs
    try:
        store.run(op)
    except HeroJobError as e:
        assert action in ("start", "retry"), e

    # Then the status is the same, or one that the script declares
    after = store.run(operations.status("j")).value
    assert after == status or (status, after) in in_header(script)
    # and what has ended has exactly one reply
    replies = store.run(Op(("LLEN", operations.keys.reply("j")), int))
    assert replies == (1 if after != status and JobStatus(after).terminal else 0)


def test_the_servers_clock_is_written_as_iso_8601(store: Store) -> None:
    probe = (LUA / "parts/time.lua").read_text(
        "utf-8"
    ) + "local out = {} for i = 1, #ARGV do out[i] = iso(tonumber(ARGV[i])) end return out"
    times_ms = [0, 1, 999, 951_782_400_000, 951_868_799_999, 1_709_164_800_000, 4_107_542_400_000, 253_402_300_799_999]
    times_ms += [day * 86_400_000 + 12_345_678 for day in range(0, 40_000, 7)]

    for start in range(0, len(times_ms), 1000):
        chunk = times_ms[start : start + 1000]
        written = store.run(Op(("EVAL", probe, 0, *chunk), list))
        for ms, text in zip(chunk, written, strict=True):
            expected = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03}Z"
            assert text == expected
