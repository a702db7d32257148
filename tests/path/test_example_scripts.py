"""The scripts in examples/ do what their first lines say, in a deployment with the actors of examples/hero.toml."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hero_job import JobBuilder, JobFailed
from hero_supervisor import Supervisor
from tests.deployment import Deployment, deployed
from tests.engine.heroscript_engine.builtin.test_git import Origin
from tests.engine.host.families.test_git import GitServer

EXAMPLES = Path(__file__).parents[2] / "examples"
SIX = r"[0-9a-z]{6}"


class Shop(ThreadingHTTPServer):
    """A web service that answers each request with its present status."""

    daemon_threads = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


class Place:
    """A deployment with everything that the scripts use: folders, programs, a web service and a git server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shop = Shop()
        self.git = GitServer(folder / "origin")
        self.site = Origin(folder / "origin", "site")
        for name in ("data/sub", "inbox", "logs", "backups", "site", "bin"):
            (folder / name).mkdir(parents=True)
        program(folder / "bin/check", 'test -f "$1/index.html" || { echo "there is no index.html" >&2; exit 1; }')
        program(folder / "bin/reload", 'if grep -q broken "$1/index.html"; then echo "bad page" >&2; exit 1; fi')
        shutil.copytree(EXAMPLES / "schemas", folder / "schemas")
        self.service: Deployment | None = None

    def actors(self) -> str:
        text = (EXAMPLES / "hero.toml").read_text().replace("/srv/hero", str(self.folder))
        text = text.replace("shop.example.org:443", f"127.0.0.1:{self.shop.server_port}")
        return text.replace("git.example.org", f"http://127.0.0.1:{self.git.server_port}")

    def close(self) -> None:
        for server in (self.shop, self.git):
            server.shutdown()
            server.server_close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("d"))
    try:
        with deployed(place.folder, actors=place.actors()) as place.service:
            yield place
    finally:
        place.close()


@pytest.fixture
def supervisor(place: Place) -> Iterator[Supervisor]:
    assert place.service is not None
    with place.service.supervisor() as supervisor:
        yield supervisor


def example(name: str, caller: str = "ops", context: str = "ops", kind: str = "sal", **env: object) -> JobBuilder:
    script = (EXAMPLES / f"{name}.rhai").read_text()
    job = JobBuilder().caller_id(caller).context_id(context).script_type(kind).script(script).timeout(200)
    for key, value in env.items():
        job = job.env_var(key, str(value))
    return job


def run(supervisor: Supervisor, job: JobBuilder) -> str:
    return str(supervisor.run_job_and_await_result(job.build()))


def test_every_script_has_a_test_and_says_how_it_is_run() -> None:
    source = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.rhai"):
        assert f'example("{path.stem}"' in source, path
        head = path.read_text().split("\n\n")[0]
        assert all(line.startswith("//") for line in head.splitlines())
        assert "\n// Needs " in head and "\n// Run " in head and f"examples/{path.name}" in head, path


def test_backup_copies_reports_and_keeps_the_newest(supervisor: Supervisor, place: Place) -> None:
    (place.folder / "data/a.txt").write_text("abc")
    (place.folder / "data/sub/backup-notes.txt").write_text("12345")
    (place.folder / "data/sub/backup-2020").mkdir()
    job: dict[str, Any] = {"source": place.folder / "data", "target": place.folder / "backups", "keep": 1}

    first = run(supervisor, example("backup", **job))
    second = run(supervisor, example("backup", **job))

    assert re.fullmatch(r".*/backup-[\w-]+: 2 files, 8 bytes; 1 backups kept, 0 removed", first)
    assert re.fullmatch(r".*/backup-[\w-]+: 2 files, 8 bytes; 1 backups kept, 1 removed", second)
    (kept,) = (place.folder / "backups").iterdir()
    assert (kept / "sub/backup-notes.txt").read_text() == "12345"
    assert (kept / "REPORT.csv").read_text().split() == ["bytes,file", "3,a.txt", "5,sub/backup-notes.txt"]


