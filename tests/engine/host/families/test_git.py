"""The family `git` with the real git and a server of this machine: results, texts, and repositories that are traps."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hero_engine.engine import Done, Failed, Stopped
from hero_engine.rights import ScriptRights
from tests.engine.heroscript_engine.builtin.test_git import Origin, git
from tests.engine.host.bench_script import ScriptBench
from tests.eventually import eventually


class GitServer(ThreadingHTTPServer):
    """Serves bare repositories of a folder by `git http-backend`; `/mute` never answers."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Backend)
        self.folder = folder
        self.closing = threading.Event()
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Backend(BaseHTTPRequestHandler):
    server: GitServer

    def answer(self) -> None:
        self.server.asked.append(self.path)
        path, _, query = self.path.partition("?")
        if path.startswith("/mute"):
            self.server.closing.wait()
            return
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.server.folder), "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "x", "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "HOME": str(self.server.folder),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = subprocess.run(["git", "http-backend"], input=body, env=env, check=True, capture_output=True).stdout
        head, _, data = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


for _method in ("GET", "POST"):
    setattr(_Backend, f"do_{_method}", _Backend.answer)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    server = GitServer(tmp_path / "origin")
    origin = Origin(tmp_path / "origin", "notes")
    origin.commit(a__txt="first")
    git(origin.bare, "config", "http.receivepack", "true")
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


def url_of(server: GitServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/team/notes.git"


def bench_for(server: GitServer, **rights: Any) -> ScriptBench:
    return ScriptBench(ScriptRights(git=(f"http://127.0.0.1:{server.server_address[1]}",), **rights))


def result(bench: ScriptBench, source: str) -> Any:
    outcome = bench.run(source)
    assert isinstance(outcome, Done), outcome
    return json.loads(outcome.output)


def message(bench: ScriptBench, source: str) -> str:
    outcome = bench.run(source)
    assert isinstance(outcome, Failed), outcome
    return outcome.message


def test_tree_clones_lists_and_finds(server: GitServer) -> None:
    port = server.server_address[1]
    place = f"code/127.0.0.1_{port}/team/notes"
    source = f"""
        let tree = git_tree_new("code");
        let empty = [tree.list().len(), tree.find("*").len()];
        let repo = tree.get("{url_of(server)}");
        let again = tree.get("{url_of(server)}");
        [empty, repo.path(), again.path(), tree.list(), file_read(repo.path() + "/a.txt"), repo.has_changes(),
         tree.find("*").len(), tree.find("notes").len(), tree.find("127*").len(), tree.find("other").len(),
         tree.get("notes").path(), exist("code/.hero")]
    """
    assert result(bench_for(server), source) == [
        [0, 0], place, place, [place], "first", False, 1, 1, 1, 0, place, False,
    ]  # fmt: skip


def test_commit_push_pull_and_reset(server: GitServer, tmp_path: Path) -> None:
    source = f"""
        let repo = git_clone("{url_of(server)}");
        let file = repo.path() + "/b.txt";
        repo.commit("nothing").push();
        file_write(file, "second");
        let changed = repo.has_changes();
        repo.commit("by a script").push();
        file_write(file, "third"); file_write(repo.path() + "/c", "new");
        let refused = ``;
        try {{ repo.pull() }} catch (e) {{ refused = e }}
        repo.reset().pull();
        [changed, refused, repo.has_changes(), file_read(file), exist(repo.path() + "/c")]
    """
    changed, refused, *rest = result(bench_for(server), source)

    assert changed is True
    assert refused.startswith("Git error: Repository at ")
    assert refused.endswith("has local changes")
    assert rest == [False, "second", False]
    bare = tmp_path / "origin/team/notes.git"
    assert git(bare, "log", "--format=%an %s", "--all").splitlines() == ["alice by a script", "x more"]


def test_write_folder_may_hold_working_copies(server: GitServer, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    bench = bench_for(server, write=(str(tmp_path / "out"),))

    path = result(bench, f"[git_tree_new(`{tmp_path}/out`).get(`{url_of(server)}`).path()]")[0]

    assert (Path(path) / "a.txt").read_text() == "first"
    assert "os: writing '/srv/x' is not allowed" in message(bench, "git_tree_new(`/srv/x`)")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("git_tree_new(`a`).get(`none`)", "Git error: Repository 'none' not found."),
        ("git_tree_new(`a`).get(`https://`)", "Git error: Could not parse git URL: https://"),
        ("git_clone(`--upload-pack=touch x`)", "Git error: Could not parse git URL: --upload-pack=touch x"),
        ("git_clone(`ext::sh -c x`)", "Git error: Could not parse git URL: ext::sh -c x"),
        ("git_clone(`https://-oProxyCommand=x/a/b`)", "Git error: Could not parse git URL"),
        ("git_clone(`https://github.com/a/b`)",
            'Git error: github.com is not allowed here; the operator enables it with git = ["github.com"] in [actors.'),
        ("git_clone(`git@github.com:a/b`)", "Git error: ssh://github.com is not allowed here"),
        ("git_clone(`file:///etc/x`)", "Git error: file:// is not allowed here"),
        ("file_write(`f`, ``); git_tree_new(`f`)", "Git error: Invalid base path: f"),
        ("mkdir(`t/x/.git`); git_tree_new(`t`).get(`x`).pull()", "Git error: Not a git repository at t/x"),
        ("mkdir(`t/x/.git`); let r = git_tree_new(`t`).get(`x`); delete(`t/x`); r.pull()",
            "Git error: Not a git repository at t/x"),
    ],
)  # fmt: skip
def test_failures_have_the_texts_of_upstream(server: GitServer, call: str, text: str) -> None:
    assert message(bench_for(server), call).startswith(text)


