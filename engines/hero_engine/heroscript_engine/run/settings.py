"""The operator's settings for the engine: environment variables of the actor, set by `env` in the actor's table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hero_engine.errors import EngineUnavailable
from hero_engine.host.environment import JOB_ENV_SETTING, allowed_names

_MIB = 1024 * 1024


def _setting(variable: str, read: Callable[[str, str], Any], default: str = "") -> Any:
    """A field that is read from a variable; its default is what `read` makes of the default text."""
    return field(default=read(variable, default), metadata={"variable": variable, "read": read})


def _text(_variable: str, text: str) -> str:
    return text


def _names(_variable: str, text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _job_variables(variable: str, text: str) -> tuple[str, ...]:
    try:
        return allowed_names(text)
    except ValueError as e:
        raise EngineUnavailable("heroscript", f"{variable} is {text!r:.80}", f"{e}. Leave it out.") from e


def _flag(variable: str, text: str) -> bool:
    text = text.lower()
    if text not in ("", "true", "false"):
        raise _invalid(variable, text, "true or false")
    return text == "true"


def _is_last(variable: str, text: str) -> bool:
    if text not in ("all", "last"):
        raise _invalid(variable, text, "all or last")
    return text == "last"


def _count(default: int, *, least: int = 0, unit: int = 1) -> Callable[[str, str], int]:
    """Make a reader of numbers; an empty variable gives the default."""

    def read(variable: str, text: str) -> int:
        if not text:
            return default * unit
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise _invalid(variable, text, f"a whole number of {least} or more")
        return int(text) * unit

    return read


def _invalid(variable: str, text: str, expected: str) -> EngineUnavailable:
    return EngineUnavailable("heroscript", f"{variable} is {text!r:.80}", f"It must be {expected}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of one engine. Lists are separated by commas, and their items may be globs unless stated otherwise.

    Attributes:
        actions: Packages whose handlers are loaded: names of entry points or of their distributions, or `module:name`
            for a module without an entry point.
        keep_env: Variables of the actor that packages may read while they load, besides `PATH`, `HOME` and the like.
            Jobs do not get them. No globs.
        job_env: Variables of a job that programs get under their own names too, besides `JOB_ENV_NAME`. No globs.
        scripts_dir: The only folder that `play.include` reads from; "" for no includes.
        coderoot_dir: The folder in which `core.coderoot_set` may choose a folder; "" for none.
        commands: Programs that `osal.exec` may run, by name or path.
        work_dir: The folder in which `osal.exec` works; "" for a temporary one.
        jobs: Whether scripts may use `job.*`.
        values: Whether scripts may use `store.*` and `osal.done_*`.
        http: Hosts that `http.*` may reach: `host` or `host:port`.
        http_ca_file: Certificate authorities for HTTPS; "" for the system's.
        git: Repositories that `git.*` and includes may fetch: `host` or `host/path`, with a scheme unless that is https
            or ssh, for example `file:///srv/git/*`.
        nodes: Machines that `node.new` may name: `host`, `host:port` or `user@host:port`.
        ssh_key: The key file that ssh uses; "" for ssh's own choice.
        ssh_known_hosts: The file of hosts that ssh trusts; "" for the user's.
        python: Whether scripts may use `python.run`.
        packages: Packages that `osal.package_*` may install and remove, by name.
        package_manager: Name or path of the system's package manager; "" for the first that is installed.
        last_result: The job's output is its last result, instead of the list of all results.
        jobs_per_child: How many jobs a child may run, as long as they end well.
        memory_bytes: Address space of a child; 0 for no limit. The variable is in MiB.
        cpu_s: Processor time of a job, in seconds; 0 for no limit.
        files: Open files of a child; 0 for the actor's limit.
        processes: Processes of the child's user on the whole machine, as the kernel counts them; 0 for no limit.
    """

    actions: tuple[str, ...] = _setting("HERO_ACTIONS", _names, "*")
    keep_env: tuple[str, ...] = _setting("HERO_ACTIONS_ENV", _names)
    job_env: tuple[str, ...] = _setting(JOB_ENV_SETTING, _job_variables)
    scripts_dir: str = _setting("HERO_SCRIPTS_DIR", _text)
    coderoot_dir: str = _setting("HERO_CODEROOT_DIR", _text)
    commands: tuple[str, ...] = _setting("HERO_ALLOW_COMMANDS", _names)
    work_dir: str = _setting("HERO_WORK_DIR", _text)
    jobs: bool = _setting("HERO_ALLOW_JOBS", _flag)
    values: bool = _setting("HERO_ALLOW_STORE", _flag)
    http: tuple[str, ...] = _setting("HERO_ALLOW_HTTP", _names)
    http_ca_file: str = _setting("HERO_HTTP_CA_FILE", _text)
    git: tuple[str, ...] = _setting("HERO_ALLOW_GIT", _names)
    nodes: tuple[str, ...] = _setting("HERO_ALLOW_NODES", _names)
    ssh_key: str = _setting("HERO_SSH_KEY", _text)
    ssh_known_hosts: str = _setting("HERO_SSH_KNOWN_HOSTS", _text)
    python: bool = _setting("HERO_ALLOW_PYTHON", _flag)
    packages: tuple[str, ...] = _setting("HERO_ALLOW_PACKAGES", _names)
    package_manager: str = _setting("HERO_PACKAGE_MANAGER", _text)
    last_result: bool = _setting("HERO_OUTPUT", _is_last, "all")
    jobs_per_child: int = _setting("HERO_CHILD_JOBS", _count(1, least=1))
    memory_bytes: int = _setting("HERO_CHILD_MEMORY_MIB", _count(2048, unit=_MIB))
    cpu_s: int = _setting("HERO_CHILD_CPU_S", _count(0))
    files: int = _setting("HERO_CHILD_FILES", _count(1024))
    processes: int = _setting("HERO_CHILD_PROCESSES", _count(0))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> EngineSettings:
        """Read the settings.

        Args:
            environ: Environment variables. One that is absent gives the field's default.

        Returns:
            The settings.

        Raises:
            EngineUnavailable: A value is invalid; the message names the variable.
        """
        given = [item for item in fields(cls) if item.metadata["variable"] in environ]
        return cls(**{item.name: item.metadata["read"](v := item.metadata["variable"], environ[v]) for item in given})