def test_watch_opens_one_incident_for_each_outage(supervisor: Supervisor, place: Place) -> None:
    url = f"http://127.0.0.1:{place.shop.server_port}/health"
    told = []
    for status in (200, 503, 500, 200, 200, 404):
        place.shop.status = status
        told.append(run(supervisor, example("watch_service", service="shop", url=url)))

    opened, seen, closed, again = told[1], told[2], told[3], told[5]
    assert (told[0], told[4]) == ("shop: ok", "shop: ok")
    match = re.fullmatch(rf"shop: incident ({SIX}) opened", opened)
    assert match
    assert seen == f"shop: incident {match[1]} seen 2 times"
    assert closed == f"shop: incident {match[1]} closed"
    assert again.endswith(" opened") and match[1] not in again
    job = example("watch_service", kind="osis").script(
        f'let i = get_incident("{match[1]}"); [i.state, i.cause, i.seen]'
    )
    assert run(supervisor, job) == '["closed","status 503",2]'


def test_watch_takes_a_service_that_is_away_for_an_outage(supervisor: Supervisor) -> None:
    told = run(supervisor, example("watch_service", service="gone", url="http://nowhere.invalid/"))

    assert re.fullmatch(rf"gone: incident {SIX} opened", told)


def test_import_is_repeatable_and_leaves_out_mistakes(supervisor: Supervisor, place: Place) -> None:
    lines = ["number,name,price,stock", *(f'{n},"Product, {n}",{n}.5,{n % 7}' for n in range(450))]
    lines[3] = "2,Bad price,much,1"
    lines[451:] = ["450,Too few,1.5,-1"]
    (place.folder / "inbox/products.csv").write_text("\n".join(lines) + "\n")

    for _ in range(2):
        job = example("import_products", file=place.folder / "inbox/products.csv").build()
        assert supervisor.run_job_and_await_result(job) == "449 products imported, 2 lines left out"
        mistakes = [line.text for line in supervisor.get_job_log(job.id)]
        assert mistakes == [
            "line 4: Error parsing floating-point number 'much': invalid float literal",
            "line 452: Field 'stock' out of range [0, 4294967295]",
        ]

    script = 'let p = get_product("p449"); [list_products().len(), p.name, p.price, p.stock, p._version]'
    assert run(supervisor, example("import_products", kind="osis").script(script)) == '[449,"Product, 449",449.5,1,2]'


def test_count_errors_reads_500_files(supervisor: Supervisor, place: Place) -> None:
    for n in range(500):
        (place.folder / f"logs/app-{n:03}.log").write_text("INFO ok\n" + "ERROR bad\n" * (n if n < 20 else 0))
    job = example("count_errors", folder=place.folder / "logs").build()

    table = str(supervisor.run_job_and_await_result(job)).splitlines()

    assert table[0].split() == ["file", "lines", "errors"]
    assert [line.split() for line in table[1:11]] == [[f"app-{n:03}.log", str(n + 1), str(n)] for n in range(19, 9, -1)]
    assert table[11:] == ["500 files read, 0 failed"]
    progress = supervisor.get_job(job.id).progress
    assert progress is not None and (progress.done, progress.total, progress.text) == (500, 500, "files")


def test_deploy_keeps_the_release_that_works(supervisor: Supervisor, place: Place) -> None:
    job: dict[str, Any] = {
        "url": f"http://127.0.0.1:{place.git.server_port}/team/site.git",
        "folder": place.folder / "site",
        "programs": place.folder / "bin",
    }
    place.site.commit(readme="no page yet")
    with pytest.raises(JobFailed, match=r"the check failed: there is no index\.html"):
        run(supervisor, example("deploy_site", **job))

    place.site.commit(index__html="first")
    told = re.fullmatch("site: release (.*) is live", run(supervisor, example("deploy_site", **job)))
    assert told
    release = place.folder / "site/releases" / told[1]
    assert (release / "index.html").read_text() == "first"
    assert not (release / ".git").exists()

    place.site.commit(index__html="broken")
    with pytest.raises(JobFailed, match=rf"the server refused release .*: bad page; {told[1]} is live"):
        run(supervisor, example("deploy_site", **job))
    assert (place.folder / "site/live").read_text() == told[1]
    assert [path.name for path in (place.folder / "site/releases").iterdir()] == [told[1]]


def test_contacts_are_read_by_those_who_may(supervisor: Supervisor) -> None:
    shared = run(supervisor, example("share_contacts", "carol", "carol", "osis"))
    sheets = [run(supervisor, example("call_sheet", who, "carol", "osis", company="acme")) for who in ("dave", "eve")]

    assert shared == "3 contacts, which sales may read"
    assert sheets == ["Ann Adams: +1 555 0101\nCid Clark: +1 555 0102", "nobody"]
