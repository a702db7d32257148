"""User, folder, priority and limits of a process, and third-party programs as actors. With real processes."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hero_config.model.settings import ActorSettings, Settings, StoreSettings
from hero_job.model.job import ScriptType
from hero_supervisor.errors import LaunchRefused
from hero_supervisor.policy.child_state import Phase
from hero_supervisor.process.launch import LaunchOptions, ProcessUser
from hero_supervisor.process.spec import ActorSpec, actor_specs
from tests.eventually import eventually, eventually_async
from tests.supervisor.conftest import OSIS, StartSupervisor
from tests.supervisor.supervising import SLEEP, child, pid_of, program, run, supervising
from tests.valkey_server import ValkeyServer

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a process as another user")

# Reports what is in force for it, from a thread of its own, and stays.
TELLS = """
import json, os, resource, sys, threading, time
def tell():
    facts = {
        "uid": os.getuid(), "gid": os.getgid(), "groups": sorted(os.getgroups()), "cwd": os.getcwd(),
        "nice": os.getpriority(os.PRIO_PROCESS, 0), "cpus": sorted(os.sched_getaffinity(0)),
        "data": resource.getrlimit(resource.RLIMIT_DATA)[0], "home": os.environ.get("HOME"),
        "session": os.getsid(0) == os.getpid(), "fds": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
        "arguments": sys.argv[2:], "url": os.environ.get("HERO_REDIS_URL"), "own": os.environ.get("OWN"),
    }
    with open(sys.argv[1] + ".part", "w") as file:
        json.dump(facts, file)
    os.rename(sys.argv[1] + ".part", sys.argv[1])
