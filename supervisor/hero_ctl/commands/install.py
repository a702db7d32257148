"""The command `install-service`: writes the systemd units for this installation.

The units in config/systemd are the templates. This module fills in what depends on the installation: its program, its
config, its stop time, the version of systemd, and what a user's own service manager may do. Invariants: a file that is
already right is not written; a file is replaced in one step; nothing is started, the last line says what to type.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from hero_ctl.exits import CtlExitCode
from hero_ctl.output.console import fail, print_note, print_result
from hero_ctl.parameters import Option

EPILOG: Final = "Exit codes: 0 installed; 2 wrong usage, a config that is not valid, or a file that cannot be written."

UNITS: Final = ("hero-supervisor.socket", "hero-supervisor.service")
#: Seconds that the service needs after the longest `shutdown_s`: 5 for connections, 30 for the store, 10 in reserve.
AFTER_SHUTDOWN_S: Final = 45
#: From this version on, pauses between restarts can grow.
_NEWEST: Final = 254
_STATE: Final = "hero-supervisor"
# Settings that need privileges, which a user's own service manager does not have.
_SYSTEM_ONLY: Final = re.compile(
    r"(DynamicUser|CapabilityBoundingSet|ProtectC|ProtectH|ProtectK|ProtectP|ProtectS|Priv)"
)
_HOMES: Final = ("/home", "/root", "/run/user")
_STARTER: Final = """\
# The Hero actor runtime. A key that is not here keeps its default; the project's hero.toml explains all keys.
# After a change: systemctl {flag}reload hero-supervisor

# [store]
# redis_url = "redis://127.0.0.1:6379/"   # without it the service runs its own store; passwords go into hero.env

