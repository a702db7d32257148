"""`--verbose`: what a command connects to, what named it, and its steps; and which profile doctor does not use."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.ctl.conftest import HEROCTL, LIMIT_S, Heroctl, environment
from tests.deployment import Deployment

STEP = re.compile(r"heroctl: \[\d+\.\d{3} s\] (?P<what>.*?)(?P<took>: \d+\.\d ms)?")


def steps(stderr: str) -> list[str]:
    """What the lines of `--verbose` say, without times."""
    found = [STEP.fullmatch(line) for line in stderr.splitlines()]
    return [line["what"] for line in found if line is not None]


@pytest.mark.parametrize("place", ["before", "after"])
def test_store_what_named_it_and_each_step_are_told_on_standard_error(heroctl: Heroctl, place: str) -> None:
    words = ["run", "40 + 2"]
    done = heroctl(*(["-v", *words] if place == "before" else [*words, "--verbose"]), fresh=True)

    assert (done.returncode, done.stdout) == (0, "42\n")
    told = steps(done.stderr)
    assert any(re.fullmatch("store unix://.*, named by --redis-url or HERO_REDIS_URL", line) for line in told)
    assert "store script create" in told
    assert any(line.startswith("namespace hero, named by ") for line in told)
    assert "script create" not in heroctl(*words).stderr


def test_server_and_its_calls_are_told_without_the_token(heroctl: Heroctl, deployment: Deployment) -> None:
    server = f"unix://{deployment.socket}"
    done = heroctl("queues", "-v", "--server", server, fresh=True)
    own = heroctl("whoami", "-v", "--socket", str(deployment.socket), fresh=True)

    assert steps(done.stderr) == [f"server {server}, named by --server, without a token", "rpc list_queues"]
    assert f"rpc whoami at {deployment.socket}" in steps(own.stderr)


def test_password_of_a_store_is_hidden_and_a_failed_step_names_its_error(heroctl: Heroctl) -> None:
    done = heroctl("list", "-v", "--redis-url", "redis://user:secret@127.0.0.1:1/0", fresh=True)

    assert done.returncode == 6
    assert "store redis://***@127.0.0.1:1/0, named by" in done.stderr
    assert "StoreUnavailable" in done.stderr
    assert "secret" not in done.stderr


def test_quiet_and_verbose_contradict_each_other(heroctl: Heroctl) -> None:
    done = heroctl("run", "-q", "-v", "1")

    assert (done.returncode, done.stdout) == (2, "")
    assert "leave one of them out" in done.stderr


def test_doctor_says_which_profile_it_does_not_use_and_reports_a_wrong_one(
    deployment: Deployment, tmp_path: Path
) -> None:
    profiles = tmp_path / ".config/hero/config.toml"
    profiles.parent.mkdir(parents=True)

    def doctor(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [HEROCTL, "doctor", "--config", f"{deployment.folder}/hero.toml", *words],
            env=environment("") | {"HOME": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, check=False,
            timeout=LIMIT_S,
        )  # fmt: skip

    profiles.write_text('profile = "far"\n[profiles.far]\nserver = "https://hero.invalid:8443"\n')
    unused = doctor()
    chosen = doctor("--redis-url", deployment.url)
    named = doctor("--profile", "far")
    profiles.write_text('profile = "nobody"\n')
    wrong = doctor()

    assert unused.stderr == (
        "heroctl: the profile far (https://hero.invalid:8443) is not used: doctor checks the service of this machine\n"
    )
    assert "PROBLEM  profile" not in unused.stdout
    assert chosen.stderr == ""
    assert (named.returncode, "needs the store itself" in named.stderr) == (6, True)
    assert (wrong.returncode, wrong.stderr) == (1, "")
    assert "PROBLEM  profile" in wrong.stdout
    assert "it has: none" in wrong.stdout


def test_traceparent_becomes_a_field_of_the_job(heroctl: Heroctl, deployment: Deployment) -> None:
    span = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    job_id = heroctl("submit", "--traceparent", span, "1").stdout.strip()
    wrong = heroctl("submit", "--traceparent", "00-nothing", "1")

    with deployment.supervisor() as supervisor:
        assert supervisor.get_job(job_id).job.traceparent == span
    assert (wrong.returncode, "'traceparent'" in wrong.stderr) == (2, True)
