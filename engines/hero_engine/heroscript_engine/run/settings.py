"""The operator's settings for the engine: environment variables of the actor, set by `env` in the actor's table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from hero_engine.children.settings import ChildSettings, count, setting
from hero_engine.errors import RightsInvalid
from hero_engine.host.environment import JOB_ENV_SETTING, allowed_names
from hero_engine.rights import RIGHTS_VARIABLE, ScriptRights


def _names(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _rights(text: str) -> ScriptRights:
    try:
        return ScriptRights.from_json(text)
    except RightsInvalid as e:
        raise ValueError(e.reason) from e


def _flag(text: str) -> bool:
    text = text.lower()
    if text not in ("", "true", "false"):
        raise ValueError("it must be true or false")
    return text == "true"


def _is_last(text: str) -> bool:
    if text not in ("all", "last"):
        raise ValueError("it must be all or last")
    return text == "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings(ChildSettings):
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
        jobs_per_child: As for all children, but each job has a child of its own unless the operator says otherwise.
        rights: The table `[actors.allow]` and what `commands`, `jobs`, `values`, `http` and `git` add to it. These
            fields hold the same after `from_environ`.
    """

    ENGINE: ClassVar[str] = "heroscript"
    TEMPLATE_BYTES: ClassVar[int] = 11 * 1024 * 1024

    actions: tuple[str, ...] = setting("HERO_ACTIONS", _names, "*")
    keep_env: tuple[str, ...] = setting("HERO_ACTIONS_ENV", _names)
    job_env: tuple[str, ...] = setting(JOB_ENV_SETTING, allowed_names)
    scripts_dir: str = setting("HERO_SCRIPTS_DIR", str)
    coderoot_dir: str = setting("HERO_CODEROOT_DIR", str)
    commands: tuple[str, ...] = setting("HERO_ALLOW_COMMANDS", _names)
    work_dir: str = setting("HERO_WORK_DIR", str)
    jobs: bool = setting("HERO_ALLOW_JOBS", _flag)
    values: bool = setting("HERO_ALLOW_STORE", _flag)
    http: tuple[str, ...] = setting("HERO_ALLOW_HTTP", _names)
    http_ca_file: str = setting("HERO_HTTP_CA_FILE", str)
    git: tuple[str, ...] = setting("HERO_ALLOW_GIT", _names)
    nodes: tuple[str, ...] = setting("HERO_ALLOW_NODES", _names)
    ssh_key: str = setting("HERO_SSH_KEY", str)
    ssh_known_hosts: str = setting("HERO_SSH_KNOWN_HOSTS", str)
    python: bool = setting("HERO_ALLOW_PYTHON", _flag)
    packages: tuple[str, ...] = setting("HERO_ALLOW_PACKAGES", _names)
    package_manager: str = setting("HERO_PACKAGE_MANAGER", str)
    last_result: bool = setting("HERO_OUTPUT", _is_last, "all")
    jobs_per_child: int = setting("HERO_CHILD_JOBS", count(1, least=1))
    rights: ScriptRights = setting(RIGHTS_VARIABLE, _rights)  # noqa: RUF009  it makes a field

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; see `ChildSettings`. Variables and the table `[actors.allow]` add up."""
        own = super(EngineSettings, cls).from_environ(environ)
        given = own.rights
        return own._with(
            replace(
                given,
                run=(*given.run, *own.commands),
                net=(*given.net, *own.http),
                git=(*given.git, *own.git),
                jobs=given.jobs or own.jobs,
                store=given.store or own.values,
            )
        )

    def for_run(self, constants: Mapping[str, object]) -> Self:
        """Make the settings of one run: these, less what the rules for its context and caller take away.

        Args:
            constants: The constants of its job.
        """
        if not self.rights.context_rules:
            return self
        return self._with(self.rights.for_run(str(constants.get("CONTEXT_ID")), str(constants.get("CALLER_ID"))))

    def _with(self, rights: ScriptRights) -> Self:
        return replace(
            self,
            rights=rights,
            commands=rights.run,
            http=rights.net,
            git=rights.git,
            jobs=rights.jobs,
            values=rights.store,
        )
