"""The command `init`: writes a config file for a use, after a few questions or from flags.

Invariants: a file that is there is never replaced without a yes; what is written has passed the check of the service,
so it can be started; a file with a password is for its owner only.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from hero_ctl.exits import CtlExitCode
from hero_ctl.output.console import confirm, echo, fail, print_note, print_result
from hero_ctl.parameters import Option

if TYPE_CHECKING:
    from hero_config.report.use_file import UseChoices


class ConfigUse(StrEnum):
    """What a config is for; the names are those of `DeploymentUse`, whose module takes long to import."""

    SINGLE = "single"
    CLUSTER = "cluster"
    CONTAINER = "container"


def init(
    *,
    use: Annotated[
        ConfigUse | None,
        Option(
            "--for",
            help="single: one host; cluster: one of several that share a Redis; container: the supervisor of "
            "containers. On a terminal it is asked for.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[Path, Option("--file", metavar="FILE", help="Where to write it.")] = Path("hero.toml"),
    redis_url: Annotated[
        str, Option("--redis-url", metavar="URL", help="The store; without it the service runs its own.")
    ] = "",
    actors: Annotated[
        str | None,
        Option(
            "--actors",
            metavar="TYPES",
            help="Script types with commas, such as osis,sal,python,v; none for no actors.",
            show_default="osis,sal,python, for containers none",
        ),
    ] = None,
    port: Annotated[
        int | None,
        Option(
            "--port",
            min=0,
            max=65535,
            help="TCP port for HTTP, WebSocket and the page; 0 for none.",
            show_default="0, for containers 8080",
        ),
    ] = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Replace a file that is there.")] = False,
) -> None:
    """Write a config file for a use, with an explanation of each key."""
    from hero_config.report.use_file import ABOUT, DEFAULT_ACTORS, DEFAULT_PORT, DeploymentUse, UseChoices

    asks = use is None and sys.stdin.isatty()
    if use is None and not asks:
        choices = "; ".join(f"--for {one}: {ABOUT[one]}" for one in DeploymentUse)
        fail(f"say what the config is for: {choices}", CtlExitCode.USAGE)
    if use is not None:
        chosen = DeploymentUse(use.value)
    else:
        echo("What is the config for?\n" + "\n".join(f"  {one:<10} {ABOUT[one]}" for one in DeploymentUse), err=True)
        chosen = DeploymentUse(_choose("Use", [*DeploymentUse], DeploymentUse.SINGLE))
    if asks and not redis_url:
        redis_url = _answer("URL of Redis (empty: none)", "")
    if chosen is DeploymentUse.CLUSTER and not redis_url:
        fail("a cluster shares a store: name it, such as --redis-url redis://10.0.0.5:6379/", CtlExitCode.USAGE)
    default = ",".join(DEFAULT_ACTORS[chosen]) or "none"
    if actors is None:
        actors = _answer("Script types of its actors (osis,sal,python,v or none)", default) if asks else default
    if port is None:
        text = _answer("TCP port (0: none)", str(DEFAULT_PORT[chosen])) if asks else str(DEFAULT_PORT[chosen])
        port = int(text) if text.isdecimal() else fail(f"{text!r} is no port number", CtlExitCode.USAGE)
    types = () if actors.strip() in ("", "none") else tuple(one.strip().lower() for one in actors.split(","))
    _write(UseChoices(use=chosen, redis_url=redis_url, actors=types, port=port), file, yes=yes)
    print_next_steps(file, with_port=bool(port))
    print_result(str(file))


def print_next_steps(file: Path, *, with_port: bool) -> None:
    """Say how to go on."""
    named = shlex.quote(str(file))
    print_note(f"written: {file}; every key that it leaves out has its default")
    print_note(f"check it: hero-supervisor config check {named}")
    print_note(f"start it: hero-supervisor --config {named}, or heroctl install-service --config {named}")
    if with_port:
        print_note(f"make a token for the port once it runs: heroctl --config {named} keys create NAME --scope user")


def _write(choices: UseChoices, file: Path, *, yes: bool) -> None:
    from hero_config.report.use_file import use_file

    if file.is_dir():
        fail(f"{file} is a folder: name a file with --file", CtlExitCode.USAGE)
    if file.exists() and not yes:
        if not sys.stdin.isatty():
            fail(f"{file} is there already, and stays as it is; --yes replaces it", CtlExitCode.FAILED)
        confirm(f"{file} is there already. Replace it?")
    text = use_file(choices).replace("{file}", shlex.quote(str(file)), 1)
    new = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        new.touch(0o600)
        new.write_text(text, "utf-8")
        try:
            _check(new, file)
        except BaseException:
            new.unlink()
            raise
        new.chmod(0o600 if _has_password(choices.redis_url) else 0o644)  # the service may run as another user
        new.replace(file)
    except OSError as e:
        fail(f"{file} cannot be written: {e.strerror}", CtlExitCode.FAILED)


def _check(new: Path, file: Path) -> None:
    """End the command if the service would refuse the config."""
    from hero_config.layers.load import load
    from hero_config.layers.problems import ConfigError

    try:
        load(new, environ={})
    except ConfigError as e:
        problems = "\n".join(f"heroctl: {problem}".replace(str(new), str(file)) for problem in e.problems)
        fail(problems, CtlExitCode.USAGE, prefix="")


def _has_password(url: str) -> bool:
    try:
        return urlsplit(url).password is not None
    except ValueError:
        return True


def _answer(question: str, default: str) -> str:
    echo(f"{question} [{default}] " if default else f"{question} ", nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        fail("the questions were not answered; nothing was written", CtlExitCode.FAILED)
    return line.strip() or default


def _choose(question: str, options: Sequence[str], default: str) -> str:
    while (answer := _answer(question, default)) not in options:
        echo(f"one of {', '.join(options)}, please", err=True)
    return answer
