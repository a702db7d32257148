"""The service under a real systemd, in a machine of its own. Runs with HERO_TEST_SYSTEMD=1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.machine import Machine, why_not
from tests.eventually import eventually

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "-"),
    pytest.mark.slow,
]

SERVICE, SOCKET = "hero-supervisor.service", "hero-supervisor.socket"
RPC = "/run/hero/hero.ipc"
CONFIG = """
[[actors]]
type = "osis"
[[actors]]
type = "sal"
[[actors]]
type = "python"
"""
# Starts when the service says that it is ready. A job must run then.
DEPENDENT = f"""
[Unit]
Requires={SERVICE}
After={SERVICE}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/opt/hero/bin/hero-unix-client --socket {RPC} --method run_job --params \
  '{{"script": "40 + 2", "script_type": "SAL", "caller_id": "boot", "context_id": "boot"}}'
[Install]
WantedBy=multi-user.target
"""
# Connects repeatedly and counts the refusals. An answer that breaks off came from a process that was killed.
HAMMER = """
import json, os, socket, sys
seen = {"refused": 0, "answered": 0, "broken": 0}
while not os.path.exists("/run/enough"):
    try:
        for address in (sys.argv[1], ("127.0.0.1", 8080)):
            with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as client:
                client.settimeout(500)
                client.connect(address)
                body = b'{"jsonrpc": "2.0", "id": 1, "method": "health"}'
                head = b"POST / HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
                client.sendall(body + b"\\n" if isinstance(address, str) else head + body)
                seen["answered" if client.recv(65536) else "broken"] += 1
    except (FileNotFoundError, ConnectionRefusedError):
        seen["refused"] += 1
    except (ConnectionResetError, BrokenPipeError):
        seen["broken"] += 1
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Boot one machine with the service enabled. Each test leaves the service running."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.make()
    machine.write("/etc/hero/hero.toml", CONFIG)
    machine.write("/etc/hero/hero.env", "HERO_SUPERVISOR__LOG_FORMAT=json\n")
    machine.write("/etc/systemd/system/dependent.service", DEPENDENT)
    machine.write("/opt/hammer.py", HAMMER)
    said = machine.prepare("/opt/hero/bin/heroctl", "install-service", "--tcp", "127.0.0.1:8080")
    assert f"systemctl daemon-reload && systemctl enable --now {SERVICE}\n" in said
    # As shipped, except for one number: 30 s without a sign of life is long for a test.
    machine.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", "[Service]\nWatchdogSec=12\n")
    machine.prepare("systemctl", "enable", SERVICE, "dependent.service")
    try:
        machine.boot()
        yield machine
    finally:
        machine.halt()


def run(machine: Machine, script: str, script_type: str = "SAL") -> str:
    job = {"script": script, "script_type": script_type, "caller_id": "me", "context_id": "here"}
    client = ("hero-unix-client", "--socket", RPC, "--method", "run_job", "--params", json.dumps(job))
    return machine.check(*client)


def main_pid(machine: Machine) -> int:
    return int(machine.shows(SERVICE, "MainPID"))


def wait_replaced(machine: Machine, pid: int) -> None:
    """Wait until another process is the service and says that it is ready."""
    eventually(
        lambda: machine.shows(SERVICE, "ActiveState") == "active" and main_pid(machine) not in (0, pid),
        every_s=0.2,
        what=f"the service restarts:\n{machine.journal()[-3000:]}",
    )


def test_systemd_finds_nothing_wrong_with_the_units(machine: Machine) -> None:
    done = machine.call("systemd-analyze", "verify", SERVICE, SOCKET)

    assert (done.stdout + done.stderr, done.returncode) == ("", 0)
    print(machine.check("systemd-analyze", "security", SERVICE).splitlines()[-1])


