"""`heroctl install-service` writes units that systemd itself accepts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from hero_ctl.commands.install import UNITS, Installation
from tests.ctl.conftest import HEROCTL
from tests.forked_heroctl import run_heroctl

ROOT = Path(__file__).parents[2]
SOCKET, SERVICE = UNITS

Install = Callable[..., subprocess.CompletedProcess[str]]


def systemd_version() -> int:
    if shutil.which("systemd-analyze") is None:
        return 0
    told = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"systemd (\d+)", told)
    return int(found[1]) if found else 0


needs_systemd = pytest.mark.skipif(systemd_version() < 250, reason="no systemd-analyze (250 or newer) to judge units")


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without a runtime folder it does not look at the units of a user.
    env = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "SYSTEMD_COLORS": "0", "SYSTEMD_EMOJI": "0"}
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, env=env)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def install(home: Path, tmp_path: Path) -> Install:
    """Run `heroctl install-service` as a user with an empty home."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("HERO_", "XDG_"))}
        done = run_heroctl(
            [HEROCTL, "install-service", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**env, "HOME": str(home)},
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return call


def value_of(unit: str, key: str) -> str:
    return next(line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{key}="))


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_units_name_this_installation_and_allow_the_time_that_its_config_needs(install: Install, home: Path) -> None:
    config = home / "my.toml"
    home.mkdir()
    # The longest shutdown_s counts.
    text = '[supervisor]\nshutdown_s = 3\n[[actors]]\ntype = "sal"\nshutdown_s = 99.5\n'
    config.write_text(text)

    done = install("--user", "--config", str(config), "--tcp", "127.0.0.1:8080")

    units = written(home / ".config" / "systemd" / "user")
    assert done.returncode == 0, done.stderr
    assert set(units) == {SOCKET, SERVICE}
    assert value_of(units[SERVICE], "ExecStart") == f"{Path(sys.executable).parent}/hero-supervisor --config {config}"
    assert value_of(units[SERVICE], "TimeoutStopSec") == "145"
    assert value_of(units[SERVICE], "EnvironmentFile") == f"-{home}/hero.env"
    assert "ListenStream=127.0.0.1:8080" in units[SOCKET].splitlines()
    assert config.read_text() == text
    assert done.stdout == f"systemctl --user daemon-reload && systemctl --user enable --now {SERVICE}\n"


def test_second_call_changes_nothing_and_a_changed_one_says_what_to_restart(install: Install, home: Path) -> None:
    first = install("--user")
    before = {path: path.stat().st_ino for path in home.rglob("*")}
    again = install("--user")
    after = {path: path.stat().st_ino for path in home.rglob("*")}
    changed = install("--user", "--tcp", "[::1]:8080")

    assert [line.split()[1] for line in first.stderr.splitlines()[:3]] == ["written"] * 3
    assert [line.split()[1] for line in again.stderr.splitlines()[:2]] == ["unchanged"] * 2
    assert before == after
    assert again.stdout.endswith(f"restart {SERVICE}\n")
    assert [line.split()[1] for line in changed.stderr.splitlines()[:2]] == ["updated", "unchanged"]
    assert changed.stdout.endswith(f"restart {SOCKET} {SERVICE}\n")


def test_new_config_file_is_valid_and_readable_for_the_service(install: Install, home: Path) -> None:
    install("--user")

    config = home / ".config" / "hero" / "hero.toml"
    second = install("--user", "--config", str(config), "--dry-run")
    assert config.stat().st_mode & 0o777 == 0o644
    assert second.returncode == 0  # it was loaded for its shutdown_s
    assert "systemctl --user reload" in config.read_text()


def test_dry_run_prints_the_files_and_writes_none(install: Install, tmp_path: Path, home: Path) -> None:
    done = install("--system", "--dry-run", "--prefix", str(tmp_path / "image"))

    # 2 where the interpreter of the tests is below a home folder: an installation would be refused.
    assert done.returncode == (2 if "without --dry-run this is refused" in done.stderr else 0), done.stderr
    for path in ("/etc/hero/hero.toml", f"/etc/systemd/system/{SOCKET}", f"/etc/systemd/system/{SERVICE}"):
        assert f"# {tmp_path}/image{path}\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_config_error_is_reported_and_nothing_is_written(install: Install, home: Path) -> None:
    home.mkdir()
    (home / "my.toml").write_text("[supervisor]\nshutdown = 3\n")

    done = install("--user", "--config", str(home / "my.toml"))

    assert done.returncode == 2
    assert "supervisor.shutdown" in done.stderr
    assert written(home).keys() == {"my.toml"}


@pytest.mark.parametrize("tcp", ["8080", "example.org:80", "127.0.0.1"])
def test_address_that_systemd_cannot_listen_on_is_refused(install: Install, home: Path, tcp: str) -> None:
    done = install("--user", "--tcp", tcp)

    assert (done.returncode, written(home)) == (2, {})


def test_system_service_below_a_home_folder_is_refused(install: Install, tmp_path: Path) -> None:
    done = install("--system", "--prefix", str(tmp_path / "image"), "--config", "/home/ann/hero.toml")

    assert done.returncode == 2
    assert "below a home folder" in done.stderr
    assert not (tmp_path / "image").exists()


def test_folder_that_cannot_be_written_is_reported(install: Install, home: Path) -> None:
    home.write_text("no folder")

    done = install("--user")

    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_units_of_the_project_are_those_of_an_ordinary_installation() -> None:
    ordinary = Installation(
        program=("/usr/local/bin/hero-supervisor",), config=Path("/etc/hero/hero.toml"), shutdown_s=10.0
    )

    assert ordinary.units() == {name: (ROOT / "config" / "systemd" / name).read_text() for name in UNITS}


def odd_installation(folder: Path, **options: Any) -> Installation:
    """Make an installation whose paths need quoting."""
    program = folder / "a b" / "50%" / "hero-supervisor"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return Installation(program=(str(program),), config=folder / 'c "d".toml', shutdown_s=10, **options)


@needs_systemd
@pytest.mark.parametrize("user", [False, True], ids=["system", "user"])
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path, user: bool) -> None:
    installation = odd_installation(tmp_path, user=user, systemd=systemd_version(), tcp="127.0.0.1:8080")
    for name, text in installation.units().items():
        (tmp_path / name).write_text(text)

    said = analyze(tmp_path, "verify", "--user" if user else "--system", *(str(tmp_path / name) for name in UNITS))

    assert (said.stdout + said.stderr, said.returncode) == ("", 0)


@needs_systemd
def test_systemd_rates_the_sandbox_as_tight(tmp_path: Path) -> None:
    installation = odd_installation(tmp_path, systemd=systemd_version())
    for name, text in installation.units().items():
        (tmp_path / name).write_text(text)

    # In tenths: 0 is a service that can do nothing, 96 is a service without a sandbox.
    said = analyze(tmp_path, "security", "--offline=true", "--threshold=20", str(tmp_path / SERVICE))

    print(said.stdout.strip().splitlines()[-1])
    assert said.returncode == 0, said.stdout + said.stderr


def test_wheel_contains_the_units(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"hero_ctl/systemd/{name}" for name in UNITS} <= set(names)


def test_heroctl_tells_the_installed_version() -> None:
    done = subprocess.run([HEROCTL, "--version"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, f"heroctl {version('hero-runtime')}\n")
