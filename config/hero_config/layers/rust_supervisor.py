"""Translates the TOML config of the Rust supervisor into our settings.

Pure. Called by `files.py`: `is_rust_config` recognises such a file by its keys, `Translation` has the same settings
under our names. Invariants: each key without a counterpart gives a note; only the SHA-256 of a secret is passed on.

A program of `[[actors]]` becomes a `command`. Two families of such programs document how they are called:
`runner_sal ID --redis-url URL`, and `osis_actor --redis-url URL --actor-id ID`; the name of the program tells which. No
flag for `db_path` is documented, so the program gets it as the environment variable `DB_PATH`.

Source: README of https://git.ourworld.tf/herocode/supervisor (the TOML, the three lists of secrets, port 3030); READMEs
of bin/runners in https://git.threefold.info/herocode/horus, and core/supervisor/LIFECYCLE.md in
https://git.threefold.info/herocode/baobab (arguments of the programs).
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from hero_config.layers.key_paths import KeyPath, dotted
from hero_config.layers.line_numbers import line_of
from hero_config.layers.problems import ConfigProblem, display
from hero_config.model.settings import Settings

_PLAIN: dict[str, KeyPath] = {
    "redis_url": ("store", "redis_url"),
    "namespace": ("store", "namespace"),
    "bind_address": ("rpc", "bind"),
    "port": ("rpc", "port"),
}
#: What is before the password of a URL, and the password.
_PASSWORD = re.compile(r"(://[^/:@\s]*):\S*(?=@)")
_SCOPES = {"admin_secrets": "admin", "user_secrets": "user"}
_TOP = (*_PLAIN, *_SCOPES, "register_secrets", "actors")
_ENTRY = ("id", "name", "binary_path", "db_path", "redis_url", "process_manager")
_TYPES = {"osis": "osis", "osiris": "osis", "sal": "sal", "v": "v", "python": "python", "py": "python"}


def is_rust_config(values: Mapping[str, Any]) -> bool:
    """Tell whether a file is a config of the Rust supervisor.

    Args:
        values: The content of the file.

    Returns:
        True if it has keys of such a config, and none of our sections.
    """
    if any(section in values for section in Settings.model_fields if section != "actors"):
        return False
    entries = values.get("actors")
    theirs = isinstance(entries, list) and any(isinstance(e, dict) and "binary_path" in e for e in entries)
    return theirs or any(key in values for key in _TOP if key != "actors")


class Translation:
    """A config of the Rust supervisor under our names.

    Args:
        source: Path of the file, for messages.
        values: Its content.
        lines: The line of each of its keys.

    Attributes:
        values: The settings by our sections and keys.
        lines: The line of each of our keys.
        notes: That the file was translated, and which keys have no counterpart.
        problems: What is wrong with it.
        has_secrets: Whether it holds secrets.
    """

    def __init__(self, source: str, values: Mapping[str, Any], lines: Mapping[KeyPath, int]) -> None:
        """Translate the file."""
        self.values: dict[str, Any] = {}
        self.lines: dict[KeyPath, int] = {}
        self.notes: list[ConfigProblem] = []
        self.problems: list[ConfigProblem] = []
        self.has_secrets = any(values.get(key) for key in (*_SCOPES, "register_secrets"))
        self._source = source
        self._theirs = lines
        self._note((), "is read as a config of the Rust supervisor")
        for key, value in values.items():
            if key in _PLAIN:
                self._set(_PLAIN[key], value, (key,))
            elif key in _SCOPES:
                self._tokens(key, value)
            elif key == "register_secrets":
                self._note((key,), "has no effect: actors do not register over JSON-RPC here")
            elif key == "actors":
                self._actors(value, values.get("redis_url"))
            else:
                self._unknown((key,), value, _TOP)
        if "port" not in values:
            self._note((), "names no port, so no TCP port is opened; the Rust supervisor opens 3030: set port")

    def _tokens(self, key: str, secrets: Any) -> None:
        if not isinstance(secrets, list) or not all(isinstance(secret, str) and secret for secret in secrets):
            self._problem((key,), "", "should be a list of strings")
            return
        scope = _SCOPES[key]
        tokens = self.values.setdefault("rpc", {}).setdefault("tokens", [])
        for number, secret in enumerate(secrets, 1):
            self._place(("rpc", "tokens", len(tokens)), (key,))
            sha256 = hashlib.sha256(secret.encode()).hexdigest()
            tokens.append({"name": f"{scope}-{number}", "scope": scope, "sha256": sha256})
        self._place(("rpc", "tokens"), (key,))

    def _actors(self, entries: Any, redis_url: Any) -> None:
        if not isinstance(entries, list):
            self._problem(("actors",), display(entries), "should be a list of entries")
            return
        ours = self.values.setdefault("actors", [])
        for index, entry in enumerate(entries):
            if isinstance(entry, dict):
                self._place(("actors", len(ours)), ("actors", index))
                ours.append(self._actor(index, len(ours), entry, redis_url))
            else:
                self._problem(("actors", index), display(entry), "should be an entry with keys")

    def _actor(self, index: int, at: int, entry: Mapping[str, Any], redis_url: Any) -> dict[str, Any]:
        def theirs(key: str) -> KeyPath:
            return ("actors", index, key)

        texts: dict[str, str] = {}
        for key, value in entry.items():
            if key not in (*_ENTRY, "type"):
                self._unknown(theirs(key), value, _ENTRY)
            elif not isinstance(value, str):
                self._problem(theirs(key), display(value, theirs(key)), "should be text, in quotes")
            else:
                texts[key] = value
        name = texts.get("name") or texts.get("id", "")
        identity = texts.get("id") or name
        binary = texts.get("binary_path", "")
        script_type = texts.get("type") or _script_type_in(identity, name, binary)
        ours: dict[str, Any] = {"name": name}
        self._place(("actors", at, "name"), theirs("name" if "name" in entry else "id"))
        if script_type:
            ours["type"] = script_type
            self._place(("actors", at, "type"), theirs("type"))
        else:
            self._problem(
                ("actors", index), "", 'no name in the entry tells its script type: add type = "sal", or another type'
            )
            ours["type"] = "sal"  # so that the rest of the entry can be checked
        own_url = texts.get("redis_url", "")
        if own_url and own_url != redis_url:
            self._note(
                theirs("redis_url"), "differs from the supervisor's Redis: the supervisor does not see the jobs there"
            )
        if binary:
            url = own_url if own_url and own_url != redis_url else "{redis_url}"
            if url == own_url and (shown := _PASSWORD.sub(r"\1", url)) != url:
                ours["env"] = {"HERO_REDIS_URL": url}
                self._note(
                    theirs("redis_url"), "its password is passed in HERO_REDIS_URL, since every user can read arguments"
                )
                url = shown
            runner = "runner" in PurePath(binary).name
            arguments = [identity, "--redis-url", url] if runner else ["--redis-url", url, "--actor-id", identity]
            ours["command"] = [binary, *arguments]
            self._place(("actors", at, "command"), theirs("binary_path"))
        else:
            self._note(("actors", index), f"has no binary_path: our own {script_type or 'sal'} actor runs instead")
        if "db_path" in texts:
            ours.setdefault("env", {})["DB_PATH"] = texts["db_path"]
            self._place(("actors", at, "env"), theirs("db_path"))
            self._note(
                theirs("db_path"),
                "passed to the program in the environment variable DB_PATH, since no flag for it is known",
            )
        if texts.get("process_manager", "simple") != "simple":
            self._note(theirs("process_manager"), "the supervisor runs the program itself, as with 'simple'")
        return ours

    def _set(self, path: KeyPath, value: Any, theirs: KeyPath) -> None:
        self.values.setdefault(str(path[0]), {})[str(path[1])] = value
        self._place(path, theirs)

    def _place(self, path: KeyPath, theirs: KeyPath) -> None:
        if (line := line_of(theirs, self._theirs)) is not None:
            self.lines[path] = line

    def _unknown(self, path: KeyPath, value: Any, known: tuple[str, ...]) -> None:
        if near := difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.75):
            self._problem(path, display(value, path), "unknown key", near[0])
        else:
            self._note(path, "has no counterpart here, so it has no effect")

    def _problem(self, path: KeyPath, value: str, expected: str, nearest: str = "") -> None:
        self.problems.append(self._about(path, expected, value, nearest))

    def _note(self, path: KeyPath, expected: str) -> None:
        self.notes.append(self._about(path, expected))

    def _about(self, path: KeyPath, expected: str, value: str = "", nearest: str = "") -> ConfigProblem:
        return ConfigProblem(
            source=self._source,
            key=dotted(path),
            line=line_of(path, self._theirs),
            value=value,
            expected=expected,
            nearest=nearest,
        )


def _script_type_in(*names: str) -> str:
    """Find a script type among the words of the names; empty if there is none."""
    for name in names:
        for word in re.split(r"[^A-Za-z]+", PurePath(name).name.lower()):
            if word in _TYPES:
                return _TYPES[word]
    return ""
