"""The checks of `heroctl doctor`: what counts as a problem, and what to do about it.

Called by `doctor.py`. Invariants: a check changes nothing; a check that cannot be made is a finding, not an exception.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import stat
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from hero_config.layers.load import load
from hero_config.layers.places import Places
from hero_config.layers.problems import ConfigError
from hero_config.layers.secrets import without_secrets
from hero_config.model.settings import Settings
from hero_job.client.store import Store
from hero_job.model.damaged import RecordKind
from hero_job.model.errors import HeroJobError
from hero_job.model.job import ScriptType
from hero_job.operations.consistency_check import Survey, Trouble, survey
from hero_job.operations.damaged_records import damaged_records, delete_damaged
from hero_job.operations.operations import Operations
from hero_job.protocol.keys import KeyPart
from hero_job.protocol.op import Op, as_is
from hero_supervisor.rpc.unix import client as unix_client
from hero_supervisor.store.store_warnings import dangers

OLDEST_VERSION: Final = (6, 2)
# A store on the same machine answers in 0.1 ms. Above this limit jobs spend most of their time waiting for the store.
SLOW_ANSWER_MS: Final = 5.0
CLOCK_OFF_S: Final = 2.0
# A supervisor queues due jobs twice a second, so a job this late means that no supervisor runs.
LATE_S: Final = 10.0
_PINGS: Final = 50
_SHOWN: Final = 3


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        area: What was checked: config, store, jobs, records, actors, rights, rpc, host.
        level: How bad it is.
        text: What was found.
        cure: What to do about it; empty if nothing has to be done.
    """

    area: str
    level: Level
    text: str
    cure: str = ""

    @classmethod
    def ok(cls, area: str, text: str) -> Finding:
        """Nothing is wrong."""
        return cls(area=area, level=Level.OK, text=text)

    @classmethod
    def warning(cls, area: str, text: str, cure: str) -> Finding:
        """Something may be wrong."""
        return cls(area=area, level=Level.WARNING, text=text, cure=cure)

    @classmethod
    def problem(cls, area: str, text: str, cure: str) -> Finding:
        """Something is wrong."""
        return cls(area=area, level=Level.PROBLEM, text=text, cure=cure)


def check_config(path: Path | None) -> tuple[Settings | None, list[Finding]]:
    """Read the config.

    Args:
        path: The file; None for defaults and environment only.

    Returns:
        The settings, or None if they are not valid; and what was found.
    """
    name = str(path) if path else "defaults and environment"
    try:
        settings = load(path)
    except ConfigError as e:
        cure = "correct it; the service does not start with this config"
        return None, [Finding.problem("config", str(p), cure) for p in e.problems]
    entries = ", ".join(actor.base_name for actor in settings.actors) or "none"
    found = [Finding.ok("config", f"{name}: valid, {len(settings.actors)} [[actors]] entries: {entries}")]
    if path is not None and path.stat().st_mode & 0o077 and "@" in settings.store.redis_url:
        text = f"{path} holds a password, and other users can read it"
        found.append(Finding.warning("config", text, f"chmod 600 {path}"))
    return settings, found


def check_store(store: Store, operations: Operations) -> Iterator[Finding]:
    """Check the server: its version, how it keeps data, how fast it answers, its clock."""
    try:
        facts = store.run(operations.admin.server())
        took_ms, off_s = _latency_ms(store), _clock_off_s(store)
    except HeroJobError as e:
        cure = "start the service or the server, or name another one with --redis-url or HERO_REDIS_URL"
        yield Finding.problem("store", str(e), cure)
        return
    name = f"{facts.name} {facts.version}"
    if _version(facts.version) < OLDEST_VERSION:
        wanted = ".".join(str(n) for n in OLDEST_VERSION)
        yield Finding.problem("store", f"{name} is too old", f"use {wanted} or newer")
    else:
        yield Finding.ok("store", f"{name} at {store.url.shown}")
    for setting, danger in dangers(facts):
        said, _, cure = danger.rpartition("; ")
        yield Finding.problem("store", f"{setting}: {said}", cure)
    if facts.refusal is not None:
        text = facts.refusal.replace("the store", "it", 1)
        cure = "make room on its disk; do not stop it before, or what it could not write is lost"
        yield Finding.problem("store", text, cure)
    if took_ms > SLOW_ANSWER_MS:
        cure = "look for slow commands (SLOWLOG GET), a slow disk with appendfsync always, or a slow network"
        yield Finding.warning("store", f"it answers in {took_ms:.1f} ms", cure)
    else:
        yield Finding.ok("store", f"it answers in {took_ms:.2f} ms")
    if abs(off_s) > CLOCK_OFF_S:
        text = f"the server's clock is {abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} this machine's"
        yield Finding.warning("store", text, "synchronise both clocks (NTP)")