def test_clone_that_fails_leaves_nothing(server: GitServer) -> None:
    missing = url_of(server).replace("notes", "missing")

    text, left = result(
        bench_for(server),
        f"let t = ``; try {{ git_clone(`{missing}`) }} catch (e) {{ t = e }} [t, find_files(`.`, `*`).len()]",
    )
    assert text.startswith("Git error: Git clone error: ")
    assert left == 0


def test_server_without_scheme_is_reached_by_https_only(server: GitServer) -> None:
    host = f"127.0.0.1:{server.server_address[1]}"

    assert f"http://{host} is not allowed here" in message(
        ScriptBench(ScriptRights(git=(host,))), f"git_clone(`{url_of(server)}`)"
    )
    assert server.asked == []


@pytest.mark.parametrize(
    "trap",
    [
        'file_write_append(repo.path() + "/.git/config", "[filter \\"x\\"]\\n\\tclean = touch {made}\\n");'
        ' file_write(repo.path() + "/.gitattributes", "* filter=x\\n");',
        'file_write_append(repo.path() + "/.git/config", "[core]\\n\\tfsmonitor = touch {made}\\n");',
        'file_write_append(repo.path() + "/.git/config", "[core]\\n\\tworktree = /etc\\n");',
        'file_write_append(repo.path() + "/.git/config", "[include]\\n\\tpath = ../evil\\n");',
        'file_write_append(repo.path() + "/.git/config", "[core]\\n\\tsshCommand = touch {made}\\n");',
        'file_write_append(repo.path() + "/.git/config", "[remote \\"origin\\"]\\n\\tuploadpack = touch {made}\\n");',
        'file_write_append(repo.path() + "/.git/config", "[url \\"ext::touch {made}\\"]\\n\\tinsteadOf = http\\n");',
        'file_write_append(repo.path() + "/.git/config", "[remote \\"origin\\"]\\n\\turl = http://127.0.0.1:1/a/b\\n");',
        'file_write(repo.path() + "/.git/objects/info/alternates", "{made}/objects\\n");',
        'file_write(repo.path() + "/.git/commondir", "{made}\\n");',
        'copy(repo.path() + "/.git", repo.path() + "/inner/.git");'
        ' file_write_append(repo.path() + "/inner/.git/config", "[core]\\n\\tfsmonitor = touch {made}\\n");',
    ],
)
def test_repository_that_is_a_trap_is_refused(server: GitServer, tmp_path: Path, trap: str) -> None:
    made = tmp_path / "made"
    source = (
        f'let repo = git_clone("{url_of(server)}"); {trap.replace("{made}", str(made))}'
        + """
        file_write(repo.path() + "/b.txt", "b");
        let texts = [];
        for action in [|| repo.push(), || repo.commit("x").push(), || repo.reset().pull()] {
            try { action.call(); texts.push("done") } catch (e) { texts.push(e) }
        }
        texts
    """
    )
    texts = result(bench_for(server), source)

    assert all("is not allowed here" in text or "Could not parse" in text for text in texts), texts
    assert not made.exists()


def test_hook_of_a_repository_does_not_run(server: GitServer, tmp_path: Path) -> None:
    made = tmp_path / "made"
    source = f"""
        let repo = git_clone("{url_of(server)}");
        for name in ["pre-commit", "post-commit", "pre-push", "post-checkout", "post-merge"] {{
            let hook = repo.path() + "/.git/hooks/" + name;
            file_write(hook, "#!/bin/sh\\ntouch {made}\\n"); chmod_exec(hook);
        }}
        file_write(repo.path() + "/b.txt", "b");
        [repo.commit("x").push().reset().pull().has_changes()]
    """
    assert result(bench_for(server), source) == [False]
    assert not made.exists()


def test_stop_ends_a_clone(server: GitServer) -> None:
    bench = bench_for(server)
    run = bench.engine.new_run()
    outcomes: list[object] = []
    url = url_of(server).replace("/team", "/mute")
    thread = threading.Thread(
        target=lambda: outcomes.append(bench.run(f"try {{ git_clone(`{url}`) }} catch {{ }}", run=run))
    )
    thread.start()
    eventually(lambda: server.asked)

    run.cancel()

    thread.join()
    assert outcomes == [Stopped()]


def test_nothing_is_reached_unless_it_is_allowed() -> None:
    assert message(ScriptBench(), "git_clone(`https://github.com/a/b`)").startswith(
        'git: git_clone is not allowed here; the operator enables it with git = ["host"]'
    )
