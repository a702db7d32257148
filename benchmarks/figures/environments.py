"""Makes the environments of the compared systems, once: one folder per system below `.bench/`.

Each peer has an environment of its own, so that its dependencies never mix with ours. Packages are installed without a
version, because we compare with what a newcomer would install today. The report prints the installed versions.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH_DIR = ROOT / ".bench"
PEERS_DIR = ROOT / "benchmarks" / "peers"
INSTALL_LIMIT_S = 300.0


class EnvironmentNotMade(Exception):
    """The environment of a peer could not be made. The report says why and goes on without the peer."""

    def __init__(self, peer: str, reason: str) -> None:
        self.peer = peer
        self.reason = reason
        super().__init__(f"{peer}: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The environment of one peer.

    Attributes:
        folder: Its folder below `.bench/`.
        program: Start of each command line: the interpreter.
        versions: Package name -> installed version, for the report.
    """

    folder: Path
    program: tuple[str, ...]
    versions: dict[str, str] = field(default_factory=dict)


def make_python_environment(peer: str, packages: tuple[str, ...]) -> Environment:
    """Make the virtual environment of a Python peer, or find it.

    Args:
        peer: Name of the folder below `.bench/`.
        packages: Names of the packages, such as `("dramatiq", "redis", "hiredis")`.

    Returns:
        The environment, with the versions of the named packages.

    Raises:
        EnvironmentNotMade: pip failed, for example without a network.
    """
    folder = BENCH_DIR / peer
    python = folder / "bin" / "python"
    stamp = folder / "made-from"
    wanted = " ".join(packages)
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        BENCH_DIR.mkdir(exist_ok=True)
        _run(peer, [sys.executable, "-m", "venv", str(folder)])
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        _run(peer, install)
        stamp.write_text(wanted)
    names = [package.split("[")[0] for package in packages]
    code = (
        "import json, sys, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}), end='')"
    )
    versions = json.loads(_run(peer, [str(python), "-c", code, *names]))
    return Environment(folder=folder, program=(str(python),), versions=versions)


def make_node_environment(peer: str, packages: tuple[str, ...]) -> Environment:
    """Make the folder of a Node peer with its `node_modules`, or find it.

    Args:
        peer: Name of the folder below `.bench/`.
        packages: Names of the npm packages.

    Returns:
        The environment. Each call copies the programs of Node peers into its folder, because Node looks for packages
        beside the program.

    Raises:
        EnvironmentNotMade: `node` or `npm` is not installed, or npm failed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise EnvironmentNotMade(peer, "node and npm are not installed on this machine")
    folder = BENCH_DIR / peer
    stamp = folder / "made-from"
    wanted = " ".join(packages)
    if not (stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"name": "bench", "private": True, "type": "module"}))
        _run(peer, [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *packages])
        stamp.write_text(wanted)
    for program in PEERS_DIR.glob("*.mjs"):
        shutil.copy(program, folder)
    versions = {
        name: json.loads((folder / "node_modules" / name / "package.json").read_text())["version"] for name in packages
    }
    versions["node"] = _run(peer, [node, "--version"]).strip().removeprefix("v")
    return Environment(folder=folder, program=(node,), versions=versions)


def _run(peer: str, command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise EnvironmentNotMade(peer, str(e)) from e
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise EnvironmentNotMade(peer, f"{Path(command[0]).name} ended with {done.returncode}: {lines[-1][:200]}")
    return done.stdout
