"""What the documents name exists."""

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


def test_every_module_of_a_package_is_found_in_the_architecture_page() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    packages = ("actors/hero_job", "actors/hero_actor", "supervisor/hero_supervisor", "supervisor/hero_supervisor/rpc")
    modules = {path.name for package in packages for path in (ROOT / package).glob("*.py")}
    unnamed = {m for m in modules if not m.startswith("__") and f"`{m}`" not in text}
    by_pattern = {m for m in unnamed if m.startswith(("web_", "auth"))}

    assert unnamed - by_pattern == set()
