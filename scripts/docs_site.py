"""Builds the site of the documentation; `scripts/docs` calls it in the environment that has Zensical.

The pages stay where they are in the repository, and the site has the same folders, so that one link is right in both.
`docs/site/zensical.toml` says which pages there are, in which order. They are copied into a folder, together with the
files that they link to, and Zensical builds from there. What it has built is then checked as a browser would read it:
each link leads to a file, each fragment to an element, and nothing is loaded from another host. Beside the pages are
their sources and `llms.txt`, for programs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "docs/site"
SITE = ROOT / "dist/docs"
WORK = ROOT / "dist/docs.work"
#: The program that Zensical would load from another host to search in files, and our own in its place.
FOREIGN_WORKER = "https://unpkg.com/iframe-worker/shim"
OWN_WORKER = "assets/javascripts/file_search.js"
#: What makes a browser load something, by element; `link` does so for some values of `rel` only.
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
LOADING_RELATIONS = {"stylesheet", "preload", "modulepreload", "icon", "preconnect", "prefetch", "dns-prefetch"}


def navigation() -> list[str]:
    """Return the pages of the site in their order, as paths from the project's folder."""

    def pages(entry: object) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            for part in entry.values():
                yield from pages(part)
        elif isinstance(entry, list):
            for part in entry:
                yield from pages(part)

    return list(pages(tomllib.loads((SOURCE / "zensical.toml").read_text("utf-8"))["project"]["nav"]))


def summary(page: Path) -> str:
    """The first sentence of a Markdown page below its title, without links; "" if a table or a list comes first."""
    text = page.read_text("utf-8").partition("\n\n")[2].partition("\n\n")[0]
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(text.split()))
    text = re.sub(r"^\*\*\w+\.\*\* ", "", text).replace("**", "")
    return "" if re.match(r"[|#!<-]|```|\d+\.", text) else re.split(r"(?<=[.:])\s", text)[0]


def titled(entry: object) -> Iterator[tuple[str, str]]:
    """The titles and paths of the pages in a part of the navigation."""
    if isinstance(entry, str):
        yield (ROOT / entry).read_text("utf-8").partition("\n")[0].removeprefix("# "), entry
    elif isinstance(entry, list):
        for part in entry:
            yield from titled(part)
    elif isinstance(entry, dict):
        for title, part in entry.items():
            if isinstance(part, str):
                yield title, part
            else:
                yield from titled(part)


def index_for_programs(nav: Sequence[Mapping[str, object]]) -> str:
    """Write `llms.txt`: the pages by section, each with its Markdown source and what it begins with.

    Source: https://llmstxt.org
    """
    ((title, first),) = titled(nav[0])
    lines = [f"# {title}", "", f"> {summary(ROOT / first)}"]
    for part in nav[1:]:
        for section, entries in part.items():
            lines += ["", f"## {section}", ""]
            for name, path in titled({section: entries}):
                about = summary(ROOT / path)
                lines.append(f"- [{name}]({path}){f': {about}' if about else ''}")
    return "\n".join(lines) + "\n"


def missing_pages(pages: list[str]) -> list[str]:
    """Pages of the repository that the navigation lacks, and entries of it that no page has."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    wanted = {name for name in names if name.startswith(("docs/", "clients/")) or "/" not in name}
    there = {name for name in wanted if (ROOT / name).is_file()}
    file = "docs/site/zensical.toml"
    return [
        *(f"{name}: give it a place in the navigation of {file}" for name in sorted(there - set(pages))),
        *(f"{file}: {name}: no such page" for name in sorted(set(pages) - there)),
        *(f"{file}: {name} stands there twice" for name in sorted({name for name in pages if pages.count(name) > 1})),
    ]


def prose(text: str) -> str:
    """The text of a page without its fenced blocks and code, in which nothing is a link."""
    text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "code", text)


def links(page: Path) -> list[str]:
    """Targets of the links of a Markdown page that lead to another file or heading of the project."""
    found = re.findall(r"\]\(([^()\s]+)\)", prose(page.read_text("utf-8")))
    return [target for target in found if not urlsplit(target).scheme]


def anchors(page: Path) -> set[str]:
    """The fragments by which the headings of a Markdown page are reached."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line) for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def broken_links(pages: list[str]) -> list[str]:
    """Links of the pages that lead to no file, to no heading, or to a page that the site does not have."""
    broken = []
    for name in pages:
        for target in links(ROOT / name):
            path, _, fragment = target.partition("#")
            there = (ROOT / name).parent / path if path else ROOT / name
            if not there.is_file():
                broken.append(f"{name}: {target}: no such file")
            elif there.suffix == ".md" and there.resolve().relative_to(ROOT).as_posix() not in pages:
                broken.append(f"{name}: {target}: that page is not in docs/site/zensical.toml")
            elif fragment and fragment not in anchors(there):
                broken.append(f"{name}: {target}: no such heading")
    return broken


