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
from typing import TYPE_CHECKING, cast

from hero_engine.engine import Done, Failed, Limits, Outcome, RunHandle, RunLog, Script, Stopped, TimedOut
from hero_engine.errors import EngineUnavailable
from hero_engine.host.environment import JOB_ENV_SETTING, allowed_names, program_environ
from hero_engine.process_run import ProcessRun, signal_name
from hero_process.tree import kill_tree

if TYPE_CHECKING:
    from hero_engine.languages.heroscript import Playbook

#: `{file}` stands for the script's temporary file.
DEFAULT_COMMAND = "hero {file}"
COMMAND_VARIABLE = "HERO_V_COMMAND"

_LAUNCHER = os.path.join(os.path.dirname(__file__), "launcher.py")  # noqa: PTH118, PTH120  pathlib is slow to import
_READ_BYTES = 256 * 1024
#: Most output without a limit of the result.
_MAX_OUTPUT_BYTES = 64 * 1024 * 1024
#: How much of the end of standard error is kept.
_MAX_TAIL_BYTES = 64 * 1024
#: The list of actions that herolib has not marked as done is kept from its start. It is as long as the script with all
#: that it includes.
_LEFT_MARK = b"There are actions left to execute, see below:"
_MAX_LIST_BYTES = 16 * 1024 * 1024
_BYTE_ORDER_MARK = "\ufeff"
#: How many lines of a script's log may be about what V misreads.
_MAX_WARNINGS = 20
#: How often to check whether the process has ended, in seconds, where the kernel has no pidfd.
_LOOK_S = 0.02
#: The variables of the actor's environment that the program gets, besides the job's. By the last one the
#: supervisor recognises the actor's processes.
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "HERO_INCARNATION")
#: Terminal control sequences: CSI, OSC, and short ones.
#: Source: ECMA-48, sections 5.4 and 5.6
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")


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
        # Imported here: an idle actor has no use for the parser.
        from hero_engine.languages.heroscript import HeroScriptError
        from hero_engine.parsing import failed, read_playbook

        # Behind a byte order mark V would not see the first action.
        source = script.source.removeprefix(_BYTE_ORDER_MARK)
        try:
            playbook = read_playbook(source)
        except HeroScriptError as e:
            return failed(e)
        if log is not None:
            _warn_of_misreadings(source, playbook, log)
        with tempfile.TemporaryDirectory(prefix="hero-v-") as folder:
            path = f"{folder}/script.hero"
            with open(path, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123  pathlib is slow to import
                file.write(source)
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
        return _outcome(process.returncode, _text(listening.output), _text(listening.errors), playbook, log)


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
        errors: The end of its standard error, and all of the list of actions that are not marked as done.
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
        self.errors = bytearray()
        self._list_at = -1
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

    def _keep(self, data: bytes) -> None:
        errors = self.errors
        searched = max(0, len(errors) - len(_LEFT_MARK))
        errors += data
        if self._list_at < 0:
            self._list_at = errors.find(_LEFT_MARK, searched)
        if self._list_at < 0:
            del errors[:-_MAX_TAIL_BYTES]
        else:
            del errors[self._list_at + _MAX_LIST_BYTES :]

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
            self._keep(data)
            if self._log is not None and data:
                self._log.line("info", _text(data).rstrip("\n"))
        return bool(data)


def _warn_of_misreadings(source: str, playbook: Playbook, log: RunLog) -> None:
    from hero_engine.languages.heroscript import find_misreadings

    found = find_misreadings(source, playbook=playbook)
    for one in found[:_MAX_WARNINGS]:
        place = f"line {one.place.line}: " if one.place else ""
        log.line("warning", f"{place}{one.message} ({one.code}); {one.hint}")
    if len(found) > _MAX_WARNINGS:
        log.line("warning", f"V misreads {len(found) - _MAX_WARNINGS} more places")


def _outcome(code: int, output: str, errors: str, playbook: Playbook, log: RunLog | None) -> Outcome:
    if code == 0:
        return Done(output)
    # Imported here: most jobs end with 0.
    from hero_engine.v import messages

    if code < 0:
        end = messages.shown(errors, output)
        return Failed("crashed", f"the program was ended by signal {signal_name(-code)}\n{end}".strip())
    left = messages.left_over(errors) if code == 1 else None
    if not left:
        return messages.failure(code, errors, output)
    missing, ran = messages.not_run(left, playbook)
    if missing:
        said = f"there are actions left that nothing runs: {', '.join(sorted(missing))}"
        return Failed("unknown_action", said, permanent=True)
    if log is not None:
        log.line("warning", f"the program ran, but does not mark as done: {', '.join(sorted(ran))}")
    return Done(output)


def _environ(constants: Mapping[str, object], job_env: tuple[str, ...]) -> dict[str, str]:
    """The environment of the program: some of the actor's variables, the job's, and the constants by name."""
    base = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    scalars = ((name, value) for name, value in constants.items() if isinstance(value, str | int | float))
    keys = constants.get("SIGNATORIES")
    signatories = ",".join(map(str, keys)) if isinstance(keys, tuple | list) else ""
    args = constants.get("ARGS")
    numbered = [(f"ARG_{n}", arg) for n, arg in enumerate(args if isinstance(args, tuple | list) else (), 1)]
    for name, value in (*scalars, ("SIGNATORIES", signatories), *numbered):
        # The submitter chooses its name and context, so a value that no environment can hold is skipped, not an error.
        if "\0" not in str(value):
            base[name] = str(value)
    of_job = constants.get("ENV")
    return program_environ(of_job if isinstance(of_job, Mapping) else {}, base=base, allowed=job_env)


def _text(data: bytes | bytearray) -> str:
    return _ANSI.sub("", data.decode(errors="replace"))
