"""The commands on keys: tokens that open the service's ports, kept in the store by their hash.

Invariant: a token is printed once, when it is made, and is nowhere else.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer

from hero_ctl import options
from hero_ctl.connect import open_supervisor
from hero_ctl.error_messages import Complaint
from hero_ctl.exits import HELP, Exit
from hero_ctl.output import end, tell
from hero_job.operations.credentials import Credentials, StoredToken, token_hash
from hero_job.protocol.keys import DEFAULT_NAMESPACE

app = typer.Typer(help="Keys (bearer tokens) for the service's ports.", no_args_is_help=True)

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
#: Bits of chance in a token: none is guessed.
_TOKEN_BYTES: Final = 32


class KeyScope(StrEnum):
    """What the holder of a key may do."""

    ADMIN = "admin"
    USER = "user"
    READ = "read"


KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Who holds it; the caller_id of the jobs of a user.")]


@app.command("create", epilog=HELP)
def create(
    *,
    name: KeyName,
    scope: Annotated[KeyScope, typer.Option("--scope", help="What it may do.")],
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="SPAN", help="Worth nothing after this long: 90m, 12h, 30d, 4w.")
    ] = None,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Make a key and print it. It is shown this once, and counts within two seconds."""
    now = datetime.now(UTC)
    expires_at = None if expires is None else (now + _span(expires)).isoformat()
    token = f"hero_{secrets.token_urlsafe(_TOKEN_BYTES)}"
    stored = StoredToken(
        name=name, scope=scope.value, sha256=token_hash(token), created_at=now.isoformat(), expires_at=expires_at
    )
    with open_supervisor(redis_url, namespace) as supervisor:
        if not supervisor.store.run(Credentials(namespace).add_token(stored)):
            text = f"heroctl: there is a key of the name '{name}'; `heroctl keys revoke {name}` first"
            end(Complaint(text=text, exit=Exit.FAILED))
    tell("a port asks for keys where its configuration has tokens, signature_keys or require_auth = true")
    typer.echo(token)


@app.command("list", epilog=HELP)
def list_keys(
    as_json: options.Json = False,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """List the keys of the store, by name, without the keys themselves. Those of a configuration file are not here."""
    from hero_ctl.tables import print_keys, to_json

    with open_supervisor(redis_url, namespace) as supervisor:
        found = supervisor.store.run(Credentials(namespace).tokens())
    if as_json:
        shown = [
            {"name": t.name, "scope": t.scope, "created_at": t.created_at, "expires_at": t.expires_at}
            for t in found.tokens
        ]
        typer.echo(to_json(shown))
    else:
        print_keys(found.tokens)
    for name in found.damaged:
        tell(f"the entry of '{name}' cannot be read and lets nobody in; `heroctl keys revoke {name}` removes it")


@app.command("revoke", epilog=HELP)
def revoke(
    name: KeyName,
    redis_url: options.RedisUrl = None,
    namespace: options.Namespace = DEFAULT_NAMESPACE,
) -> None:
    """Revoke a key: within two seconds it is worth nothing, and connections that it has opened are closed."""
    with open_supervisor(redis_url, namespace) as supervisor:
        if not supervisor.store.run(Credentials(namespace).remove_token(name)):
            text = f"heroctl: no key of the name '{name}' in the store; `heroctl keys list` shows all"
            end(Complaint(text=text, exit=Exit.FAILED))


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([smhdw])", text)
    if found is None:
        end(Complaint(text=f"heroctl: --expires: {text!r} is no span; write 90m, 12h, 30d, 4w", exit=Exit.USAGE))
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
