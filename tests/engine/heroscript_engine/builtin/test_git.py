"""`git.*` and includes from repositories, with the real git and bare repositories on this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hero_engine.engine import Done, Failed
from hero_engine.host.commands.git_rules import RepositorySource
from tests.engine.heroscript_engine.conftest import Bench, MakeBench
from tests.eventually import eventually
from tests.valkey_server import free_port

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

LAST = "!!play.output result:last\n"
_IDENTITY = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main")


def git(folder: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_GLOBAL": "/dev/null"}
    allow = ("-c", "protocol.file.allow=always")
    return subprocess.run(
        ["git", *_IDENTITY, *allow, *words], cwd=folder, env=env, check=True, capture_output=True, text=True
    ).stdout.strip()


class Origin:
    """A bare repository, and the working copy whose commits are pushed to it.

    Args:
        root: Gets both.
        name: Name of the repository.
        like: Begin as a copy of this one, which has the same name: that takes a third of the time of making both.
    """

    def __init__(self, root: Path, name: str, like: Origin | None = None) -> None:
        self.bare = root / "team" / f"{name}.git"
        self.work = root / "work" / name
        if like is not None:
            shutil.copytree(like.bare, self.bare)
            shutil.copytree(like.work, self.work)
            git(self.work, "remote", "set-url", "origin", str(self.bare))
            return
        self.work.mkdir(parents=True)
        git(root, "init", "--quiet", "--bare", str(self.bare))
        git(self.work, "init", "--quiet")
        git(self.work, "remote", "add", "origin", str(self.bare))

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            (self.work / name.replace("__", ".")).write_text(text)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--message", "more")
        git(self.work, "push", "--quiet", "origin", "HEAD")
        return git(self.work, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def first_origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """The repository that each test gets a copy of."""
    origin = Origin(tmp_path_factory.mktemp("first"), "notes")
    origin.commit(a__hero="!!play.echo content:'from git'\n!!play.include path:b.hero", b__hero="!!play.echo content:b")
    return origin


@pytest.fixture
def origin(tmp_path: Path, first_origin: Origin) -> Origin:
    return Origin(tmp_path / "origin", "notes", first_origin)


@pytest.fixture
def allowing(make_bench: MakeBench, tmp_path: Path, origin: Origin) -> Bench:
    return make_bench(git=(f"file://{tmp_path}/origin/*",), coderoot_dir=str(tmp_path / "code"))


def result(bench: Bench, script: str, **options: Any) -> Any:
    outcome = bench.run(LAST + script, **options)
    assert isinstance(outcome, Done), outcome
    return json.loads(outcome.output)


def message(bench: Bench, script: str, **options: Any) -> str:
    outcome = bench.run(script, **options)
    assert isinstance(outcome, Failed), outcome
    return outcome.message


def test_no_repository_is_fetched_unless_the_operator_names_it(
    make_bench: MakeBench, tmp_path: Path, origin: Origin
) -> None:
    clone = f"!!git.clone url:'{origin.bare}'"

    assert "HERO_CODEROOT_DIR is not set" in message(make_bench(git=("*",)), clone)
    jailed = make_bench(coderoot_dir=str(tmp_path / "code"))
    assert "is not allowed here; HERO_ALLOW_GIT allows: nothing" in message(jailed, clone)
    assert not (tmp_path / "code").exists()


def test_clone_is_below_the_code_folder_by_provider_account_and_name(
    allowing: Bench, tmp_path: Path, origin: Origin
) -> None:
    made = result(allowing, f"!!git.clone url:'{origin.bare}'")

    assert made == {"path": str(tmp_path / "code/local/team/notes"), "commit": git(origin.work, "rev-parse", "HEAD")}
    assert (tmp_path / "code/local/team/notes/b.hero").read_text() == "!!play.echo content:b"
    assert result(allowing, f"!!git.clone url:'{origin.bare}'") == made


def test_clone_comes_without_history_unless_it_is_wanted(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    origin.commit(c="1")
    result(allowing, f"!!git.clone url:'{origin.bare}'")
    result(allowing, f"!!git.define coderoot:deep light:false\n!!git.clone url:'{origin.bare}'")

    assert git(tmp_path / "code/local/team/notes", "rev-list", "--count", "HEAD") == "1"
    assert git(tmp_path / "code/deep/local/team/notes", "rev-list", "--count", "HEAD") == "2"
    assert "is outside of" in message(allowing, f"!!git.clone url:'{origin.bare}' coderoot:../elsewhere")


def test_copies_are_listed_and_checked(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    script = f"!!git.clone url:'{origin.bare}'\n"
    (listed,) = result(allowing, script + "!!git.list filter:team/no status_update:true")
    (tmp_path / "code/local/team/notes/new").write_text("x")

    assert listed["changed"] is False
    assert (listed["provider"], listed["account"], listed["name"]) == ("local", "team", "notes")
    assert listed["branch"] == "main"
    assert result(allowing, "!!git.list name:notes")[0]["changed"] is True
    assert result(allowing, "!!git.list name:other") == []
    assert "error" not in result(allowing, "!!git.check")[0]
    for damaged in (tmp_path / "code/local/team/notes/.git/objects").rglob("*.pack"):
        damaged.unlink()
    for damaged in (tmp_path / "code/local/team/notes/.git/objects").glob("??/*"):
        damaged.unlink()
    assert "git fsck ended with exit code" in message(allowing, "!!git.check")
    assert "error" in result(allowing, "!!git.check error_ignore:true")[0]


def test_changes_are_pulled_committed_pushed_and_reset(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    copy = tmp_path / "code/local/team/notes"
    result(allowing, f"!!git.clone url:'{origin.bare}'")
    head = origin.commit(c="1")

    result(allowing, "!!git.repo_action action:pull name:notes")
    assert git(copy, "rev-parse", "HEAD") == head
    (copy / "d").write_text("2")
    script = "!!git.repo_action action:commit name:notes message:'more of it'\n!!git.repo_action action:push name:notes"
    result(allowing, script, CALLER_ID="käthe")
    assert git(origin.bare, "log", "-1", "--format=%an %s", "main") == "käthe more of it"
    (copy / "e").write_text("3")
    (copy / "d").write_text("changed")
    result(allowing, "!!git.repo_action action:reset name:notes")
    assert ((copy / "d").read_text(), (copy / "e").exists()) == ("2", False)


def test_branches_and_tags_are_created_and_switched_to(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    copy = tmp_path / "code/local/team/notes"
    git(origin.work, "checkout", "--quiet", "-b", "side")
    side = origin.commit(s="1")
    git(origin.work, "tag", "v1")
    git(origin.work, "push", "--quiet", "origin", "v1")

    def do(what: str) -> None:
        result(allowing, f"!!git.repo_action name:notes action:{what}")

    result(allowing, f"!!git.clone url:'{origin.bare}'")
    do("branch_switch branchname:side")
    assert git(copy, "rev-parse", "HEAD") == side
    do("branch_create branchname:own")
    do("tag_create tagname:mine")
    do("branch_switch branchname:main")
    do("tag_switch tagname:v1")
    assert git(copy, "rev-parse", "HEAD") == side
    do("tag_switch tagname:mine")
    assert git(copy, "branch", "--list", "own").strip() == "own"
    for bad in ("tag_create", "branch_switch branchname:--orphan", "commit"):
        assert "needs message, branchname or tagname" in message(allowing, f"!!git.repo_action name:notes action:{bad}")


def test_copy_is_removed_only_if_it_is_selected(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    result(allowing, f"!!git.clone url:'{origin.bare}'")

    assert "it throws work away" in message(allowing, "!!git.repo_action action:delete")
    result(allowing, "!!git.repo_action action:delete account:team")
    assert list((tmp_path / "code/local/team").iterdir()) == []
    assert "no working copy is selected" in message(allowing, "!!git.repo_action action:pull name:notes")


def test_working_copies_belong_to_a_context(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    git(origin.work, "checkout", "--quiet", "-b", "next")
    origin.commit(c="next")
    clone, where = f"!!git.clone url:'{origin.bare}' light:false", tmp_path / "code/contexts"
    mine, theirs = result(allowing, clone, CONTEXT_ID="mine"), result(allowing, clone, CONTEXT_ID="theirs")
    (where / "mine/local/team/notes/new").write_text("my work")

    select = "!!git.repo_action name:notes action:"
    result(allowing, select + "branch_switch branchname:next", CONTEXT_ID="theirs")
    result(allowing, select + "reset", CONTEXT_ID="theirs")
    listed = result(allowing, "!!git.list", CONTEXT_ID="theirs")
    result(allowing, select + "delete", CONTEXT_ID="theirs")

    assert [mine["path"], theirs["path"]] == [str(where / f"{name}/local/team/notes") for name in ("mine", "theirs")]
    assert [copy["path"] for copy in listed] == [theirs["path"]]
    assert (where / "mine/local/team/notes/new").read_text() == "my work"
    assert git(where / "mine/local/team/notes", "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert not (where / "theirs/local/team/notes").exists()


@pytest.mark.parametrize("attempt", ["../mine", "ABSOLUTE", "link", "local/team/notes/link"])
@pytest.mark.parametrize("action", ["git.repo_action action:delete name:notes", "git.list", "core.coderoot_set"])
def test_no_path_leads_to_the_copies_of_another_context(
    allowing: Bench, tmp_path: Path, origin: Origin, attempt: str, action: str
) -> None:
    result(allowing, f"!!git.clone url:'{origin.bare}'", CONTEXT_ID="mine")
    mine = tmp_path / "code/contexts/mine"
    (origin.work / "link").symlink_to(mine)
    origin.commit()
    result(allowing, f"!!git.clone url:'{origin.bare}'", CONTEXT_ID="theirs")
    (tmp_path / "code/contexts/theirs/link").symlink_to(mine)

    script = f"!!{action} coderoot:'{str(mine) if attempt == 'ABSOLUTE' else attempt}'"

    assert "is outside of" in message(allowing, script, CONTEXT_ID="theirs")
    assert (mine / "local/team/notes/a.hero").exists()


@pytest.mark.parametrize(
    "name", ["..", ".", "a/b", "../mine", "/etc", "Mine", "x" * 300, "käthe", "a\nb", " ", "~x", ".git", "*", "mine/."]
)
def test_every_name_of_a_context_gives_a_folder_of_its_own(
    allowing: Bench, tmp_path: Path, origin: Origin, name: str
) -> None:
    made = result(allowing, f"!!git.clone url:'{origin.bare}'", CONTEXT_ID=name)

    folder = Path(made["path"]).relative_to(tmp_path / "code/contexts").parts[0]
    assert folder.startswith("~")
    assert len(folder) == 65
    assert list((tmp_path / "code").iterdir()) == [tmp_path / "code/contexts"]


def test_job_without_a_context_reaches_no_copy_of_a_context(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    result(allowing, f"!!git.clone url:'{origin.bare}'", CONTEXT_ID="mine")

    assert result(allowing, "!!git.list") == []
    assert "belongs to a context" in message(allowing, "!!git.list coderoot:contexts/mine")


def test_neither_hooks_nor_the_jobs_environment_run_anything(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    seen = tmp_path / "seen"
    result(allowing, f"!!git.clone url:'{origin.bare}'")
    copy = tmp_path / "code/local/team/notes"
    for name in ("post-checkout", "pre-commit", "post-merge"):
        hook = copy / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {seen}")
        hook.chmod(0o755)
    (copy / "x").write_text("1")
    env = {"GIT_EXTERNAL_DIFF": f"touch {seen}", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor"}
    env["GIT_CONFIG_VALUE_0"] = f"touch {seen}"

    script = "!!git.repo_action name:notes action:commit message:m\n!!git.repo_action name:notes action:branch_create"
    result(allowing, script + " branchname:b", ENV=env)

    assert not seen.exists()


def test_remote_of_a_copy_is_checked_again(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    elsewhere = Origin(tmp_path / "elsewhere", "secret")
    elsewhere.commit(a="1")
    result(allowing, f"!!git.clone url:'{origin.bare}'")
    git(tmp_path / "code/local/team/notes", "remote", "set-url", "origin", str(elsewhere.bare))

    assert "elsewhere/team/secret.git is not allowed here" in message(
        allowing, "!!git.repo_action action:pull name:notes"
    )


def test_submodules_are_fetched_if_they_are_allowed(allowing: Bench, tmp_path: Path, origin: Origin) -> None:
    inner = Origin(tmp_path / "origin", "inner")
    inner.commit(i="inner")
    elsewhere = Origin(tmp_path / "elsewhere", "secret")
    elsewhere.commit(i="secret")
    git(origin.work, "submodule", "--quiet", "add", f"file://{inner.bare}", "sub")
    origin.commit(c="1")

    result(allowing, f"!!git.clone url:'{origin.bare}' recursive:true")
    assert (tmp_path / "code/local/team/notes/sub/i").read_text() == "inner"

    git(origin.work, "submodule", "--quiet", "add", f"file://{elsewhere.bare}", "away")
    origin.commit(c="2")
    again = "!!git.repo_action name:notes action:pull submodules:true"
    assert "elsewhere/team/secret.git is not allowed here" in message(allowing, again)
    assert not (tmp_path / "code/local/team/notes/away/i").exists()


def test_include_reads_from_a_repository(
    allowing: Bench, make_bench: MakeBench, tmp_path: Path, origin: Origin
) -> None:
    script = f"!!play.include git_url:'{origin.bare}' path:a.hero"

    assert [entry["result"] for entry in json.loads(_output(allowing, script))] == ["from git", "b"]
    origin.commit(a__hero="!!play.echo content:newer")
    assert "from git" in _output(allowing, script)
    (tmp_path / "code/local/team/notes/a.hero").write_text("local change")
    assert "newer" in _output(allowing, script + " git_pull:true git_reset:true")
    assert "is outside of" in message(allowing, script.replace("a.hero", "../../../../x.hero"))
    assert "is outside of" in message(allowing, "!!play.include path:/etc/passwd")
    refused = message(make_bench(scripts_dir=str(tmp_path)), f"!!test.nothing\n{script}")
    assert "git_url is not allowed here" in refused
    error = allowing.run("!!test.nothing\n!!play.include git_url:'https://elsewhere.org/a/b' path:x")
    assert isinstance(error, Failed)
    assert (error.kind, error.line) == ("load", 2)
    assert "https://elsewhere.org/a/b is not allowed here" in error.message


@pytest.fixture
def daemon(tmp_path: Path, origin: Origin) -> Iterator[str]:
    """The repositories over git's own protocol, as another host would serve them."""
    port = free_port()
    command = [
        "git",
        "daemon",
        "--export-all",
        f"--base-path={tmp_path}/origin",
        "--listen=127.0.0.1",
        f"--port={port}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens() -> bool:
        assert process.poll() is None, "git daemon ended by itself"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(listens, what="git daemon listens")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_repository_is_cloned_over_the_network(make_bench: MakeBench, tmp_path: Path, daemon: str) -> None:
    bench = make_bench(git=(f"git://{daemon}/team/*",), coderoot_dir=str(tmp_path / "code"))

    made = result(bench, f"!!git.clone url:'git://{daemon}/team/notes.git'")

    assert made["path"] == str(tmp_path / "code" / daemon.replace(":", "_") / "team/notes")
    assert "is not allowed here" in message(bench, f"!!git.clone url:'git://{daemon}/other/notes.git'")


@pytest.mark.parametrize(
    ("url", "items", "allowed"),
    [
        ("https://github.com/team/notes", ("github.com",), True),
        ("https://github.com/team/notes.git", ("github.com/team/notes",), True),
        ("https://github.com/team/notes", ("github.com/team/*",), True),
        ("https://github.com/other/notes", ("github.com/team/*",), False),
        ("https://github.com.evil.org/team/notes", ("github.com",), False),
        ("https://evil.org/github.com/notes", ("github.com/*",), False),
        ("git@github.com:team/notes.git", ("github.com/team/*",), True),
        ("ssh://git@github.com/team/notes.git", ("github.com/team/*",), True),
        ("http://github.com/team/notes", ("github.com",), False),
        ("http://github.com/team/notes", ("http://github.com",), True),
        ("https://github.com/team/notes", ("http://github.com",), False),
        ("/srv/git/team/notes", ("github.com", "*"), False),
        ("/srv/git/team/notes", ("file:///srv/git/*",), True),
        ("/srv/git/../../etc/team/notes", ("file:///srv/git/*",), False),
    ],
)
def test_repository_is_checked_by_scheme_host_and_path(url: str, items: tuple[str, ...], allowed: bool) -> None:
    assert RepositorySource.parse(url).allowed_by(items) is allowed


@pytest.mark.parametrize(
    "url",
    [
        *("--upload-pack=touch x", "ext::sh -c x", "https://github.com/../x/y", "https://github.com/-x/y", "host:/"),
        *("https://me:pw@github.com/a/b", "https://github.com/a", "ftp://h/a/b", "https:///a/b", "a/b", "-h:a/b"),
        *("ssh://-oProxyCommand=x/a/b", "-x@h:a/b", "ssh://-x@h/a/b"),
    ],
)
def test_malformed_address_of_a_repository_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"is not the address|has more than|has no path"):
        RepositorySource.parse(url)


def _output(bench: Bench, script: str) -> str:
    outcome = bench.run(script)
    assert isinstance(outcome, Done), outcome
    return outcome.output
