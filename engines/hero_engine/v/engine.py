"""The V engine: runs a HeroScript with herolib's `hero`, or with any program that is called alike, one process a job.

The program is called in its short form with a temporary file: that is the form which installs nothing and reads no
standard input. Its standard output is the result; its exit code and the end of its standard error make the error.

A launcher leads a group of its own, adopts what the program leaves behind, and is not waited for before the group is
killed, so that its pid is its own.

Source: notes on how herolib 6741eac runs a script (invocation, exit code and output, environment).
"""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import cast

from hero_engine.engine import Done, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped, TimedOut
from hero_engine.errors import EngineUnavailable
from hero_process.tree import kill_tree

#: `{file}` is the script's temporary file.
DEFAULT_COMMAND = "hero {file}"
COMMAND_VARIABLE = "HERO_V_COMMAND"

_READ_BYTES = 256 * 1024
_MAX_OUTPUT_BYTES = 64 * 1024 * 1024
#: Kept of the standard error, and shown with an error.
_MAX_TAIL_BYTES = 4096
#: Where the kernel offers no descriptor of a process, its end is looked for so often, in seconds.
_LOOK_S = 0.02
#: Of the actor's environment the program is to know these; of the job's, all. The last is how the supervisor knows
#: whose it is.
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "HERO_INCARNATION")
#: Terminal control: CSI and OSC sequences, then the short ones.
#: Source: ECMA-48, section 5.4 and 5.6
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
#: Says that everything was run, and then lists what nobody has marked as done.
_LEFT_MARK = "There are actions left to execute, see below:"
_LEFT_ACTION = re.compile(r"^\s*!{1,4}([a-z0-9_]+)\.([a-z0-9_]+)\b", re.MULTILINE)
#: Actions that this version of herolib runs and never marks; an exit code of 1 for these alone is no failure [Q44].
_NEVER_MARKED = re.compile(r"play\.echo|git\..*|node\.new|cmd\.run|bizmodel\..*|incatokens\..*")


#: Starts the program and stays as its parent: the kernel kills it when the actor has been killed, and the program with
#: it. Whatever the program leaves behind, in whatever session, becomes its child and is killed before it ends, as the
#: program has ended: with the same code, or by the same signal, of which no core is to be left. Costs some 15 ms.
#: Source: prctl(2): 1 PR_SET_PDEATHSIG, 36 PR_SET_CHILD_SUBREAPER, 4 PR_SET_DUMPABLE.
_LAUNCHER = """
import ctypes, os, signal, sys
prctl = ctypes.CDLL(None).prctl
prctl(1, signal.SIGKILL, 0, 0, 0)
prctl(36, 1, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(0)
launcher = os.getpid()
program = os.fork()
if program == 0:
    prctl(1, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if os.getppid() == launcher:
        try:
            os.execv(sys.argv[2], sys.argv[2:])
        except OSError as e:
            os.write(2, f"{sys.argv[2]} does not start: {e.strerror}".encode())
    os._exit(127)
ended = 0
while ended != program:
    ended, status = os.waitpid(-1, 0)
spared = set()
while True:
    with open(f"/proc/self/task/{launcher}/children") as children:
        left = set(map(int, children.read().split())) - spared
    if not left:
        break
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except PermissionError:
            spared.add(pid)
code = os.waitstatus_to_exitcode(status)
if code < 0:
    prctl(4, 0, 0, 0, 0)
    signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(launcher, -code)
os._exit(code)
"""


