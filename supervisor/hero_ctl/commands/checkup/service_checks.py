"""The checks of `heroctl doctor` on what an operator has paused, and on what the supervisor holds back."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from hero_ctl.commands.checkup.checks import Finding
from hero_job.client.store import Store
from hero_job.model.errors import HeroJobError
from hero_job.operations.operations import Operations
from hero_job.operations.overview.lists import queue_names
from hero_job.protocol.op import Op, as_is
from hero_process.state import impairments
from hero_supervisor.rpc.unix import client as unix_client

_WAIT_S = 5.0


def check_queues(store: Store, operations: Operations) -> Iterator[Finding]:
    """Find paused queues."""
    keys = operations.keys
    try:
        actors, (paused,) = store.drive(operations.admin.actors_and(Op(("HKEYS", keys.paused), as_is)))
        names = queue_names(actors, paused if isinstance(paused, list) else [], keys.queue_prefix)
        queues = [store.run(operations.admin.queue(*name)) for name in names]
    except HeroJobError as e:
        yield Finding.problem(
            "jobs", f"queues cannot be checked: {e}", "see the log of the server, then run this again"
        )
        return
    for queue in queues:
        if queue.paused_since is None:
            continue
        parts = (("group", queue.group), ("instance", queue.instance))
        place = "".join(f" --{name} {value}" for name, value in parts if value)
        name = "/".join(part for part in (queue.script_type.suffix, queue.group, queue.instance) if part)
        text = f"the queue {name} is paused since {queue.paused_since[:19]}, and {queue.waiting} jobs wait in it"
        cure = f"heroctl resume {queue.script_type.suffix}{place}"
        yield Finding.problem("jobs", text, cure) if queue.waiting else Finding.warning("jobs", text, cure)


def check_processes(socket_path: str) -> Iterator[Finding]:
    """Find processes of this machine's supervisor that are held back, or crash again and again."""
    try:
        answer = unix_client.call(socket_path, "list_actors", {}, _WAIT_S)
    except unix_client.NoAnswer:
        return  # check_rpc says why
    for actor in answer.get("result") or ():
        slot = actor.get("supervised") or {}
        name = actor.get("name", "")
        if slot.get("held"):
            why = slot.get("last_exit") or "it did not become ready"
            text = f"{name} is held after {slot.get('restarts', 0)} restarts: {why}"
            cure = f"see its log (heroctl actors logs {name}), mend the cause, then heroctl actors start {name}"
            yield Finding.problem("actors", text, cure)
        elif slot.get("phase") == "waiting" and slot.get("starts_in_s") is not None and slot.get("last_exit"):
            after = f"{slot.get('restarts', 0)} restarts"
            text = f"{name} ended after {after}, and starts again in {slot['starts_in_s']:.0f} s: {slot['last_exit']}"
            yield Finding.problem("actors", text, f"heroctl actors logs {name} shows why it ends")


def check_process_state(socket_path: str) -> Iterator[Finding]:
    """Find processes of this machine's supervisor that block signals or have closed standard streams.

    Our own programs put that right when they start; a program of an entry with `command` may do it by itself.
    """
    pids: dict[int, str] = {}
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_WAIT_S)
            connection.connect(socket_path)
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            pids[struct.unpack("3i", credentials)[0]] = "hero-supervisor"
        answer = unix_client.call(socket_path, "list_actors", {}, _WAIT_S)
    except (OSError, unix_client.NoAnswer):
        return  # check_rpc says why
    for actor in answer.get("result") or ():
        if pid := (actor.get("supervised") or {}).get("pid"):
            pids[pid] = actor.get("name", "")
    for pid, name in pids.items():
        if found := impairments(pid):
            text = f"the process {pid} of {name} {' and '.join(found)}"
            cure = f"mend the program, then heroctl actors restart {name}"
            if name == "hero-supervisor":
                cure = "start the service again; what started it must not do this"
            yield Finding.problem("host", text, cure)
