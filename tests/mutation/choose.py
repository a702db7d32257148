"""Chooses which mutants to try, and which tests may notice one."""

from __future__ import annotations

import json
import random
import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutation import lua_mutants, python_mutants
from tests.mutation.lua_blocks import edges_of
from tests.mutation.lua_callers import callers_of
from tests.mutation.mutant import Mutant

ROOT = Path(__file__).parents[2]

SCRIPTS = Path("actors/hero_job/protocol/lua")

#: Folder of the product -> folder of the tests that mirrors it; the longest that fits counts.
MIRRORS = {
    "config/hero_config": "tests/config",
    "engines/hero_engine": "tests/engine",
    "actors/hero_job": "tests/job",
    "actors/hero_process": "tests/process",
    "actors/hero_actor": "tests/actor",
    "supervisor/hero_client": "tests/client",
    "supervisor/hero_ctl": "tests/ctl",
    "supervisor/hero_supervisor": "tests/supervisor",
}


def files_of(paths: Iterable[Path]) -> list[Path]:
    """List the files that can be changed: those of the repository that are Python or Lua."""
    asked = shlex.join(str(path) for path in paths)
    listed = subprocess.run(
        ["git", "ls-files", "--", *shlex.split(asked)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if name.endswith((".py", ".lua"))]


def mutants_of(file: Path) -> list[Mutant]:
    """List every mutant of a file."""
    find = lua_mutants.mutants_of if file.suffix == ".lua" else python_mutants.mutants_of
    return find(str(file.relative_to(ROOT)), file.read_text())


def sample(files: Sequence[Path], count: int, seed: int) -> list[Mutant]:
    """Choose mutants, the same ones for the same texts and seed.

    Each line has the same chance, no matter how many mutants it has; of a line at most one is taken.

    Args:
        files: What may be changed.
        count: How many to choose; fewer if there are not so many lines.
        seed: What the choice begins with.
    """
    by_line: dict[tuple[str, int], list[Mutant]] = {}
    for file in files:
        for mutant in mutants_of(file):
            by_line.setdefault((mutant.path, mutant.line), []).append(mutant)
    rng = random.Random(seed)
    lines = rng.sample(sorted(by_line), min(count, len(by_line)))
    return [rng.choice(by_line[line]) for line in lines]


def mirror_of(path: str) -> list[str]:
    """Return the tests of the folder that a file belongs to, the nearest first."""
    for ours, tests in sorted(MIRRORS.items(), key=lambda pair: len(pair[0]), reverse=True):
        if path.startswith(f"{ours}/"):
            inner = ROOT / tests / Path(path).relative_to(ours).parent
            near = next(folder for folder in (inner, *inner.parents) if folder.is_dir())
            return list(dict.fromkeys([str(near.relative_to(ROOT)), tests]))
    return ["tests"]


@dataclass(frozen=True, slots=True)
class Contexts:
    """Which tests run which function or branch.

    Attributes:
        probes: Module -> (line, way) of each probe, in the order of their indices, with the index of the first.
        tests: Name of a test -> seconds that it takes, and the indices that it sets.
        failing: Tests that failed without any change, and so say nothing.
        blocks: Name of a test -> the blocks of Lua that it runs (see `lua_blocks.py`).
    """

    probes: dict[str, tuple[int, list[tuple[int, str]]]]
    tests: dict[str, tuple[float, frozenset[int]]]
    failing: frozenset[str] = frozenset()
    blocks: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, arms: Path, noted: Path) -> Contexts:
        """Read what `tests.branches.prepare` and `tests.mutation.contexts` have written."""
        probes: dict[str, tuple[int, list[tuple[int, str]]]] = {}
        first = 0
        for module, found in json.loads(arms.read_text()).items():
            probes[module] = (first, [(line, way) for line, way in found])
            first += len(found)
        lines = [json.loads(line) for line in noted.read_text().splitlines()]
        tests = {one["test"]: (one["s"], frozenset(one["probes"])) for one in lines}
        failing = frozenset(one["test"] for one in lines if one["failed"])
        return cls(probes, tests, failing, {one["test"]: frozenset(one.get("blocks", ())) for one in lines})

    def and_of(self, other: Contexts) -> Contexts:
        """Add the tests of another folder, which were measured on the same code."""
        if self.probes != other.probes:
            raise ValueError("the contexts were measured on different code: measure them again (--refresh)")
        return Contexts(self.probes, self.tests | other.tests, self.failing | other.failing, self.blocks | other.blocks)

    @property
    def seconds(self) -> dict[str, float]:
        """Return how long each test takes."""
        return {name: seconds for name, (seconds, _) in self.tests.items()}

    def tests_of(self, mutant: Mutant, seconds: float) -> list[str]:
        """List the tests that run the changed line, the fastest first, as far as they fit into the time for them.

        A line belongs to the last probe before it in its function. Tests that take this branch come before others that
        only call the function. In both groups, tests whose file is named after the changed one come first, and then
        those of its folder. A line of Lua belongs to the functions that name the script.

        Args:
            mutant: The change.
            seconds: The time; at least one test is listed, however long it takes.
        """
        near, called = self._probes_of(mutant)
        known = self._running(mutant) if mutant.path.endswith(".lua") else self._hitting(near, mutant.path)
        known += [one for one in self._hitting(called, mutant.path) if one not in known]
        chosen: list[str] = []
        spent_s = 0.0
        for name in known:
            spent_s += self.tests[name][0]
            if chosen and spent_s > seconds:
                break
            chosen.append(name)
        # Tests of one file share what they start.
        files = list(dict.fromkeys(name.partition("::")[0] for name in chosen))
        return sorted(chosen, key=lambda name: files.index(name.partition("::")[0]))

    def _probes_of(self, mutant: Mutant) -> tuple[set[int], set[int]]:
        """Return the probes of the changed branch, and those of the function."""
        if mutant.path.endswith(".lua"):
            return set(), {
                first + n
                for module, begin in callers_of(Path(mutant.path))
                for first, probes in [self.probes[module]]
                for n, (line, way) in enumerate(probes)
                if line == begin and way == "called"
            }
        first, probes = self.probes.get(mutant.path, (0, []))
        source = (ROOT / mutant.path).read_text()
        around = [one for one in python_mutants.functions_of(source) if one[0] <= mutant.line <= one[1]]
        begin, end = max(around, default=(1, 10**9))
        inside = [(line, first + n, way) for n, (line, way) in enumerate(probes) if begin <= line <= end]
        called = {index for line, index, way in inside if way == "called" and line == begin}
        before = [line for line, _, way in inside if way != "called" and line <= mutant.line]
        near = {index for line, index, _ in inside if before and line == max(before)}
        return near, called or {index for _, index, _ in inside}

    def _running(self, mutant: Mutant) -> list[str]:
        """List the tests that run the block of Lua around a line."""
        before = [edge for edge in edges_of((ROOT / mutant.path).read_text()) if edge < mutant.line]
        block = f"{Path(mutant.path).relative_to(SCRIPTS)}:{before[-1]}"
        return self._sorted([name for name, blocks in self.blocks.items() if block in blocks], mutant.path)

    def _hitting(self, indices: Iterable[int], path: str) -> list[str]:
        wanted = frozenset(indices)
        return self._sorted([name for name, (_, probes) in self.tests.items() if probes & wanted], path)

    def _sorted(self, names: Iterable[str], path: str) -> list[str]:
        """Put the nearest tests first, and then the fastest."""
        folder, named = f"{mirror_of(path)[-1]}/", re.compile(rf"/test_{Path(path).stem}\w*\.py::")
        found = [
            (not named.search(name), not name.startswith(folder), self.tests[name][0], name)
            for name in names
            if name not in self.failing
        ]
        return [name for _, _, _, name in sorted(found)]
