"""Checks the rules of the source tree that no linter knows; `scripts/check` runs it.

It reports: a class name that two modules define; a file of more than 400 lines; a package with more modules than a
reader can take in; a circle of imports between modules; phrases that are not plain English; lines of prose in Markdown
that are too long; links of the documentation that lead nowhere, pages that its site lacks, and generated pages that are
stale. Each report names the file, and each exception stands in this file with its reason.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import docs_site
import reference_pages

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 400
#: "About twelve" modules in a package, without `__init__.py`.
MAX_MODULES = 14
MAX_PROSE_COLUMNS = 120

PHRASES = re.compile(
    r"\bat once\b|\bof another make\b|\bof other makes\b|\b[Ww]ho(?:ever)\b|\b[Ww]hatever (is|are|was|has)\b"
    r"|\bof theirs\b|\bnobody need\b|\bwhat has begun\b|\bNot (written|read|shown|counted|known) (is|are)\b"
    r"|\ba (child|process|program|file|line|family|module|lane|script|round trip|key|hash|server) a "
    r"(job|lane|actor|module|file|family|run|context|script|transition|second)\b"
)
#: Files that quote the phrases, or that others wrote.
PHRASES_ALLOWED = {"scripts/house_style.py", "CONTRIBUTING.md", "LICENSE"}


def tracked(*suffixes: str) -> Iterator[Path]:
    """Files of the repository, new ones included, by suffix."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return (ROOT / name for name in names if name.endswith(suffixes) and (ROOT / name).is_file())


def packages() -> dict[str, Path]:
    """The modules of the product by dotted name."""
    found: dict[str, Path] = {}
    for top in sorted(ROOT.glob("*/hero_*/__init__.py")):
        for path in sorted(top.parent.rglob("*.py")):
            parts = path.relative_to(top.parents[1]).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def long_files() -> Iterator[str]:
    for path in tracked(".py", ".rs", ".lua"):
        if (lines := len(path.read_text("utf-8").splitlines())) > MAX_LINES:
            yield f"{path.relative_to(ROOT)}: {lines} lines; more than {MAX_LINES} hold two ideas, split the file"


def crowded_packages(modules: dict[str, Path]) -> Iterator[str]:
    count: dict[Path, int] = defaultdict(int)
    for path in modules.values():
        count[path.parent] += path.name != "__init__.py"
    for folder, number in count.items():
        if number > MAX_MODULES:
            yield f"{folder.relative_to(ROOT)}: {number} modules in one package; make rooms"


def repeated_classes(modules: dict[str, Path]) -> Iterator[str]:
    homes: dict[str, list[str]] = defaultdict(list)
    for name, path in modules.items():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    for name, where in homes.items():
        if len(where) > 1:
            yield f"class {name} exists {len(where)} times ({', '.join(where)}); one name means one thing"


def imports_of(name: str, path: Path, modules: dict[str, Path]) -> set[str]:
    """Modules that `name` imports when it is loaded: not those for type checkers, nor those inside functions."""
    found: set[str] = set()
    pending: list[ast.stmt] = list(ast.parse(path.read_text("utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If):
            pending += [] if "TYPE_CHECKING" in ast.unparse(node.test) else node.body
            pending += node.orelse
        elif isinstance(node, ast.Try):
            pending += node.body
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {f if f in modules else node.module for f in full}
    return {f for f in found if f in modules and f != name}


def circles(modules: dict[str, Path]) -> Iterator[str]:
    # A package's own module re-exports what its rooms define; the order of loading makes that harmless.
    graph = {
        name: {i for i in imports_of(name, path, modules) if modules[i].name != "__init__.py"}
        for name, path in modules.items()
        if path.name != "__init__.py"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as e:
        yield f"circle of imports: {' -> '.join(e.args[1])}"


def odd_phrases() -> Iterator[str]:
    for path in tracked(".py", ".pyi", ".rs", ".lua", ".md", ".toml", ".yaml", ".service", ".sh"):
        where = str(path.relative_to(ROOT))
        if where in PHRASES_ALLOWED:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if match := PHRASES.search(line):
                yield f"{where}:{number}: {match.group()!r} is not plain English"


def wide_prose() -> Iterator[str]:
    for path in tracked(".md"):
        fenced = False
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            fenced ^= line.lstrip().startswith("```")
            if len(line) > MAX_PROSE_COLUMNS and not fenced and not line.startswith("|") and "http" not in line:
                yield f"{path.relative_to(ROOT)}:{number}: {len(line)} columns; prose has {MAX_PROSE_COLUMNS} at most"


def links_and_pages() -> Iterator[str]:
    pages = docs_site.navigation()
    yield from docs_site.missing_pages(pages)
    yield from docs_site.broken_links([name for name in pages if (ROOT / name).is_file()])
    yield from reference_pages.stale()


def main() -> int:
    modules = packages()
    problems = [
        *long_files(), *crowded_packages(modules), *repeated_classes(modules),
        *circles(modules), *odd_phrases(), *wide_prose(), *links_and_pages(),
    ]  # fmt: skip
    for problem in problems:
        print(problem)
    return min(len(problems), 1)


if __name__ == "__main__":
    sys.exit(main())
