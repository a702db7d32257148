"""Loading files and folders, and includes (specification, section 7)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hero_engine.languages.heroscript import (
    HeroScriptError,
    LoadError,
    Playbook,
    follow_includes,
    list_scripts,
    load_playbook,
)


def names(playbook: Playbook) -> list[str]:
    return [action.full_name for action in playbook.actions]


def test_a_file_of_any_name_is_loaded(tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("!!a.b x:@who", "utf-8")
    playbook = load_playbook(script, replace={"who": "me"}, priority=7)
    assert (playbook.path, playbook.actions[0].priority) == (str(script), 7)
    assert playbook.actions[0].params.get("x") == "me"
    assert str(playbook.actions[0].place) == f"{script}:1:1"


def test_links_and_hidden_names_are_skipped(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "x.md").write_text("!!no.no")
    (folder / "a.md").write_text("!!yes.yes")
    (folder / ".b.md").write_text("!!no.no")
    (folder / "link.md").symlink_to(outside / "x.md")
    (folder / "linked").symlink_to(outside)
    assert list_scripts(folder) == [folder / "a.md"]


@pytest.mark.parametrize("path", ["nope", "a\0b"])
def test_a_missing_path_is_an_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(LoadError, match="can't find path:"):
        load_playbook(tmp_path / path)


def test_a_pipe_is_of_unknown_type(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LoadError, match=r"can't process path: .*pipe, unknown type"):
        load_playbook(tmp_path / "pipe")


def test_invalid_utf8_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "x.hero").write_bytes(b"!!a.b\n  x:\xff\n")
    with pytest.raises(LoadError, match="0xff") as caught:
        load_playbook(tmp_path / "x.hero")
    assert (caught.value.line, caught.value.column) == (2, 5)


def test_an_include_may_name_a_folder_and_replace_words(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.md").write_text("!!c.d name:@who")
    playbook = Playbook.parse("!!play.include path:more replace:'who:me, other:x'\n!!a.b", priority=9)
    added = follow_includes(playbook, base=tmp_path)
    assert names(playbook) == ["play.include", "a.b", "c.d"]
    assert added == playbook.actions[2:]
    assert (added[0].params.get("name"), added[0].priority, added[0].id) == ("me", 9, 3)
    assert [action.done for action in playbook.actions] == [True, False, False]


def test_the_old_name_of_include_works(tmp_path: Path) -> None:
    (tmp_path / "x.hero").write_text("!!c.d")
    playbook = Playbook.parse("!!play.run path:x.hero")
    follow_includes(playbook, base=tmp_path)
    assert names(playbook) == ["play.run", "c.d"]


def test_a_file_that_includes_itself_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "x.hero").write_text(f"!!play.include path:./../{tmp_path.name}/x.hero\n!!c.d")
    playbook = load_playbook(tmp_path / "x.hero")
    follow_includes(playbook)
    assert names(playbook) == ["play.include", "c.d"]
    assert playbook.actions[0].done


@pytest.mark.parametrize("path", ["../secret.hero", "link.hero"])
def test_nothing_outside_the_jail_is_included(tmp_path: Path, path: str) -> None:
    jail = tmp_path / "jail"
    jail.mkdir()
    (tmp_path / "secret.hero").write_text("!!c.d")
    (jail / "link.hero").symlink_to(tmp_path / "secret.hero")
    (jail / "ok.hero").write_text("!!e.f")
    playbook = Playbook.parse(f"!!play.include path:ok.hero\n!!play.include path:{path}")
    with pytest.raises(LoadError, match="path is outside of") as caught:
        follow_includes(playbook, base=jail, jail=jail)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("", "needs path or git_url"),
        ("path:''", "needs path or git_url"),
        ("git_url:x", "git_url is not allowed here"),
        ("path:nope.hero", "can't find path:"),
        ("path:. replace:'a:b:c'", "replace needs key:value items"),
        ("path:. replace:a", "replace needs key:value items"),
    ],
)
def test_a_malformed_include_says_why(tmp_path: Path, include: str, message: str) -> None:
    (tmp_path / "x.hero").write_text("!!c.d")
    playbook = Playbook.parse(f"!!play.include {include}")
    with pytest.raises(LoadError) as caught:
        follow_includes(playbook, base=tmp_path)
    assert message in str(caught.value)
    assert not playbook.actions[0].done


def test_the_caller_fetches_a_repository(tmp_path: Path) -> None:
    asked: list[tuple[str, bool, bool]] = []

    def fetch(address: str, pull: bool, reset: bool) -> Path:
        asked.append((address, pull, reset))
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "x.hero").write_text("!!c.d")
        return tmp_path

    playbook = Playbook.parse("!!play.include git_url:'https://x.org/r' git_pull:1 path:sub")
    follow_includes(playbook, fetch_git=fetch)
    assert asked == [("https://x.org/r", True, False)]
    assert names(playbook) == ["play.include", "c.d"]


def test_an_error_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "bad.hero").write_text("\n!!c.d x-y:1")
    playbook = Playbook.parse("!!play.include path:bad.hero")
    with pytest.raises(HeroScriptError) as caught:
        follow_includes(playbook, base=tmp_path)
    assert (caught.value.path, caught.value.line, caught.value.column) == (str(tmp_path / "bad.hero"), 2, 8)