def test_no_process_of_the_service_writes_a_core_file(machine: Machine) -> None:
    limits = machine.check("cat", f"/proc/{main_pid(machine)}/limits")

    (core,) = (line.split() for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core[-3:-1] == ["0", "0"]
    assert machine.shows(SERVICE, "LimitCORE") == "0"


def test_at_boot_the_socket_comes_first_and_dependents_start_when_jobs_run(machine: Machine) -> None:
    moments = [
        int(machine.shows(SOCKET, "ActiveEnterTimestampMonotonic")),
        int(machine.shows(SERVICE, "ExecMainStartTimestampMonotonic")),
        int(machine.shows(SERVICE, "ActiveEnterTimestampMonotonic")),
        int(machine.shows("dependent.service", "ExecMainStartTimestampMonotonic")),
    ]
    print(f"from start to ready: {(moments[2] - moments[1]) / 1e6:.2f} s")
    assert moments == sorted(moments)
    assert 0 not in moments
    assert machine.shows("dependent.service", "Result") == "success"
    assert (
        machine.journal("dependent.service").count('"42"') + machine.journal("dependent.service").count("\n42\n") == 1
    )
    eventually(lambda: machine.shows(SERVICE, "StatusText") == "3 of 3 actors ready", every_s=0.1, what="its status")


def test_every_actor_type_works_inside_the_sandbox(machine: Machine) -> None:
    assert run(machine, "40 + 2", "OSIS") == run(machine, "40 + 2") == '"42"'
    assert run(machine, "!!play.output result:last\n!!play.echo content:on", "Python") == '"on"'
    # It runs as a user of its own, which owns the state. No other user may read it.
    status = machine.check("cat", f"/proc/{main_pid(machine)}/status")
    assert "Uid:\t0\t" not in status
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    assert machine.check("stat", "-c", "%a %U", "/var/lib/private/hero-supervisor").startswith("700 ")
    assert machine.check("stat", "-c", "%a %U", RPC) == "600 root"
    assert machine.check("ls", "/var/lib/hero-supervisor/.hero/store/appendonlydir")


def test_heroctl_finds_the_embedded_store_from_the_state_folder(machine: Machine) -> None:
    assert machine.check("sh", "-c", "cd /var/lib/hero-supervisor && heroctl run '6 * 7'") == "42"


def test_reload_applies_the_change_and_keeps_the_service_process(machine: Machine) -> None:
    pid = main_pid(machine)
    try:
        machine.write("/etc/hero/hero.toml", CONFIG.replace('type = "sal"', 'type = "sal"\ncount = 2'))
        machine.check("timeout", "300", "systemctl", "reload", SERVICE)
        eventually(lambda: machine.shows(SERVICE, "StatusText") == "4 of 4 actors ready", every_s=0.1, what="one more")
    finally:
        machine.write("/etc/hero/hero.toml", CONFIG)
    machine.check("timeout", "300", "systemctl", "reload", SERVICE)
    eventually(lambda: machine.shows(SERVICE, "StatusText") == "3 of 3 actors ready", every_s=0.1, what="one less")
    assert main_pid(machine) == pid


def test_restart_refuses_no_client(machine: Machine) -> None:
    pid = main_pid(machine)
    hammer = machine.popen("/opt/hero/bin/python", "/opt/hammer.py", RPC)
    try:
        machine.check("timeout", "300", "systemctl", "restart", SERVICE)
        assert main_pid(machine) != pid
        assert run(machine, "1 + 1") == '"2"'
    finally:
        machine.check("touch", "/run/enough")
        out, err = hammer.communicate()
    seen: dict[str, Any] = json.loads(out or "{}")
    print(seen)
    assert seen["refused"] == 0, err
    assert seen["answered"] > 0


def test_killed_service_restarts_and_no_process_of_the_old_one_remains(machine: Machine) -> None:
    pid, before = main_pid(machine), machine.processes(SERVICE)
    assert len(before) >= 5  # itself, the store, three actors
    restarts = int(machine.shows(SERVICE, "NRestarts"))
    machine.check("sh", "-c", f"kill -KILL {pid}")
    wait_replaced(machine, pid)
    assert run(machine, "1 + 1") == '"2"'
    assert int(machine.shows(SERVICE, "NRestarts")) == restarts + 1
    assert not before & machine.processes(SERVICE)


def test_watchdog_kills_a_hanging_service_and_it_restarts(machine: Machine) -> None:
    pid = main_pid(machine)
    machine.check("sh", "-c", f"kill -STOP {pid}")
    wait_replaced(machine, pid)
    assert "Watchdog timeout" in machine.journal()
    assert run(machine, "1 + 1") == '"2"'


def test_stop_ends_everything_in_time_even_while_a_job_runs(machine: Machine) -> None:
    job = {"script": "sleep(600)", "script_type": "SAL", "caller_id": "me", "context_id": "here", "timeout": 900}
    call = ("hero-unix-client", "--socket", RPC, "--method")
    job_id = machine.check(*call, "create_job", "--params", json.dumps(job)).strip('"')
    machine.check(*call, "start_job", "--params", json.dumps([job_id]))
    status = (*call, "get_job_status", "--params", json.dumps([job_id]))
    eventually(lambda: machine.check(*status) == '"started"', every_s=0.1, what="the job runs")
    machine.check("timeout", "300", "systemctl", "stop", SERVICE)
    # If systemd had had to kill it, the result would be "timeout".
    assert (machine.shows(SERVICE, "ActiveState"), machine.shows(SERVICE, "Result")) == ("inactive", "success")
    assert machine.processes(SERVICE) == set()
    # The socket still listens: a request starts the service. The job was handed back and runs again.
    assert eventually(lambda: machine.check(*status) == '"started"', every_s=0.1, what="the job runs again")
    eventually(lambda: machine.shows(SERVICE, "ActiveState") == "active", every_s=0.1, what="it is ready")
    machine.check(*call, "stop_job", "--params", json.dumps([job_id]))


def test_wrong_config_is_reported_and_the_service_is_not_restarted(machine: Machine) -> None:
    machine.write("/etc/hero/hero.toml", "[supervisor]\nshutdown = 1\n")
    try:
        failed = machine.call("timeout", "300", "systemctl", "restart", SERVICE)
        assert failed.returncode != 0
        assert "supervisor.shutdown" in machine.journal()
        assert (machine.shows(SERVICE, "ActiveState"), machine.shows(SERVICE, "ExecMainStatus")) == ("failed", "2")
    finally:
        machine.write("/etc/hero/hero.toml", CONFIG)
    machine.check("systemctl", "restart", SOCKET, SERVICE)
    assert run(machine, "1 + 1") == '"2"'
