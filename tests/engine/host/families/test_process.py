"""The family `process`: what upstream's scripts expect, and programs that flood, multiply or do not end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hero_engine.engine import Done, Failed, Stopped, TimedOut
from hero_engine.host.places import scratch
from hero_engine.rights import ScriptRights
from hero_process.proc import arguments_of, process_ids
from tests.engine.host.bench_script import ScriptBench
from tests.eventually import eventually

RUN = ("bash", "echo", "cat", "false", "env", "pwd", "sleep", "yes", "no-such-program-here")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptBench:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch, "_base", None)
    return ScriptBench(ScriptRights(run=(*RUN, sys.executable)))


def evaluate(bench: ScriptBench, source: str) -> str:
    outcome = bench.run(source)
    assert isinstance(outcome, Done), outcome
    return outcome.output


def running(mark: str) -> list[int]:
    """Processes with a text in their command line, which no other test uses."""
    return [pid for pid in process_ids() if pid != os.getpid() and mark in " ".join(arguments_of(pid))]


@pytest.mark.parametrize(
    ("source", "output"),
    [
        (
            "let r = run_command(`echo  hello   world`); [r.stdout, r.stderr, r.success, r.code]",
            '["hello world\\n","",true,0]',
        ),
        ("run_command(`echo 'a b' $HOME *; false`).stdout", "'a b' $HOME *; false\n"),
        ("let r = run_silent(`false`); [r.success, r.code]", "[false,1]"),
        ("run(`echo x`).silent().ignore_error().log().execute().stdout", "x\n"),
        ("run(`echo x`, #{silent: true, die: false, log: false}).stdout", "x\n"),
        ("let o = new_run_options(); [o.die, o.silent, o.log]", "[true,false,false]"),
        ('run_silent(`\n    V=1\n    echo "v=$V"\n    echo two >&2\n`).stdout', "v=1\n"),
        (
            "let r = run(`\n echo out\n false\n echo no\n`).ignore_error().execute(); [r.stdout, r.success, r.code]",
            '["out\\n",false,1]',
        ),
        ("let r = run(`nothing`, #{die: false}); [r.stdout, r.success, r.code]", '["",false,-1]'),
        ("run_silent(`\nkill -9 $$\n:`).code", None),
        ("let r = run(`\nkill -9 $$\n:`).ignore_error().execute(); [r.success, r.code]", "[false,-1]"),
        ("log(100.0)", "2.0"),
        ("run_silent(`cat`).stdout", ""),
    ],
)
def test_results(bench: ScriptBench, source: str, output: str | None) -> None:
    outcome = bench.run(source)
    if output is None:
        assert isinstance(outcome, Failed)
        assert outcome.message == "Run error: Script execution failed with exit code -1: "
    else:
        assert isinstance(outcome, Done), outcome
        assert outcome.output == output


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("run_command(`  `)", "Run error: Empty command"),
        (
            "run_command(`curl http://x`)",
            "Run error: Failed to execute command: 'curl' is not allowed here; "
            'the operator enables it with run = ["curl"] in [actors.allow]',
        ),
        (
            "run_command(`no-such-program-here`)",
            "Run error: Failed to execute command: No such file or directory (os error 2)",
        ),
        (
            "run_command(`./echo x`)",
            "Run error: Failed to execute command: './echo' is not allowed here; "
            'the operator enables it with run = ["./echo"] in [actors.allow]',
        ),
        ('run_command("echo a\\x00b")', "Run error: Failed to execute command: nul byte found in provided data"),
        (
            "run(`\n echo a >&2\n exit 7\n`).silent().execute()",
            "Run error: Script execution failed with exit code 7: a",
        ),
        ("process_get(`nothing-like-it`)", "Process error: No processes found matching 'nothing-like-it'"),
    ],
)
def test_failures_have_the_texts_of_upstream(bench: ScriptBench, call: str, text: str) -> None:
    assert evaluate(bench, f"let t = ``; try {{ {call} }} catch (e) {{ t = e }} t") == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no program", "Exec format error (os error 8)"),
        ("#!/no/such/shell\n", "No such file or directory (os error 2)"),
    ],
)
def test_file_that_the_kernel_cannot_execute_is_refused_with_its_reason(
    tmp_path: Path, content: str, words: str
) -> None:
    file = tmp_path / "tool"
    file.write_text(content)
    file.chmod(0o755)

    outcome = ScriptBench(ScriptRights(run=(str(file),))).run(f"run_command(`{file}`)")

    assert isinstance(outcome, Failed), outcome
    assert outcome.message == f"Run error: Failed to execute command: {words}"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("#{nope: 1}", "unknown option 'nope'; there are die, log, silent"),
        ("#{silent: true, Die: false}", "unknown option 'Die'; there are die, log, silent"),
        ("#{silent: 1}", "the option silent should be true or false"),
    ],
)
def test_option_that_run_does_not_know_is_refused(bench: ScriptBench, options: str, text: str) -> None:
    outcome = bench.run(f"run(`echo x`, {options})")
    assert isinstance(outcome, Failed), outcome
    assert outcome.message == text


def test_nothing_runs_unless_it_is_allowed() -> None:
    outcome = ScriptBench().run("run_command(`echo x`)")
    assert isinstance(outcome, Failed)
    assert outcome.message == (
        'process: run_command is not allowed here; the operator enables it with run = ["program"] in [actors.allow]'
    )
    refused = ScriptBench(ScriptRights(run=("echo",))).run("run_command(`\necho a\necho b\n`)")
    assert isinstance(refused, Failed)
    assert refused.message == 'Run error: multi-line scripts need "bash" in run of [actors.allow]'


def test_name_means_the_program_that_it_meant_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "echo"
    own.write_text("#!/bin/sh\necho mine\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    bench = ScriptBench(ScriptRights(run=("echo", str(own))))

    assert evaluate(bench, "run_silent(`echo x`).stdout") == "x\n"
    assert evaluate(bench, f"run_silent(`{own}`).stdout") == "mine\n"


def test_program_gets_few_variables_and_works_in_the_scratch_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    monkeypatch.setenv("WANTED", "yes")
    monkeypatch.setenv("HERO_REDIS_URL", "redis://:password@h/0")
    bench = ScriptBench(ScriptRights(run=("env", "pwd", "cat", "bash"), env=("WANTED", "HERO_REDIS_URL", "ABSENT")))

    names = {line.partition("=")[0] for line in evaluate(bench, "run_silent(`env`).stdout").splitlines()}
    assert names == {"PATH", "HOME", "TMPDIR", "LANG", "WANTED"}
    assert evaluate(bench, "file_write(`a`, `1`); run_silent(`cat a`).stdout") == "1"
    assert evaluate(bench, "mkdir(`in`); chdir(`in`); run_silent(`pwd`).stdout.contains(`/in`)") == "true"
    # Neither does it see the variables of the keeper above it.
    assert "s3cret" not in evaluate(bench, "run(`\ncat /proc/$PPID/environ\n`).silent().execute().stdout")


def test_output_goes_to_the_log_as_it_comes_unless_silent(bench: ScriptBench) -> None:
    seen = threading.Event()
    line = bench.log.line

    def note(level: str, text: str) -> None:
        line(level, text)
        seen.set()

    bench.log.line = note  # type: ignore[method-assign]
    run = bench.engine.new_run()
    thread = threading.Thread(
        target=lambda: bench.run("run_command(`\necho first\necho bad >&2\nsleep 300\n`)", run=run)
    )
    thread.start()

    eventually(lambda: set(bench.log.lines) == {("info", "first"), ("warning", "bad")})
    run.cancel()
    thread.join()
    bench.log.lines.clear()
    evaluate(bench, "run_silent(`echo quiet`); run(`echo quiet`).silent().execute()")
    assert bench.log.lines == []


def test_last_line_without_an_end_is_logged_too(bench: ScriptBench) -> None:
    evaluate(bench, "run_command(`\nprintf a; printf 'b\\nc'\n\n:`)")
    assert [text for _, text in bench.log.lines] == ["ab", "c"]


def test_output_of_a_gigabyte_is_cut(bench: ScriptBench) -> None:
    bench = ScriptBench(ScriptRights(run=("bash", "head"), max_output_bytes=1000))

    source = "let r = run_command(`head -c 1000000000 /dev/zero`); [r.stdout.len(), r.success, r.truncated]"
    assert evaluate(bench, source) == "[1000,true,true]"
    assert bench.log.lines[-1] == ("warning", "more than 1000 bytes of output; the rest is not kept")
    assert sum(len(text) for _, text in bench.log.lines) < 2000


@pytest.mark.parametrize("how", ["stop", "deadline"])
@pytest.mark.parametrize(
    "program",
    [
        "trap '' TERM; while true; do sleep 0.1; done",
        "(trap '' TERM; setsid sleep 3456789 & setsid setsid sleep 3456789 & disown; sleep 3456789) & sleep 3456789",
        "yes",
    ],
)
def test_stop_and_deadline_end_the_run_and_everything_that_it_started(
    bench: ScriptBench, tmp_path: Path, how: str, program: str
) -> None:
    marker = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    run = bench.engine.new_run()
    outcomes: list[object] = []
    ended: list[float] = []
    source = f"run_silent(`\nexport M={marker}\necho $BASHPID > pid\n{program}\n`)"

    def work() -> None:
        outcomes.append(bench.run(source, run=run, timeout_s=60 if how == "stop" else 1.5))
        ended.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    if how == "stop":
        eventually(lambda: any(path.read_text() for path in tmp_path.glob("hero-scratch-*/*/pid")))
        run.cancel()
    thread.join()

    assert outcomes == [Stopped() if how == "stop" else TimedOut(1.5)]
    entry = f"M={marker}".encode()
    eventually(lambda: not [pid for pid in process_ids() if entry in _environ(pid)])
    eventually(lambda: not list(tmp_path.glob("hero-scratch-*/*")))
    eventually(lambda: not running("keeper.py"))


def _environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


@pytest.mark.parametrize(
    "bomb",
    [
        # Both stop by themselves at some hundred processes, because nothing holds back those of root.
        "f() { [ $1 = 0 ] || { f $(($1 - 1)) | f $(($1 - 1)) & }; }; f 8; sleep 3456790",
        'f() { [ $1 = 0 ] || setsid bash -c "$(declare -f f); f $(($1 - 1)) & f $(($1 - 1)) & sleep 9" & };'
        " f 7; f 7; sleep 3456790",
    ],
)
def test_program_that_multiplies_is_ended(bomb: str) -> None:
    bench = ScriptBench(ScriptRights(run=("bash",), max_processes=10))

    outcome = bench.run(f"run_silent(`\n{bomb}\n:`)")

    assert isinstance(outcome, Failed)
    assert outcome.message == "Run error: the command was ended: it had more than 10 processes (max_processes)"
    eventually(lambda: not running("3456790"))


def test_background_processes_are_listed_and_killed_and_others_do_not_exist(bench: ScriptBench) -> None:
    other = subprocess.Popen(["sleep", "3456791"])
    try:
        source = """
            run_silent(`\nsleep 3456791 >/dev/null &\nsleep 3456792 &\n`);
            while process_list("sleep").len() < 2 { sleep(0.01) }
            let all = process_list("").len();
            let sleeping = process_list("sleep");
            let first = sleeping[0];
            let killed = kill("3456791");
            while process_list("sleep").len() > 1 { sleep(0.01) }
            [all, sleeping.len(), first.pid > 0, first.name, first.memory > 0.0, first.cpu >= 0.0, killed,
             kill("nothing"), process_get("sleep").name]
        """
        assert evaluate(bench, source) == (
            '[3,2,true,"sleep",true,true,"Successfully killed processes","No matching processes found","sleep"]'
        )
        eventually(lambda: not running("3456792"))
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_nothing_is_left_when_the_process_of_the_actor_dies(tmp_path: Path) -> None:
    program = """