# [[actors]]
# type = "sal"
# count = 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What the units must say about one installation.

    Attributes:
        program: Command line that starts the service, without its flags.
        config: Its config file.
        shutdown_s: How long running jobs may take when the service stops, in seconds.
        systemd: Version of systemd that the units are for.
        user: For a user's own service manager, not the machine's.
        tcp: Address and port that systemd listens on beside the Unix socket; empty for none.
    """

    program: tuple[str, ...]
    config: Path
    shutdown_s: float
    systemd: int = _NEWEST
    user: bool = False
    tcp: str = ""

    def units(self) -> dict[str, str]:
        """Write the text of each unit file, by file name."""
        return {name: "".join(self._lines(_template(name))) for name in UNITS}

    def _lines(self, template: str) -> Iterator[str]:
        comments: list[str] = []
        after_setting = False
        for line in template.splitlines(keepends=True):
            if line.startswith("#"):
                # A comment belongs to the settings below it and is left out with them.
                comments = [line] if after_setting else [*comments, line]
                after_setting = False
                continue
            after_setting = "=" in line
            text = self._changed(line)
            if text is not None:
                yield from comments
                comments = []
                yield text

    def _changed(self, line: str) -> str | None:
        """Adapt one line to this installation; None leaves it out."""
        key, is_setting, _ = line.partition("=")
        if not is_setting:
            return line
        old = {"RestartSteps", "RestartMaxDelaySec"} if self.systemd < 254 else set()
        if key in old or (self.user and _SYSTEM_ONLY.match(key)):
            return None
        changed: dict[str, str] = {
            "ExecStart": " ".join(_word(part) for part in (*self.program, "--config", str(self.config))),
            "EnvironmentFile": f"-{self.config.parent / 'hero.env'}".replace("%", "%%"),
            "TimeoutStopSec": str(math.ceil(self.shutdown_s) + AFTER_SHUTDOWN_S),
        }
        if self.systemd < 254:
            changed["RestartSec"] = "2"  # without RestartSteps every pause is this long
        if self.systemd < 253:
            changed["Type"] = "notify\nExecReload=/bin/kill -HUP $MAINPID"
        if self.tcp and key == "ListenStream":
            return f"{line}ListenStream={self.tcp}\n"
        if self.user:
            changed["After"] = "hero-supervisor.socket"
            if line == "WantedBy=multi-user.target\n":
                return "WantedBy=default.target\n"
        return f"{key}={changed[key]}\n" if key in changed else line


def install_service(
    *,
    user: Annotated[
        bool, Option("--user/--system", help="Install for your own service manager, or for the machine's.")
    ] = False,
    config: Annotated[
        Path | None,
        Option(
            "--config",
            metavar="FILE",
            show_default="/etc/hero/hero.toml, with --user ~/.config/hero/hero.toml",
            help="Config file of the service; created with defaults if it is missing.",
        ),
    ] = None,
    tcp: Annotated[
        str,
        Option(
            "--tcp",
            metavar="ADDRESS:PORT",
            help="systemd also listens here, for WebSocket and HTTP.",
            show_default=False,
        ),
    ] = "",
    prefix: Annotated[
        Path | None,
        Option("--prefix", metavar="FOLDER", help="Write below this folder: for packages and images."),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Print the files, but write nothing.")] = False,
) -> None:
    """Install the supervisor as a systemd service, and print the command that starts it."""
    if tcp and not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[0-9.]+):[0-9]{1,5}", tcp):
        fail(f"--tcp should be an IP address and a port, such as 127.0.0.1:8080, not {tcp!r}", CtlExitCode.USAGE)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    config = Path(os.path.abspath(config or (home if user else Path("/etc")) / "hero" / "hero.toml"))  # noqa: PTH100 - a link must stay a link
    program = _program()
    refused = False
    if not user and (hidden := _hidden(program, config)):
        text = (
            f"{hidden} is below a home folder, which the service cannot see: install into a folder such as /opt/hero "
            "(python3 -m venv /opt/hero), or use --user"
        )
        if not dry_run:
            fail(text, CtlExitCode.USAGE)
        print_note(f"without --dry-run this is refused: {text}")
        refused = True
    systemd = _systemd_version()
    below = prefix or Path("/")
    there = _below(below, config)
    files = {} if there.exists() else {there: _STARTER.format(flag="--user " if user else "")}
    installation = Installation(
        program=program, config=config, shutdown_s=_shutdown_s(there), systemd=systemd or _NEWEST, user=user, tcp=tcp
    )
    folder = home / "systemd" / "user" if user else Path("/etc/systemd/system")
    files |= {_below(below, folder / name): text for name, text in installation.units().items()}
    if dry_run:
        print_result("\n".join(f"# {path}\n{text}" for path, text in files.items()))
        raise SystemExit(CtlExitCode.USAGE if refused else CtlExitCode.FINISHED)
    outcomes = {path.name: _write(path, text) for path, text in files.items()}
    for path in files:
        print_note(f"{outcomes[path.name]} {path}")
    _print_next_step(user=user, systemd=systemd, outcomes=outcomes)


def _print_next_step(*, user: bool, systemd: int | None, outcomes: dict[str, str]) -> None:
    if systemd is None:
        print_note("there is no systemctl here, so the units are for systemd 254 or newer")
    elif systemd < _NEWEST:
        print_note(f"systemd {systemd} is older than {_NEWEST}: pauses between restarts do not grow")
    if user:
        state = os.environ.get("XDG_STATE_HOME", "~/.local/state") if (systemd or _NEWEST) >= 254 else "~/.config"
    else:
        state = "/var/lib"
    print_note(
        f"its data will be in {state}/{_STATE}, its socket is {'$XDG_RUNTIME_DIR' if user else '/run'}/hero/hero.ipc"
    )
    systemctl = "systemctl --user" if user else "systemctl"
    socket, service = UNITS
    if outcomes[service] == "written":
        last = f"enable --now {service}"
    elif outcomes[socket] == "updated":
        last = f"restart {socket} {service}"  # only a restart of the socket changes what it listens on
    else:
        last = f"restart {service}"
    print_result(f"{systemctl} daemon-reload && {systemctl} {last}")


def _template(name: str) -> str:
    here = Path(__file__).parents[1]
    # In an installed wheel the templates are in hero_ctl/systemd; in a checkout they are in config/systemd.
    folders = (here / "systemd", here.parents[1] / "config" / "systemd")
    return next(folder / name for folder in folders if (folder / name).exists()).read_text("utf-8")


def _program() -> tuple[str, ...]:
    script = Path(sys.executable).parent / "hero-supervisor"
    return (str(script),) if script.exists() else (sys.executable, "-m", "hero_supervisor.cli")


def _hidden(program: tuple[str, ...], config: Path) -> str:
    """Find a path of the installation that the service's sandbox hides; empty if it sees all."""
    needed = (Path(program[0]).resolve(), Path(sys.executable).resolve(), config.resolve(), Path(sys.prefix).resolve())
    return next((str(path) for path in needed if any(path.is_relative_to(home) for home in _HOMES)), "")


def _systemd_version() -> int | None:
    if shutil.which("systemctl") is None:
        return None
    printed = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"systemd (\d+)", printed)
    return int(found[1]) if found else None


def _shutdown_s(config: Path) -> float:
    from hero_config.layers.load import load  # imports pydantic, which costs 0.1 s
    from hero_config.layers.problems import ConfigError

    try:
        settings = load(config if config.exists() else None, environ={})
    except ConfigError as e:
        fail("\n".join(f"heroctl: {problem}" for problem in e.problems), CtlExitCode.USAGE, prefix="")
    return max(settings.supervisor.shutdown_s, *(actor.shutdown_s for actor in settings.actors), 0.0)


def _below(prefix: Path, path: Path) -> Path:
    return prefix / path.relative_to("/")


def _word(text: str) -> str:
    """Quote one word of a command line.

    Source: systemd.service(5), command lines; systemd.unit(5), specifiers.
    """
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if re.search(r"""[\s"';]""", text) else text


def _write(path: Path, text: str) -> str:
    """Write a file unless it has this text already, and return what was done."""
    try:
        outcome = "updated" if path.exists() else "written"
        if outcome == "updated" and path.read_text("utf-8") == text:
            return "unchanged"
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_text(text, "utf-8")
        new.chmod(0o644)  # the service reads its config as another user, so the umask must not count
        new.replace(path)
    except OSError as e:
        hint = "; run this as root, or with --user" if isinstance(e, PermissionError) else ""
        fail(f"{path} cannot be written: {e.strerror}{hint}", CtlExitCode.USAGE)
    return outcome
