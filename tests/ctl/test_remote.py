"""Commands through a server: Unix socket, HTTP and WebSocket, with the rights of a token and without the store."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ctl.conftest import HEROCTL, environment
from tests.deployment import ACTORS, LONG_LEASE_S, Deployment, deployed
from tests.forked_heroctl import run_heroctl
from tests.valkey_server import free_port

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, str]]:
    """A deployment whose port asks for tokens, and the token of the user alice."""
    port = free_port()
    with deployed(
        tmp_path_factory.mktemp("remote"), actors=f"port = {port}\nrequire_auth = true\n{ACTORS}", lease_s=LONG_LEASE_S
    ) as running:
        running.port = port
        made = run_heroctl(
            [HEROCTL, "keys", "create", "alice", "--scope", "user"],
            env=environment(running.url), capture_output=True, text=True, check=True,
        )  # fmt: skip
        yield running, made.stdout.strip()


@pytest.fixture
def call(service: tuple[Deployment, str], tmp_path: Path) -> Call:
    """Run `heroctl` in an empty folder, without any store."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = environment("") | {"HOME": str(tmp_path)} | variables
        return run_heroctl([HEROCTL, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("scheme", ["http", "ws", "unix"])
def test_jobs_run_through_a_server_with_the_rights_of_the_token(
    service: tuple[Deployment, str], call: Call, scheme: str
) -> None:
    deployment, token = service
    where = f"unix://{deployment.socket}" if scheme == "unix" else f"{scheme}://127.0.0.1:{deployment.port}"
    given = {"HERO_SERVER": where} | ({} if scheme == "unix" else {"HERO_TOKEN": token})

    ran = call("run", "print(`live`); 6 * 7", **given)
    listed = call("list", "-o", "name", "--limit", "1", **given)
    failed = call("run", "nowhere", **given)
    refused = call("bench", **given)

    assert (ran.returncode, ran.stdout) == (0, "42\n"), ran.stderr
    assert "live" in ran.stderr
    assert listed.returncode == 0
    assert (failed.returncode, failed.stderr.startswith("script:1:1: ")) == (1, True)
    assert (refused.returncode, "needs the store itself" in refused.stderr) == (6, True)
    if scheme != "unix":
        assert call("show", listed.stdout.strip(), **given).stdout.count("alice") == 1


def test_without_a_token_the_server_refuses_and_the_message_says_where_it_goes(
    service: tuple[Deployment, str], call: Call
) -> None:
    done = call("list", "--server", f"http://127.0.0.1:{service[0].port}")

    assert (done.returncode, done.stdout) == (6, "")
    assert "HERO_TOKEN" in done.stderr


def test_profile_names_server_and_token_and_must_be_private(
    service: tuple[Deployment, str], call: Call, tmp_path: Path
) -> None:
    deployment, token = service
    (tmp_path / ".config/hero").mkdir(parents=True)
    profiles = tmp_path / ".config/hero/config.toml"
    profiles.write_text(
        f'profile = "here"\n[profiles.here]\nserver = "ws://127.0.0.1:{deployment.port}"\ntoken = "{token}"\n'
    )
    profiles.chmod(0o644)

    public = call("run", "1")
    profiles.chmod(0o600)
    done = call("run", "6 * 7")
    unknown = call("run", "1", "--profile", "nowhere")

    assert (public.returncode, "chmod 600" in public.stderr) == (2, True)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
    assert (unknown.returncode, "it has: here" in unknown.stderr) == (2, True)
    assert token not in public.stderr + unknown.stderr