import sys
from hero_engine.rights import ScriptRights
from tests.engine.host.bench_script import ScriptBench
ScriptBench(ScriptRights(run=("bash",))).run(
    "run_silent(`\\necho $$ > '%s'\\nsleep 3456793 & setsid sleep 3456793\\n`)"
)
""" % (tmp_path / "started")
    process = subprocess.Popen([sys.executable, "-c", program])
    eventually(lambda: (tmp_path / "started").is_file() and len(running("sleep 3456793")) >= 2)

    process.send_signal(signal.SIGKILL)
    process.wait()

    eventually(lambda: not running("3456793"))


def test_call_ends_after_the_time_that_the_operator_allows() -> None:
    bench = ScriptBench(ScriptRights(run=("sleep", "echo"), call_s=3))

    assert (
        evaluate(
            bench,
            "file_write(`a`, `1`); let t = ``; try { run_silent(`sleep 3456794`) } catch (e) { t = e } "
            "[t.starts_with(`Run error: `) && t.contains(`call_s`), run_silent(`echo x`).stdout, exist(`a`)]",
        )
        == '[true,"x\\n",true]'
    )
    eventually(lambda: not running("3456794"))


def test_many_lanes_run_programs_simultaneously(bench: ScriptBench) -> None:
    outputs: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: outputs.append(evaluate(bench, f"run_silent(`echo {n}`).stdout")))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outputs) == [f"{n}\n" for n in range(8)]
    assert len(list(Path("/proc/self/fd").iterdir())) < 200
