"""The fork server itself, without a supervisor: what it forks runs only with permission, and changed files end it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hero_actor.fork_server import LoadedFiles

# Takes the place of the supervisor: it adopts its orphans, has one actor forked, and reports what became of it.
PARENT = """
import json, os, socket, subprocess, sys
from hero_process.fork_orders import ForkOrder, receive_answer, send_order
from hero_process.tree import adopt_orphans
adopt_orphans()
ours, theirs = socket.socketpair()
command = [sys.executable, "-m", "hero_actor.fork_server", str(theirs.fileno())]
server = subprocess.Popen(command, pass_fds=[theirs.fileno()])
theirs.close()
assert receive_answer(ours)[0].name == "READY"
(control, control_theirs), (output, output_theirs), (held, release) = socket.socketpair(), os.pipe(), os.pipe()
arguments = [sys.executable, "-P", "-m", "hero_actor", *sys.argv[2:]]
send_order(ours, ForkOrder(arguments=arguments, environ=dict(os.environ), control_fd=control_theirs.fileno(),
                           output_fd=output_theirs, held_fd=held))
answer, pid = receive_answer(ours)
for close in (control_theirs.close, lambda: os.close(output_theirs), lambda: os.close(held)):
    close()
parent = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
if sys.argv[1] == "allowed":
    os.write(release, b"+")
os.close(release)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
with os.fdopen(output) as printed:
    text = printed.read()
ours.close()
server_code = server.wait()
print(json.dumps([answer.name, parent == os.getpid(), code, text, server_code]))
"""


def run_parent(permission: str, *arguments: str) -> list[object]:
    command = [sys.executable, "-c", PARENT, permission, *arguments]
    done = subprocess.run(command, capture_output=True, check=True, text=True, env=dict(os.environ))
    found: list[object] = json.loads(done.stdout)
    return found


def test_forked_actor_without_permission_runs_nothing() -> None:
    # These arguments would be refused, loudly.
    assert run_parent("refused", "--no-such-flag") == ["FORKED", True, 0, "", 0]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--no-such-flag",), 2, "unrecognized arguments: --no-such-flag"),
        (("--type", "osis", "--redis-url", "nonsense://"), 2, "actor.usage"),
        (("--help",), 0, "usage: hero-actor"),
    ],
)
def test_forked_actor_ends_with_the_code_and_the_words_of_the_program(
    arguments: tuple[str, ...], code: int, words: str
) -> None:
    arguments = arguments if "--type" in arguments or "--help" in arguments else ("--type", "osis", *arguments)
    answer, is_child, found, text, server_code = run_parent("allowed", *arguments)
    assert (answer, is_child, found, server_code) == ("FORKED", True, code, 0)
    assert words in str(text)


def test_changed_file_of_a_loaded_module_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "loaded_by_this_test.py"
    module.write_text("VERSION = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("loaded_by_this_test")
    monkeypatch.delitem(sys.modules, "loaded_by_this_test", raising=False)
    monkeypatch.setitem(sys.modules, "loaded_by_this_test", __import__("loaded_by_this_test"))
    files = LoadedFiles()
    assert not files.have_changed()
    # As an installer does: another file in its place.
    (tmp_path / "new.py").write_text("VERSION = 2\n")
    (tmp_path / "new.py").replace(module)
    assert files.have_changed()
    module.unlink()
    assert files.have_changed()
