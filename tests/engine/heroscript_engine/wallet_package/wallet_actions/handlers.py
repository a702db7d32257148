"""The handlers, with one function per action. The entry point `wallet` loads them once, before the first job."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from hero_engine.heroscript_engine import Context, action


@action("wallet.define")
def define(ctx: Context, name: str, balance: Decimal = Decimal(0)) -> None:
    """Make a wallet that exists until the script ends."""
    ctx.session.values[name] = balance


@action("wallet.send")
def send(
    ctx: Context,
    from_: str,
    to: str,
    amount: Annotated[Decimal, Field(gt=0)],
    tags: tuple[str, ...] = (),
) -> dict[str, object]:
    """Move an amount from one wallet to another."""
    values = ctx.session.values
    for name in (from_, to):
        if name not in values:
            raise LookupError(f"there is no wallet {name}")
    source, target = values[from_], values[to]
    assert isinstance(source, Decimal)
    assert isinstance(target, Decimal)
    if source < amount:
        raise ValueError(f"{from_} has {source}, not {amount}")
    values[from_], values[to] = source - amount, target + amount
    ctx.log.info("%s sends %s to %s for %s", from_, amount, to, ctx.caller_id)
    return {"from": from_, "to": to, "amount": amount, "tags": list(tags)}


@action("wallet.balance")
def balance(ctx: Context, name: str) -> object:
    """Return the balance of a wallet."""
    return ctx.session.values[name]
