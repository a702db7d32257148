"""The environment of programs: decides which of a job's variables a program sees, and under which names.

The submitter of a job chooses its variables, and many names change what a program does: `LD_PRELOAD`, `BASH_ENV`,
`GIT_SSH_COMMAND`. No list of such names is complete. So a variable reaches a program as `JOB_ENV_NAME`, and under its
own name only if the operator has named it (`HERO_JOB_ENV`). Everything that starts a program for a script calls
`program_environ`. Pure.

Source: ld.so(8), bash(1), git(1), python(1), perlrun(1), ssh(1): the variables that they obey.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

JOB_ENV_SETTING = "HERO_JOB_ENV"
#: The constant and the variable with the span of a run in a distributed trace; a job that is in none has neither.
#: Source: https://opentelemetry.io/docs/specs/otel/context/env-carriers/
TRACEPARENT = "TRACEPARENT"
PREFIX = "JOB_ENV_"

#: A name that every shell accepts. Others, such as `BASH_FUNC_ls%%`, do not reach a program.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Names that load code, choose programs, or change how a program reads its input. The operator cannot list them either,
#: because a submitter who sets one of them runs programs of their choice.
_NEVER = re.compile(
    r"BASH.*|ENV|IFS|CDPATH|PATH|FPATH|SHELL|SHELLOPTS|PS[0-4]|PROMPT_COMMAND|ZDOTDIR"
    r"|LD_.*|DYLD_.*|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|NLSPATH|MALLOC_.*|HOSTALIASES|RES_OPTIONS|RESOLV_.*|LOCALDOMAIN"
    r"|PYTHON.*|PERL.*|RUBY.*|GEM_.*|BUNDLE_.*|NODE_.*|NPM_.*|LUA_.*|PHP.*|JAVA_.*|JDK_.*|_JAVA_.*|CLASSPATH|CARGO_.*"
    r"|RUST.*|GO(PATH|ROOT|FLAGS|PROXY|ENV)"
    r"|GIT_.*|SSH_.*|GPG_.*|GNUPGHOME|CURL_.*|WGETRC|SSL_.*|SSLKEYLOGFILE|OPENSSL_.*|REQUESTS_CA_BUNDLE"
    r"|(HTTPS?|FTP|ALL|NO)_PROXY"
    r"|EDITOR|VISUAL|PAGER|MANPAGER|BROWSER|LESS.*|VIM.*|TERMINFO.*|TERMCAP"
    r"|HOME|USER|LOGNAME|TMPDIR|TEMP|TMP|XDG_.*|DBUS_.*|SUDO_.*|SYSTEMD_.*|NOTIFY_SOCKET|LISTEN_.*"
    r"|HERO_.*|CALLER_ID|CONTEXT_ID|JOB_ID|SIGNATORIES|ARG_[0-9]+|JOB_ENV_.*",
    # Programs read proxies in lower case too, and Windows subsystems know no case.
    re.IGNORECASE,
)


def allowed_names(text: str) -> tuple[str, ...]:
    """Read the operator's setting `HERO_JOB_ENV`.

    Args:
        text: Names, separated by commas. There are no globs, because a glob lets in names that nobody thought of.

    Raises:
        ValueError: A name is one that changes what programs do.
    """
    names = tuple(item.strip() for item in text.split(",") if item.strip())
    for name in names:
        if _NEVER.fullmatch(name):
            raise ValueError(f"{name} changes what programs do; a job may set it only as {PREFIX}{name}")
    return names


def program_environ(
    variables: Mapping[str, object], *, base: Mapping[str, str], allowed: Iterable[str] = ()
) -> dict[str, str]:
    """Make the environment of a program that runs for a job.

    Args:
        variables: The variables that the job's submitter or its script has chosen. One whose name or value no
            environment can hold is left out.
        base: What the program gets in any case. No variable of the job replaces one of these.
        allowed: Names that are passed under their own name, from the operator's setting `HERO_JOB_ENV`.

    Returns:
        The base, each variable as `JOB_ENV_NAME`, and the allowed ones under their own names.
    """
    own = frozenset(allowed)
    environ: dict[str, str] = {}
    for name, value in variables.items():
        text = str(value)
        if _NAME.fullmatch(name) is None or not _can_be_held(text):
            continue
        environ[PREFIX + name] = text
        if name in own and _NEVER.fullmatch(name) is None:
            environ[name] = text
    return {**environ, **base}


def trace_variables(traceparent: object) -> dict[str, str]:
    """The variables by which a program joins the trace of its job; none if the job is in none."""
    return {TRACEPARENT: str(traceparent)} if traceparent else {}


def _can_be_held(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
