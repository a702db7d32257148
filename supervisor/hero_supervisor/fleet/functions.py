"""Which functions the scripts of an entry may call, and which setting would allow the others.

The list is made by a process of its own with the entry's table of rights: a supervisor never loads an engine, and a
family of another distribution is foreign code. The RPC asks; the answer for a table does not change while it runs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from typing import Any

from hero_supervisor.errors import FunctionsUnknown
from hero_supervisor.process.spec import ActorSpec

log = logging.getLogger(__name__)

_VARIABLE = "HERO_ALLOW"
_KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_TIMEOUT_S = 30.0
_MAX_KEPT = 64
_MAX_LOGGED = 4_000
_MAX_TOLD = 500
_known: dict[str, list[dict[str, Any]]] = {}


async def list_functions(spec: ActorSpec) -> list[dict[str, Any]]:
    """List the functions for the scripts of an entry.

    Args:
        spec: The entry.

    Returns:
        One row per function: see `hero_engine.host.describe`.

    Raises:
        FunctionsUnknown: The entry is a program of its own, or a family does not load.
    """
    if not spec.control:
        raise FunctionsUnknown(spec.name, "it is a third-party program")
    table = spec.env.get(_VARIABLE, "{}")
    if table not in _known:
        if len(_known) >= _MAX_KEPT:
            _known.clear()
        _known[table] = await _ask(spec.name, table)
    return _known[table]


async def _ask(name: str, table: str) -> list[dict[str, Any]]:
    env = {key: os.environ[key] for key in _KEPT if key in os.environ} | {_VARIABLE: table}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "hero_engine.host.describe",
        "json",
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, error = await asyncio.wait_for(process.communicate(), _TIMEOUT_S)
    except TimeoutError:
        raise FunctionsUnknown(name, "the list was not ready in time") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        # A traceback names files of this host. The log has all of it, and the caller its last line.
        text = error.decode(errors="replace").strip()
        log.warning("functions.not_listed", extra={"entry": name, "error": text[-_MAX_LOGGED:]})
        raise FunctionsUnknown(name, text.rpartition("\n")[2][:_MAX_TOLD])
    rows: list[dict[str, Any]] = json.loads(output)
    return rows
