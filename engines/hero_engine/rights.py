"""What an actor's scripts may do: the operator's table `[actors.allow]` as a frozen value.

The supervisor hands it to the actor as JSON in `HERO_ALLOW`, the actor to its engine, and the engine to the child
processes that it may have. Nothing changes it after the start. The rules for contexts and callers only take away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from hero_engine.errors import RightsInvalid

#: The environment variable that carries the table. It may hold the password of `redis`, so it is no argument.
RIGHTS_VARIABLE = "HERO_ALLOW"

#: How the operator enables what a right is for, as a refusal shows it.
_HOW: Mapping[str, str] = MappingProxyType(
    {
        "read": 'read = ["/folder"]',
        "write": 'write = ["/folder"]',
        "run": 'run = ["program"]',
        "net": 'net = ["host:port"]',
        "env": 'env = ["NAME"]',
        "redis": 'redis = "redis://host:6379/0"',
        "git": 'git = ["host"]',
        "jobs": "jobs = true",
        "store": "store = true",
        "secrets": 'secrets = ["name"]',
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRule:
    """Takes rights away from the jobs of some contexts and callers.

    Attributes:
        contexts: Globs; the rule is for jobs whose context matches one.
        callers: The same for callers.
        keep: By right, what is left of it: some of its items, or false.
    """

    contexts: tuple[str, ...] = ("*",)
    callers: tuple[str, ...] = ("*",)
    keep: Mapping[str, Any] = field(default_factory=dict)

    def applies_to(self, context_id: str, caller_id: str) -> bool:
        """Tell whether the rule is for this job."""
        return any(fnmatchcase(context_id, glob) for glob in self.contexts) and any(
            fnmatchcase(caller_id, glob) for glob in self.callers
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectOffer:
    """The types of objects that scripts of an OSIS actor have.

    Attributes:
        schemas: Folder of their schemas; "" for the built-in types.
        namespace: Part of the names of their functions.
    """

    schemas: str = ""
    namespace: str = "hero"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRights:
    """The rights of scripts. Everything is off unless it is allowed, except the scratch folder.

    Attributes:
        read: Folders and files that scripts may read.
        write: Folders and files that they may change; this implies reading.
        run: Programs that they may run, by name or path.
        net: Where they may connect to, as `host:port`.
        env: Variables of the service that programs started by scripts get.
        redis: The server of `redis_*`; "" for none.
        redis_prefix: Put before each of their keys.
        git: Servers that git may talk to.
        jobs: Whether they may use jobs of their own caller and context.
        store: Whether they may use the values of their context.
        secrets: Globs of the names of secrets that they may read.
        secrets_dir: The folder of the secrets; "" for systemd's credentials alone.
        scratch: Whether a run has a scratch folder.
        families: Families of other distributions, by the names of their entry points.
        other: ScriptRights that such families ask for, by name.
        max_file_bytes: Largest file that is read or written in one call.
        max_output_bytes: How much of a program's output is kept, for each of its two streams.
        max_processes: Most processes of one run.
        ca_file: Certificate authorities for https; "" for those of the system.
        call_s: Longest time of one call, in seconds; 0 for what the job has left.
        objects: The types of objects; None for an actor without objects. The supervisor adds it to the table.
        context_rules: Take rights away, by context and caller.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    net: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    redis: str = field(default="", repr=False)
    redis_prefix: str = ""
    git: tuple[str, ...] = ()
    jobs: bool = False
    store: bool = False
    secrets: tuple[str, ...] = ()
    secrets_dir: str = ""
    scratch: bool = True
    families: tuple[str, ...] = ()
    other: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_file_bytes: int = 10 << 20
    max_output_bytes: int = 1 << 20
    max_processes: int = 32
    ca_file: str = ""
    call_s: float = 0.0
    objects: ObjectOffer | None = None
    context_rules: tuple[ContextRule, ...] = ()

    @classmethod
    def from_json(cls, text: str) -> ScriptRights:
        """Read what `[actors.allow]` has become; the supervisor has checked it.

        Args:
            text: A JSON object with the attributes as keys; "" for the defaults.

        Raises:
            RightsInvalid: The text is no such object.
        """
        import json  # an actor without the table has no use for it

        try:
            values: Any = json.loads(text or "{}")
        except ValueError as e:
            raise RightsInvalid(str(e)) from e
        known = {item.name for item in fields(cls)}
        if not isinstance(values, dict):
            raise RightsInvalid("it should be a JSON object")
        if unknown := values.keys() - known:
            raise RightsInvalid(f"unknown key {min(unknown)}")
        rules = values.pop("context_rules", ())
        offer = values.pop("objects", None)
        try:
            objects = None if offer is None else ObjectOffer(**offer)
        except TypeError as e:
            raise RightsInvalid(f"objects: {e}") from e
        return cls(
            objects=objects,
            **{name: _frozen(value) for name, value in values.items()},
            context_rules=tuple(map(_rule, rules)),
        )

    def allows(self, need: str) -> bool:
        """Tell whether a right is given to some extent.

        Args:
            need: The name of a right; "" for none. Files can be read and written wherever there is a scratch folder.
        """
        if not need:
            return True
        if need in ("read", "write"):
            return self.scratch or bool(self.write) or (need == "read" and bool(self.read))
        return bool(getattr(self, need) if need in _HOW else self.other.get(need))

    def for_run(self, context_id: str, caller_id: str) -> ScriptRights:
        """Make the rights of one run: these, less what the rules for its context and caller take away."""
        rights = self
        for rule in self.context_rules:
            if rule.applies_to(context_id, caller_id):
                rights = replace(rights, **{name: rights._less(name, kept) for name, kept in rule.keep.items()})
        return rights

    def _less(self, name: str, kept: Any) -> Any:
        now = getattr(self, name)
        if isinstance(now, tuple):
            return tuple(item for item in now if item in kept)
        return now and kept


def offer_objects(text: str) -> str:
    """Add the built-in types of objects to a table, unless it names types already.

    Args:
        text: As for `ScriptRights.from_json`.

    Raises:
        RightsInvalid: The text is no such object.
    """
    if ScriptRights.from_json(text).objects is not None:
        return text
    import json

    return json.dumps(json.loads(text or "{}") | {"objects": {}})


def how_to_allow(need: str) -> str:
    """Say how an operator enables something, for example `run = ["program"] in [actors.allow]`."""
    return f"{_HOW.get(need) or f'other = {{ {need} = [...] }}'} in [actors.allow]"


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        # A plain dict, because the value is sent to child processes. Nothing changes it.
        return {name: _frozen(item) for name, item in value.items()}
    return value


def _rule(values: Mapping[str, Any]) -> ContextRule:
    kept = {name: _frozen(value) for name, value in values.items() if name not in ("contexts", "callers")}
    return ContextRule(
        contexts=tuple(values.get("contexts", ("*",))), callers=tuple(values.get("callers", ("*",))), keep=kept
    )
