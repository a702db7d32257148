"""A machine with its own systemd: a Debian root made by debootstrap and booted by systemd-nspawn, without a network.

The runtime is installed in /opt/hero in a virtual environment, as an operator would do it. Its dependencies and its
Python are those of the test run, mounted read-only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import psutil
import pytest

from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
#: The first Debian release whose systemd has everything that the units ask for.
SUITE = "trixie"
#: systemd, and the libraries that Python's own modules load.
PACKAGES = "systemd,libssl3t64,libffi8,zlib1g,libbz2-1.0,liblzma5,libsqlite3-0,libexpat1,libuuid1"


def why_not() -> str:
    """Say why no such machine can run here; empty when one can."""
    if os.environ.get("HERO_TEST_SYSTEMD") != "1":
        return "HERO_TEST_SYSTEMD is not 1 (it downloads a Debian root of 100 MB and boots it)"
    if os.geteuid() != 0:
        return "needs root, for namespaces and mounts"
    missing = [name for name in ("systemd-nspawn", "debootstrap", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: systemd-container, debootstrap)"
    if sys.base_prefix == "/usr":
        return "the Python of the test run is the system's own, which cannot be mounted into another system"
    return "" if debian_mirror() else "apt has no Debian mirror configured"


def debian_mirror() -> str:
    """Give the Debian mirror that this machine uses; empty for none."""
    if shutil.which("apt-get") is None:
        return ""
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return next((line.split(" ", 2)[2] for line in told.splitlines() if line.startswith("Debian Debian ")), "")


class Machine:
    """One container that boots its own systemd.

    Args:
        folder: Where its root folder is made.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._console = folder / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def make(self) -> None:
        """Make the root, and install the runtime into it."""
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(self.root), debian_mirror()]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"debootstrap cannot make a Debian root here: {(made.stdout + made.stderr).strip()[-300:]}")
        tried = subprocess.run(self._nspawn("--pipe", "true"), capture_output=True, text=True, check=False)
        if tried.returncode:
            pytest.skip(f"systemd-nspawn cannot run here: {tried.stderr.strip()[-300:]}")
        # Python is mounted here: in a user's home it would be hidden from the service.
        (self.root / "etc/ld.so.conf.d/python.conf").write_text("/opt/python/lib\n")
        self._install()
        self._run("ldconfig")

    def _install(self) -> None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        hero = self.root / "opt/hero"
        packages = hero / "lib" / version / "site-packages"
        packages.mkdir(parents=True)
        (hero / "bin").mkdir()
        (hero / "bin/python").symlink_to(f"/opt/python/bin/{version}")
        (hero / "pyvenv.cfg").write_text("home = /opt/python/bin\ninclude-system-site-packages = false\n")
        (packages / "dependencies.pth").write_text("/opt/dependencies\n")
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(self.root / "tmp")]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = (self.root / "tmp").glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
        # As pip does: the service may not write there, and each process would compile all modules again.
        compiled = [sys.executable, "-m", "compileall", "-q", "-s", str(self.root), "-p", "/", str(packages)]
        subprocess.run(compiled, check=True)
        entries = ConfigParser()
        entries.read(next(packages.glob("*.dist-info/entry_points.txt")))
        for name, target in entries["console_scripts"].items():
            module, _, function = target.partition(":")
            script = hero / "bin" / name
            script.write_text(
                f"#!/opt/hero/bin/python\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
            )
            script.chmod(0o755)

    def _nspawn(self, *more: str) -> list[str]:
        dependencies = next(path for path in sys.path if path.endswith("site-packages"))
        binds = {sys.base_prefix: "/opt/python", dependencies: "/opt/dependencies"}
        mounts = [f"--bind-ro={here}:{there}" for here, there in binds.items()]
        quiet = ["--quiet", "--register=no", "--keep-unit", "--private-network", "--link-journal=no"]
        return ["systemd-nspawn", "-D", str(self.root), *quiet, *mounts, *more]

    def _run(self, *command: str) -> str:
        """Run a command in the root while it is not booted."""
        done = subprocess.run(self._nspawn("--pipe", *command), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def prepare(self, *command: str) -> str:
        """Run a command before the boot, and give its output."""
        return self._run(*command)

    def write(self, path: str, text: str) -> None:
        """Write a file at a path in the machine."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def boot(self) -> None:
        """Boot it, and wait until all enabled units have started."""
        # The machine gets a unified cgroup hierarchy: systemd 256 and newer boot with no other.
        env = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(
                self._nspawn("--boot", "--console=passive"),
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        self._leader = eventually(self._find_leader, what="the machine's own process 1")
        eventually(
            lambda: self.call("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"),
            every_s=0.2,
            what="the machine is up",
        )

    def _find_leader(self) -> int:
        assert self._process is not None
        assert self._process.poll() is None, self._console.read_text(errors="replace")
        for child in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, StopIteration):
                status = Path(f"/proc/{child.pid}/status").read_text()
                numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
                if numbers[-1] == "1" and child.name() == "systemd":
                    return child.pid
        return 0

    def popen(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the running machine."""
        # All namespaces but that of users, which is the host's.
        enter = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        env = {"PATH": "/opt/hero/bin:/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"}
        return subprocess.Popen(
            [*enter, *command],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the running machine."""
        with self.popen(*command) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def check(self, *command: str) -> str:
        """Run a command that must succeed, and give its output."""
        done = self.call(*command)
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}\n{self.journal()}"
        return done.stdout.strip()

    def shows(self, unit: str, key: str) -> str:
        """Give a property of a unit."""
        return self.check("systemctl", "show", "--value", "-p", key, unit)

    def journal(self, unit: str = "hero-supervisor.service") -> str:
        """Give the log of a unit, with what systemd has logged about it."""
        return self.call("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    def processes(self, unit: str) -> set[int]:
        """Give the processes of a unit, by their ids in the machine."""
        group = self.shows(unit, "ControlGroup")
        told = self.call("find", f"/sys/fs/cgroup{group}", "-name", "cgroup.procs", "-exec", "cat", "{}", "+").stdout
        return {int(pid) for pid in told.split()} if group else set()

    def halt(self) -> None:
        """Power it off, and kill it if that takes too long."""
        if self._process is None:
            return
        with contextlib.suppress(AssertionError):
            self.check("systemctl", "--no-block", "poweroff")
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