def check_jobs(store: Store, operations: Operations, most: int) -> Iterator[Finding]:
    """Find jobs that will never run, and queues that no actor serves."""
    try:
        done = store.drive(survey(operations, most))
    except HeroJobError as e:
        cure = "see the log of the server, then run this again"
        yield Finding.problem("jobs", f"cannot be checked: {e}", cure)
        return
    seen = f"{done.jobs} jobs" if done.complete else f"the first {done.jobs} jobs (--most checks more)"
    yield Finding.ok("jobs", f"{seen} checked, {sum(done.waiting.values())} wait in queues")
    for trouble, count in Counter(stray.trouble for stray in done.strays).items():
        strays = [stray for stray in done.strays if stray.trouble is trouble]
        names = ", ".join(f"{stray.job_id} ({stray.where})" for stray in strays[:_SHOWN])
        more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
        what, cure = _TROUBLES[trouble]
        yield Finding.problem("jobs", f"{what}: {names}{more}", cure)
    if done.late_s > LATE_S:
        text = f"a delayed job has been due for {done.late_s:.0f} s: no supervisor runs on this store"
        yield Finding.problem("jobs", text, "start hero-supervisor")
    yield from _unserved(done)


def check_records(store: Store, operations: Operations, *, delete: bool) -> Iterator[Finding]:
    """Find actors, schedules, keys, batches, objects, rights and values that cannot be read; delete them if asked."""
    try:
        found = store.drive(damaged_records(operations))
        deleted = store.drive(delete_damaged(operations, found)) if delete and found else []
    except HeroJobError as e:
        yield Finding.problem("records", f"cannot be checked: {e}", "see the log of the server, then run this again")
        return
    for record in found:
        if record in deleted:
            yield Finding.ok("records", f"deleted {record}")
        else:
            cure = _RECORD_CURES.get(record.kind, "") or "upgrade this host if a newer version wrote it; otherwise "
            cure += "heroctl doctor --delete-damaged"
            yield Finding.problem("records", f"this host cannot read the {record}", cure)


def check_rpc(settings: Settings, places: Places) -> Iterator[Finding]:
    """Ask the service on its socket and on its port whether it is healthy."""
    path = places.socket.value if settings.rpc.unix_socket else ""
    if path:
        if not Path(path).exists():
            cure = "start hero-supervisor; `heroctl config where` says where this path begins"
            yield Finding.warning("rpc", f"there is no socket {path}", cure)
        else:
            yield from _ask(path)
    if settings.rpc.port:
        where = f"{settings.rpc.bind}:{settings.rpc.port}"
        try:
            socket.create_connection((settings.rpc.bind, settings.rpc.port), timeout=2.0).close()
        except OSError as e:
            text = f"nothing answers at {where}: {e.strerror or e}"
            yield Finding.problem("rpc", text, "see the service's log")
        else:
            yield Finding.ok("rpc", f"the port {where} is open")


def check_rights(settings: Settings) -> Iterator[Finding]:
    """Say what the scripts of each actor may do."""
    for actor in settings.actors:
        if actor.command:
            continue
        given: dict[str, object] = actor.allow.model_dump(exclude_defaults=True, exclude={"context_rules"})
        words = [f"{name} {_in_words(without_secrets((name,), value))}" for name, value in given.items()]
        rules = len(actor.allow.context_rules)
        words += [f"less by {rules} context_rules"] if rules else []
        yield Finding.ok("rights", f"{actor.base_name}: {'; '.join(words) or 'a scratch folder for each run'}")


def _in_words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def check_host(settings: Settings, base: Path) -> Iterator[Finding]:
    """Check folders and programs of this machine.

    Args:
        settings: Of the service.
        base: Folder in which the service runs; relative paths begin there.
    """
    folders = {"[jobs] log_dir": settings.jobs.log_dir}
    if not settings.store.redis_url:
        folders["[embedded] dir"] = settings.embedded.dir
    for name, folder in folders.items():
        if folder and (nearest := _nearest(base / folder)) is not None and not os.access(nearest, os.W_OK):
            text = f"{name} {folder} cannot be written by this user"
            yield Finding.problem("host", text, f"chown {nearest} to the service's user")
    for path in [base / settings.embedded.dir]:
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            text = f"other users can read the jobs in {path}"
            yield Finding.warning("host", text, f"chmod 700 {path}")
    types = {actor.type for actor in settings.actors}
    if types & {"osis", "sal"} and importlib.util.find_spec("rhai") is None:
        cure = (
            "install it from the folder of the wheels: pip install --no-index --find-links FOLDER rhai-py "
            "(docs/how-to/install.md); in a clone, run scripts/setup"
        )
        yield Finding.problem("host", f"rhai-py is not installed for {sys.executable}", cure)
    own_v = any("HERO_V_COMMAND" in actor.env for actor in settings.actors if actor.type == "v")
    if "v" in types and not own_v and shutil.which("hero") is None:
        cure = "install herolib, or set HERO_V_COMMAND in the env of the V actors"
        yield Finding.problem("host", "V actors need the program hero, which is not installed", cure)
    yield Finding.ok("host", f"Python {sys.version.split()[0]}, {os.cpu_count()} processors")


