"""Chooses which mutants to try, and which tests may notice one."""

from __future__ import annotations

import json
import random
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation import lua_mutants, python_mutants
from tests.mutation.mutant import Mutant

ROOT = Path(__file__).parents[2]

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
#: So many seconds of tests that run the changed line are tried before the folder.
_FIRST_S = 60.0


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
    """

    probes: dict[str, tuple[int, list[tuple[int, str]]]]
    tests: dict[str, tuple[float, frozenset[int]]]

    @classmethod
    def read(cls, arms: Path, noted: Path) -> Contexts:
        """Read what `tests.branches.prepare` and `tests.mutation.contexts` have written."""
        probes: dict[str, tuple[int, list[tuple[int, str]]]] = {}
        first = 0
        for module, found in json.loads(arms.read_text()).items():
            probes[module] = (first, [(line, way) for line, way in found])
            first += len(found)
        lines = [json.loads(line) for line in noted.read_text().splitlines()]
        return cls(probes, {one["test"]: (one["s"], frozenset(one["probes"])) for one in lines})

    def tests_of(self, mutant: Mutant) -> list[str]:
        """List the tests that run the changed line, the fastest first, as far as they fit into the time for them.

        A line belongs to the last probe before it in its function. Tests that take this branch come before others that
        only call the function.
        """
        first, probes = self.probes.get(mutant.path, (0, []))
        if not probes:
            return []
        source = (ROOT / mutant.path).read_text()
        around = [one for one in python_mutants.functions_of(source) if one[0] <= mutant.line <= one[1]]
        begin, end = max(around, default=(1, 10**9))
        inside = [(line, first + n, way) for n, (line, way) in enumerate(probes) if begin <= line <= end]
        called = {index for line, index, way in inside if way == "called" and line == begin}
        before = [line for line, _, way in inside if way != "called" and line <= mutant.line]
        near = {index for line, index, _ in inside if before and line == max(before)}
        exact = self._hitting(near) if near else []
        known = [*exact, *(one for one in self._hitting(called or {i for _, i, _ in inside}) if one not in exact)]
        chosen: list[str] = []
        spent_s = 0.0
        for name in known:
            spent_s += self.tests[name][0]
            if chosen and spent_s > _FIRST_S:
                break
            chosen.append(name)
        return chosen

    def _hitting(self, indices: Iterable[int]) -> list[str]:
        wanted = frozenset(indices)
        found = [(seconds, name) for name, (seconds, probes) in self.tests.items() if probes & wanted]
        return [name for _, name in sorted(found)]
