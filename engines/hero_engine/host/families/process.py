"""The family `process`: programs of the host, without a shell unless the operator allows one.

Source: crate sal-process 0.1.0, run.rs and mgmt.rs
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.commands.running import CommandResult, ProgramNotRun, programs
from hero_engine.host.definition import Family
from hero_engine.host.families.text import dedent
from hero_engine.host.programs import program_path

FAMILY = Family("process", "Programs of the host that the operator allows.", needs="run")

_RUN_OPTIONS = frozenset({"silent", "die", "log"})
_FAILED = "Failed to execute command: "


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProcess:
    """A process that the run has started.

    Attributes:
        pid: Its process id.
        name: Name of its program.
        memory: Memory that it uses, in bytes.
        cpu: Share of one processor that it has used since it started, in percent.
    """

    pid: int
    name: str
    memory: float
    cpu: float


@FAMILY.handle
class CommandRun:
    """A command that has not run yet. Each method returns a new one."""

    def __init__(self, command: str, *, silent: bool = False, die: bool = True, log: bool = False) -> None:
        self._command = command
        self._silent = silent
        self._die = die
        self._log = log

    def silent(self) -> CommandRun:
        """Do not write its output to the job's log."""
        return CommandRun(self._command, silent=True, die=self._die, log=self._log)

    def ignore_error(self) -> CommandRun:
        """Throw nothing, whatever happens; the result tells it."""
        return CommandRun(self._command, silent=self._silent, die=False, log=self._log)

    def log(self) -> CommandRun:
        """Write the command itself to the job's log."""
        return CommandRun(self._command, silent=self._silent, die=self._die, log=True)

    def execute(self, call: Call) -> CommandResult:
        """Run it to its end. The result has `stdout`, `stderr`, `success`, `code` and `truncated`."""
        if self._log:
            call.log(f"Executing command: {self._command.strip()}")
        try:
            if "\n" in self._command.strip():
                return self._run_script(call)
            words = self._command.split()
            if not words:
                raise FunctionError("Run error: Empty command")
            return programs(call).run(_program(call, words[0]), words, silent=self._silent)
        except (FunctionError, ProgramNotRun) as e:
            text = e.text.removeprefix("Run error: ") if isinstance(e, FunctionError) else e.reason
            if self._die:
                raise FunctionError(f"Run error: {text}") from None
            return CommandResult(stdout="", stderr=f"Error: {text}", success=False, code=-1)

    def _run_script(self, call: Call) -> CommandResult:
        if "bash" not in call.rights.run:
            raise FunctionError('multi-line scripts need "bash" in run of [actors.allow]')
        bash = _program(call, "bash")
        result = programs(call).run(bash, ["bash", "-e"], script=dedent(call, self._command), silent=self._silent)
        if self._die and not result.success:
            raise FunctionError(f"Script execution failed with exit code {result.code}: {result.stderr.strip()}")
        return result


@FAMILY.function(blocks=True)
def run(command: str) -> CommandRun:
    """Prepare a command: one line is a program and its arguments, separated by spaces, with neither shell nor quotes;
    several lines are a script for bash, which ends at the first error. `execute` runs it.

    Example:
        let result = run("rsync -a in/ backup/").silent().ignore_error().execute();
        if !result.success { print(result.stderr) }
    """
    return CommandRun(command)


@FAMILY.function("run", blocks=True)
def run_with_options(call: Call, command: str, options: dict[str, object]) -> CommandResult:
    """Run a command with options: `silent` keeps its output out of the job's log, `log` writes the command there, and
    with `die: false` nothing is thrown.

    Example:
        let result = run("git --version", #{silent: true, die: false});
    """
    unknown = options.keys() - _RUN_OPTIONS
    if unknown:
        raise FunctionError(f"unknown option {min(unknown)!r:.100}; there are {', '.join(sorted(_RUN_OPTIONS))}")
    wrong = sorted(name for name, value in options.items() if not isinstance(value, bool))
    if wrong:
        raise FunctionError(f"the option {wrong[0]} should be true or false")
    silent, die, log = (
        options.get(name, default) is True for name, default in (("silent", False), ("die", True), ("log", False))
    )
    return CommandRun(command, silent=silent, die=die, log=log).execute(call)


@FAMILY.function(blocks=True)
def run_command(call: Call, command: str) -> CommandResult:
    """Run a command; its output goes to the job's log as it comes. An exit code other than 0 is no error, but a script
    of several lines that fails is one.

    Example:
        let result = run_command("git --version");
        print(result.stdout);
    """
    return CommandRun(command).execute(call)


@FAMILY.function(blocks=True)
def run_silent(call: Call, command: str) -> CommandResult:
    """Run a command, and keep its output out of the job's log.

    Example:
        let version = run_silent("git --version").stdout;
    """
    return CommandRun(command, silent=True).execute(call)


@FAMILY.function()
def new_run_options() -> dict[str, bool]:
    """Make options for `run`, with their defaults.

    Example:
        let options = new_run_options();
        options.silent = true;
    """
    return {"die": True, "silent": False, "log": False}


@FAMILY.function()
def process_list(call: Call, pattern: str) -> list[RunningProcess]:
    """List the processes of this run whose name has a text, "" for all: the programs that it has left running, and the
    process that keeps them. Others do not exist for a script.

    Example:
        for process in process_list("") { print(process.name + " " + process.memory) }
    """
    import psutil

    found = []
    of_run = programs(call)
    for pid in [of_run.keeper, *of_run.ids()]:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            with process.oneshot():
                used_s, name = sum(process.cpu_times()[:2]), process.name()
                memory, started_at = process.memory_info().rss, process.create_time()
            if pattern in name:
                lived_s = max(0.01, time.time() - started_at)
                found.append(
                    RunningProcess(pid=pid, name=name, memory=float(memory), cpu=round(100 * used_s / lived_s, 1))
                )
    return found


@FAMILY.function()
def process_get(call: Call, pattern: str) -> RunningProcess:
    """Find the one process of this run whose name has a text.

    Example:
        let server = process_get("http");
    """
    found = process_list(call, pattern)
    if not found:
        raise FunctionError(f"Process error: No processes found matching '{pattern}'")
    if len(found) > 1:
        raise FunctionError(f"Process error: Multiple processes ({len(found)}) found matching '{pattern}'")
    return found[0]


@FAMILY.function()
def kill(call: Call, pattern: str) -> str:
    """Ask the processes of this run to end whose command line has a text. Those of other jobs are not touched.

    Example:
        kill("http-server");              // "Successfully killed processes"
    """
    count = programs(call).terminate(pattern)
    return "Successfully killed processes" if count else "No matching processes found"


def _program(call: Call, word: str) -> str:
    """Find the program that a command names, among those that the operator allows."""
    for name in call.rights.run:
        path = program_path(name)
        if word == name or (path and word == path):
            if not path:
                raise FunctionError(f"{_FAILED}No such file or directory (os error 2)")
            return path
    shown = f"{word:.100}"
    raise FunctionError(
        f"{_FAILED}'{shown}' is not allowed here; the operator enables it with run = [\"{shown}\"] in [actors.allow]"
    )
