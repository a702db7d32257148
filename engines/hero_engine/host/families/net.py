"""The family `net`: whether servers answer. Nothing here throws, as in upstream; a refusal is logged for the operator.

Source: crate sal-net 0.1.0, rhai.rs
"""

from __future__ import annotations

import logging
import os
import re
import socket
import struct
import time

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.commands.git_rules import ssh_words
from hero_engine.host.commands.running import CommandResult, ProgramNotRun, programs
from hero_engine.host.definition import Family
from hero_engine.host.network.reach import AddressRefused, NetworkReach, look_up
from hero_engine.host.network.stream import connect
from hero_engine.host.network.web import WebFailed, WebRequest, send
from hero_engine.host.programs import program_path

log = logging.getLogger(__name__)

FAMILY = Family("net", "Whether servers answer.", needs="net")

#: As upstream, in seconds.
_CONNECT_S = 5.0
_HEAD_S = 10.0
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@FAMILY.function(blocks=True)
def tcp_check(call: Call, host: str, port: int) -> bool:
    """Tell whether a port of a host accepts connections within 5 seconds.

    Example:
        if !tcp_check("db.internal.example", 5432) { throw "the database is down" }
    """
    try:
        connect(call, NetworkReach.of(call.rights.net), host.strip("[]"), port, time.monotonic() + _CONNECT_S).close()
    except AddressRefused as e:
        _note(call, e)
        return False
    except (OSError, FunctionError):
        return False
    return True


@FAMILY.function(blocks=True)
def http_check(call: Call, url: str) -> bool:
    """Tell whether a request for the headers of an address succeeds within 10 seconds, after redirects.

    Example:
        if http_check("https://example.org/") { print("up") }
    """
    return 200 <= _status(call, url) < 300


@FAMILY.function(blocks=True)
def http_status(call: Call, url: str) -> int:
    """Return the status code of an address, after redirects; -1 if there is no answer.

    Example:
        let status = http_status("https://example.org/");
    """
    return _status(call, url)


@FAMILY.function(blocks=True)
def tcp_ping(call: Call, host: str) -> bool:
    """Tell whether a host answers an ICMP echo request within 5 seconds. `net` must allow its port 7, which stands for
    this, and the system must let the actor's user send such requests (net.ipv4.ping_group_range).

    Example:
        if tcp_ping("db.internal.example") { print("up") }
    """
    try:
        address = look_up(call, NetworkReach.of(call.rights.net), host, 7, _CONNECT_S)[0]
        v6 = ":" in address
        family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if v6 else (socket.AF_INET, socket.IPPROTO_ICMP)
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol) as sock:
            # The kernel fills in the identifier and the checksum, and passes on the answers to this socket alone.
            sock.connect((address, 0))
            sock.send(struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 0, 1) + b"hero")
            return call.wait_readable(sock.fileno(), _CONNECT_S) and sock.recv(512)[0] == (129 if v6 else 0)
    except AddressRefused as e:
        _note(call, e)
    except (OSError, FunctionError):
        pass
    return False


@FAMILY.function(blocks=True)
def ssh_execute(call: Call, host: str, user: str, command: str) -> int:
    """Run a command on a host by ssh, and return its exit code; -1 if there is no connection. `net` must allow port 22
    of the host, and `run` must name ssh. The host must be known to the actor's user: its key is checked.

    Example:
        let code = ssh_execute("web.internal.example", "deploy", "systemctl is-active site");
    """
    result = _ssh(call, host, user, command)
    # 255 is that of ssh itself.
    return -1 if result is None or result.code == 255 else result.code


@FAMILY.function(blocks=True)
def ssh_execute_output(call: Call, host: str, user: str, command: str) -> str:
    """Run a command on a host by ssh, and return its output; "SSH command failed" if it fails.

    Example:
        print(ssh_execute_output("web.internal.example", "deploy", "uptime"));
    """
    result = _ssh(call, host, user, command)
    return result.stdout if result is not None and result.success else "SSH command failed"


@FAMILY.function(blocks=True)
def ssh_ping(call: Call, host: str, user: str) -> bool:
    """Tell whether a command can be run on a host by ssh.

    Example:
        if !ssh_ping("web.internal.example", "deploy") { throw "no access" }
    """
    result = _ssh(call, host, user, "true")
    return result is not None and result.success


def _ssh(call: Call, host: str, user: str, command: str) -> CommandResult | None:
    program = program_path("ssh")
    if "ssh" not in call.rights.run or not program or not _USER.fullmatch(user):
        log.warning("net.refused", extra={"job": call.asker.job_id, "place": "ssh"})
        return None
    try:
        # ssh connects to the address that was checked, and checks the key of the name.
        address = look_up(call, NetworkReach.of(call.rights.net), host, 22, _CONNECT_S)[0]
        words = ssh_words(os.environ.get("HERO_SSH_KEY", ""), os.environ.get("HERO_SSH_KNOWN_HOSTS", ""))
        words += ["-o", f"HostKeyAlias={host}", "-T", "-l", user, "--", address, command]
        return programs(call).run(program, words)
    except AddressRefused as e:
        _note(call, e)
    except (OSError, FunctionError, ProgramNotRun):
        pass
    return None


def _status(call: Call, url: str) -> int:
    request = WebRequest(method="HEAD", url=url, timeout_s=_HEAD_S, max_redirects=10, ca_file=call.rights.ca_file)
    try:
        return send(call, NetworkReach.of(call.rights.net), request).status
    except AddressRefused as e:
        _note(call, e)
    except (WebFailed, FunctionError):
        pass
    return -1


def _note(call: Call, refused: AddressRefused) -> None:
    log.warning("net.refused", extra={"job": call.asker.job_id, "place": refused.place})
