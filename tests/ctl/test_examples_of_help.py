"""The examples at the end of each command's help run, as they are printed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
import typer

from hero_ctl.app import app
from hero_ctl.examples import EXAMPLES
from hero_job import JobBuilder
from tests.ctl.conftest import HEROCTL, environment
from tests.ctl.in_process import invoke
from tests.deployment import LONG_LEASE_S, Deployment, deployed
from tests.eventually import eventually
from tests.forked_heroctl import run_line

#: Commands that change the machine or need a file of their own; their pages have examples.
WITHOUT = {"doctor", "export", "import", "install-service", "osis get", "osis export", "osis import"}
WITHOUT |= {"osis acl show", "osis acl set"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment in whose folder the examples run, with the files and the batch that they name."""
    folder = tmp_path_factory.mktemp("examples")
    with deployed(folder, lease_s=LONG_LEASE_S) as running:
        (folder / "hello.rhai").write_text("`hello ${if ARGS.len() > 0 { ARGS[0] } else { `you` }}`")
        (folder / "hello.md").write_text("!!play.echo content:hello\n")
        with running.supervisor() as supervisor:
            job = JobBuilder().caller_id("me").context_id("here").script_type("sal").script("1").build()
            supervisor.create_jobs([job], batch_id="monthly")
        yield running


# `heroctl ui` runs until it is interrupted; tests/supervisor/page has its tests.
@pytest.mark.parametrize("noun", sorted({name.partition(" ")[0] for name in EXAMPLES} - {"ui"}))
def test_examples_of_the_help_run(service: Deployment, noun: str) -> None:
    env = environment("") | {"PATH": f"{HEROCTL.parent}:{os.environ['PATH']}"}
    if noun == "schedule":
        service_call(service, env, "heroctl schedule add often --every 1d 1")
    for command, examples in EXAMPLES.items():
        for example in examples if command.partition(" ")[0] == noun else ():
            done = service_call(service, env, example)
            # A stopped job is a fine thing to stop, and its wait says so.
            assert done.returncode == 0, f"{example}\n{done.stdout}\n{done.stderr}"
    if noun == "actor":  # the bench of the next nouns needs those that were stopped and started
        with service.supervisor() as supervisor:
            eventually(lambda: len({one.script_type for one in supervisor.list_actors() if one.beat_at}) == 2)


def service_call(service: Deployment, env: dict[str, str], line: str) -> subprocess.CompletedProcess[str]:
    return run_line(
        line, cwd=service.folder, env=env, capture_output=True, text=True, timeout=300,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_every_help_ends_in_two_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    group = typer.main.get_command(app)
    commands = set(_leaves(group, ""))
    canonical = {name for name in commands if not any(name.startswith(old) for old in ("actors", "keys"))}
    nouns = {name.partition(" ")[2] for name in canonical if name.startswith(("job ", "queue ", "actor "))}
    short = {"jobs", "queues", "scale", "reload"} | nouns
    missing = canonical - set(EXAMPLES) - short - WITHOUT
    assert missing == set()
    for name, examples in EXAMPLES.items():
        shown = invoke([*name.split(), "--help"]).output.splitlines()
        lines = [line.strip() for line in shown if line.strip()]
        assert lines[-2:] == list(examples), name


def _leaves(group: object, prefix: str) -> Iterator[str]:
    for name, command in getattr(group, "commands", {}).items():
        if getattr(command, "commands", None):
            yield from _leaves(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"
