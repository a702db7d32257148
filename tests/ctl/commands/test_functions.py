"""`heroctl functions` and `heroctl check`."""

from __future__ import annotations

import json

from tests.ctl.conftest import Heroctl
from tests.deployment import Deployment


def test_functions_are_listed_by_family_and_explained_by_name(heroctl: Heroctl) -> None:
    listed = heroctl("functions").stdout
    explained = heroctl("functions", "file_read").stdout

    assert "os:\n" in listed
    assert "  file_read(path: string) -> string\n" in listed
    assert explained.startswith("file_read(path: string) -> string\n  Read a text file")
    assert "file_read(" in explained.partition("\n\n")[2]
    assert {row["family"] for row in json.loads(heroctl("functions", "text", "--json").stdout)} == {"text"}
    assert heroctl("functions", "no_such").returncode == 1


def test_functions_of_an_actor_are_asked_of_its_supervisor(heroctl: Heroctl, deployment: Deployment) -> None:
    where = ("--socket", str(deployment.socket))

    assert "file_read" in heroctl("functions", "--type", "sal", *where).stdout
    assert "nobody" in heroctl("functions", "--type", "nobody", *where).stderr


def test_definitions_for_editors_are_printed(heroctl: Heroctl) -> None:
    assert heroctl("functions", "--definitions").stdout.startswith("module static;\n")


def test_script_is_checked_before_it_runs(heroctl: Heroctl, deployment: Deployment) -> None:
    where = ("--type", "sal", "--socket", str(deployment.socket))
    good = heroctl("check", "-", *where, input="print(file_read(`a`));")
    missing = heroctl("check", "-", *where, input="\nno_such(1);")
    broken = heroctl("check", "-", *where, "--json", input="let = 1;")

    assert (good.returncode, good.stdout) == (0, "")
    assert (missing.returncode, missing.stdout) == (0, "-:2: warning: no function is called no_such\n")
    assert heroctl("check", "-", "--strict", input="no_such(1)").returncode == 1
    assert broken.returncode == 1
    (problem,) = json.loads(broken.stdout)
    assert (problem["line"], problem["level"]) == (1, "error")
    assert heroctl("check", "no-such-file.rhai").returncode == 2