thread = threading.Thread(target=tell)
thread.start()
time.sleep(600)
"""


def test_all_settings_are_in_force_before_the_program_runs(tmp_path: Path) -> None:
    async def test() -> None:
        told, cpu = tmp_path / "told", min(os.sched_getaffinity(0))
        launch = LaunchOptions(cwd=str(tmp_path), nice=7, cpu_affinity=(cpu,), memory_max_bytes=100 << 20)
        async with supervising(program("x", TELLS, told, launch=launch)):
            await eventually_async(told.exists)
        facts = json.loads(told.read_text())
        assert (facts["cwd"], facts["nice"], facts["cpus"]) == (str(tmp_path), 7, [cpu])
        assert facts["data"] == 100 << 20
        assert facts["session"]
        assert facts["fds"] == [0, 1, 2]  # it inherits no descriptor of the supervisor

    run(test)


@ROOT_ONLY
def test_process_runs_as_its_user_with_all_groups_of_that_user(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    tmp_path.chmod(0o777)
    for above in tmp_path.parents:
        if above == Path(tempfile.gettempdir()):
            break
        above.chmod(0o755)

    async def test() -> None:
        told = tmp_path / "told"
        command = ("/bin/sh", "-c", f"id -u > {told}.part; id -G >> {told}.part; mv {told}.part {told}; exec sleep 600")
        # A negative priority, which that user itself may not ask for.
        spec = ActorSpec(
            name="x", script_type="", command=command, control=False, launch=LaunchOptions(user="nobody", nice=-3)
        )
        async with supervising(spec) as supervision:
            await eventually_async(told.exists)
            assert os.getpriority(os.PRIO_PROCESS, pid_of(supervision, "x-1")) == -3
        uid, groups = told.read_text().splitlines()
        assert int(uid) == nobody.pw_uid
        assert set(map(int, groups.split())) == set(os.getgrouplist("nobody", nobody.pw_gid))

    run(test)


@pytest.mark.parametrize(
    ("launch", "setting"),
    [
        (LaunchOptions(user="no-such-user"), "user"),
        (LaunchOptions(cwd="/no/such/folder"), "cwd"),
        (LaunchOptions(cpu_affinity=(8000,)), "cpu_affinity"),
        (LaunchOptions(memory_max_bytes=1 << 64), "memory_max"),
    ],
)
def test_setting_that_cannot_be_met_is_reported_once_and_not_tried_again(
    launch: LaunchOptions, setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with supervising(program("x", SLEEP, launch=launch), program("other", SLEEP)) as supervision:
            await supervision.settled()
            await eventually_async(lambda: child(supervision, "x-1").phase is Phase.FAILED)
            os.kill(pid_of(supervision, "other-1"), signal.SIGKILL)
            await eventually_async(lambda: child(supervision, "other-1").restarts == 1, what="more events pass")
            assert child(supervision, "x-1").phase is Phase.FAILED

    run(test)
    said = [vars(line)["reason"] for line in caplog.records if line.message == "child.boot_failed"]
    assert len(said) == 1
    assert said[0].startswith(f"{setting} = ")


def test_only_root_may_start_a_process_as_another_user() -> None:
    if os.geteuid() != 0:
        with pytest.raises(LaunchRefused, match="root"):
            ProcessUser.find("root")
    assert ProcessUser.find(str(os.geteuid())).environ["HOME"]
    assert ProcessUser.find("") == ProcessUser()


@ROOT_ONLY
def test_supervisor_of_another_user_starts_processes_only_as_itself() -> None:
    nobody = pwd.getpwnam("nobody")
    os.seteuid(nobody.pw_uid)
    try:
        own, same = ProcessUser.find("nobody"), ProcessUser.find(str(nobody.pw_uid))
        with pytest.raises(LaunchRefused, match="only root can start"):
            ProcessUser.find("root")
    finally:
        os.seteuid(0)
    assert own == same
    assert (own.uid, own.gid, own.groups, own.numbers) == (None, None, None, ""), "there is nothing to change"
    assert own.environ == {"USER": "nobody", "LOGNAME": "nobody", "HOME": nobody.pw_dir}


def test_program_gets_no_memory_above_its_limit(tmp_path: Path) -> None:
    async def test() -> None:
        greedy = "import sys; bytearray(200 << 20); open(sys.argv[1], 'w').close()"
        held, free = tmp_path / "held", tmp_path / "free"
        specs = (
            program("held", greedy, held, launch=LaunchOptions(memory_max_bytes=64 << 20)),
            program("free", greedy, free, launch=LaunchOptions(memory_max_bytes=1 << 30)),
        )
        async with supervising(*specs) as supervision:
            await eventually_async(free.exists, what="the program with the higher limit gets its memory")
            await eventually_async(lambda: child(supervision, "held-1").restarts >= 2, what="the other program fails")
            lines = [line.text for line in supervision.logs.tail("held-1")]
            assert "MemoryError" in lines
            assert not held.exists()

    run(test)


def test_exit_codes_of_our_actors_mean_nothing_in_a_third_party_program() -> None:
    async def test() -> None:
        # From an actor of ours, 2 and 69 would not be tried again, and 75 would not be counted.
        specs = [program(f"x{code}", f"raise SystemExit({code})") for code in (2, 69, 75)]
        async with supervising(*specs) as supervision:
            await eventually_async(lambda: all(view.held for view in supervision.children()), what="all loop")

    run(test)


def test_memory_limit_has_units_and_a_missing_unit_is_noticed() -> None:
    sizes = {"0": 0, "64mb": 64 << 20, "64m": 64 << 20, "1gb": 1 << 30, "32768k": 32 << 20, "40000000": 40_000_000}
    assert {text: ActorSettings(type="sal", memory_max=text).memory_max_bytes for text in sizes} == sizes
    with pytest.raises(ValueError, match="leave out the unit"):
        ActorSettings(type="sal", memory_max="512")


def test_settings_of_our_actors_are_refused_for_a_third_party_command() -> None:
    with pytest.raises(ValueError, match="lanes, engine: only our own actors"):
        ActorSettings(type="sal", command=("x",), lanes=2, engine="rhai")


def test_placeholders_in_arguments_and_environment_are_filled_and_other_braces_stay() -> None:
    actor = ActorSettings(
        type="osis",
        count=2,
        command=("run", "-r", "{redis_url}", "-i", "{slot}", '{"n": "{namespace}/{type}"}'),
        env={"OWN": "{slot} at {redis_url}"},
    )
    settings = Settings(store=StoreSettings(namespace="{hero}"), actors=(actor,))
    (spec,) = actor_specs(settings, "unix:///s")
    _, second = spec.children()
    assert second.argv("i", None) == ["run", "-r", "unix:///s", "-i", "osis-2", '{"n": "{hero}/osis"}']
    environ = second.environ({"PATH": "/bin"})
    assert environ["OWN"] == "osis-2 at unix:///s"
    assert (environ["HERO_REDIS_URL"], environ["HERO_NAMESPACE"], environ["HERO_TYPE"]) == (
        "unix:///s",
        "{hero}",
        "osis",
    )


# A third-party actor in a few lines: it sends BLPOP and HSET on a plain socket.
THIRD_PARTY = r"""
import os, socket, sys
url, namespace = os.environ["HERO_REDIS_URL"], os.environ["HERO_NAMESPACE"]
host, port = url.removeprefix("redis://").strip("/").split(":")
stream = socket.create_connection((host, int(port))).makefile("rwb")
def read():
    line = stream.readline().rstrip(b"\r\n")
    kind, rest = line[:1], line[1:]
    if kind == b"*":
        return None if rest == b"-1" else [read() for _ in range(int(rest))]
    if kind == b"$":
        return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2].decode()
    return rest.decode()
