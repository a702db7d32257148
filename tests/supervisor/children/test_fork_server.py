"""Actors that a fork server has forked are what executed ones are, and no trouble of the server keeps one away."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hero_process.proc import arguments_of, environ_of
from tests.eventually import eventually
from tests.supervisor.supervisor_process import SupervisorProcess

FORKED = """
[supervisor]
lease_s = 3.0
sweep_s = 0.2
fork_from = 2
[rpc]
unix_socket = ""
[[actors]]
type = "sal"
name = "forked"
count = 2
"""
CONFIG = (
    FORKED
    + """
[[actors]]
type = "sal"
name = "own-env"
env = { OF_THIS_ENTRY = "1" }
[[actors]]
type = "sal"
name = "nice"
nice = 1
"""
)
SLOTS = ("forked-1", "forked-2", "own-env-1", "nice-1")


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisorProcess]:
    supervisor = SupervisorProcess(tmp_path_factory.mktemp("forked"), CONFIG)
    supervisor.wait_ready()
    yield supervisor
    supervisor.clean_up()


def was_forked(pid: int) -> bool:
    """Whether a process has run no program of its own: its environment is not where the kernel puts that of one."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    stack, environment = int(fields[25]), int(fields[47])
    return environment < stack


#: What the kernel tells of a process that does not change while it runs.
STATUS = (
    "Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
    "NoNewPrivs", "Seccomp", "Cpus_allowed", "Mems_allowed", "CoreDumping", "TracerPid", "THP_enabled",
)  # fmt: skip


def status_lines(pid: int) -> Iterator[tuple[str, str]]:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        yield name, value.strip()


def inherited_by_programs_of(pid: int) -> set[int]:
    """The descriptors that are not closed when a process executes a program."""
    found = set()
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            flags = next(line for line in info.read_text().splitlines() if line.startswith("flags:"))
            if not int(flags.split()[1], 8) & os.O_CLOEXEC:
                found.add(int(info.name))
    return found


def fork_server_of(supervisor: SupervisorProcess) -> int:
    return int(supervisor.events("fork_server.ready")[-1]["child_pid"])


def test_only_actors_without_settings_of_their_own_are_forked(supervisor: SupervisorProcess) -> None:
    pids = {slot: supervisor.pid_of(slot) for slot in SLOTS}
    assert {slot: was_forked(pid) for slot, pid in pids.items()} == {
        "forked-1": True,
        "forked-2": True,
        "own-env-1": False,
        "nice-1": False,
    }


def test_forked_actor_looks_like_an_executed_one(supervisor: SupervisorProcess) -> None:
    forked, executed = supervisor.pid_of("forked-1"), supervisor.pid_of("own-env-1")
    start = supervisor.events("child.started", child="forked-1")[-1]
    process = psutil.Process(forked)
    assert process.ppid() == supervisor.process.pid
    assert os.getsid(forked) == os.getpgid(forked) == forked
    assert f"HERO_INCARNATION={start['incarnation']}".encode() in environ_of(forked)
    own = (b"HERO_INCARNATION=", b"OF_THIS_ENTRY=", b"HERO_ALLOW=")
    seen = [sorted(v for v in environ_of(pid) if not v.startswith(own)) for pid in (forked, executed)]
    assert seen[0] == seen[1]
    arguments = [arguments_of(pid) for pid in (forked, executed)]
    differ = {"--name", "--incarnation", "--control-fd"}
    kept = [[a for before, a in zip(["", *each], each, strict=False) if before not in differ] for each in arguments]
    assert kept[0] == kept[1]
    assert arguments[0][arguments[0].index("--name") + 1] == "forked-1"
    for pid in (forked, executed):
        names = [str(Path(f"/proc/{pid}/fd/{fd}").readlink()) for fd in (0, 1, 2)]
        assert names[0] == "/dev/null"
        assert names[1] == names[2] and names[1].startswith("pipe:")
    assert process.exe() == psutil.Process(executed).exe()
    assert sorted(process.uids()) == sorted(psutil.Process(executed).uids())
    for name in ("limits", "oom_score_adj", "cgroup", "personality", "coredump_filter", "comm", "loginuid"):
        found = [
            Path(f"/proc/{pid}/{name}").read_text()
            for pid in (forked, executed)
            if Path(f"/proc/{pid}/{name}").exists()
        ]
        assert found == found[:1] * len(found), name
    states = [dict(status_lines(pid)) for pid in (forked, executed)]
    assert {name: states[0].get(name) for name in STATUS} == {name: states[1].get(name) for name in STATUS}
    assert Path(f"/proc/{forked}/cwd").readlink() == Path(f"/proc/{executed}/cwd").readlink()
    # What the programs that it starts inherit: its standard streams.
    assert inherited_by_programs_of(forked) == inherited_by_programs_of(executed) == {0, 1, 2}


