"""The examples of docs/heroscript.md run, through an actor whose settings allow everything that they need."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from hero_engine.children.settings import ChildSettings
from hero_engine.errors import EngineUnavailable
from hero_engine.heroscript_engine.run.settings import EngineSettings
from hero_job.client.store import Store
from hero_job.operations.operations import Operations
from tests.actor.process import ActorProcess, JobClient
from tests.engine.heroscript_engine.builtin.test_git import Origin
from tests.engine.heroscript_engine.builtin.test_http import serve
from tests.engine.heroscript_engine.builtin.test_node import ME, Machine, machine
from tests.engine.heroscript_engine.conftest import ROOT
from tests.valkey_server import ValkeyServer

__all__ = ["machine"]

PAGE = (ROOT / "docs" / "heroscript.md").read_text("utf-8")
#: The examples of the families, each below a heading with the family's actions.
EXAMPLES = {
    heading: example
    for heading, section in re.findall(r"^### ([^\n]*`[a-z]+\.[^\n]*)\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    for example in re.findall(r"```heroscript\n(.*?)```", section, re.DOTALL)
}
NODES = next(heading for heading in EXAMPLES if "node.new" in heading)


@pytest.fixture(scope="module")
def allowing(
    valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[JobClient, dict[str, str]]]:
    """An actor that allows everything that the examples need, and the job variables for them."""
    folder = tmp_path_factory.mktemp("examples")
    namespace = f"t{uuid.uuid4().hex[:10]}"
    port, stop_site = serve()
    origin = Origin(folder / "origin", "notes")
    origin.commit(a__hero="!!play.echo content:included")
    (folder / "site.env").write_text("A=1\n")
    manager = folder / "apt-get"
    manager.write_text('#!/bin/sh\necho "$*"\n')
    manager.chmod(0o755)
    environ = {
        "HERO_ALLOW_JOBS": "true",
        "HERO_ALLOW_STORE": "true",
        "HERO_ALLOW_PYTHON": "true",
        "HERO_ALLOW_HTTP": f"127.0.0.1:{port}",
        "HERO_ALLOW_GIT": f"file://{folder}/origin/*",
        "HERO_CODEROOT_DIR": str(folder / "code"),
        "HERO_ALLOW_COMMANDS": "echo",
        "HERO_WORK_DIR": str(folder),
        "HERO_ALLOW_PACKAGES": "jq",
        "HERO_PACKAGE_MANAGER": str(manager),
    }
    with pytest.MonkeyPatch.context() as patch, Store(valkey.url) as store:
        for name, value in environ.items():
            patch.setenv(name, value)
        actors = [ActorProcess(folder, valkey.url, namespace, kind, (), control=False) for kind in ("python", "osis")]
        try:
            for actor in actors:
                actor.wait_ready()
            words = {"SITE": f"http://127.0.0.1:{port}", "REPO": str(origin.bare)}
            yield JobClient(store, Operations(namespace)), words
        finally:
            for actor in actors:
                actor.close()
            stop_site()


def run(client: JobClient, example: str, words: dict[str, str]) -> list[Any]:
    output = client.run(example, "python", env_vars=words).result()
    return [entry.get("result") for entry in json.loads(output)]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("heading", [heading for heading in EXAMPLES if heading != NODES])
def test_example_of_the_documentation_runs(allowing: tuple[JobClient, dict[str, str]], heading: str) -> None:
    results = run(allowing[0], EXAMPLES[heading], allowing[1])

    expected: dict[str, object] = {
        "job": "42 hello you",
        "store": True,
        "http": 404,
        "git": "included",
        "osal.exec": {"exit_code": 0, "output": "not in the log\n"},
        "osal.package": ["jq"],
        "python": {"sum": 6, "answer": "42"},
    }
    (family,) = (name for name in expected if f"`{name}" in heading)
    last = results[-1]["status"] if family == "http" else results[-1]
    assert last == expected[family]


def test_example_of_a_node_runs(
    valkey: ValkeyServer, namespace: str, tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{machine.port}"
    for name, value in (
        ("HERO_ALLOW_NODES", address),
        ("HERO_SSH_KEY", str(machine.key)),
        ("HERO_SSH_KNOWN_HOSTS", str(machine.known_hosts)),
    ):
        monkeypatch.setenv(name, value)
    actor = ActorProcess(tmp_path, valkey.url, namespace, "python", (), control=False)
    try:
        actor.wait_ready()
        with Store(valkey.url) as store:
            client = JobClient(store, Operations(namespace))
            results = run(client, EXAMPLES[NODES], {"NODE": address, "NODE_USER": ME})
    finally:
        actor.close()

    assert results[-1]["exit_code"] == 0
    assert results[-1]["output"].strip()


def test_every_family_that_is_off_by_default_has_an_example() -> None:
    assert len(EXAMPLES) == 8


def test_every_setting_is_read_and_documented() -> None:
    table = PAGE[PAGE.index("| variable | default | what |") :].partition("\n\n")[0]
    documented = set(re.findall(r"^\| `(HERO_\w+)`", table, re.MULTILINE))

    assert documented == {field.metadata["variable"] for field in fields(EngineSettings)}
    texts = f"{EngineSettings.__doc__}{ChildSettings.__doc__}"
    described = set(re.findall(r"^        (\w+): ", texts, re.MULTILINE))
    assert described == {field.name for field in fields(EngineSettings)}
    values = dict.fromkeys(documented, "3")
    values |= dict.fromkeys(("HERO_ALLOW_JOBS", "HERO_ALLOW_STORE", "HERO_ALLOW_PYTHON"), "true")
    values["HERO_ALLOW"] = '{"jobs": true}'
    changed, unchanged = EngineSettings.from_environ(values | {"HERO_OUTPUT": "last"}), EngineSettings()
    assert all(getattr(changed, f.name) != getattr(unchanged, f.name) for f in fields(EngineSettings))


@pytest.mark.parametrize("name", ["HERO_ALLOW_JOBS", "HERO_ALLOW_STORE", "HERO_ALLOW_PYTHON"])
def test_switch_is_true_or_false(name: str) -> None:
    with pytest.raises(EngineUnavailable, match=rf"{name} is 'yes': it must be true or false"):
        EngineSettings.from_environ({name: "yes"})
