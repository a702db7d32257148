"""The files and pages that the documentation names exist."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("actors", "engines", "supervisor", "config", "tests", "benchmarks", "scripts", ".cargo", "docs/site")
PAGES = ["ARCHITECTURE.md", "README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
#: Files of these kinds tell people to read a page: by a message, or by a comment of a file that they edit.
TELLS = ("*.py", "*.rs", "*.toml", "*.yaml", "*.service", "*.socket", "Containerfile")


@functools.cache
def file_names() -> set[str]:
    return {path.name for folder in SOURCES for path in (ROOT / folder).rglob("*.*")}


def names_in(document: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / document).read_text("utf-8")))


@pytest.mark.parametrize("document", PAGES)
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    named = names_in(document, r"`(?:[\w/.-]+/)?(\w+\.(?:py|lua|toml))`")

    assert {name for name in named if name not in file_names()} == set()


@pytest.mark.parametrize("document", PAGES)
def test_every_page_that_a_document_links_to_is_there(document: str) -> None:
    links = {link for link in names_in(document, r"\]\(([^)#]+)") if not link.startswith("http")}

    assert {link for link in links if not ((ROOT / document).parent / link).exists()} == set()


def test_every_page_that_a_program_or_a_config_names_is_there() -> None:
    folders = [ROOT / top for top in ("actors", "engines", "supervisor", "config")]
    files = [path for folder in folders for kind in TELLS for path in folder.rglob(kind) if "target" not in path.parts]
    named = {page for path in files for page in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text("utf-8"))}

    assert named
    assert {page for page in named if not (ROOT / page).is_file()} == set()


def test_the_architecture_page_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    packages = [p.parent for folder in SOURCES[:4] for p in (ROOT / folder).glob("hero_*/__init__.py")]
    rooms = {p.parent.name for package in packages for p in package.rglob("__init__.py")}

    assert {room for room in rooms if f"{room}/" not in text} == set()