def test_descriptors_of_others_do_not_reach_a_forked_actor(supervisor: SupervisorProcess) -> None:
    def sockets_of(pid: int) -> set[str]:
        found = set()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # what it has open for a moment, such as a file of /proc
                found.add(str(link.readlink()))
        return {link for link in found if link.startswith("socket:")}

    assert not [v for v in environ_of(fork_server_of(supervisor)) if v.startswith((b"HERO_REDIS_URL=", b"HERO_ALLOW="))]
    one, other = supervisor.pid_of("forked-1"), supervisor.pid_of("forked-2")
    assert sockets_of(one) & sockets_of(other) == set()
    assert (sockets_of(one) | sockets_of(other)) & sockets_of(fork_server_of(supervisor)) == set()


def test_end_of_a_forked_actor_is_noticed_with_its_exit_code(supervisor: SupervisorProcess) -> None:
    for number, words in ((signal.SIGKILL, "signal 9"), (signal.SIGSEGV, "signal 11")):
        pid = supervisor.pid_of("forked-1")
        os.kill(pid, number)
        assert was_forked(supervisor.wait_pid("forked-1", after=pid))
        assert words in supervisor.events("child.ended", child="forked-1")[-1]["reason"]
        assert not Path(f"/proc/{pid}").exists()


def test_actor_that_the_fork_server_cannot_fork_is_executed(supervisor: SupervisorProcess) -> None:
    server, actor = psutil.Process(fork_server_of(supervisor)), supervisor.pid_of("forked-1")
    before = server.rlimit(psutil.RLIMIT_NOFILE)
    # The descriptors of an order arrive as 3, 4 and 5. The next thing that it does needs two more.
    server.rlimit(psutil.RLIMIT_NOFILE, (7, before[1]))
    os.kill(actor, signal.SIGKILL)
    executed = supervisor.wait_pid("forked-1", after=actor)
    server.rlimit(psutil.RLIMIT_NOFILE, before)
    assert not was_forked(executed)
    os.kill(executed, signal.SIGKILL)
    assert was_forked(supervisor.wait_pid("forked-1", after=executed))


def test_config_with_few_actors_ends_the_fork_server_and_one_with_many_starts_another_one(
    supervisor: SupervisorProcess,
) -> None:
    first = fork_server_of(supervisor)
    config = supervisor.folder / "hero.toml"
    config.write_text(CONFIG.replace("count = 2", "count = 1"))
    os.kill(supervisor.process.pid, signal.SIGHUP)
    eventually(lambda: not Path(f"/proc/{first}").exists(), what="the fork server ends")
    old = supervisor.pid_of("forked-2")
    supervisor.wait_event("child.stopped", child="forked-2")
    config.write_text(CONFIG)
    os.kill(supervisor.process.pid, signal.SIGHUP)
    assert was_forked(supervisor.wait_pid("forked-2", after=old))
    assert fork_server_of(supervisor) != first


def test_lost_fork_server_costs_no_actor_and_starts_are_executed_until_the_next_one(
    supervisor: SupervisorProcess,
) -> None:
    before = {slot: supervisor.pid_of(slot) for slot in SLOTS}
    os.kill(fork_server_of(supervisor), signal.SIGKILL)
    supervisor.wait_event("fork_server.ended")
    os.kill(before["forked-2"], signal.SIGKILL)
    executed = supervisor.wait_pid("forked-2", after=before["forked-2"])
    assert not was_forked(executed)
    assert supervisor.pid_of("own-env-1") == before["own-env-1"]


def test_stopped_fork_server_is_given_up_and_the_actor_is_executed(tmp_path: Path) -> None:
    supervisor = SupervisorProcess(tmp_path, FORKED)
    try:
        supervisor.wait_ready()
        server, actor = fork_server_of(supervisor), supervisor.pid_of("forked-1")
        os.kill(server, signal.SIGSTOP)
        os.kill(actor, signal.SIGKILL)
        assert not was_forked(supervisor.wait_pid("forked-1", after=actor))
        eventually(lambda: not Path(f"/proc/{server}").exists(), what="the stopped server is killed and reaped")
        # Everything ends with a supervisor that is killed, forked or not.
        supervisor.kill()
        eventually(lambda: not supervisor.survivors(), what="no process is left")
    finally:
        supervisor.clean_up()
