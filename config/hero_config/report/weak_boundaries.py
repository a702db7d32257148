"""Finds settings that weaken a boundary: valid, sometimes wanted, but never to be had by accident.

One table: a setting, when it weakens a boundary, and what that means. `hero-supervisor config check` prints what it
finds, and the service logs it when it starts. Pure. Invariant: the defaults weaken nothing. Boundaries are those of
docs/security.md; a setting that opens one gets a row here, and a row gets an example in its test.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath
from urllib.parse import urlsplit

from hero_config.layers.key_paths import KeyPath
from hero_config.layers.load import Config
from hero_config.layers.problems import ConfigProblem
from hero_config.layers.secrets import without_secrets
from hero_config.model.actor_settings import ActorSettings
from hero_config.model.settings import Settings

#: Programs by which a script can start any other program, or read and write any file.
_ANYTHING = frozenset(
    """
    sh bash dash zsh ksh fish busybox toybox env xargs find nohup timeout setsid nice script watch parallel sudo su doas
    python perl ruby node nodejs deno bun php lua luajit tclsh expect guile java jshell go cargo rustc gcc cc make cmake
    ninja awk gawk mawk nawk sed ed vi vim nvim emacs nano less more man git hg svn ssh scp sftp rsync tar zip unzip
    cpio dd cp mv ln install tee docker podman nsenter unshare chroot kubectl systemctl systemd-run crontab at gdb
    strace curl wget socat nc ncat psql mysql sqlite redis-cli valkey-cli hero heroctl pip uv npm npx
    """.split()  # noqa: SIM905  a list of words reads better than one of 110 quoted ones
)
_VERSION = re.compile(r"(?<![\d.-])[\d.-]+$")
_PUBLIC_KEY = re.compile(r"(0[23][0-9a-f]{64}|04[0-9a-f]{128})", re.IGNORECASE)
_SHARED_USERS = frozenset({"nobody", "nogroup", "65534"})
#: Settings of the engine that name a folder.
_FOLDERS = ("HERO_WORK_DIR", "HERO_SCRIPTS_DIR", "HERO_CODEROOT_DIR")
_WIDE = frozenset({"/", "//", "/etc", "/root", "/home", "/usr", "/var"})
#: Far above its default, a limit holds nothing any more.
MOST = {
    ("rpc", "max_message_bytes"): 128 << 20,
    ("rpc", "max_batch_answer_bytes"): 256 << 20,
    ("rpc", "max_connections"): 20_000,
    ("rpc", "unix_max_connections"): 20_000,
    ("rpc", "max_subscriptions"): 10_000,
    ("rpc", "subscription_queue"): 100_000,
    ("jobs", "max_script_bytes"): 64 << 20,
    ("jobs", "max_timeout_s"): 30 * 86_400,
    ("jobs", "max_redeliveries"): 50,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRule:
    """A row about the settings of the service: the key, when it is weak, and what that means."""

    key: KeyPath
    weak: Callable[[Settings], bool]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorRule:
    """A row about an `[[actors]]` entry.

    Attributes:
        key: Key of the entry, with a dot for one of its table `allow`, or a variable of its `env` in capitals.
        weak: Called with the entry, and the value of the variable, which is "" if it is not set.
        why: What that means.
    """

    key: str
    weak: Callable[[ActorSettings, str], bool]
    why: str


def _rule(section: str, key: str, weak: Callable[[Settings], bool], why: str) -> SettingRule:
    return SettingRule(key=(section, key), weak=weak, why=why)


def _of_actor(key: str, weak: Callable[[ActorSettings, str], bool], why: str) -> ActorRule:
    return ActorRule(key=key, weak=weak, why=why)


def _authenticates(settings: Settings) -> bool:
    return bool(settings.rpc.tokens or settings.rpc.signature_keys or settings.rpc.require_auth)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host in ("", "localhost")


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _store_in_clear(settings: Settings) -> bool:
    parts = urlsplit(settings.store.redis_url)
    places = parts.netloc.rpartition("@")[2].split(",")
    hosts = [urlsplit(f"//{place}").hostname or "" for place in places]
    return parts.scheme.partition("+")[0] == "redis" and any(map(_is_public, hosts))


def _socket_open(settings: Settings, bits: int) -> bool:
    return bool(settings.rpc.unix_socket and settings.rpc.unix_auth == "off" and settings.rpc.unix_mode_bits & bits)


def _rights_without_names(settings: Settings) -> bool:
    return any(r.context_id == "*" and not r.script_types and "*" in r.callers for r in settings.rpc.rights)


def _rights_name_keys(settings: Settings) -> bool:
    named = any(_PUBLIC_KEY.fullmatch(caller) for right in settings.rpc.rights for caller in right.callers)
    return named and not settings.rpc.require_signatures


def _names(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _any_name(_actor: ActorSettings, text: str) -> bool:
    return any(set(item.rpartition("://")[2].rpartition("@")[2]) <= set("*?:/.") for item in _names(text))


def _has_secret(command: tuple[str, ...]) -> bool:
    shown: list[str] = without_secrets(("command",), list(command))
    return shown != list(command)


def _any_program(_actor: ActorSettings, text: str) -> bool:
    programs = [PurePath(item).name for item in _names(text)]
    plain = {_VERSION.sub("", program) for program in programs}  # python3.12
    return not plain.isdisjoint(_ANYTHING) or any(fnmatchcase(n, program) for program in programs for n in _ANYTHING)


def _wide_folder(text: str) -> bool:
    return bool(text) and os.path.normpath(text) in _WIDE


def _any_folder(_actor: ActorSettings, text: str) -> bool:
    return _wide_folder(text)


def _runs_rhai(actor: ActorSettings) -> bool:
    return not actor.command and (actor.engine or {"osis": "rhai", "sal": "rhai"}.get(actor.type)) == "rhai"


def _on(_actor: ActorSettings, text: str) -> bool:
    return text.lower() == "true"


def _several_jobs(actor: ActorSettings, text: str) -> bool:
    return text.isdecimal() and int(text) > 1 and actor.isolation == "thread"


def _zero(actor: ActorSettings, text: str) -> bool:
    return text.isdecimal() and int(text) == 0 and not actor.memory_max_bytes


SETTING_RULES = (
    _rule("rpc", "insecure", lambda s: s.rpc.insecure and s.rpc.port != 0,
          "the TCP port is open without TLS, or without authentication"),
    _rule("rpc", "bind", lambda s: bool(s.rpc.port and not s.rpc.tls_cert and not _is_loopback(s.rpc.bind)),
          "tokens, scripts and results cross the network in clear text; set tls_cert, or let only a proxy reach it"),
    _rule("rpc", "port", lambda s: bool(s.rpc.port) and not _authenticates(s),
          "every user of this machine may run scripts there; set tokens or require_auth to prevent that"),
    _rule("rpc", "unix_mode", lambda s: _socket_open(s, 0o006),
          "every user of this machine may run scripts; set unix_auth to prevent that"),
    _rule("rpc", "unix_auth", lambda s: _socket_open(s, 0o060) and not _socket_open(s, 0o006),
          'every member of the socket\'s group is an administrator; set unix_auth = "peer" to tell them apart'),
    _rule("rpc", "tokens", lambda s: any(token.scope == "admin" for token in s.rpc.tokens),
          "a token of scope admin in the config never expires; prefer heroctl keys create --scope admin --expires 30d"),
    _rule("rpc", "signature_keys", lambda s: "*" in s.rpc.signature_keys,
          "everybody can make a key, so every client that reaches the port may create jobs; list the keys"),
    _rule("rpc", "signature_scope", lambda s: s.rpc.signature_scope == "admin" and bool(s.rpc.signature_keys),
          "every key that may sign is an administrator"),
    _rule("rpc", "unix_peers", lambda s: s.rpc.unix_auth == "peer" and any(
              (peer.scope == "admin" and peer.user not in ("root", "0")) or peer.user in _SHARED_USERS
              for peer in s.rpc.unix_peers),
          "it names administrators beside root, or a user that many programs share, such as nobody"),
    _rule("rpc", "rights", _rights_without_names,
          "a right for every context, type and caller allows everything, so the others restrict nothing"),
    _rule("rpc", "require_signatures", _rights_name_keys,
          "rights name public keys as callers, but without signatures a client may only claim to be one"),
    _rule("embedded", "port", lambda s: bool(s.embedded.port and not s.store.redis_url),
          "every user of this machine reaches the port of the store, where only its password stops them"),
    _rule("store", "redis_url", _store_in_clear,
          "jobs, results and the store's password cross the network in clear text; use rediss://"),
    _rule("jobs", "log_dir", lambda s: _wide_folder(s.jobs.log_dir),
          "jobs may write their logs anywhere on this machine"),
)  # fmt: skip

ACTOR_RULES = (
    _of_actor("memory_max", lambda a, _: not a.memory_max_bytes and (bool(a.command) or a.type == "v"),
              "nothing limits the memory of these programs, so one job can take all of this machine's"),
    _of_actor("memory_bytes", lambda a, _: _runs_rhai(a) and not a.memory_bytes,
              "a job may take all memory of its actor, or of this machine, and end the jobs beside it"),
    _of_actor("max_result_bytes", lambda a, _: a.max_result_bytes > 64 << 20,
              "the results of a few jobs fill the store; write large results elsewhere and return where they are"),
    _of_actor("user", lambda a, _: a.user in ("root", "0"), "its scripts have all rights on this machine"),
    _of_actor("command", lambda a, _: _has_secret(a.command),
              "it holds a secret, and every user of the machine can read arguments; pass it in env"),
    _of_actor("allow.run", lambda a, _: _any_program(a, ",".join(a.allow.run)),
              "a script can run any program, or reach any file, by one that is allowed: a shell, interpreter or tool"),
    _of_actor("allow.read", lambda a, _: any(map(_wide_folder, a.allow.read)),
              "scripts read all files there; name a folder of their own"),
    _of_actor("allow.write", lambda a, _: any(map(_wide_folder, a.allow.write)),
              "scripts reach all files there; name a folder of their own"),
    _of_actor("allow.net", lambda a, _: any(item.startswith(("*:", "0.0.0.0/0:")) for item in a.allow.net),
              "scripts reach every public address; name hosts"),
    _of_actor("allow.git", lambda a, _: _any_name(a, ",".join(a.allow.git)),
              "scripts fetch and push everywhere; name hosts"),
    _of_actor("allow.jobs", lambda a, _: a.allow.jobs,
              "scripts create jobs for which neither rights nor signatures are checked"),
    _of_actor("HERO_ALLOW_COMMANDS", _any_program,
              "a script can run any program, or reach any file, by one that is allowed: a shell, interpreter or tool"),
    _of_actor("HERO_ALLOW_PYTHON", _on, "Python code of a job may do everything that the actor's user may"),
    _of_actor("HERO_ALLOW_JOBS", _on, "scripts create jobs for which neither rights nor signatures are checked"),
    _of_actor("HERO_ALLOW_HTTP", _any_name,
              "scripts reach every host, also this machine and the addresses of your network; name hosts"),
    _of_actor("HERO_ALLOW_GIT", _any_name, "scripts fetch and push everywhere; name hosts or repositories"),
    _of_actor("HERO_ALLOW_NODES", _any_name, "scripts run commands on every machine that the key opens; name machines"),
    _of_actor("HERO_ALLOW_PACKAGES", _any_name, "scripts install and remove every package; name packages"),
    *(_of_actor(name, _any_folder, "scripts reach all files there; name a folder of their own") for name in _FOLDERS),
    _of_actor("HERO_CHILD_MEMORY_MIB", _zero, "nothing limits the memory of a job; set it, or memory_max"),
    _of_actor("HERO_CHILD_JOBS", _several_jobs,
              "what a job's Python code leaves in its process is there for the next job, also of another caller"),
    _of_actor("HERO_CHILD_FILES", lambda _, text: text.isdecimal() and int(text) == 0,
              "only the limit of the service holds the number of files that a job opens"),
    _of_actor("HERO_ACTIONS_ENV", lambda _, text: "HERO_REDIS_URL" in _names(text),
              "handlers get the URL of the store, and access to the store is access to everything"),
)  # fmt: skip


def find_weak_boundaries(config: Config, environ: Mapping[str, str] = os.environ) -> list[ConfigProblem]:
    """Find the settings that weaken a boundary.

    Args:
        config: A valid configuration.
        environ: The environment of the service, which its actors inherit.

    Returns:
        One warning per setting, at the place where it is set.
    """
    return [_warning(config, path, why) for path, why in (*_of_service(config.settings), *_of_actors(config, environ))]


def _of_service(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    yield from ((rule.key, rule.why) for rule in SETTING_RULES if rule.weak(settings))
    for (section, key), most in MOST.items():
        if getattr(getattr(settings, section), key) > most:
            yield (section, key), f"above {most} this limit protects nothing"


def _of_actors(config: Config, environ: Mapping[str, str]) -> Iterator[tuple[KeyPath, str]]:
    for index, actor in enumerate(config.settings.actors):
        variables = {**environ, **actor.env}
        # Our own HeroScript engine reads all these variables; those for children serve any engine in child processes.
        engine = actor.engine or ("heroscript" if actor.type == "python" else "")
        runs_heroscript = engine == "heroscript" and not actor.command
        for rule in ACTOR_RULES:
            is_variable = rule.key.isupper()
            isolated = actor.isolation == "process" and rule.key.startswith("HERO_CHILD_")
            if is_variable and not (runs_heroscript or isolated):
                continue
            if rule.weak(actor, variables.get(rule.key, "")):
                path: KeyPath = ("actors", index, *(("env", rule.key) if is_variable else rule.key.split(".")))
                yield path, rule.why


def _warning(config: Config, path: KeyPath, why: str) -> ConfigProblem:
    origin = config.origin(path)
    key = ".".join(map(str, path))
    return ConfigProblem(source=origin.source or "defaults", line=origin.line, key=key, expected=why)
