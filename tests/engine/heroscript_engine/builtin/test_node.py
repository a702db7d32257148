"""`node.new` and `cmd.run`, with a real sshd on this machine and keys that are made for the test."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed, TimedOut
from tests.engine.heroscript_engine.conftest import Bench, MakeBench
from tests.eventually import eventually
from tests.valkey_server import free_port

LAST = "!!play.output result:last\n"
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:/usr/bin")
ME = getpass.getuser()


@dataclass
class Machine:
    """What the operator knows about the machine."""

    port: int
    key: Path
    known_hosts: Path


def _make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("sshd, ssh or ssh-keygen is not installed")
    folder = tmp_path_factory.mktemp("sshd")
    if os.getuid() == 0:
        # sshd needs this folder for privilege separation. Its package creates it when the service starts.
        Path("/run/sshd").mkdir(exist_ok=True)
    host_key = _make_key(folder / "host")
    (folder / "authorized").write_text(_make_key(folder / "key"))
    port = free_port()
    options = {
        "AuthorizedKeysFile": folder / "authorized",
        "HostKey": folder / "host",
        "ListenAddress": f"127.0.0.1:{port}",
        "PasswordAuthentication": "no",
        "PidFile": "none",
        "PermitRootLogin": "yes",
        "StrictModes": "no",
        "UsePAM": "no",
    }
    (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stdout=log, stderr=log)
    try:

        def listens() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        eventually(listens, what="sshd listens")
        yield Machine(port, folder / "key", folder / "known")
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def allowing(make_bench: MakeBench, machine: Machine) -> Bench:
    return make_bench(
        nodes=(f"{ME}@127.0.0.1:{machine.port}",), ssh_key=str(machine.key), ssh_known_hosts=str(machine.known_hosts)
    )


def named(machine: Machine, user: str = ME) -> str:
    return f"!!node.new name:there ipaddr:'127.0.0.1:{machine.port}' user:{user}\n"


def message(bench: Bench, script: str) -> str:
    outcome = bench.run(script)
    assert isinstance(outcome, Failed), outcome
    return outcome.message


def test_command_runs_on_the_machine_and_its_output_is_the_result(allowing: Bench, machine: Machine) -> None:
    outcome = allowing.run(LAST + named(machine) + "!!cmd.run node:there cmd:'echo $((40 + 2)); echo aside >&2'")

    assert isinstance(outcome, Done), outcome
    assert json.loads(outcome.output) == {"exit_code": 0, "output": "42\n"}
    assert allowing.log.lines == [("info", "42"), ("info", "aside")]


def test_error_of_a_failed_command_has_its_exit_code_and_output(allowing: Bench, machine: Machine) -> None:
    script = named(machine) + "!!cmd.run node:there cmd:'ls /nowhere/at/all'"

    outcome = allowing.run(script)

    assert isinstance(outcome, Failed)
    assert outcome.line == 2
    assert "ls on there ended with exit code 2" in outcome.message
    assert "/nowhere/at/all" in outcome.message


def test_command_ends_at_its_own_timeout_and_at_the_jobs(allowing: Bench, machine: Machine) -> None:
    script = named(machine) + "!!cmd.run node:there cmd:'sleep 60'"

    assert "did not end within 0.5 s" in message(allowing, script + " timeout:0.5")
    assert allowing.run(script, timeout_s=1) == TimedOut(1)


def test_unknown_machine_is_not_trusted(make_bench: MakeBench, machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    bench = make_bench(nodes=("127.0.0.1:*",), ssh_key=str(machine.key), ssh_known_hosts=str(tmp_path / "none"))

    said = message(bench, named(machine) + "!!cmd.run node:there cmd:true")

    assert "ssh on there ended with exit code 255" in said
    assert "Host key verification failed" in said


def test_machine_that_refuses_the_key_is_an_error_without_a_prompt(
    make_bench: MakeBench, machine: Machine, tmp_path: Path
) -> None:
    _make_key(tmp_path / "other")
    settings = {"ssh_key": str(tmp_path / "other"), "ssh_known_hosts": str(machine.known_hosts)}
    bench = make_bench(nodes=("127.0.0.1:*",), **settings)

    assert "Permission denied" in message(bench, named(machine) + "!!cmd.run node:there cmd:true")


@pytest.mark.parametrize(
    ("items", "address", "user", "allowed"),
    [
        ((), "10.0.0.1", "root", False),
        (("10.0.0.1",), "10.0.0.1", "root", True),
        (("10.0.0.1",), "10.0.0.1:2222", "root", False),
        (("10.0.0.1:2222",), "10.0.0.1:2222", "root", True),
        (("app@10.0.0.*",), "10.0.0.7", "app", True),
        (("app@10.0.0.*",), "10.0.0.7", "root", False),
        (("[fd00::1]:22",), "fd00::1", "root", True),
        (("*.lan",), "db.lan", "root", True),
    ],
)
def test_machine_is_checked_by_host_port_and_user(
    make_bench: MakeBench, items: tuple[str, ...], address: str, user: str, allowed: bool
) -> None:
    outcome = make_bench(nodes=items).run(f"!!node.new name:n ipaddr:'{address}' user:{user}")

    assert isinstance(outcome, Done) is allowed, outcome
    assert allowed or "HERO_ALLOW_NODES allows" in str(outcome)


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "a b", "h:99999", "h:-1", ""])
def test_malformed_machine_is_refused(make_bench: MakeBench, address: str) -> None:
    said = message(make_bench(nodes=("*:*",)), f"!!node.new name:n ipaddr:'{address}'")

    assert "does not name a machine" in said or "has an invalid port" in said


def test_command_needs_a_node(make_bench: MakeBench) -> None:
    assert "there is no node there" in message(make_bench(nodes=("*",)), "!!cmd.run node:there cmd:true")
