"""The commands on keys, the bearer tokens that open the service's ports: keys create, keys list, keys revoke.

Invariant: a token is printed once, when it is created. The store has only its hash.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer

from hero_ctl.connect import open_supervisor
from hero_ctl.exits import CtlExitCode
from hero_ctl.options import Json, StoreOptions
from hero_ctl.output import fail, print_note
from hero_job.operations.credentials import Credentials, StoredToken, token_hash

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
#: Random bytes in a token: too many to guess.
_TOKEN_BYTES: Final = 32


class KeyScope(StrEnum):
    """What the holder of a key may do."""

    ADMIN = "admin"
    USER = "user"
    READ = "read"


KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Who holds it; for a user, the caller_id of its jobs.")]


def create(
    *,
    name: KeyName,
    scope: Annotated[KeyScope, typer.Option("--scope", help="What its holder may do.")],
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="SPAN", help="It stops working after this long: 90m, 12h, 30d, 4w."),
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
        if not supervisor.store.run(Credentials(store.namespace).add_token(stored)):
            fail(f"a key named '{name}' exists; remove it first with `heroctl keys revoke {name}`", CtlExitCode.FAILED)
    print_note("a port asks for keys only if its config has tokens, signature_keys or require_auth = true")
    typer.echo(token)


def list_keys(store: StoreOptions, *, as_json: Json = False) -> None:
    """List the keys in the store by name, without their tokens. Tokens of a config file are not listed."""
    from hero_ctl.json_views import to_json
    from hero_ctl.tables import print_keys

    with open_supervisor(store) as supervisor:
        found = supervisor.store.run(Credentials(store.namespace).tokens())
    if as_json:
        shown = [
            {"name": t.name, "scope": t.scope, "created_at": t.created_at, "expires_at": t.expires_at}
            for t in found.tokens
        ]
        typer.echo(to_json(shown))
    else:
        print_keys(found.tokens)
    for name in (damaged.name for damaged in found.damaged):
        print_note(f"the key '{name}' is damaged and opens nothing; remove it with `heroctl keys revoke {name}`")


def revoke(name: KeyName, store: StoreOptions) -> None:
    """Revoke a key. Within two seconds it stops working, and connections that it has opened are closed."""
    with open_supervisor(store) as supervisor:
        if not supervisor.store.run(Credentials(store.namespace).remove_token(name)):
            fail(f"no key named '{name}' is in the store; `heroctl keys list` shows all", CtlExitCode.FAILED)


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([smhdw])", text)
    if found is None:
        fail(f"--expires: {text!r} is not a time span; write 90m, 12h, 30d or 4w", CtlExitCode.USAGE)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
