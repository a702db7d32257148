"""The files and pages that the documentation names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("actors", "engines", "supervisor", "config", "tests", "benchmarks", "scripts")


def names_in(document: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / document).read_text("utf-8")))


@pytest.mark.parametrize(
    "document", ["ARCHITECTURE.md", "README.md", "docs/operations.md", "docs/reliability.md", "docs/security.md"]
)
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    known = {path.name for folder in SOURCES for path in (ROOT / folder).rglob("*.*")}
    named = names_in(document, r"`(?:[\w/.-]+/)?(\w+\.(?:py|lua|toml))`")

    assert {name for name in named if name not in known} == set()


@pytest.mark.parametrize(
    "document", ["ARCHITECTURE.md", "README.md", "docs/operations.md", "docs/reliability.md", "docs/security.md"]
)
def test_every_page_that_a_document_links_to_is_there(document: str) -> None:
    links = {link for link in names_in(document, r"\]\(([^)#]+)") if not link.startswith("http")}

    assert {link for link in links if not ((ROOT / document).parent / link).exists()} == set()


def test_the_architecture_page_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    packages = [p.parent for folder in SOURCES[:4] for p in (ROOT / folder).glob("hero_*/__init__.py")]
    rooms = {p.parent.name for package in packages for p in package.rglob("__init__.py")}

    assert {room for room in rooms if f"{room}/" not in text} == set()
