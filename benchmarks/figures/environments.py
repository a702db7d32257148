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
#: A compiler with much other work beside it takes minutes.
INSTALL_LIMIT_S = 1800.0


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
    wanted = " ".join(packages)
    if _begin(folder, wanted):
        (folder / "package.json").write_text(json.dumps({"name": "bench", "private": True, "type": "module"}))
        _run(peer, [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *packages])
        (folder / "made-from").write_text(wanted)
    for program in PEERS_DIR.glob("*.mjs"):
        shutil.copy(program, folder)
    versions = {
        name: json.loads((folder / "node_modules" / name / "package.json").read_text())["version"] for name in packages
    }
    versions["node"] = _run(peer, [node, "--version"]).strip().removeprefix("v")
    return Environment(folder=folder, program=(node,), versions=versions)


def make_go_environment(peer: str, source: str, module: str) -> Environment:
    """Build the program of a Go peer with the newest version of its module, or find it.

    Args:
        peer: Name of the folder below `.bench/`.
        source: Name of the program's file among the peers.
        module: Path of the module.

    Returns:
        The environment; its program is the compiled one.

    Raises:
        EnvironmentNotMade: `go` is not installed, or has failed.
    """
    go = shutil.which("go")
    if go is None:
        raise EnvironmentNotMade(peer, "go is not installed on this machine")
    folder = BENCH_DIR / peer
    code = (PEERS_DIR / source).read_text()
    if _begin(folder, code):
        (folder / "main.go").write_text(code)
        _run(peer, [go, "mod", "init", "bench"], folder)
        _run(peer, [go, "get", f"{module}@latest"], folder)
        _run(peer, [go, "build", "-o", "program", "."], folder)
        (folder / "made-from").write_text(code)
    version = _run(peer, [go, "list", "-m", "-f", "{{.Version}}", module], folder).strip()
    versions = {peer: version, "go": _run(peer, [go, "version"]).split()[2].removeprefix("go")}
    return Environment(folder=folder, program=(str(folder / "program"),), versions=versions)


def make_rust_environment(peer: str, source: str, crates: tuple[str, ...]) -> Environment:
    """Build the program of a Rust peer with the newest versions of its crates, or find it.

    Args:
        peer: Name of the folder below `.bench/`.
        source: Name of the program's file among the peers.
        crates: What `cargo add` is given for each crate: its name, then options such as `--features signal`. The
            report prints the version of the first.

    Returns:
        The environment; its program is the compiled one.

    Raises:
        EnvironmentNotMade: `cargo` is not installed, or has failed.
    """
    cargo = shutil.which("cargo")
    if cargo is None:
        raise EnvironmentNotMade(peer, "cargo is not installed on this machine")
    folder = BENCH_DIR / peer
    code = (PEERS_DIR / source).read_text()
    wanted = "\n".join((*crates, code))
    if _begin(folder, wanted):
        # `[workspace]` keeps cargo from looking for a workspace in the folders above.
        (folder / "Cargo.toml").write_text('[package]\nname = "program"\nedition = "2024"\n\n[workspace]\n')
        (folder / "src").mkdir()
        (folder / "src" / "main.rs").write_text(code)
        for crate in crates:
            _run(peer, [cargo, "add", "--quiet", *crate.split()], folder)
        _run(peer, [cargo, "build", "--quiet", "--release"], folder)
        (folder / "made-from").write_text(wanted)
    version = _run(peer, [cargo, "pkgid", crates[0]], folder).strip().rpartition("@")[2]
    versions = {crates[0]: version, "cargo": _run(peer, [cargo, "--version"]).split()[1]}
    return Environment(folder=folder, program=(str(folder / "target" / "release" / "program"),), versions=versions)


def _begin(folder: Path, wanted: str) -> bool:
    """Empty the folder unless it was made from the same; return whether it has to be made."""
    stamp = folder / "made-from"
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return True


def _run(peer: str, command: list[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False, cwd=folder)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise EnvironmentNotMade(peer, str(e)) from e
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise EnvironmentNotMade(peer, f"{Path(command[0]).name} ended with {done.returncode}: {lines[-1][:200]}")
    return done.stdout
