"""The actions `node.new` and `cmd.run`: commands on other machines, by ssh.

They are off until `HERO_ALLOW_NODES` names a machine.

Source: notes on how herolib runs a script; https://man.openbsd.org/ssh_config
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast

from hero_engine.heroscript_engine import Context, action
from hero_engine.host.allowed import host_allowed, not_allowed, split_port
from hero_engine.host.commands.git_rules import ssh_words
from hero_engine.host.environment import program_environ
from hero_engine.host.programs import PATH, run_program

_NODES = "node.new"
_PORT = 22
#: Exit code of ssh itself, if it could not run the command. Source: https://man.openbsd.org/ssh
_SSH_FAILED = 255
# Neither may begin with a dash, because ssh would read it as an option.
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*|[0-9A-Fa-f]*+:[0-9A-Fa-f:.]*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class _Node:
    host: str
    port: int
    user: str


@action("node.new")
def new(ctx: Context, name: str, ipaddr: str, user: str = "root", *, debug: bool = False, reload: bool = False) -> None:
    """Name a machine. `ipaddr` is a host name or an address, with `:port` unless the port is 22.

    The last two parameters have no effect. They are accepted because existing scripts pass them.
    """
    host, port = _split(ipaddr)
    if not _HOST.fullmatch(host) or not _USER.fullmatch(user):
        raise ValueError(f"{user}@{ipaddr} does not name a machine")
    if not _allowed(ctx.settings.nodes, user, host, port):
        raise not_allowed(f"{user}@{ipaddr}", "HERO_ALLOW_NODES", ctx.settings.nodes)
    _nodes(ctx)[name] = _Node(host, port, user)


@action("cmd.run")
def run(ctx: Context, node: str, cmd: str, timeout: float | None = None) -> dict[str, object]:
    """Run a command in the shell of a machine. Any exit code except 0 is an error."""
    target = _nodes(ctx).get(node)
    if target is None:
        raise LookupError(f"there is no node {node}; node.new names one")
    timeout_s = ctx.remaining_s if timeout is None else min(timeout, ctx.remaining_s)
    words = [
        *ssh_words(ctx.settings.ssh_key, ctx.settings.ssh_known_hosts),
        "-T",
        "-p",
        str(target.port),
        "-l",
        target.user,
        "--",
        target.host,
        cmd,
    ]
    with tempfile.TemporaryDirectory(prefix="hero-") as scratch:
        env = program_environ({}, base={"PATH": PATH, "LANG": "C.UTF-8"})
        ended = run_program(words, folder=Path(scratch), env=env, timeout_s=timeout_s)
    for said in (ended.output, ended.error):
        if said:
            print(said.rstrip("\n"))
    what = "ssh" if ended.code == _SSH_FAILED else cmd.split(maxsplit=1)[0] if cmd.split() else "the shell"
    ended.check(f"{what} on {node}")
    return {"exit_code": 0, "output": ended.output}


def _nodes(ctx: Context) -> dict[str, _Node]:
    return cast("dict[str, _Node]", ctx.session.values.setdefault(_NODES, {}))


def _split(address: str) -> tuple[str, int]:
    if address.count(":") > 1 and not address.startswith("["):
        return address, _PORT  # an IPv6 address without brackets, and so without a port
    host, port = split_port(address)
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{address} has an invalid port")
    return host.strip("[]").lower(), _PORT if port is None else int(port)


def _allowed(items: tuple[str, ...], user: str, host: str, port: int) -> bool:
    for item in items:
        wanted_user, at, machine = item.rpartition("@")
        if (not at or fnmatchcase(user, wanted_user)) and host_allowed((machine,), host, port, _PORT):
            return True
    return False