_RECORD_CURES: Final = {
    RecordKind.OBJECT: "set it anew from a script of its context, or restore it from an export; otherwise ",
    RecordKind.ACL: "heroctl osis acl set grants the rights anew; or ",
    RecordKind.KEY: "another program wrote to it, so what needs it stands still: ",
    RecordKind.VALUES: "nothing of it can be read any more: ",
}
_TROUBLES: Final = {
    Trouble.NO_SUCH_JOB: ("ids in a queue without a job", "nothing: the actor that takes one drops it"),
    Trouble.WRONG_QUEUE: (
        "jobs in the queue of another script type",
        "heroctl stop ID, create the job again, and find the program that pushes there; the next actor that looks at "
        "the queue drops the id",
    ),
    Trouble.IN_NO_QUEUE: (
        "jobs that wait in no queue",
        "heroctl stop ID, then heroctl retry ID; look for a program that removes ids from queues",
    ),
    Trouble.DEAD_OWNER: (
        "jobs held by an actor that is not registered",
        "heroctl stop ID, then heroctl retry ID; a third-party actor must settle each job that it takes",
    ),
    Trouble.OVERDUE: ("jobs long past their timeout", "see the log of that actor, and restart the actor"),
    Trouble.DAMAGED: ("jobs that cannot be read", "heroctl delete ID, then create the job again"),
}


def _unserved(done: Survey) -> Iterator[Finding]:
    alive = [actor for actor in done.actors if actor.beat_at is not None]
    for suffix, group, count in _waiting(done):
        serving = [a for a in alive if a.script_type.suffix == suffix and (group is None or a.group == group)]
        if not serving:
            whom = f"{suffix.upper()} actor" + (f" of the group {group}" if group else "")
            text = f"{count} jobs wait for an {whom}, but none is up"
            cure = f'add an [[actors]] entry with type = "{suffix}" to the config, or run hero-actor --type {suffix}'
            yield Finding.problem("actors", text, cure)
    for actor in done.actors:
        if actor.beat_at is None:
            text = f"{actor.name} on {actor.host} died; a supervisor will requeue its jobs"
            yield Finding.warning("actors", text, "see in its log why it ended")
    served = Counter(actor.script_type.value for actor in alive)
    text = ", ".join(f"{count} {name}" for name, count in sorted(served.items()))
    if alive:
        yield Finding.ok("actors", f"actors alive: {text}")
    else:
        yield Finding.warning("actors", "no actor is alive", "start hero-supervisor, or a single hero-actor")


def _waiting(done: Survey) -> Iterator[tuple[str, str | None, int]]:
    """List script type, group and length of each queue that is not paused."""
    known = {script_type.suffix for script_type in ScriptType}
    for name, count in done.waiting.items():
        suffix, *rest = name.removeprefix(KeyPart.QUEUE).split(":")
        if suffix in known and "held" not in rest:
            yield suffix, rest[1] if rest[:1] == ["group"] else None, count


def _ask(path: str) -> Iterator[Finding]:
    try:
        answer = unix_client.call(path, "health", {}, 5.0)
    except unix_client.NoAnswer as e:
        yield Finding.problem("rpc", str(e), "start hero-supervisor, or see its log")
        return
    health = answer.get("result")
    if isinstance(health, dict) and health.get("status") == "ok":
        yield Finding.ok("rpc", f"{path} answers; up for {health.get('uptime_s', 0):.0f} s")
    else:
        text = f"{path} answers, but is not healthy: {health or answer.get('error')}"
        yield Finding.problem("rpc", text, "see the service's log")


def _latency_ms(store: Store) -> float:
    taken = []
    for _ in range(_PINGS):
        began = time.perf_counter()
        store.run(Op(("PING",), as_is))
        taken.append(time.perf_counter() - began)
    return sorted(taken)[_PINGS // 2] * 1000


def _clock_off_s(store: Store) -> float:
    seconds, micros = store.run(Op(("TIME",), as_is))
    return int(seconds) + int(micros) / 1e6 - time.time()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def _nearest(path: Path) -> Path | None:
    """Find the path itself, or the nearest folder above it, whichever exists."""
    return next((p for p in (path.absolute(), *path.absolute().parents) if p.exists()), None)
