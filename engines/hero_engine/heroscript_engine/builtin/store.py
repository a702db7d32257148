"""The actions `store.*` and `osal.done_*`: values of a context that outlive the run.

They are the functions of the family `store`, and are off until `HERO_ALLOW_STORE` is true.
"""

from __future__ import annotations

from hero_engine.heroscript_engine import Context, action
from hero_engine.host.families import store as functions

#: The marks of `osal.done_*` are values whose names have this prefix.
_DONE = "done:"


@action("store.set")
def set_value(ctx: Context, key: str, value: str, only_new: bool = False) -> object:
    """Keep a text. With `only_new`, an existing value stays. The result says whether the text was written."""
    if only_new:
        return functions.store_compare_and_set(ctx.call, key, None, value)
    functions.store_set(ctx.call, key, value)
    return True


@action("store.get")
def get_value(ctx: Context, key: str, default: str | None = None) -> str:
    """Return a text; it is an error if there is neither a value nor a default."""
    value = functions.store_get(ctx.call, key, default)
    if value is None:
        raise LookupError(f"there is no value {key}")
    return value


@action("store.exists")
def exists(ctx: Context, key: str) -> bool:
    """Tell whether there is a value."""
    return functions.store_exists(ctx.call, key)


@action("store.incr")
def increment(ctx: Context, key: str, by: int = 1) -> object:
    """Add to a whole number, which starts at 0. The result is the sum. Additions of simultaneous scripts all count."""
    return functions.store_increment(ctx.call, key, by)


@action("store.delete")
def delete_value(ctx: Context, key: str) -> object:
    """Remove a value. The result says whether there was one."""
    return functions.store_delete(ctx.call, key)


@action("store.list")
def list_values(ctx: Context, prefix: str = "") -> object:
    """List the keys that begin with `prefix`."""
    return functions.store_list(ctx.call, prefix)


@action("osal.done_set")
def done_set(ctx: Context, key: str, val: str = "1") -> None:
    """Mark something as done."""
    functions.store_set(ctx.call, _DONE + key, val)


@action("osal.done_delete")
def done_delete(ctx: Context, key: str) -> None:
    """Remove a mark."""
    functions.store_delete(ctx.call, _DONE + key)


@action("osal.done_reset")
def done_reset(ctx: Context) -> None:
    """Remove all marks."""
    for name in functions.store_list(ctx.call, _DONE):
        functions.store_delete(ctx.call, name)


@action("osal.done_print")
def done_print(ctx: Context) -> dict[str, object]:
    """Print all marks, which are also the result."""
    names = functions.store_list(ctx.call, _DONE)
    marks: dict[str, object] = {name.removeprefix(_DONE): functions.store_get(ctx.call, name) for name in names}
    for key, val in marks.items():
        print(f"{key}: {val}")
    return marks
