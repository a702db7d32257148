"""`hero-dev`: one command in any folder gives a service with a page, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.deployment import alive
from tests.eventually import eventually

COMMAND = (sys.executable, "-P", "-m", "hero_ctl.dev.cli")
#: The same on a machine that stands still after the last line is shown, and before the program waits.
_STANDS_STILL = """
import signal, sys
from hero_ctl.dev import cli
from hero_ctl.dev.lines import Lines
show = Lines.command
def show_and_stand(self, name, text):
    show(self, name, text)
    if name == "over HTTP":
        signal.pause()
Lines.command = show_and_stand
sys.exit(cli.main())
"""
STANDS_STILL = (sys.executable, "-P", "-c", _STANDS_STILL)
#: What a user's shell may have set for another deployment, and a program that is not installed.
MISLEADING = {
    "HERO_REDIS_URL": "redis://127.0.0.1:1/",
    "HERO_NAMESPACE": "other",
    "HERO_SOCKET": "/nowhere/hero.ipc",
    "HERO_V_COMMAND": "no-such-hero {file}",
}


class Dev:
    """One `hero-dev` in a folder.

    Args:
        folder: Where it is started, which exists.
        arguments: Its arguments.
        temporary: Where it makes temporary folders.
        command: The program.
    """

    def __init__(
        self, folder: Path, *arguments: str, temporary: Path | None = None, command: tuple[str, ...] = COMMAND
    ) -> None:
        self.folder = folder
        self.shown = folder / "shown"
        with self.shown.open("wb") as shown:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=shown,
                stderr=subprocess.STDOUT,
                env=environment() | {"HERO_TEST_DEV": str(folder)} | ({"TMPDIR": str(temporary)} if temporary else {}),
                start_new_session=True,
            )

    def text(self) -> str:
        return self.shown.read_text()

    def await_up(self) -> None:
        eventually(lambda: self._has_told_all() or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()

    def advice(self, name: str) -> str:
        """What it printed behind a name."""
        (line,) = (one for one in self.text().splitlines() if one.startswith(f"  {name}"))
        return line.removeprefix(f"  {name}").strip()

    def control_c(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(300)

    def left(self) -> list[psutil.Process]:
        """All living processes that it has started, and itself."""
        return [process for process in psutil.process_iter() if alive(process) and self._owns(process)]

    def end(self) -> None:
        """End it, if a test has failed before that."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(300)
        eventually(lambda: not self.left(), what="no process is left behind")

    def _has_told_all(self) -> bool:
        _, last, rest = self.text().partition("  over HTTP")
        return bool(last) and rest.endswith("\n")

    def _owns(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return process.environ().get("HERO_TEST_DEV") == str(self.folder)
        return False


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HERO_")} | MISLEADING


def ended(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run `hero-dev` where it cannot start, and give its exit code and what it said."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stderr


def call(address: str, token: str, script: str) -> dict[str, Any]:
    params = {"script": script, "script_type": "sal", "caller_id": "me", "context_id": "here"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "run_job", "params": params}).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(urllib.request.Request(f"{address}/rpc", body, headers)) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    folder = tmp_path_factory.mktemp("dev")
    # A folder of somebody's program, whose modules have names that ours have, too.
    for name in ("redis", "hero_job", "typing_extensions"):
        (folder / f"{name}.py").write_text("raise SystemExit('a module of the folder was imported')\n")
    one = Dev(folder)
    try:
        one.await_up()
        yield one
    finally:
        one.end()


def test_it_shows_what_runs_and_what_is_missing(dev: Dev) -> None:
    text = dev.text()

    assert len(re.findall(r"^  actor +(osis|sal|python|v)-1, ", text, re.MULTILINE)) == 4
    assert re.search(r"v-1, .*\n +unavailable: .*no program 'no-such-hero'.* Install herolib", text)
    assert "data           .hero, kept" in text
    assert "\x1b" not in text


def test_the_printed_address_opens_the_page_and_its_token_the_port(dev: Dev) -> None:
    address, _, token = re.fullmatch(
        r"(http://127\.0\.0\.1:\d+)/#(/overview\?token=)(\S+)", dev.advice("web page")
    ).groups()  # type: ignore[union-attr]
    with urllib.request.urlopen(urllib.request.Request(f"{address}/", headers={"Accept": "text/html"})) as page:
        assert b"/main.js" in page.read()

    assert call(address, token, "40 + 2")["result"] == "42"
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(address, "", "40 + 2")
    assert refused.value.code == 401
    refused.value.close()


def test_the_printed_commands_work_in_the_folder(dev: Dev) -> None:
    for name in ("run a script", "over HTTP"):
        done = subprocess.run(
            shlex.split(dev.advice(name)), cwd=dev.folder, env=environment() | no_other(), capture_output=True,
            text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "42" in done.stdout


def no_other() -> dict[str, str]:
    """Without the variables that would lead `heroctl` elsewhere."""
    return dict.fromkeys(("HERO_REDIS_URL", "HERO_NAMESPACE", "HERO_SOCKET"), "")


def test_a_second_one_in_the_folder_names_the_first(dev: Dev) -> None:
    code, said = ended(dev.folder)

    assert code == 1
    assert f"another hero-dev is up (process {dev.process.pid}) and uses .hero" in said
    assert "hero-dev --state-dir DIR" in said


def test_a_port_that_is_taken_is_named(dev: Dev, tmp_path: Path) -> None:
    port = re.search(r"127\.0\.0\.1:(\d+)", dev.advice("web page"))
    assert port is not None

    code, said = ended(tmp_path, "--port", port[1])

    assert (code, f"port {port[1]} cannot be used: Address already in use" in said) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_one_in_another_folder_has_its_own_port_and_a_temporary_one_leaves_nothing(dev: Dev, tmp_path: Path) -> None:
    # The path of a socket is short, and the folders of pytest may be long.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        temporary = Path(folder)
        # A signal that comes when it has told everything, and does not wait yet, means what it means a moment later.
        second = Dev(tmp_path, "--temporary", temporary=temporary, command=STANDS_STILL)
        try:
            second.await_up()
            assert re.match(r"http://127\.0\.0\.1:\d+/", second.advice("web page"))
            assert second.advice("web page").split("#")[0] != dev.advice("web page").split("#")[0]
            assert len(list(temporary.glob("hero-dev-*"))) == 1
            assert f"--config {temporary}" in second.advice("run a script")

            assert second.control_c() == 0, second.text()

            eventually(lambda: not second.left())
            assert list(temporary.glob("hero-dev-*")) == []
            assert [path.name for path in tmp_path.iterdir()] == ["shown"]
        finally:
            second.end()


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("--state-dir", "file/below"), 1, "the folder file/below cannot be used: Not a directory"),
        (("--state-dir", "/proc/hero"), 1, "the folder /proc/hero cannot be used"),
        (("--port", "0"), 2, "should be a number from 1 to 65535, not '0'"),
        (("--port", "x"), 2, "should be a number from 1 to 65535, not 'x'"),
        (("--temporary", "--state-dir", "x"), 2, "not allowed with argument"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, arguments: tuple[str, ...], code: int, complaint: str) -> None:
    (tmp_path / "file").write_text("")

    found, said = ended(tmp_path, *arguments)

    assert (found, complaint in said) == (code, True), said


def test_control_c_ends_everything_and_the_address_stays(dev: Dev) -> None:
    """The last test of the service that the others share."""
    before = dev.advice("web page").partition("token=")[2]

    assert dev.control_c() == 0, dev.text()

    eventually(lambda: not dev.left())
    assert "Traceback" not in dev.text()
    assert (dev.folder / ".hero" / "token").read_text() == before
    assert (dev.folder / ".hero" / "token").stat().st_mode & 0o777 == 0o600
