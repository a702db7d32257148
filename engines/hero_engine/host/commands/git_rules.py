"""Git for scripts of every language: the addresses of repositories, and how the program `git` is configured.

Git is configured only here: no configuration file of the system or the user, no variable of the job, no hook of a
repository, no protocol except the allowed one, and no redirect has an effect. Git never asks for input.

Source: https://git-scm.com/docs/git (environment variables), https://git-scm.com/docs/git-config
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from hero_engine.host.programs import PATH, program_path

#: An item of the allow-list without a scheme means these.
_USUAL_SCHEMES = frozenset({"https", "ssh"})
_SCHEMES = _USUAL_SCHEMES | {"http", "git", "file"}
_SCP_FORM = re.compile(r"(?:\w[\w.-]*@)?(\w[\w.-]*):(?!//)(.+)")
#: No part begins with a dash, because a program would read that as an option.
_NETWORK = re.compile(r"(?:\w[\w.-]*@)?(?:\w[\w.-]*|\[[\da-fA-F:.]+\])(?::\d+)?")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "credential.helper": "",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
}


@dataclass(frozen=True, slots=True)
class RepositorySource:
    """The address of a repository.

    Attributes:
        url: The address for git.
        scheme: https, ssh, http, git or file.
        host: The host, with its port if it names one; "" for a file.
        path: The path on the host, without `.git`.
    """

    url: str
    scheme: str
    host: str
    path: str

    @classmethod
    def parse(cls, url: str) -> RepositorySource:
        """Parse an address.

        Args:
            url: A URL, `user@host:path`, or the path of a folder on this machine.

        Raises:
            ValueError: It is not the address of a repository.
        """
        if url.startswith("/"):
            url = f"file://{url}"
        if "://" not in url:
            match = _SCP_FORM.fullmatch(url)
            if match is None:
                raise ValueError(f"{url!r:.200} is not the address of a repository")
            scheme, host, path = "ssh", match[1], match[2]
        else:
            parts = urlsplit(url)
            scheme, host, path = parts.scheme, parts.netloc.rpartition("@")[2], parts.path
            if parts.query or parts.fragment or (scheme != "ssh" and "@" in parts.netloc):
                raise ValueError(f"{url!r:.200} has more than host and path")
            if parts.netloc and not _NETWORK.fullmatch(parts.netloc):
                raise ValueError(f"{url!r:.200} is not the address of a repository")
        if scheme not in _SCHEMES or bool(host) is (scheme == "file"):
            raise ValueError(f"{url!r:.200} is not the address of a repository")
        if scheme == "file":
            path = str(Path(path).resolve())
            url = f"file://{path}"
        path = path.strip("/").removesuffix(".git")
        if len(path.split("/")) < 2 or not all(_PART.fullmatch(part) for part in path.split("/")):
            raise ValueError(f"{url!r:.200} has no path of the form account/name")
        return cls(url, scheme, host.lower(), path)

    def allowed_by(self, items: Iterable[str], usual_schemes: Collection[str] = _USUAL_SCHEMES) -> bool:
        """Check whether a list covers this address.

        Args:
            items: Each is `host` or `host/path`, globs allowed, with a scheme in front or without.
            usual_schemes: What an item without a scheme means.
        """
        shown = f"{self.host}/{self.path}"
        for item in items:
            scheme, _, wanted = item.removesuffix(".git").rpartition("://")
            if self.scheme != scheme if scheme else self.scheme not in usual_schemes:
                continue
            if fnmatchcase(shown if "/" in wanted else self.host, wanted):
                return True
        return False

    @property
    def place(self) -> Path:
        """Where the working copy belongs, relative to the code folder: provider/account/name."""
        provider = self.host.removesuffix(".com").replace(":", "_") or "local"
        parts = self.path.split("/")
        return Path(provider, "_".join(parts[:-1]) if self.host else parts[-2], parts[-1])


def git_options() -> list[str]:
    """The options that come before the git command."""
    return [part for name, value in _CONFIG.items() for part in ("-c", f"{name}={value}")]


def git_environment(author: str, scheme: str, key: str = "", known_hosts: str = "") -> dict[str, str]:
    """Make the variables of git.

    Args:
        author: The name on commits.
        scheme: The only protocol that git may use.
        key: The key file that ssh uses; "" for ssh's own choice.
        known_hosts: The file of hosts that ssh trusts; "" for the user's.
    """
    env = {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_ASKPASS": "/bin/false",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_SSH_COMMAND": shlex.join(ssh_words(key, known_hosts)),
        "GIT_TERMINAL_PROMPT": "0",
    }
    return env | {
        f"GIT_{who}_{what}": text
        for who in ("AUTHOR", "COMMITTER")
        for what, text in (("NAME", author), ("EMAIL", "hero@localhost"))
    }


def ssh_words(key: str = "", known_hosts: str = "") -> list[str]:
    """Build the ssh command. It never asks, trusts only known machines, and uses the operator's key if one is set."""
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=10", "PermitLocalCommand=no"]
    options += ["ClearAllForwardings=yes", "ForwardAgent=no", "ControlMaster=no", "ControlPath=none"]
    if known_hosts:
        options += [f"UserKnownHostsFile={known_hosts}", "GlobalKnownHostsFile=/dev/null"]
    words = [program_path("ssh") or "ssh", "-F", "/dev/null"]
    if key:
        words += ["-i", key]
        options += ["IdentitiesOnly=yes", "IdentityAgent=none"]
    return words + [part for option in options for part in ("-o", option)]