class VRun:
    """One run: links a cancellation to the process group that is to be killed."""

    __slots__ = ("_group", "_lock", "cancelled")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._group: int | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Kill the process, or have none begin."""
        with self._lock:
            self.cancelled = True
            if self._group is not None:
                kill_tree(self._group)

    def attach(self, group: int | None) -> None:
        """Set, or take away, whom to kill; kills at once when the run is cancelled already."""
        with self._lock:
            self._group = group
            if group is not None and self.cancelled:
                kill_tree(group)


class VEngine:
    """Runs HeroScript by a program.

    Args:
        command: Command line with `{file}` in the place of the script's file.

    Raises:
        EngineUnavailable: There is no such program, or the command line cannot be used.
    """

    name = "v"

    def __init__(self, command: str = DEFAULT_COMMAND) -> None:
        try:
            words = shlex.split(command)
        except ValueError as e:
            raise EngineUnavailable("v", f"{COMMAND_VARIABLE} cannot be used: {e}", "Repair its quotes.") from e
        if not any("{file}" in word for word in words):
            raise EngineUnavailable("v", f"{COMMAND_VARIABLE} has no {{file}}: {command!r:.80}", "Add it.")
        program = shutil.which(words[0])
        if program is None:
            raise EngineUnavailable(
                "v",
                f"there is no program '{words[0]}'",
                "Install herolib, whose build puts `hero` into /usr/local/bin, and a Redis on 127.0.0.1:6379 for it; "
                f"or name another program by {COMMAND_VARIABLE}, for example '/opt/hero/bin/hero {{file}}'.",
                missing=True,
            )
        self._words = [program, *words[1:]]

    @property
    def version(self) -> str:
        """The program: asking it for its version may start things that a version is not worth."""
        return os.path.basename(self._words[0])  # noqa: PTH119  pathlib costs an actor its import

    def check(self, script: Script) -> Failed | None:
        """Parse the script with our parser: an error costs no process and has a line."""
        # Here, so that an actor without work has not loaded the parser.
        from hero_engine.heroscript_engine.run.reading import failed, read_playbook
        from hero_engine.languages.heroscript import HeroScriptError

        try:
            read_playbook(script.source)
        except HeroScriptError as e:
            return failed(e)
        return None

    def new_run(self) -> RunHandle:
        """Make a handle that `run` takes once."""
        return VRun()

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Run a script by the program; the interpreter lock is free while it runs."""
        handle = cast("VRun", run)
        deadline_mono = time.monotonic() + limits.timeout_s
        if handle.cancelled:
            return Stopped()
        found = self.check(script)
        if found is not None:
            return found
        with tempfile.TemporaryDirectory(prefix="hero-v-") as folder:
            path = f"{folder}/script.hero"
            with open(path, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123  as above
                file.write(script.source)
            command = [word.replace("{file}", path) for word in self._words]
            env = _environ(constants)
            try:
                process = _start(command, folder, env)
            except OSError as e:
                return Failed("engine_unavailable", f"{command[0]} does not start: {e}")
            with process:
                listening = _listen(process, handle, deadline_mono, log)
        if handle.cancelled:
            return Stopped()
        if listening.overflowed:
            return Failed("result_too_large", f"it prints more than {_MAX_OUTPUT_BYTES} bytes")
        if not listening.ended:
            return TimedOut(limits.timeout_s)
        return _outcome(process.returncode, _text(listening.output), _text(listening.tail), log)


def create_engine() -> VEngine:
    """Make the engine; the registry's factory for `v`."""
    return VEngine(os.environ.get(COMMAND_VARIABLE) or DEFAULT_COMMAND)


def _start(command: list[str], folder: str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    if sys.platform == "linux":
        # A function of ours between fork and exec is unsafe in a process with threads, so a program does it.
        command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _listen(process: subprocess.Popen[bytes], handle: VRun, deadline_mono: float, log: RunLog | None) -> _Listening:
    """Read what a program prints until it ends or must end; then it is dead, and what descends from it."""
    assert process.stdout is not None
    assert process.stderr is not None
    handle.attach(process.pid)
    try:
        listening = _Listening(process.pid, process.stdout.fileno(), process.stderr.fileno(), log)
        listening.until(deadline_mono)
    finally:
        # In this order: nobody signals a pid that may be somebody else's.
        handle.attach(None)
        kill_tree(process.pid)
        process.wait()
    return listening


class _Listening:
    """Reads what a program prints until it ends."""

    def __init__(self, pid: int, out_fd: int, err_fd: int, log: RunLog | None) -> None:
        self._pid = pid
        self._out_fd = out_fd
        self._err_fd = err_fd
        self._log = log
        self.output = bytearray()
        self.tail = bytearray()
        self.overflowed = False
        self.ended = False

    def until(self, deadline_mono: float) -> None:
        """Listen until the end of the process, or the deadline."""
        os.set_blocking(self._out_fd, False)
        os.set_blocking(self._err_fd, False)
        poll = select.poll()
        poll.register(self._out_fd, select.POLLIN)
        poll.register(self._err_fd, select.POLLIN)
        pid_fd = os.pidfd_open(self._pid) if hasattr(os, "pidfd_open") else None
        try:
            if pid_fd is not None:
                poll.register(pid_fd, select.POLLIN)
            # Not the end of the pipes: a process left behind may hold them open for ever.
            while not self._has_ended():
                wait_s = deadline_mono - time.monotonic()
                if wait_s <= 0:
                    return
                for fd, _ in poll.poll((wait_s if pid_fd is not None else min(wait_s, _LOOK_S)) * 1000 + 1):
                    if fd != pid_fd and not self._read(fd):
                        poll.unregister(fd)
                if self.overflowed:
                    return
            for fd in (self._out_fd, self._err_fd):
                # What it had printed is in the pipe, which holds 1 MiB at most.
                for _ in range(16):
                    if not self._read(fd, at_end=True):
                        break
            self.ended = True
        finally:
            if pid_fd is not None:
                os.close(pid_fd)

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _read(self, fd: int, *, at_end: bool = False) -> bool:
        """Read what is there. Says no when nothing comes any more."""
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return not at_end
        if fd == self._out_fd:
            self.output += data
            self.overflowed = len(self.output) > _MAX_OUTPUT_BYTES
        else:
            self.tail += data
            del self.tail[:-_MAX_TAIL_BYTES]
            if self._log is not None and data:
                self._log.line("info", _text(data).rstrip("\n"))
        return bool(data)


def _outcome(code: int, output: str, tail: str, log: RunLog | None) -> Outcome:
    if code == 0:
        return Done(output)
    if code == 1 and (left := _left_over(output + "\n" + tail)):
        if all(map(_NEVER_MARKED.fullmatch, left)):
            if log is not None:
                names = ", ".join(sorted(set(left)))
                log.line("warning", f"the program ran, but does not mark as done: {names}")
            return Done(output)
        said = f"there are actions left that nothing runs: {', '.join(sorted(set(left)))}"
        return Failed("unknown_action", said, permanent=True)
    end = tail.strip() or output.strip()[-_MAX_TAIL_BYTES:]
    if code < 0:
        return Failed("crashed", f"the program was ended by {_signal_name(-code)}\n{end}".strip())
    return Failed("v_failed", f"exit code {code}: {end}" if end else f"exit code {code}")


def _left_over(text: str) -> list[str]:
    _, mark, left = text.partition(_LEFT_MARK)
    return [f"{actor}.{name}" for actor, name in _LEFT_ACTION.findall(left)] if mark else []


def _environ(constants: Mapping[str, object]) -> dict[str, str]:
    """The environment of the program: a little of ours, all of the job's, and the constants by their names."""
    env = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    of_job = constants.get("ENV")
    texts = of_job.items() if isinstance(of_job, Mapping) else ()
    scalars = ((name, value) for name, value in constants.items() if isinstance(value, str | int | float))
    keys = constants.get("SIGNATORIES")
    signatories = ",".join(map(str, keys)) if isinstance(keys, tuple | list) else ""
    for name, value in (*texts, *scalars, ("SIGNATORIES", signatories)):
        # What no environment can hold is left out: it is the script's submitter who chooses it.
        if name and not set(name) & {"=", "\0"} and "\0" not in str(value):
            env[str(name)] = str(value)
    return env


def _text(data: bytes | bytearray) -> str:
    return _ANSI.sub("", data.decode(errors="replace"))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
