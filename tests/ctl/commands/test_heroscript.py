"""`heroctl heroscript`: the checker and the formatter as a user calls them, without any service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ctl.conftest import HEROCTL, LIMIT_S, environment
from tests.forked_heroctl import run_heroctl

UGLY = 'prose\n!!wallet.send   to:"bob the builder"  amount:12.5\n'
NEAT = "prose\n!!wallet.send to:'bob the builder' amount:12.5\n"


def call(folder: Path, *arguments: str, input: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = run_heroctl(
        [HEROCTL, "heroscript", *arguments],
        input=input,
        capture_output=True,
        check=False,
        cwd=folder,
        env=environment(""),
        timeout=LIMIT_S,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def test_check_shows_every_finding_with_its_place_and_a_caret(tmp_path: Path) -> None:
    (tmp_path / "a.hero").write_text("!!a.b.c x:1\n!!wallet.sned a: b:1\n")

    done = call(tmp_path, "check", "--known", "wallet.send", "a.hero")

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "a.hero:1:1: error[syntax]: for now we only support actions with 1 or 2 parts. found 3 in: !!a.b.c",
        "    1 | !!a.b.c x:1",
        "      | ^~~~~~~",
        "  hint: write !!actor.name",
        "a.hero:2:1: error[unknown-action]: there is no action wallet.sned",
        "    2 | !!wallet.sned a: b:1",
        "      | ^~~~~~~~~~~",
        "  hint: did you mean wallet.send?",
        "a.hero:2:15: warning[Q10]: a takes the next parameter as its value: b:1",
        "    2 | !!wallet.sned a: b:1",
        "      |               ^",
        "  hint: write a:'' for an empty value",
    ]
    assert done.stderr == "heroctl: 1 script checked: 2 errors, 1 warning\n"


def test_check_reads_folders_and_succeeds_with_warnings_alone(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.heroscript").write_text("!!a.b c: d:1\n")
    (tmp_path / "b.md").write_text("# Title\n")
    (tmp_path / "c.txt").write_text("!!a.b.c\n")

    done = call(tmp_path, "check", "--json", ".", "b.md")

    assert done.returncode == 0
    (found,) = json.loads(done.stdout)
    assert found.pop("message").startswith("c takes the next parameter")
    assert found == {
        "path": "deep/a.heroscript",
        "line": 1,
        "column": 7,
        "severity": "warning",
        "code": "Q10",
        "text": "c",
        "hint": "write c:'' for an empty value",
    }
    assert "2 scripts checked" in done.stderr


def test_file_that_is_not_text_is_a_finding_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.hero").write_bytes(b"!!a.b\n!!c.d x:\xff\n")

    done = call(tmp_path, "check", "a.hero")

    assert done.returncode == 1
    assert done.stdout == "a.hero:2:9: error[load]: not UTF-8 text: byte 0xff\n"


def test_standard_input_is_formatted_and_checked(tmp_path: Path) -> None:
    done = call(tmp_path, "fmt", "-", input=UGLY.encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, NEAT, "")

    done = call(tmp_path, "check", "-", input=b"!!a.b.c")
    assert done.returncode == 1
    assert done.stdout.startswith("<stdin>:1:1: error[syntax]")


def test_fmt_checks_and_rewrites_only_files_that_are_not_formatted(tmp_path: Path) -> None:
    files = {"ugly.hero": UGLY, "neat.hero": NEAT, "bad.hero": "!!a.b.c   x:1\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "ugly.hero").chmod(0o640)
    (tmp_path / "link").symlink_to("ugly.hero")

    done = call(tmp_path, "fmt", "--check", ".")
    assert (done.returncode, done.stdout) == (1, "ugly.hero\n")
    assert "bad.hero:1:1: error[syntax]" in done.stderr
    assert "3 scripts: 1 not formatted, 1 error\n" in done.stderr
    assert {name: (tmp_path / name).read_text() for name in files} == files

    done = call(tmp_path, "fmt", "--write", "neat.hero", "link")
    assert (done.returncode, done.stdout) == (0, "link\n")
    assert {name: (tmp_path / name).read_text() for name in files} == files | {"ugly.hero": NEAT}
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "ugly.hero").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*files, "link"])

    assert call(tmp_path, "fmt", "--check", "ugly.hero", "neat.hero").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("check", "nothing-there"), "nothing-there"),
        (("check", "empty"), "no script in empty"),
        (("fmt", "a.hero", "b.hero"), "2 scripts: give --write"),
        (("fmt", "--check", "--write", "a.hero"), "give one of them"),
        (("fmt", "--write", "-"), "standard input cannot be written"),
    ],
)
def test_wrong_usage_exits_with_2_and_the_reason(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("a.hero", "b.hero"):
        (tmp_path / name).write_text(UGLY)

    done = call(tmp_path, *arguments)

    assert done.returncode == 2
    assert named in done.stderr
    assert (tmp_path / "a.hero").read_text() == UGLY


def test_a_check_imports_the_language_and_no_engine(tmp_path: Path) -> None:
    (tmp_path / "a.hero").write_text("!!a.b\n")
    program = "import sys\nfrom hero_ctl.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", program, "heroscript", "check", "a.hero"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = [name for name in done.stdout.split() if name.startswith("hero_engine")]

    language = "hero_engine.languages.heroscript"
    assert f"{language}.tools.check" in loaded
    assert [
        name for name in loaded if not f"{language}.".startswith(f"{name}.") and not name.startswith(f"{language}.")
    ] == []


def test_heroctl_imports_no_server_and_no_pydantic_before_a_command_needs_them() -> None:
    loaded = {name.partition(".")[0] for name in imported_by_heroctl()}

    assert loaded & {"hero_supervisor", "pydantic", "psutil", "uvicorn", "rhai"} == set()


def imported_by_heroctl() -> list[str]:
    """List the modules that are imported once all commands are known, and none has run."""
    program = "import sys, hero_ctl.app; hero_ctl.app.build_app(); print(*sys.modules)"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


def test_what_v_misreads_is_checked_and_rewritten_on_request(tmp_path: Path) -> None:
    file = tmp_path / "a.hero"
    file.write_text("\ufeff!!a.b url:https://x.y l:m\n")

    assert call(tmp_path, "check", "a.hero").stdout == ""
    done = call(tmp_path, "check", "--for", "v", "--json", "a.hero")
    assert done.returncode == 0
    assert [(one["code"], one["line"]) for one in json.loads(done.stdout)] == [("v-byte-order-mark", 1), ("Q13", 1)]

    assert call(tmp_path, "fmt", "--for", "v", "--write", "a.hero").stdout == "a.hero\n"
    assert file.read_text() == "!!a.b url:'https://x.y' l:m\n"
    assert call(tmp_path, "check", "--for", "v", "a.hero").stdout == ""
