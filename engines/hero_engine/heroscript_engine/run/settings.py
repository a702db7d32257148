"""What the operator sets for the engine: environment variables of the actor, set by `env` in the actor's table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from hero_engine.errors import EngineUnavailable

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one engine.

    Attributes:
        actions: Packages whose handlers are loaded: names of entry points or of their distributions, globs allowed,
            and `module:name` for a module that no entry point names. `HERO_ACTIONS`, separated by commas; "*".
        keep_env: Variables of the actor that packages may read while they load, beside `PATH`, `HOME` and
            the like; they are not among the variables of a job. `HERO_ACTIONS_ENV`, names separated by commas; none.
        scripts_dir: Folder that `play.include` reads from, and nowhere else; "" for no includes. `HERO_SCRIPTS_DIR`.
        coderoot_dir: Folder that `core.coderoot_set` may choose folders below; "" for none. `HERO_CODEROOT_DIR`.
        commands: Programs that `osal.exec` may run: names or paths, globs allowed. `HERO_ALLOW_COMMANDS`, separated by
            commas; none.
        work_dir: Folder that `osal.exec` works in, or below; "" for a temporary one. `HERO_WORK_DIR`.
        jobs: Scripts may use `job.*`. `HERO_ALLOW_JOBS`, true or false; false.
        values: Scripts may use `store.*` and `osal.done_*`. `HERO_ALLOW_STORE`, true or false; false.
        http: Where `http.*` may go: `host` or `host:port`, globs allowed. `HERO_ALLOW_HTTP`, separated by commas; none.
        http_ca_file: Authorities that certificates are checked against; "" for the system's. `HERO_HTTP_CA_FILE`.
        git: Repositories that `git.*` and includes may fetch: `host` or `host/path`, globs allowed; with a scheme
            where it is not https or ssh, `file:///srv/git/*`. `HERO_ALLOW_GIT`, separated by commas; none.
        nodes: Machines that `node.new` may name: `host`, `host:port`, `user@host:port`, globs allowed.
            `HERO_ALLOW_NODES`, separated by commas; none.
        ssh_key: File of the key that ssh uses; "" for its own choice. `HERO_SSH_KEY`.
        ssh_known_hosts: File of the machines that ssh trusts; "" for the user's. `HERO_SSH_KNOWN_HOSTS`.
        python: Scripts may use `python.run`. `HERO_ALLOW_PYTHON`, true or false; false.
        packages: Packages that `osal.package_*` may install and remove: names, globs allowed. `HERO_ALLOW_PACKAGES`,
            separated by commas; none.
        package_manager: Name or path of the system's package manager; "" for the first that is there.
            `HERO_PACKAGE_MANAGER`.
        last_result: The output is the last result instead of the list. `HERO_OUTPUT` is `last` or `all`; all.
        jobs_per_child: A child is replaced after so many jobs that ended well. `HERO_CHILD_JOBS`; 1.
        memory_bytes: Address space of a child; 0 for no limit. `HERO_CHILD_MEMORY_MIB`; 2048.
        cpu_s: Processor time of a child, in seconds; 0 for no limit. `HERO_CHILD_CPU_S`; 0.
        files: Open files of a child; 0 for no limit of its own. `HERO_CHILD_FILES`; 1024.
        processes: Processes of the child's user, counted over the whole machine as the kernel does; 0 for no limit.
            `HERO_CHILD_PROCESSES`; 0.
    """

    actions: tuple[str, ...] = ("*",)
    keep_env: tuple[str, ...] = ()
    scripts_dir: str = ""
    coderoot_dir: str = ""
    commands: tuple[str, ...] = ()
    work_dir: str = ""
    jobs: bool = False
    values: bool = False
    http: tuple[str, ...] = ()
    http_ca_file: str = ""
    git: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    ssh_key: str = ""
    ssh_known_hosts: str = ""
    python: bool = False
    packages: tuple[str, ...] = ()
    package_manager: str = ""
    last_result: bool = False
    jobs_per_child: int = 1
    memory_bytes: int = 2048 * _MIB
    cpu_s: int = 0
    files: int = 1024
    processes: int = 0

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        Args:
            environ: Environment variables.

        Raises:
            EngineUnavailable: A value cannot be used; names the variable.
        """
        output = environ.get("HERO_OUTPUT", "all")
        if output not in ("all", "last"):
            raise _invalid("HERO_OUTPUT", output, "all or last")
        return cls(
            actions=_names(environ.get("HERO_ACTIONS", "*")),
            keep_env=_names(environ.get("HERO_ACTIONS_ENV", "")),
            scripts_dir=environ.get("HERO_SCRIPTS_DIR", ""),
            coderoot_dir=environ.get("HERO_CODEROOT_DIR", ""),
            commands=_names(environ.get("HERO_ALLOW_COMMANDS", "")),
            work_dir=environ.get("HERO_WORK_DIR", ""),
            jobs=_flag(environ, "HERO_ALLOW_JOBS"),
            values=_flag(environ, "HERO_ALLOW_STORE"),
            http=_names(environ.get("HERO_ALLOW_HTTP", "")),
            http_ca_file=environ.get("HERO_HTTP_CA_FILE", ""),
            git=_names(environ.get("HERO_ALLOW_GIT", "")),
            nodes=_names(environ.get("HERO_ALLOW_NODES", "")),
            ssh_key=environ.get("HERO_SSH_KEY", ""),
            ssh_known_hosts=environ.get("HERO_SSH_KNOWN_HOSTS", ""),
            python=_flag(environ, "HERO_ALLOW_PYTHON"),
            packages=_names(environ.get("HERO_ALLOW_PACKAGES", "")),
            package_manager=environ.get("HERO_PACKAGE_MANAGER", ""),
            last_result=output == "last",
            jobs_per_child=_count(environ, "HERO_CHILD_JOBS", 1, least=1),
            memory_bytes=_count(environ, "HERO_CHILD_MEMORY_MIB", 2048) * _MIB,
            cpu_s=_count(environ, "HERO_CHILD_CPU_S", 0),
            files=_count(environ, "HERO_CHILD_FILES", 1024),
            processes=_count(environ, "HERO_CHILD_PROCESSES", 0),
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise _invalid(name, text, "true or false")
    return text == "true"


def _count(environ: Mapping[str, str], name: str, default: int, *, least: int = 0) -> int:
    text = environ.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise _invalid(name, text, f"a whole number of {least} or more")
    return int(text)


def _invalid(name: str, value: str, expected: str) -> EngineUnavailable:
    return EngineUnavailable("heroscript", f"{name} is {value!r:.80}", f"It must be {expected}.")
