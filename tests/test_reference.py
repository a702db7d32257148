"""The reference names every JSON-RPC method with its scope, every error code, metric, exit code and setting."""

from __future__ import annotations

import re
from pathlib import Path

from hero_ctl.command_table import COMMANDS
from hero_ctl.exits import CtlExitCode
from hero_supervisor.rpc.auth.scopes import needed_scope
from hero_supervisor.rpc.description.error_cures import CURES
from hero_supervisor.rpc.emit.markdown import metric_families
from hero_supervisor.rpc.metrics.store_metrics import count_families
from hero_supervisor.rpc.protocol.wire import ErrorCode
from scripts import reference_pages
from tests.supervisor.rpc.methods.test_openrpc import METHODS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reference.md").read_text("utf-8")


def test_every_method_is_listed_with_the_scope_that_it_needs() -> None:
    page = (ROOT / "docs/reference/methods.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| \[`([\w.]+)`\]\(#[\w.]+\) \| (none|read|user|admin) \|", page, re.MULTILINE))

    assert rows == {name: needed_scope(name).name.lower() for name in METHODS}


def test_the_page_of_methods_tells_types_defaults_and_where_the_fields_of_a_job_are() -> None:
    page = (ROOT / "docs/reference/methods.md").read_text("utf-8")
    sections = dict(re.findall(r"^### ([\w. ]+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))

    assert "| `count`? | integer |  Default: `100`. |".replace("  ", " ") in sections["list_jobs"].replace("  ", " ")
    assert "[fields of a job](#type-jobfields)" in sections["create_job"]
    assert "| `caller_id`" not in sections["create_job"]
    assert "| `caller_id`" in sections["Type JobFields"]
    assert re.search(r"\| `status` \| `\"created\"` or ", sections["Type JobView"])


def test_the_kind_of_a_metric_is_that_of_its_page() -> None:
    """The page is read from the calls in the code; an exposition has the same."""
    shown = {"hero_info": "gauge", "hero_jobs_ended_total": "counter", "hero_job_run_seconds": "histogram"}
    told = re.findall(r"^# TYPE (\w+) (\w+)$", "".join(count_families({})), re.MULTILINE)

    found = {name: kind for name, kind, _ in metric_families()}
    assert shown.items() <= found.items()
    assert dict(told).items() <= found.items()


def test_every_error_code_has_a_meaning_and_a_cure() -> None:
    page = (ROOT / "docs/reference/error-codes.md").read_text("utf-8")
    rows = re.findall(r"^\| (-?[0-9]{4,5}) \| [^|]+ \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)

    assert {int(code) for code, meaning, cure in rows if meaning.strip() and cure.strip()} == set(ErrorCode)
    assert set(CURES) == set(ErrorCode)


def test_the_generated_pages_are_what_the_code_says() -> None:
    assert reference_pages.stale() == []


def test_every_command_and_setting_is_on_its_page() -> None:
    commands = (ROOT / "docs/reference/heroctl-commands.md").read_text("utf-8")
    settings = (ROOT / "docs/reference/settings.md").read_text("utf-8")

    assert [path for row in COMMANDS for path in row.paths if f"heroctl {path}" not in commands] == []
    assert [
        key for key in ("redis_url", "lanes", "require_auth", "secrets_dir") if f"| `{key}` |" not in settings
    ] == []


def test_every_metric_is_listed() -> None:
    folder = ROOT / "supervisor/hero_supervisor/rpc/metrics"
    source = "".join(path.read_text("utf-8") for path in sorted(folder.glob("*.py")))
    page = (ROOT / "docs/reference/metrics.md").read_text("utf-8")

    assert set(re.findall(r'"((?:hero|process)_\w+)"', source)) == set(
        re.findall(r"^\| `((?:hero|process)_\w+)` \| (?:gauge|counter|histogram) \| \S", page, re.MULTILINE)
    ) - {
        "hero_subscribe",
        "hero_unsubscribe",
    }


def test_every_exit_code_of_heroctl_is_listed() -> None:
    listed = {int(code) for code in re.findall(r"^\| ([0-9]{1,3}) \| \w", PAGE, re.MULTILINE)}

    assert listed == set(CtlExitCode)


def test_every_answer_of_the_first_table_leads_to_a_heading_with_a_text() -> None:
    """What people have looked for and not found."""
    table = PAGE.split("## Where do I find", 1)[1].split("\n## ", 1)[0]
    wanted = ["functions", "OSIS and SAL", "PREREQUISITES", "exit codes", "scripts/run", "methods", "error codes"]
    wanted += ["metrics", "backup", "uninstalling"]
    assert [one for one in wanted if one not in table] == []
    for page, anchor in re.findall(r"\]\(([\w.]*)#?([\w-]*)\)", table):
        text = (ROOT / "docs" / (page or "reference.md")).read_text("utf-8")
        headings = {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in _headings(text)}
        assert not anchor or anchor in headings, f"{page}#{anchor}"


def test_the_readme_leads_to_this_page() -> None:
    assert "(docs/reference.md)" in (ROOT / "README.md").read_text("utf-8")


def _headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", text, re.MULTILINE)
