"""Processes that actors leave behind are found, killed and reaped. Other children of the supervisor are left alone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hero_job.model.job import ScriptType
from tests.actor.engines import DAEMON
from tests.eventually import GENEROUS_S, eventually
from tests.supervisor.conftest import OSIS, StartSupervisor
from tests.supervisor.supervising import gone
from tests.supervisor.supervisor_process import SupervisorProcess

# A daemon ends with its actor, so no pause of a busy machine may make the actor lose its lease.
LEAVING = OSIS.replace("lease_s = 3.0", "lease_s = 60.0") + 'engine = "tests.actor.engines:LeavingEngine"\n'

# This runs in a process of its own, since a subreaper adopts the orphans of everything below it. It starts children of
# its own and many orphans, looks for orphans as the service does, and prints what became of them.
REAPS = """
import asyncio, os, subprocess, sys, time
from hero_supervisor.children.orphans import Orphans

async def main():
    kept = subprocess.Popen([sys.executable, "-I", "-S", "-c", "raise SystemExit(7)"], start_new_session=True)
    helper = subprocess.Popen([sys.executable, "-I", "-S", "-c", "raise SystemExit(8)"])
    orphans = Orphans(lambda: {}, lambda: (kept.pid,))
    orphans.adopt()
    # Each starter forks many times in its own session and ends. All its children become ours, and end one by one.
    source = '''
import os, sys, time
for number in range(2500):
    if os.fork() == 0:
        time.sleep(number % 10 / 1000)
        os._exit(3)
'''
    starters = [subprocess.Popen([sys.executable, "-I", "-S", "-c", source], start_new_session=True) for _ in range(4)]
    for starter in starters:
        while os.waitid(os.P_PID, starter.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            await asyncio.sleep(0.001)
        assert starter.wait() == 0
    deadline = time.monotonic() + 500
    while orphans.reaped < 10_000 and time.monotonic() < deadline:
        orphans.look()
        await asyncio.sleep(0.005)
    await orphans.close()
    left = open(f"/proc/self/task/{os.getpid()}/children").read().split()
    print(orphans.reaped, sorted(map(int, left)) == sorted([kept.pid, helper.pid]), kept.wait(), helper.wait())

asyncio.run(main())
"""

# A daemon of an actor executes one program after the other, while the supervisor looks all the time. During each
# execution there is a moment in which the kernel shows no environment.
EXECUTES = """
import asyncio, os, subprocess, sys
from hero_supervisor.children.orphans import Orphans

async def main():
    daemon = f'if [ $1 -gt 0 ]; then exec /bin/sh {sys.argv[1]}/daemon $(($1 - 1)); fi; echo done > {sys.argv[1]}/done'
    open(f"{sys.argv[1]}/daemon", "w").write(daemon)
    environ = {"HERO_INCARNATION": "a-1.h.0", "PATH": os.environ["PATH"]}
    actor = subprocess.Popen(["/bin/sh", "-c", "read x"], stdin=subprocess.PIPE, start_new_session=True)
    orphans = Orphans(lambda: {actor.pid: "a-1.h.0"}, lambda: (actor.pid,))
    orphans.adopt()
    leaver = ["/bin/sh", "-c", f"setsid /bin/sh {sys.argv[1]}/daemon 2000 & exit 0"]
    subprocess.run(leaver, env=environ, start_new_session=True, check=True)
    while not os.path.exists(f"{sys.argv[1]}/done") and not orphans.ended:
        orphans.look()
        await asyncio.sleep(0)
    print(orphans.ended)
    actor.communicate()
    await orphans.close()

asyncio.run(main())
"""


# A daemon of an actor ends while the supervisor looks at it: after the supervisor has seen that it runs.
ENDS = """
import asyncio, os, signal, subprocess
from hero_process.proc import stat_of
from hero_supervisor.children import orphans as module

def stat_before_its_end(pid):
    stat = stat_of(pid)
    if stat and stat.session == pid != actor.pid and not stat.zombie:
        os.kill(pid, signal.SIGTERM)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return stat

async def main():
    orphans = module.Orphans(lambda: {actor.pid: "a-1.h.0"}, lambda: (actor.pid,))
    orphans.adopt()
    environ = {"HERO_INCARNATION": "a-1.h.0", "PATH": os.environ["PATH"]}
    leaver = ["/bin/sh", "-c", "setsid sleep 1000 & exit 0"]
    subprocess.run(leaver, env=environ, start_new_session=True, check=True)
    module.stat_of = stat_before_its_end
    while not orphans.reaped:
        orphans.look()
        await asyncio.sleep(0.01)
    print(orphans.ended)
    actor.communicate()
    await orphans.close()

actor = subprocess.Popen(["/bin/sh", "-c", "read x"], stdin=subprocess.PIPE, start_new_session=True)
asyncio.run(main())
"""


def daemon_of(supervisor: SupervisorProcess, path: Path) -> psutil.Process:
    """Have a script start a daemon, and give the process of the daemon."""
    assert supervisor.reply(supervisor.submit(str(path))).output == str(path)
    eventually(path.exists, what="the daemon runs")
    try:
        return psutil.Process(int(path.read_text()))
    except psutil.NoSuchProcess as e:
        ends = [
            *supervisor.events("orphan.ended"),
            *supervisor.events("child.killed"),
            *supervisor.events("child.exited"),
        ]
        raise AssertionError(f"the daemon has ended: {ends}") from e


def zombies(supervisor: SupervisorProcess) -> list[int]:
    children = psutil.Process(supervisor.process.pid).children()
    found = []
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):  # it was reaped after it was listed
            if child.status() == psutil.STATUS_ZOMBIE:
                found.append(child.pid)
    return found


def test_ten_thousand_orphans_are_reaped_and_other_children_keep_their_exit_status() -> None:
    done = subprocess.run([sys.executable, "-c", REAPS], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["10000", "True", "7", "8"], done.stderr


def test_daemon_that_executes_another_program_keeps_its_actor(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", EXECUTES, tmp_path], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["0"], done.stderr


def test_daemon_that_ends_while_it_is_looked_at_counts_as_ended_by_itself() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["0"], done.stderr


def test_daemon_of_a_script_lives_as_long_as_its_actor(start_supervisor: StartSupervisor, tmp_path: Path) -> None:
    supervisor = start_supervisor(LEAVING)
    supervisor.wait_ready()
    daemon = daemon_of(supervisor, tmp_path / "first")
    eventually(lambda: daemon.ppid() == supervisor.process.pid, what="the supervisor is its parent now")
    # While its actor lives, it is left alone, although the supervisor looks repeatedly.
    assert supervisor.reply(supervisor.submit(f"{tmp_path / 'second'}")).output
    eventually((tmp_path / "second").exists, what="a second one")
    assert daemon.is_running()
    pid = supervisor.pid_of("osis-1")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: gone(daemon.pid) and gone(int((tmp_path / "second").read_text())), what="both daemons end")
    supervisor.wait_event("orphan.ended", orphan_pid=daemon.pid)
    supervisor.wait_pid("osis-1", after=pid)
    # The new actor and the store are left alone.
    assert supervisor.reply(supervisor.submit("40 + 2")).output
    assert len(supervisor.events("store.ready")) == 1
    eventually(lambda: not zombies(supervisor), what="all are reaped")


def test_orphan_that_hides_its_origin_is_killed_immediately(start_supervisor: StartSupervisor, tmp_path: Path) -> None:
    supervisor = start_supervisor(LEAVING)
    supervisor.wait_ready()
    told = tmp_path / "told"
    assert supervisor.reply(supervisor.submit(f"{told} bare")).output == str(told)
    # It may have been killed before it has written its process id.
    ended = supervisor.wait_event("orphan.ended")
    eventually(lambda: gone(int(ended["orphan_pid"])), what="it is killed, since nothing would end it later")
    eventually(lambda: not told.exists() or gone(int(told.read_text())))
    assert len(supervisor.events("child.started")) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_is_left_when_a_supervisor_has_ended(
    start_supervisor: StartSupervisor, tmp_path: Path, number: signal.Signals
) -> None:
    supervisor = start_supervisor(LEAVING)
    supervisor.wait_ready()
    daemon = daemon_of(supervisor, tmp_path / "told")
    supervisor.descendants()
    supervisor.signal(number)
    supervisor.process.wait(GENEROUS_S)
    eventually(lambda: not supervisor.survivors() and gone(daemon.pid), what="actors, store and daemon end")


@pytest.mark.parametrize("end", ["actor", "supervisor"])
def test_daemon_of_a_job_in_a_child_process_ends_with_its_actor_or_supervisor(
    start_supervisor: StartSupervisor, tmp_path: Path, end: str
) -> None:
    code, told = tmp_path / "daemon.py", tmp_path / "told"
    code.write_text(DAEMON)
    config = OSIS.replace('"osis"', '"python"') + '[actors.env]\nHERO_ALLOW_COMMANDS = "*"\n'
    supervisor = start_supervisor(config, environ={"HERO_SUPERVISOR__SHUTDOWN_S": "0.2"})
    supervisor.wait_ready()
    supervisor.submit(
        f"!!osal.exec cmd:'{sys.executable} {code} {told}'\n\n!!osal.exec cmd:'sleep 60'\n", ScriptType.PYTHON
    )
    eventually(told.exists, what="the daemon runs")
    daemon = int(told.read_text())
    supervisor.descendants()
    if end == "actor":
        os.kill(supervisor.pid_of("python-1"), signal.SIGKILL)
        eventually(lambda: gone(daemon), what="the daemon ends")
    else:
        supervisor.kill()
        eventually(lambda: not supervisor.survivors() and gone(daemon), what="everything ends")
