"""The V engine: runs each HeroScript in a process of its own, by herolib's `hero` or a program with the same interface.

The program gets the script as a temporary file, in the short form of its command line, because only that form installs
nothing and does not read standard input. Its standard output is the result. Its exit code and the end of its standard
error make the error.

A launcher (`launcher`) leads the process group and adopts every process that the program leaves behind. The engine
kills the group before it waits for the launcher, so the pid that it signals cannot belong to another process.

Source: notes on how herolib 6741eac runs a script (invocation, exit code and output, environment).
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import cast

from hero_engine.engine import Done, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped, TimedOut
from hero_engine.errors import EngineUnavailable
from hero_engine.host.environment import JOB_ENV_SETTING, allowed_names, program_environ
from hero_engine.process_run import ProcessRun, signal_name
from hero_process.tree import kill_tree

#: `{file}` stands for the script's temporary file.
DEFAULT_COMMAND = "hero {file}"
COMMAND_VARIABLE = "HERO_V_COMMAND"

_LAUNCHER = os.path.join(os.path.dirname(__file__), "launcher.py")  # noqa: PTH118, PTH120  pathlib is slow to import
_READ_BYTES = 256 * 1024
#: Most output without a limit of the result.
_MAX_OUTPUT_BYTES = 64 * 1024 * 1024
#: How much of the end of standard error is kept, and shown with an error.
_MAX_TAIL_BYTES = 4096
#: How often to check whether the process has ended, in seconds, where the kernel has no pidfd.
_LOOK_S = 0.02
#: The variables of the actor's environment that the program gets, besides the job's. By the last one the
#: supervisor recognises the actor's processes.
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "HERO_INCARNATION")
#: Terminal control sequences: CSI, OSC, and short ones.
#: Source: ECMA-48, sections 5.4 and 5.6
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
#: herolib writes this after running a script, followed by the actions that are not marked as done.
_LEFT_MARK = "There are actions left to execute, see below:"
_LEFT_ACTION = re.compile(r"^[^\S\n]*+!{1,4}([a-z0-9_]+)\.([a-z0-9_]+)\b", re.MULTILINE)
#: Actions that this version of herolib runs but never marks as done. Exit code 1 for these alone is no failure [Q44].
_NEVER_MARKED = re.compile(r"play\.echo|git\..*|node\.new|cmd\.run|bizmodel\..*|incatokens\..*")


class VEngine:
    """Runs HeroScript with a program.

    Args:
        command: Command line, with `{file}` in the place of the script's file.
        job_env: Variables of a job that the program gets under their own names too, separated by commas.

    Raises:
        EngineUnavailable: The program does not exist, the command line is malformed, or a variable may not be listed.
    """

    name = "v"
    isolated = True

    def __init__(self, command: str = DEFAULT_COMMAND, job_env: str = "") -> None:
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
        try:
            self._job_env = allowed_names(job_env)
        except ValueError as e:
            raise EngineUnavailable("v", f"{JOB_ENV_SETTING} is {job_env!r:.80}", f"{e}. Leave it out.") from e

    @property
    def version(self) -> str:
        """The name of the program. Its version is not asked for, because that may start other programs."""
        return os.path.basename(self._words[0])  # noqa: PTH119  pathlib is slow to import

    def check(self, script: Script) -> Failed | None:
        """Parse the script with our own parser, which costs no process and gives the line of an error."""
        # Imported here: an idle actor has no use for the parser.
        from hero_engine.parsing import check_heroscript

        return check_heroscript(script)

    def new_run(self) -> RunHandle:
        """Make the handle for one call of `run`."""
        return ProcessRun()

    def run(
        self,
        script: Script,
        *,
        constants: Mapping[str, object],
        limits: Limits,
        run: RunHandle,
        log: RunLog | None = None,
    ) -> Outcome:
        """Run a script with the program. The interpreter lock is released meanwhile."""
        handle = cast("ProcessRun", run)
        deadline_mono = time.monotonic() + limits.timeout_s
        if handle.cancelled:
            return Stopped()
        found = self.check(script)
        if found is not None:
            return found
        with tempfile.TemporaryDirectory(prefix="hero-v-") as folder:
            path = f"{folder}/script.hero"
            with open(path, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123  pathlib is slow to import
                file.write(script.source)
            command = [word.replace("{file}", path) for word in self._words]
            env = _environ(constants, self._job_env)
            try:
                process = _start(command, folder, env)
            except OSError as e:
                return Failed("engine_unavailable", f"{command[0]} does not start: {e}")
            with process:
                max_bytes = limits.result_bytes or _MAX_OUTPUT_BYTES
                listening = _listen(process, handle, deadline_mono, max_bytes, log)
        if handle.cancelled:
            return Stopped()
        if listening.overflowed:
            return Failed("result_too_large", f"the program prints more than {max_bytes} bytes")
        if not listening.ended:
            return TimedOut(limits.timeout_s)
        return _outcome(process.returncode, _text(listening.output), _text(listening.tail), log)


def create_engine() -> VEngine:
    """Make the engine. The registry calls this for `v`."""
    return VEngine(os.environ.get(COMMAND_VARIABLE) or DEFAULT_COMMAND, os.environ.get(JOB_ENV_SETTING, ""))


def _start(command: list[str], folder: str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    if sys.platform == "linux":
        # A program of its own, because running Python between fork and exec is unsafe in a process with threads.
        command = [sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), *command]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _listen(
    process: subprocess.Popen[bytes], handle: ProcessRun, deadline_mono: float, max_bytes: int, log: RunLog | None
) -> _Listening:
    """Read what a program prints until it ends or is out of time. Afterwards it and its descendants are dead."""
    assert process.stdout is not None
    assert process.stderr is not None
    listening = _Listening(process.pid, process.stdout.fileno(), process.stderr.fileno(), max_bytes, log)
    try:
        if handle.attach(lambda: kill_tree(process.pid)):
            listening.until(deadline_mono)
    finally:
        # In this order: after `wait`, the pid may belong to another process.
        handle.detach()
        kill_tree(process.pid)
        process.wait()
    return listening


class _Listening:
    """Reads what a program prints until it ends.

    Attributes:
        output: Its standard output.
        tail: The end of its standard error.
        overflowed: It printed more than the job may return.
        ended: It ended by itself.
    """

    def __init__(self, pid: int, out_fd: int, err_fd: int, max_bytes: int, log: RunLog | None) -> None:
        self._pid = pid
        self._out_fd = out_fd
        self._err_fd = err_fd
        self._max_bytes = max_bytes
        self._log = log
        self.output = bytearray()
        self.tail = bytearray()
        self.overflowed = False
        self.ended = False

    def until(self, deadline_mono: float) -> None:
        """Listen until the process ends, prints too much, or reaches the deadline."""
        os.set_blocking(self._out_fd, False)
        os.set_blocking(self._err_fd, False)
        poll = select.poll()
        poll.register(self._out_fd, select.POLLIN)
        poll.register(self._err_fd, select.POLLIN)
        pid_fd = None
        with contextlib.suppress(OSError, AttributeError):  # no more descriptors, or not Linux: look from time to time
            pid_fd = os.pidfd_open(self._pid)
        try:
            if pid_fd is not None:
                poll.register(pid_fd, select.POLLIN)
            # The end of the pipes would not do: a process that is left behind may hold them open forever.
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
                # Everything that it printed is in the pipe by now, which holds 1 MiB at most.
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
        """Read what has arrived.

        Returns:
            False if nothing more will come.
        """
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return not at_end
        if fd == self._out_fd:
            self.output += data
            self.overflowed = len(self.output) > self._max_bytes
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
        return Failed("crashed", f"the program was ended by signal {signal_name(-code)}\n{end}".strip())
    return Failed("v_failed", f"exit code {code}: {end}" if end else f"exit code {code}")


def _left_over(text: str) -> list[str]:
    _, mark, left = text.partition(_LEFT_MARK)
    return [f"{actor}.{name}" for actor, name in _LEFT_ACTION.findall(left)] if mark else []


def _environ(constants: Mapping[str, object], job_env: tuple[str, ...]) -> dict[str, str]:
    """The environment of the program: some of the actor's variables, the job's, and the constants by name."""
    base = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    scalars = ((name, value) for name, value in constants.items() if isinstance(value, str | int | float))
    keys = constants.get("SIGNATORIES")
    signatories = ",".join(map(str, keys)) if isinstance(keys, tuple | list) else ""
    for name, value in (*scalars, ("SIGNATORIES", signatories)):
        # The submitter chooses its name and context, so a value that no environment can hold is skipped, not an error.
        if "\0" not in str(value):
            base[name] = str(value)
    of_job = constants.get("ENV")
    return program_environ(of_job if isinstance(of_job, Mapping) else {}, base=base, allowed=job_env)


def _text(data: bytes | bytearray) -> str:
    return _ANSI.sub("", data.decode(errors="replace"))
