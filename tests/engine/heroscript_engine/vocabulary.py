"""Handlers for the tests of the engine, loaded by `module:tests.engine.heroscript_engine.vocabulary`."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import time
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hero_engine.heroscript_engine import Context, action
from hero_engine.languages.heroscript import Action, Params

_runs: list[int] = []


_NONE: list[Any] = []


class Disk(BaseModel):
    """A nested parameter."""

    name: str
    size: int = 1


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


@action("test.number")
def number(value: int) -> int:
    return value


@action("test.list")
def list_() -> list[Any]:
    return [1, "two", True]


@action("test.map")
def map_() -> dict[str, int]:
    return {"a": 1}


@action("test.nothing")
def nothing() -> None:
    pass


@action("test.constant")
def constant(ctx: Context, name: str) -> object:
    return ctx.constants[name]


@action("test.fail")
def fail(message: str) -> None:
    raise RuntimeError(message)


@action("test.endless")
def endless() -> None:
    while True:
        pass


@action("test.sleep")
def sleep(seconds: float) -> None:
    time.sleep(seconds)


@action("test.say")
def say(text: str) -> None:
    print(text)


@action("test.count_runs")
def count_runs() -> int:
    _runs.append(1)
    return len(_runs)


@action("test.typed")
def typed(
    to: str,
    amount: Decimal,
    color: Color = Color.RED,
    tags: list[str] = _NONE,
    sizes: list[int] = _NONE,
    disk: Disk | None = None,
) -> dict[str, Any]:
    return {
        "to": to,
        "amount": amount,
        "color": color,
        "tags": tags,
        "sizes": sizes,
        "disk": disk.model_dump() if disk else None,
    }


@action("test.raw")
def raw(action: Action, params: Params) -> None:
    action.result.set("keys", ",".join(params.get_map()))


@action("test.rest")
def rest(*names: str, first: str, **others: str) -> dict[str, Any]:
    return {"names": names, "first": first, "others": others}


@action("glob.*", "glob.exact_too")
def globbed(ctx: Context) -> str:
    return f"glob {ctx.action.name}"


@action("glob.exact")
def exact() -> str:
    return "exact"


@action("test.append")
def append(ctx: Context, script: str) -> None:
    ctx.playbook.add(script)


@action("test.results")
def results(ctx: Context) -> list[object]:
    return list(ctx.results.values())


@action("test.environment")
def environment(ctx: Context) -> dict[str, Any]:
    said = {"caller": ctx.caller_id, "job": ctx.job_id, "signers": list(ctx.signatories)}
    return {"environ": dict(os.environ), "env": dict(ctx.env), **said}


@action("test.initial_environment")
def initial_environment() -> str:
    return Path("/proc/self/environ").read_text()


@action("test.talk")
def talk(ctx: Context) -> None:
    print("printed")
    ctx.log.warning("logged by %s", "ctx")
    logging.getLogger("some.library").error("logged by a library")
    sys.stderr.write("written to stderr\n")
    subprocess.run(["/bin/echo", "said by a child"], check=True)
    ctx.progress(1, 4, "a quarter")


@action("test.flood")
def flood() -> None:
    while True:
        print("x" * 1000)


@action("test.exit")
def exit_(code: int) -> None:
    sys.exit(code)


@action("test.die")
def die(code: int) -> None:
    os._exit(code)


@action("test.segfault")
def segfault() -> None:
    ctypes.string_at(0)


@action("test.eat")
def eat() -> int:
    return len(bytearray(64 * 1024 * 1024 * 1024))


@action("test.spawn")
def spawn(folder: Path, seconds: float = 60) -> int:
    """Start two descendants, one of them in a session of its own, and write their pids to files."""
    program = (
        "import os,sys,time;"
        "kind=sys.argv[2];"
        "kind=='hidden' and (os.setsid(), os.fork() and os._exit(0));"
        "open(os.path.join(sys.argv[1],kind),'w').write(str(os.getpid()));"
        "time.sleep(600)"
    )
    for kind in ("plain", "hidden"):
        subprocess.Popen([sys.executable, "-S", "-c", program, str(folder), kind])
    while not all((folder / kind).exists() and (folder / kind).read_text() for kind in ("plain", "hidden")):
        time.sleep(0.005)
    time.sleep(seconds)
    return 2


@action("test.pid")
def pid() -> int:
    return os.getpid()


@action("test.parent_pid")
def parent_pid() -> int:
    return os.getppid()


@action("test.surrogate")
def surrogate() -> str:
    return "\ud800"


@action("test.async")
async def later(value: int) -> int:
    return value


@action("test.broken_pipe")
def broken_pipe() -> str:
    read, write = os.pipe()
    os.close(read)
    try:
        os.write(write, b"x")
    except BrokenPipeError:
        return "seen"
    return "unseen"


@action("test.big")
def big(size: int) -> str:
    return "x" * size


@action("test.busy")
def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@action("test.ask_for_a_job_of")
def ask_for_a_job_of(ctx: Context, key: str) -> object:
    """Request a job directly, bypassing the parameters of `job.create`."""
    return ctx.ask("job.create", fields={"script": "1", "script_type": "osis", key: "other"}, start=True)
