"""Runs in each Python process of the environment while branches are measured, before anything else.

`prepare.py` compiles this file and names the result in a `.pth` file. It must not import what a program of ours has not
imported anyway, and not slow down a start: tests measure both, and the suite starts thousands of processes. It lets the
packages' modules be loaded with their probes.
"""

from __future__ import annotations

import builtins
import marshal
import mmap
import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any


def read(path: str) -> Any:
    """Return what `prepare.py` has written to a file."""
    with open(path, "rb", 0) as file:  # noqa: PTH123 - pathlib is not imported yet
        # marshal.load would read the file in pieces of a few bytes, which takes five times as long.
        return marshal.loads(file.read())


class ProbedLoader(SourceFileLoader):
    """Loads the code that was compiled with probes."""

    def __init__(self, name: str, source: str, code: str) -> None:
        """Remember where source and code are."""
        super().__init__(name, source)
        self._code = code

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the module's code."""
        code: CodeType = read(self._code)
        return code


class ProbedFinder:
    """Finds the modules that have probes; the usual finders find all others."""

    def __init__(self, folder: str) -> None:
        """Read what `prepare.py` left in the folder."""
        self._folder = folder
        self._modules: dict[str, tuple[str, int]] = read(f"{folder}/modules")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module with its probes, or None if it has none or has changed since they were made."""
        if fullname not in self._modules:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        source, changed_ns = self._modules[fullname]
        if spec is None or spec.origin != source or os.stat(source).st_mtime_ns != changed_ns:  # noqa: PTH116
            return spec
        spec.loader = ProbedLoader(fullname, source, f"{self._folder}/code/{fullname}")
        return spec


def start(folder: str) -> None:
    """Load the modules with probes from now on."""
    if hasattr(builtins, "__branch_probes__"):
        return
    fd = os.open(f"{folder}/taken", os.O_RDWR | os.O_CLOEXEC)
    vars(builtins)["__branch_probes__"] = mmap.mmap(fd, 0)
    os.close(fd)
    sys.meta_path.insert(0, ProbedFinder(folder))


if __name__ == "branch probes":
    start(os.path.dirname(__file__))  # noqa: PTH120
