"""Completion as shells ask for it: bash by the script that it gets, others by their protocol if they are not here."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_type_hints

import pytest

from hero_ctl.options import OutputOptions, ServiceOptions, StoreOptions
from hero_ctl.shared_words import WITH_VALUE, WITHOUT_VALUE
from hero_job import JobBuilder
from hero_job.operations.schedules import Schedule
from tests.ctl.conftest import HEROCTL, LIMIT_S, environment
from tests.ctl.terminal import Terminal
from tests.deployment import Deployment
from tests.forked_heroctl import run_heroctl

Offered = Callable[..., list[list[str]]]

#: Calls the function that the script has registered, as bash does when the user presses Tab.
_ASK = """
eval "$(heroctl completion bash)"
function=$(complete -p heroctl | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
while IFS=$'\\t' read -r before after; do
    COMP_LINE=$before$after COMP_POINT=${#before} COMPREPLY=()
    "$function" heroctl "" ""
    printf '%s\\n' "${COMPREPLY[@]}" --end--
done
"""


@pytest.fixture
def offered(tmp_path: Path) -> Offered:
    """Ask bash what it offers for lines; a tab in a line is the place of the cursor."""

    def ask(*lines: str, **variables: str) -> list[list[str]]:
        done = subprocess.run(
            ["bash", "-c", _ASK],
            input="".join(f"{line}\t\n" if "\t" not in line else f"{line}\n" for line in lines),
            env=shell_environment(tmp_path) | variables,
            cwd=tmp_path, capture_output=True, text=True, check=True, timeout=LIMIT_S,
        )  # fmt: skip
        assert done.stderr == ""
        return [one.split("\n")[:-1] for one in done.stdout.removesuffix("--end--\n").split("--end--\n")]

    return ask


def shell_environment(home: Path) -> dict[str, str]:
    """No deployment is named here, and a slow machine has all the time that it needs."""
    path = f"{HEROCTL.parent}{os.pathsep}{os.environ['PATH']}"
    return environment("") | {"HOME": str(home), "PATH": path, "_HEROCTL_COMPLETE_S": str(LIMIT_S)}


def test_bash_offers_what_the_deployment_has_that_the_line_names(
    deployment: Deployment, offered: Offered, tmp_path: Path
) -> None:
    own = f"shell-{uuid.uuid4().hex[:8]}"
    server = f"--server unix://{deployment.socket}"
    with deployment.supervisor() as supervisor:
        job = {"caller_id": "me", "context_id": "here", "script": "1", "script_type": "SAL"}
        supervisor.put_schedule(Schedule(name=own, job=job, interval_s=86_400))
    run_heroctl([HEROCTL, "submit", "--id", own, "1"], env=environment(deployment.url), check=True)
    profiles = tmp_path / ".config/hero/config.toml"
    profiles.parent.mkdir(parents=True)
    profiles.write_text(f'[profiles.here]\nserver = "unix://{deployment.socket}"\n')

    answers = offered(
        f"heroctl show {own[:10]}",
        f"heroctl {server} show {own[:10]}",
        f"heroctl show {own[:10]}\t --config {deployment.folder}/hero.toml",
        f"heroctl --profile=here schedule show {own[:10]}",
        f"HERO_CONFIG={deployment.folder}/hero.toml heroctl show {own[:10]}",
        f"heroctl {server} actors show sal",
        "heroctl list --profile=h",
    )

    assert answers[0] == [], "nothing names a deployment here"
    assert answers[1:5] == [[own]] * 4
    assert set(answers[5]) == {"sal", "sal-1"}
    assert answers[6] == ["here"]
    with deployment.supervisor() as supervisor:
        supervisor.delete_schedule(own)


def test_bash_offers_commands_options_and_their_values(offered: Offered) -> None:
    commands, options, shared, equals, before = offered(
        "heroctl que", "heroctl list --sin", "heroctl --serv", "heroctl list --output=js", "heroctl -o json queue p"
    )

    assert set(commands) == {"queue", "queues"}
    assert options == ["--since"]
    assert shared == ["--server"]
    assert equals == ["json", "jsonl"], "bash replaces only what is behind the ="
    assert set(before) == {"pause", "purge"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_offer_ids_of_the_server_on_the_line(deployment: Deployment, tmp_path: Path, shell: str) -> None:
    own = f"{shell}-{uuid.uuid4().hex[:8]}"
    run_heroctl([HEROCTL, "submit", "--id", own, "1"], env=environment(deployment.url), check=True)
    line = f"heroctl --server unix://{deployment.socket} show {own[:-2]}"
    script = run_heroctl(
        [HEROCTL, "completion", shell], env=shell_environment(tmp_path), capture_output=True, text=True, check=True
    ).stdout

    if shutil.which(shell) is None:  # the call that the script makes
        asked = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        assert all(name in script for name in ("_TYPER_COMPLETE_ARGS", f"_HEROCTL_COMPLETE=complete_{shell}"))
        command = [str(HEROCTL)]
    else:
        asked = {}
        ask = f"complete -C '{line}'" if shell == "fish" else _ZSH.format(line=line)
        command = [shell, "-c", f"{script}\n{ask}"] if shell == "fish" else [shell, "-f", "-c", ask]
        (tmp_path / "script").write_text(script)
    done = subprocess.run(
        command,
        env=shell_environment(tmp_path) | asked
        | ({"_HEROCTL_COMPLETE": f"complete_{shell}"} if asked else {}),
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=LIMIT_S,
    )  # fmt: skip

    assert own in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_an_id_that_a_shell_would_evaluate_is_not_offered(deployment: Deployment, tmp_path: Path, shell: str) -> None:
    own = f"hostile-{shell}-{uuid.uuid4().hex[:8]}"
    # The backslash ends the protection that the script for zsh gives to the next character.
    hostile = [f"{own}{end}" for end in (r"\$(id)", "`id`", ";id", "'id", '"id', "|id", "{a,b}", "*", "!!", "~", "\\")]
    with deployment.supervisor() as supervisor:
        for job_id in (*hostile, own):
            job = JobBuilder().id(job_id).caller_id("me").context_id("here").script("1").script_type("sal").build()
            supervisor.submit_job(job)
    asked = {
        "_HEROCTL_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": f"heroctl --server unix://{deployment.socket} show {own[:-2]}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }

    done = run_heroctl(
        [HEROCTL], env=shell_environment(tmp_path) | asked, capture_output=True, text=True, check=True, timeout=LIMIT_S
    )

    offered = {"zsh": f"""_arguments '*: :(("{own}"))'"""}.get(shell, own)
    assert done.stdout == f"{offered}\n"


#: Has zsh's function print what it would evaluate.
_ZSH = """
compdef() {{ :; }}
_arguments() {{ print -r -- "$@"; }}
source ./script
words=({line}); CURRENT=${{#words}}
_heroctl_completion
"""


def test_completion_gives_up_on_a_server_that_never_finishes_its_answer(tmp_path: Path) -> None:
    with dribbling_server(tmp_path) as (path, asked):
        for patience_s in (1, 10, 100):  # a slow machine may take longer until it asks
            done = subprocess.run(
                [HEROCTL],
                env=shell_environment(tmp_path)
                | {
                    "_HEROCTL_COMPLETE": "complete_bash",
                    "_TYPER_COMPLETE_ARGS": f"heroctl show --server unix://{path} ",
                    "_HEROCTL_COMPLETE_S": str(patience_s),
                },
                capture_output=True, text=True, check=False, timeout=LIMIT_S,
            )  # fmt: skip
            assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
            if asked.is_set():
                return

    pytest.fail("it has never asked")


@contextlib.contextmanager
def dribbling_server(folder: Path) -> Iterator[tuple[Path, threading.Event]]:
    """A server whose answer has no end: a byte now and then, so that no timeout of a socket ends the wait."""
    asked, over = threading.Event(), threading.Event()

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), listener.accept()[0] as client:
                if not client.recv(65_536):  # it has given up before it has asked
                    continue
                asked.set()
                client.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.2):
                    client.sendall(b"X: y\r\nX")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "slow.sock"))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield folder / "slow.sock", asked
        finally:
            over.set()
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as last:  # lets the thread end
                last.connect(str(folder / "slow.sock"))
            thread.join()


def test_tab_completes_an_id_in_an_interactive_bash(deployment: Deployment, tmp_path: Path) -> None:
    own = f"tab-{uuid.uuid4().hex}"
    run_heroctl([HEROCTL, "submit", "--id", own, "1"], env=environment(deployment.url), check=True)
    run_heroctl([HEROCTL, "wait", own], env=environment(deployment.url), check=True, stdout=subprocess.DEVNULL)

    env = shell_environment(tmp_path) | {"PS1": "ready> ", "INPUTRC": "/dev/null", "HISTFILE": "/dev/null"}
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env=env, folder=tmp_path, columns=200) as bash:
        bash.read_until("ready> ")
        bash.write('eval "$(heroctl completion bash)"; echo script was rea""d\n')
        bash.read_until("script was read\r\n")
        bash.write(f"heroctl --server unix://{deployment.socket} status {own[:-4]}\t\n")
        bash.read_until("finished\r\n")
        bash.write("exit\n")
        bash.wait()


def test_the_shared_options_are_those_of_the_groups_of_options() -> None:
    declared = {
        word
        for group in (StoreOptions, ServiceOptions, OutputOptions)
        for hint in get_type_hints(group, include_extras=True).values()
        for word in hint.__metadata__[0].words
    }

    assert declared <= {*WITH_VALUE, *WITHOUT_VALUE}
    assert set(WITH_VALUE) <= declared