def indented(text: str) -> str:
    """The page with what belongs to an item of a numbered list four columns in, as Zensical wants it, not three."""
    lines = []
    fenced = False
    for line in text.splitlines(keepends=True):
        fenced ^= line.startswith("```")
        lines.append(f" {line}" if line.startswith("   ") and not fenced else line)
    return "".join(lines)


def stage(pages: list[str], folder: Path) -> None:
    """Copy the pages, and the files that they link to, into a folder that Zensical reads."""
    shutil.rmtree(folder, ignore_errors=True)
    wanted = {ROOT / name for name in pages}
    for name in pages:
        wanted |= {((ROOT / name).parent / target.partition("#")[0]).resolve() for target in links(ROOT / name)}
    for path in wanted:
        if path.is_file():
            copy = folder / "pages" / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".md":
                copy.write_text(indented(path.read_text("utf-8")), "utf-8")
            else:
                shutil.copyfile(path, copy)
    where = '[project]\ndocs_dir = "pages"\nsite_dir = "site"\n'
    config = (SOURCE / "zensical.toml").read_text("utf-8").replace("[project]\n", where, 1)
    (folder / "zensical.toml").write_text(config, "utf-8")


def use_own_worker(site: Path) -> None:
    """Put our program for a search in files in the place of the one from another host."""
    shutil.copyfile(SOURCE / "file_search.js", site / OWN_WORKER)
    for page in site.rglob("*.html"):
        up = "../" * len(page.relative_to(site).parent.parts)
        page.write_text(page.read_text("utf-8").replace(FOREIGN_WORKER, up + OWN_WORKER), "utf-8")


class BuiltPage(HTMLParser):
    """What a built page links to, loads, and can be reached by.

    Attributes:
        links: Targets of its links.
        loads: Addresses of what a browser loads with it.
        ids: Ids of its elements.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and LOADING_RELATIONS & set(values.get("rel", "").split()):
            self.loads.append(values.get("href", ""))
        elif LOADS.get(tag, "") in values:
            self.loads.append(values[LOADS[tag]])


def faults(site: Path) -> list[str]:
    """What is wrong with a built site: broken links, and what it loads from elsewhere or does not have."""
    found = []
    pages = {path: BuiltPage(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for target in [*page.links, *page.loads]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loads and parts.scheme != "data":
                    found.append(f"{name}: loads {target}")
                continue
            # The page of an unknown address is served anywhere, so its paths begin at the root.
            start = site if parts.path.startswith("/") else path.parent
            there = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
            there = there / "index.html" if there.is_dir() else there
            if not there.is_file():
                found.append(f"{name}: {target}: no such file")
            elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].ids:
                found.append(f"{name}: {target}: no such element")
    for style in sorted(site.rglob("*.css")):
        foreign = re.findall(r"url\(\s*['\"]?(https?:[^'\")]+)", style.read_text("utf-8"))
        found += [f"{style.relative_to(site).as_posix()}: loads {target}" for target in foreign]
    return found


def main() -> int:
    pages = navigation()
    problems = [*missing_pages(pages), *broken_links(pages)]
    if not problems:
        stage(pages, WORK)
        zensical = Path(sys.executable).parent / "zensical"
        built = subprocess.run([zensical, "build", "--strict"], cwd=WORK, check=False)
        if built.returncode:
            return 1
        use_own_worker(WORK / "site")
        nav = tomllib.loads((SOURCE / "zensical.toml").read_text("utf-8"))["project"]["nav"]
        (WORK / "site/llms.txt").write_text(index_for_programs(nav), "utf-8")
        for name in pages:
            shutil.copyfile(ROOT / name, WORK / "site" / name)
        problems = faults(WORK / "site")
    for problem in problems:
        print(f"docs: {problem}", file=sys.stderr)
    if problems:
        return 1
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(WORK / "site", SITE)
    shutil.rmtree(WORK)
    print(f"docs: {len(pages)} pages in {SITE.relative_to(ROOT)}; open {SITE / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
