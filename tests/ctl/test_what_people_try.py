"""What newcomers and operators try that once surprised them; each by the command that they type."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import uuid
from pathlib import Path

import pytest

from hero_ctl.exits import HELP, CtlExitCode
from tests.ctl.conftest import HEROCTL, LIMIT_S, Heroctl, environment, sal_paused
from tests.deployment import Deployment
from tests.eventually import eventually
from tests.forked_heroctl import run_heroctl
from tests.supervisor.program import run_program

ROOT = Path(__file__).parents[2]


def test_purge_of_dead_letters_asks_and_keeps_them_without_an_answer(heroctl: Heroctl) -> None:
    job_id = heroctl("submit", "nowhere").stdout.strip()
    eventually(lambda: job_id in heroctl("dead", "list", "-o", "name", "--limit", "10000").stdout)

    unanswered = heroctl("dead", "purge")
    no = heroctl("dead", "purge", input="no\n")

    for done in (unanswered, no):
        assert (done.returncode, done.stdout) == (1, "")
        assert re.search(r"Delete all [0-9]+ dead letters with their jobs\?", done.stderr)
        assert "--yes skips this question" in done.stderr
    assert heroctl("status", job_id).returncode == 0
    assert job_id in heroctl("dead", "list", "-o", "name", "--limit", "10000").stdout


def test_retry_and_delete_of_many_ask_and_take_silence_for_no(heroctl: Heroctl) -> None:
    caller = f"many-{uuid.uuid4().hex[:8]}"
    heroctl("run", "nowhere", "--caller", caller)

    for verb in ("retry", "delete"):
        done = heroctl(verb, "--all", "--caller", caller)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert "1 jobs (" in done.stderr
        assert "[y/N]" in done.stderr
    assert "error" in heroctl("list", "--caller", caller).stdout


def test_origins_that_could_never_match_are_refused_and_pages_from_files_are_explained(tmp_path: Path) -> None:
    for origin in ("*", "https://*.example.org", "https://app.example.org/page", "app.example.org"):
        (tmp_path / "hero.toml").write_text(f'[rpc]\norigins = ["{origin}"]\n')
        done = run_program(tmp_path, "config", "check", "hero.toml")
        assert done.returncode == 2, origin
        assert "no path, no *" in done.stderr
        assert '"null" for pages that are opened as files' in done.stderr
    (tmp_path / "hero.toml").write_text('[rpc]\norigins = ["https://App.example.org", "null"]\n')
    assert run_program(tmp_path, "config", "check", "hero.toml").returncode == 0


def test_a_taken_port_is_explained_at_the_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "hero.toml").write_text(f"[rpc]\nport = {port}\n")

        done = run_program(tmp_path, "--config", "hero.toml")

    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; another program listens there" in said
    assert "Errno" not in said
    assert "Traceback" not in said


def test_a_dry_run_of_what_is_refused_fails_as_the_command_would(tmp_path: Path) -> None:
    # A program or a config below a home folder is hidden from the service.
    hidden = Path("/root/hero.toml")
    line = ["install-service", "--system", "--config", str(hidden), "--prefix", str(tmp_path)]

    def call(*more: str) -> subprocess.CompletedProcess[str]:
        return run_heroctl(
            [HEROCTL, *line, *more], env=environment(""), capture_output=True, text=True, check=False, timeout=LIMIT_S
        )

    tried, done = call("--dry-run"), call()

    assert "without --dry-run this is refused: " in tried.stderr
    assert (tried.returncode, done.returncode) == (2, 2)
    assert done.stderr.removeprefix("heroctl: ") in tried.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_docs_tell_the_pause_before_a_restart_of_the_unit() -> None:
    unit = (ROOT / "config/systemd/hero-supervisor.service").read_text("utf-8")
    page = (ROOT / "docs/reference/service.md").read_text("utf-8")

    (pause,) = re.findall(r"^RestartSec=(.*)$", unit, re.MULTILINE)
    words = {"500ms": "half a second", "1": "a second", "2": "two seconds"}
    assert f"It restarts after {words[pause]}" in page


def test_a_log_that_lost_lines_says_how_many(heroctl: Heroctl) -> None:
    job_id = heroctl("submit", "for n in 0..2000 { print(n); }").stdout.strip()
    heroctl("wait", job_id)

    done = heroctl("logs", job_id)
    lines = [line for line in done.stdout.splitlines() if line.isdecimal()]

    assert lines[-1] == "1999"
    assert len(lines) < 2000
    # The lane drops what it cannot keep and says so in the log; the store drops what came before, and heroctl says so.
    told = [int(n.replace(",", "")) for n in re.findall(r"has logged ([0-9,]+) lines; older ones", done.stdout)]
    told += [int(n.replace(",", "")) for n in re.findall(r"the first ([0-9,]+) lines were dropped", done.stderr)]
    assert told, "a reader is told that the log does not begin with the first line"


def test_every_exit_code_means_one_thing(heroctl: Heroctl, deployment: Deployment, tmp_path: Path) -> None:
    """Each code by each way to it; in the help of every command, and nowhere with a second meaning."""
    stopped = heroctl("submit", "1", "--type", "v").stdout.strip()
    heroctl("stop", stopped)
    unknown: tuple[tuple[str, ...], ...] = (
        ("status", "nobody"),
        ("batch", "show", "nobody"),
        ("schedule", "show", "nobody"),
    )
    unknown += (("actors", "show", "nobody", "--socket", str(deployment.socket)),)
    with sal_paused(heroctl):
        waiting = heroctl("submit", "1").stdout.strip()
        not_ended = [heroctl("output", waiting), heroctl("wait", waiting, "--timeout", "0.1")]
        not_ended += [heroctl("run", "1", "--wait", "0.1")]
    codes = {
        CtlExitCode.FINISHED: [heroctl("run", "1"), heroctl("list"), heroctl("wait", waiting)],
        CtlExitCode.FAILED: [heroctl("run", "nowhere"), heroctl("queue", "purge", "v", input="no\n")],
        CtlExitCode.USAGE: [heroctl("run"), heroctl("list", "--since", "x"), heroctl("run", "1", "--timeout", "0")],
        CtlExitCode.TIMED_OUT: [heroctl("run", "loop { }", "--timeout", "0.2")],
        CtlExitCode.STOPPED: [heroctl("output", stopped), heroctl("wait", stopped)],
        CtlExitCode.UNKNOWN_JOB: [heroctl(*command) for command in unknown],
        CtlExitCode.STORE: [
            heroctl("list", url="redis://127.0.0.1:1/"),
            heroctl("list", "--server", "http://127.0.0.1:1"),
            heroctl("reload", "--socket", str(tmp_path / "none")),
        ],
    }

    for code, calls in codes.items():
        for done in calls:
            assert done.returncode == code, (code, done.args, done.stderr)
    told = {int(code) for code in re.findall(r"(?:Exit codes: |; )([0-9]+) ", HELP)}
    assert told == set(CtlExitCode)
    for done in not_ended:
        assert done.returncode == CtlExitCode.NOT_ENDED, done.args


def test_bench_explains_its_figure(heroctl: Heroctl) -> None:
    done = heroctl("bench", "--jobs", "20")

    assert re.match(r"20 of 20 jobs finished in [0-9.]+ s: [0-9,]+ jobs/s\n", done.stdout)
    assert "2 producers with 8 jobs in flight wait for every result" in done.stderr
    assert "docs/performance.md measures an actor that empties a full queue" in done.stderr
    page = (ROOT / "docs/performance.md").read_text("utf-8")
    assert "heroctl bench" in page, "the page that it names speaks of it"


def test_a_stray_store_on_the_usual_port_gets_no_job(tmp_path: Path) -> None:
    """Without config, environment and running service there is no store, whatever listens on port 6379."""
    env = environment("") | {"HOME": str(tmp_path)}
    for command in (["run", "1"], ["list"], ["doctor", "--json"]):
        done = run_heroctl(
            [HEROCTL, *command], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
        assert "6379" not in done.stdout + done.stderr
        assert done.returncode != 0


@pytest.mark.parametrize("way", ["environment", "./hero.toml", "HERO_CONFIG"])
def test_supervisor_finds_its_config_as_heroctl_does(tmp_path: Path, way: str) -> None:
    url = "redis://127.0.0.1:1/"
    (tmp_path / "here").mkdir()
    name = "hero.toml" if way == "./hero.toml" else "other.toml"
    (tmp_path / "here" / name).write_text("" if way == "environment" else f'[store]\nredis_url = "{url}"\n')
    more = {"environment": {"HERO_REDIS_URL": url}, "HERO_CONFIG": {"HERO_CONFIG": "other.toml"}}.get(way, {})
    env = environment("") | {"HOME": str(tmp_path)} | more

    shown = run_heroctl(
        [HEROCTL, "config", "where", "--json"], cwd=tmp_path / "here", env=env, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    with subprocess.Popen(
        [HEROCTL.parent / "hero-supervisor"], cwd=tmp_path / "here", env=env, stderr=subprocess.PIPE, text=True
    ) as service:
        try:
            assert service.stderr is not None
            assert "127.0.0.1:1" in next(line for line in service.stderr if "127.0.0.1:1" in line or "exit" in line)
        finally:
            os.kill(service.pid, signal.SIGTERM)
            service.communicate()

    assert json.loads(shown.stdout)["store"]["value"] == url
