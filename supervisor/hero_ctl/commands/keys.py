"""The commands on keys, the bearer tokens that open the service's ports: keys create, keys list, keys revoke.

Invariant: a token is printed once, when it is created. The store has only its hash.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from hero_config.model.durations import parse_duration
from hero_ctl.connect.store import namespace_of, open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import OutputOptions, StoreOptions, Yes
from hero_ctl.output.console import confirm_on_terminal, echo, fail, print_note
from hero_ctl.output.formats import print_rows
from hero_ctl.output.tables import KEYS
from hero_ctl.parameters import Argument, Option
from hero_job.operations.credentials import Credentials, StoredToken, token_hash

#: 200 years.
_MAX_SPAN_S: Final = 200 * 366 * 86_400
#: Random bytes in a token: too many to guess.
_TOKEN_BYTES: Final = 32


class KeyScope(StrEnum):
    """What the holder of a key may do."""

    ADMIN = "admin"
    USER = "user"
    READ = "read"


KeyName = Annotated[str, Argument(metavar="NAME", help="Who holds it; for a user, the caller_id of its jobs.")]


def create(
    *,
    name: KeyName,
    scope: Annotated[KeyScope, Option("--scope", help="What its holder may do.")],
    expires: Annotated[
        str | None,
        Option("--expires", metavar="SPAN", help="It stops working after this long: 90m, 12h, 30d, 4w."),
    ] = None,
    store: StoreOptions,
) -> None:
    """Create a key and print it. It is shown only this once, and works within two seconds."""
    now = datetime.now(UTC)
    expires_at = None if expires is None else (now + _span(expires)).isoformat()
    token = f"hero_{secrets.token_urlsafe(_TOKEN_BYTES)}"
    stored = StoredToken(
        name=name, scope=scope.value, sha256=token_hash(token), created_at=now.isoformat(), expires_at=expires_at
    )
    with open_supervisor(store) as supervisor:
        if not supervisor.store.run(Credentials(namespace_of(store)).add_token(stored)):
            fail(f"a key named '{name}' exists; remove it first with `heroctl keys revoke {name}`", CtlExitCode.FAILED)
    print_note("a port asks for keys only if its config has tokens, signature_keys or require_auth = true")
    echo(token)


def list_keys(*, output: OutputOptions, store: StoreOptions) -> None:
    """List the keys in the store by name, without their tokens. Tokens of a config file are not listed."""
    from hero_ctl.output.json_views import key_as_json

    with open_supervisor(store) as supervisor:
        found = supervisor.store.run(Credentials(namespace_of(store)).tokens())
    print_rows([key_as_json(token) for token in found.tokens], KEYS, output.format, bare=output.as_json)
    for name in (damaged.name for damaged in found.damaged):
        print_note(f"the key '{name}' is damaged and opens nothing; remove it with `heroctl keys revoke {name}`")


def revoke(name: KeyName, store: StoreOptions, *, yes: Yes = False) -> None:
    """Revoke a key. Within two seconds it stops working, and connections that it has opened are closed."""
    confirm_on_terminal(f"Revoke the key {name}?", yes=yes)
    with open_supervisor(store) as supervisor:
        if not supervisor.store.run(Credentials(namespace_of(store)).remove_token(name)):
            fail(f"no key named '{name}' is in the store; `heroctl keys list` shows all", CtlExitCode.FAILED)


def _span(text: str) -> timedelta:
    try:
        seconds = parse_duration(text) if text[-1:].isalpha() else 0
    except ValueError:
        seconds = 0
    if not 0 < seconds < _MAX_SPAN_S:
        fail(f"--expires: '{text}' is not a time span; write 90m, 12h, 30d or 4w", CtlExitCode.USAGE)
    return timedelta(seconds=seconds)
