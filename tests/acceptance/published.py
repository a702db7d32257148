"""The published crates whose scripts show what users of the Rust system expect, and which of them cannot pass.

Cargo fetches each crate into its own cache; this repository holds none of it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CRATES = {
    "sal-os": "0.1.2", "sal-process": "0.1.0", "sal-text": "0.1.0", "sal-git": "0.1.0", "sal-net": "0.1.0",
    "sal-redisclient": "0.1.0", "sal-rhai": "0.1.0", "herolib-osis": "0.3.13",
}  # fmt: skip

#: Crates whose scripts are not run -> what these scripts are about, for which no functions are offered.
NOT_OFFERED = {
    "sal-postgresclient": "PostgreSQL", "sal-zinit-client": "the service manager Zinit", "sal-mycelium": "Mycelium",
    "sal-vault": "key spaces and wallets", "sal-kubernetes": "Kubernetes", "sal-virt": "containers",
    "sal-service-manager": "services of the machine",
}  # fmt: skip

_OUTER = "a function of the script changes a variable outside of it, which Rhai does not allow"
#: Crate and file -> why the script cannot pass.
CANNOT = {
    "sal-os/03_package_operations": "functions that manage packages of the machine are not offered",
    "sal-process/04_real_world_scenarios": "it calls a variable that holds a closure, which Rhai does not allow",
    "sal-rhai/01_basic_functionality": _OUTER,
    "sal-rhai/02_advanced_operations": _OUTER,
    "sal-rhai/03_module_integration": _OUTER,
    "sal-rhai/run_all_tests": "exec(), which runs a text, a file or a URL as a script, is not offered",
    "sal-rhai/simple_integration_test": "exec() is not offered, and it expects that trim() has a result",
}


class Unreachable(Exception):
    """Cargo could not fetch a crate."""


@dataclass(frozen=True)
class PublishedScript:
    """One script of a crate."""

    crate: str
    path: Path

    @property
    def name(self) -> str:
        """The crate and the file, without its ending."""
        return f"{self.crate}/{self.path.stem}"


def fetched(crate: str) -> Path:
    """Return the folder of a crate in cargo's cache.

    Raises:
        Unreachable: cargo is missing, or it cannot get the crate.
    """
    version = CRATES[crate]
    sources = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry/src"
    for attempt in range(2):
        if found := list(sources.glob(f"*/{crate}-{version}")):
            return found[0]
        if attempt == 0:
            try:
                subprocess.run(
                    ["cargo", "info", "--quiet", f"{crate}@{version}"],
                    cwd="/", check=True, capture_output=True, text=True, timeout=300,
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError) as e:
                raise Unreachable(f"cargo cannot fetch {crate} {version}: {getattr(e, 'stderr', '') or e}") from e
    raise Unreachable(f"cargo has fetched {crate} {version}, but not into {sources}")


def scripts(crate: str) -> Iterator[PublishedScript]:
    """List the scripts of a crate by name."""
    for path in sorted(fetched(crate).rglob("*.rhai")):
        yield PublishedScript(crate, path)