def call(*args):
    stream.write(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in map(str.encode, args)))
    stream.flush()
    return read()
print("serving", sys.argv[1], flush=True)
while True:
    _, job = call("BLPOP", f"{namespace}:q:work:type:{sys.argv[2]}", "0")
    call("HSET", f"{namespace}:job:{job}", "status", "finished", "output", f"pid {os.getpid()}")
"""


def test_third_party_actor_is_supervised_like_our_own(
    start_supervisor: StartSupervisor, valkey: ValkeyServer, namespace: str, tmp_path: Path
) -> None:
    code = tmp_path / "third_party.py"
    code.write_text(THIRD_PARTY)
    config = (
        OSIS
        + f"""
[[actors]]
type = "sal"
command = [{json.dumps(sys.executable)}, "-I", "-S", {json.dumps(str(code))}, "{{slot}}", "{{type}}"]
"""
    )
    supervisor = start_supervisor(config, redis_url=valkey.url, namespace=namespace)
    supervisor.wait_ready()
    supervisor.wait_event("child.said", child="sal-1", text="serving sal-1")
    pid = supervisor.pid_of("sal-1")
    first = supervisor.submit("whatever", ScriptType.SAL)
    eventually(lambda: supervisor.record(first).output == f"pid {pid}", what="it runs jobs")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: supervisor.pid_of("sal-1") != pid, what="it is replaced")
    supervisor.wait_event("child.said", count=2, child="sal-1")
    second = supervisor.submit("whatever", ScriptType.SAL)
    eventually(
        lambda: supervisor.record(second).output == f"pid {supervisor.pid_of('sal-1')}",
        what="the next process runs jobs too",
    )
    assert supervisor.terminate() == 0
    assert supervisor.events("child.stopped", child="sal-1", reason="signal 15 (Terminated)")
    assert not supervisor.survivors()


def test_third_party_program_that_ignores_term_ends_with_a_killed_supervisor(
    start_supervisor: StartSupervisor, tmp_path: Path
) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\ntime.sleep(600)"
    )
    command = json.dumps([sys.executable, "-I", "-S", "-c", code])
    supervisor = start_supervisor(OSIS + f'[[actors]]\ntype = "sal"\ncommand = {command}\n')
    supervisor.wait_ready()
    supervisor.wait_event("child.said", text="deaf")
    program_process = psutil.Process(supervisor.pid_of("sal-1"))
    supervisor.kill()
    eventually(
        lambda: not program_process.is_running() or program_process.status() == psutil.STATUS_ZOMBIE, what="it ends"
    )


def priorities_of(process: psutil.Process) -> Iterator[int]:
    """The priority of each thread."""
    for thread in process.threads():
        with contextlib.suppress(ProcessLookupError):  # it has ended since it was listed
            yield os.getpriority(os.PRIO_PROCESS, thread.id)


def test_limits_apply_to_our_actors_too(start_supervisor: StartSupervisor) -> None:
    cpu = min(os.sched_getaffinity(0))
    supervisor = start_supervisor(
        OSIS + f'nice = 5\ncpu_affinity = [{cpu}]\nmemory_max = "1gb"\ncwd = "/"\n',
    )
    supervisor.wait_ready()
    actor = psutil.Process(supervisor.pid_of("osis-1"))
    assert actor.cpu_affinity() == [cpu]
    assert actor.cwd() == "/"
    assert set(priorities_of(actor)) == {5}
    assert actor.rlimit(psutil.RLIMIT_DATA)[0] == 1 << 30
    assert supervisor.reply(supervisor.submit("40 + 2")).output == "42"
