"""The actions `store.*` and `osal.done_*`: values of a context that outlive the run.

They are off until `HERO_ALLOW_STORE` is true. The actor keeps the values in Redis and limits their size and number. All
scripts of a context share them; scripts of other contexts cannot see them.
"""

from __future__ import annotations

from hero_engine.heroscript_engine import Context, action

#: The marks of `osal.done_*` are values whose names have this prefix.
_DONE = "done:"


@action("store.set")
def set_value(ctx: Context, key: str, value: str, only_new: bool = False) -> object:
    """Keep a text. With `only_new`, an existing value stays. The result says whether the text was written."""
    return ctx.ask("store.set", key=key, value=value, only_new=only_new)


@action("store.get")
def get_value(ctx: Context, key: str, default: str | None = None) -> str:
    """Return a text; it is an error if there is neither a value nor a default."""
    value = ctx.ask("store.get", key=key)
    if value is None:
        if default is None:
            raise LookupError(f"there is no value {key}")
        return default
    return str(value)


@action("store.exists")
def exists(ctx: Context, key: str) -> bool:
    """Tell whether there is a value."""
    return ctx.ask("store.get", key=key) is not None


@action("store.incr")
def increment(ctx: Context, key: str, by: int = 1) -> object:
    """Add to a whole number, which starts at 0. The result is the sum. Additions of simultaneous scripts all count."""
    return ctx.ask("store.add", key=key, by=by)


@action("store.delete")
def delete_value(ctx: Context, key: str) -> object:
    """Remove a value. The result says whether there was one."""
    return ctx.ask("store.delete", key=key)


@action("store.list")
def list_values(ctx: Context, prefix: str = "") -> object:
    """List the keys that begin with `prefix`."""
    return ctx.ask("store.list", prefix=prefix)


@action("osal.done_set")
def done_set(ctx: Context, key: str, val: str = "1") -> None:
    """Mark something as done."""
    ctx.ask("store.set", key=_DONE + key, value=val, only_new=False)


@action("osal.done_delete")
def done_delete(ctx: Context, key: str) -> None:
    """Remove a mark."""
    ctx.ask("store.delete", key=_DONE + key)


@action("osal.done_reset")
def done_reset(ctx: Context) -> None:
    """Remove all marks."""
    for name in ctx.ask("store.list", prefix=_DONE):
        ctx.ask("store.delete", key=name)


@action("osal.done_print")
def done_print(ctx: Context) -> dict[str, object]:
    """Print all marks, which are also the result."""
    marks = {name.removeprefix(_DONE): ctx.ask("store.get", key=name) for name in ctx.ask("store.list", prefix=_DONE)}
    for key, val in marks.items():
        print(f"{key}: {val}")
    return marks
