"""The pages of the documentation lead to each other, and the check of the built site finds what is wrong with it.

`scripts/docs` builds the site and is not part of the suite, because it installs its tool first.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from scripts import docs_site

ROOT = Path(__file__).parents[1]


def test_the_navigation_has_every_page_once() -> None:
    assert docs_site.missing_pages(docs_site.navigation()) == []


def test_the_index_for_programs_names_every_page_with_its_beginning() -> None:
    nav = tomllib.loads((docs_site.SOURCE / "zensical.toml").read_text("utf-8"))["project"]["nav"]
    written = docs_site.index_for_programs(nav)

    assert written.startswith("# Hero\n\n> ")
    assert re.findall(r"^- \[[^]]+\]\(([^)]+)\)", written, re.MULTILINE) == docs_site.navigation()[1:]
    assert {"## Tutorials", "## How-to", "## Reference"} <= set(written.splitlines())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# A\n\nIt is [a thing](b.md) that\nruns. And more.\n\nNo.", "It is a thing that runs."),
        ("# A\n\n| a | b |\n|---|---|", ""),
        ("# A\n\n- one", ""),
        ("# A\n\n1. one", ""),
        ("# A\n", ""),
    ],
)
def test_the_summary_of_a_page_is_its_first_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "page.md").write_text(text)

    assert docs_site.summary(tmp_path / "page.md") == said


def test_a_page_without_a_place_and_a_place_without_a_page_are_named() -> None:
    pages = docs_site.navigation()

    assert docs_site.missing_pages([*pages[1:], pages[1], "docs/none.md"]) == [
        "README.md: give it a place in the navigation of docs/site/zensical.toml",
        "docs/site/zensical.toml: docs/none.md: no such page",
        f"docs/site/zensical.toml: {pages[1]} stands there twice",
    ]


def test_every_link_leads_to_a_page_of_the_site_and_to_a_heading_of_it() -> None:
    assert docs_site.broken_links(docs_site.navigation()) == []


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("see [it](a.md#part) and [that](b/c.toml)", ["a.md#part", "b/c.toml"]),
        ("[far](https://example.org/x) and [near](#here)", ["#here"]),
        ("`[code](no.md)`", []),
        ("```sh\n[fence](no.md)\n```\n[one](yes.md)", ["yes.md"]),
        ("- a\n  ```\n  [fence](no.md)\n  ```\n", []),
    ],
)
def test_links_are_found_in_prose_only(tmp_path: Path, text: str, targets: list[str]) -> None:
    (tmp_path / "page.md").write_text(text)

    assert docs_site.links(tmp_path / "page.md") == targets


def test_a_heading_has_the_anchor_of_its_words(tmp_path: Path) -> None:
    text = "# A Title\n\n## Jobs: `job.*`\n\n```sh\n# no heading\n```\n\n## The [link](x.md)\n"
    (tmp_path / "page.md").write_text(text)

    assert docs_site.anchors(tmp_path / "page.md") == {"a-title", "jobs-job", "the-link"}


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="b.html">x</a><a href="#top">x</a><a href="https://example.org/">x</a><p id="top">', ""),
        ('<a href="c.html">x</a>', "a.html: c.html: no such file"),
        ('<a href="b.html#nowhere">x</a>', "a.html: b.html#nowhere: no such element"),
        ('<script src="https://example.org/x.js"></script>', "a.html: loads https://example.org/x.js"),
        ('<link rel="preconnect" href="//fonts.example.org">', "a.html: loads //fonts.example.org"),
        ('<img src="missing.png">', "a.html: missing.png: no such file"),
    ],
)
def test_the_check_of_the_built_site_names_what_is_wrong(tmp_path: Path, html: str, fault: str) -> None:
    (tmp_path / "a.html").write_text(html)
    (tmp_path / "b.html").write_text("<h1 id=here>x</h1>")
    (tmp_path / "site.css").write_text("p { background: url(b.html) }")

    assert docs_site.faults(tmp_path) == ([fault] if fault else [])


def test_a_style_that_loads_from_another_host_is_named(tmp_path: Path) -> None:
    (tmp_path / "site.css").write_text("@font-face { src: url('https://fonts.example.org/a.woff2') }")

    assert docs_site.faults(tmp_path) == ["site.css: loads https://fonts.example.org/a.woff2"]


def test_a_page_in_a_folder_gets_our_program_for_the_search_in_files(tmp_path: Path) -> None:
    (tmp_path / "assets/javascripts").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/page.html"
    page.write_text(f'<script src="{docs_site.FOREIGN_WORKER}"></script>')
    docs_site.use_own_worker(tmp_path)

    assert page.read_text() == f'<script src="../{docs_site.OWN_WORKER}"></script>'
    assert docs_site.faults(tmp_path) == []


def test_the_pages_are_staged_with_the_files_that_they_link_to(tmp_path: Path) -> None:
    docs_site.stage(["docs/functions.md"], tmp_path / "work")
    staged = {path.relative_to(tmp_path / "work").as_posix() for path in (tmp_path / "work").rglob("*.*")}

    assert {"zensical.toml", "pages/docs/functions.md", "pages/examples/backup.rhai"} <= staged
    assert 'docs_dir = "pages"' in (tmp_path / "work/zensical.toml").read_text()


def test_a_block_in_an_item_of_a_list_is_a_column_further_in_on_the_site() -> None:
    text = "1. a\n   ```sh\n   ls\n   ```\n\n```py\nif x:\n    y\n```\n"

    assert docs_site.indented(text) == "1. a\n    ```sh\n    ls\n    ```\n\n```py\nif x:\n    y\n```\n"
