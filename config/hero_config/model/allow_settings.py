"""`[actors.allow]`: what the scripts of an actor may do. Off unless it is allowed.

Owns the names, types and rules of the table. The actor gets it as JSON (`as_json`); `hero_engine.rights` reads that and
has the same names, by test. Whether the folders exist is checked at the start, in `report/allowed_places.py`.
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from hero_config.model.section import Section
from hero_config.model.urls import problem_of_url

_Item = Annotated[str, Field(min_length=1, max_length=4096)]
_Items = Annotated[tuple[_Item, ...], Field(strict=False)]
_Program = Annotated[str, StringConstraints(pattern=r"^(/[^\x00]*|[^/\x00]+)$")]
_Programs = Annotated[tuple[_Program, ...], Field(strict=False)]


def _is_reachable(item: str) -> str:
    host, _, port = item.rpartition(":")
    if port != "*" and not 0 < int(port) < 65536:
        raise ValueError("should have a port from 1 to 65535, or *")
    # What ends in a number is an address for a resolver. Source: https://url.spec.whatwg.org/#ends-in-a-number-checker
    if re.fullmatch(r"(.*\.)?([0-9]+|0[xX][0-9A-Fa-f]*)\.?", host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            text = "should have an address of four numbers, such as 127.0.0.1; no other spelling of it is ever admitted"
            raise ValueError(text) from None
    return item


_Target = Annotated[
    str,
    StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.]+\](/[0-9]{1,3})?|[^\s:\[\]]+):([0-9]{1,5}|\*)$"),
    AfterValidator(_is_reachable),
]
_Targets = Annotated[tuple[_Target, ...], Field(strict=False)]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_Variables = Annotated[tuple[_Variable, ...], Field(strict=False)]


class ContextRuleSettings(Section):
    """`[[actors.allow.context_rules]]`: takes rights away from jobs of some contexts and callers."""

    contexts: _Items = ("*",)
    """Contexts, * and ? allowed, that the rule is for."""
    callers: _Items = ("*",)
    """Callers, * and ? allowed, that the rule is for."""
    read: _Items | None = None
    """What is left of read."""
    write: _Items | None = None
    """What is left of write."""
    run: _Programs | None = None
    """What is left of run."""
    net: _Targets | None = None
    """What is left of net."""
    env: _Variables | None = None
    """What is left of env."""
    git: _Items | None = None
    """What is left of git."""
    secrets: _Items | None = None
    """What is left of secrets."""
    redis: bool | None = None
    """false: no redis_* functions."""
    jobs: bool | None = None
    """false: no functions of jobs."""
    store: bool | None = None
    """false: no values of the store."""
    scratch: bool | None = None
    """false: no scratch folder."""


class AllowSettings(Section):
    """`[actors.allow]`: what the scripts of this actor may do."""

    read: _Items = ()
    """Folders and files that scripts may read."""
    write: _Items = ()
    """Folders and files that scripts may change; this implies reading."""
    run: _Programs = ()
    """Programs that scripts may run, by name (looked up once, in the standard folders) or absolute path. A shell or an
    interpreter may do anything that the actor's user may. Name "bash" for run() with several lines."""
    net: _Targets = ()
    """Where scripts may connect to: "api.example.org:443", "*.example.org:443", "10.0.0.0/8:5432". A * stands for
    public addresses; local and private ones only count when written out."""
    env: _Variables = ()
    """Variables of the service that programs started by scripts get, besides PATH, HOME, TMPDIR and LANG."""
    redis: str = ""
    """URL of the server of the redis_* functions. Empty: off."""
    redis_prefix: str = ""
    """Put before every key of the redis_* functions. Required if the server is the job store."""
    git: _Items = ()
    """Servers that git may talk to, by https: "github.com". With "ssh://host" by ssh."""
    jobs: bool = False
    """Whether scripts may create and read jobs of their own caller and context."""
    store: bool = False
    """Whether scripts may keep values, which all scripts of their context share."""
    secrets: _Items = ()
    """Secrets that scripts may read by secret("name"), * and ? allowed."""
    secrets_dir: str = ""
    """Folder of the secrets: a file NAME for all contexts, or contexts/CONTEXT/NAME for one, each with mode 0600.
    Empty: only the credentials that systemd gives the service (LoadCredential=)."""
    scratch: bool = True
    """Whether each run has an empty folder of its own, which is its working folder and is removed when it ends."""
    families: _Items = ()
    """Families of functions of other distributions, by the names of their entry points (hero.functions)."""
    other: dict[str, _Items] = {}
    """Rights that such families ask for, by name, such as { slack = ["#ops"] }."""
    max_file_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 10 * 1024 * 1024
    """Largest file that a script reads or writes in one call, in bytes (10 MiB)."""
    max_output_bytes: Annotated[int, Field(ge=1, le=1 << 28)] = 1024 * 1024
    """How much of a program's output a script gets, in bytes, for each of stdout and stderr. The rest is cut off."""
    max_processes: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Most processes of one job."""
    ca_file: str = ""
    """Certificate authorities that https of scripts trusts, as a PEM file. Empty: those of the system."""
    call_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """Longest time of one call of a function, in seconds. 0: the time that the job has left."""
    context_rules: Annotated[tuple[ContextRuleSettings, ...], Field(strict=False)] = ()
    """Take rights away from some jobs: { contexts = ["guest-*"], run = [], net = [] }. What a rule names is what is
    left of that right; it cannot add any."""

    @model_validator(mode="after")
    def _rules_only_take_away(self) -> Self:
        for number, rule in enumerate(self.context_rules):
            for name in rule.model_fields_set - {"contexts", "callers"}:
                kept, given = getattr(rule, name), getattr(self, name)
                added = [item for item in kept if item not in given] if isinstance(kept, tuple) else []
                if added or (kept is True and not given):
                    shown = f" ({added[0]!r} is not in {name})" if added else ""
                    raise ValueError(f"context_rules.{number}.{name} adds a right, but rules only take away{shown}")
        return self

    @field_validator("redis")
    @classmethod
    def _url_is_plain(cls, url: str) -> str:
        if url and (problem := problem_of_url(url)) is not None:
            raise ValueError(problem)
        return url

    @model_validator(mode="after")
    def _paths_are_paths(self) -> Self:
        for name in ("read", "write"):
            for path in getattr(self, name):
                if "\0" in path or ".." in path.split("/"):
                    raise ValueError(f"{name}: {path!r} should be a path without ..")
        return self

    def as_json(self, folder: str) -> str:
        """Write the table for the actor.

        Args:
            folder: Relative paths are below this folder.

        Returns:
            A JSON object without the keys that have their default.
        """
        given: dict[str, Any] = self.model_dump(exclude_defaults=True, exclude_none=True)
        for table in (given, *given.get("context_rules", ())):
            for name in ("read", "write"):
                if name in table:
                    table[name] = [absolute(folder, path) for path in table[name]]
        for name in ("ca_file", "secrets_dir"):
            if name in given:
                given[name] = absolute(folder, given[name])
        return json.dumps(given, sort_keys=True)


def absolute(folder: str, path: str) -> str:
    """Put a relative path below a folder."""
    whole = path if path.startswith("/") else f"{folder.rstrip('/')}/{path}"
    return "/" + "/".join(part for part in whole.split("/") if part not in ("", "."))
