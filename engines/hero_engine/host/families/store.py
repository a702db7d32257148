"""The family `store`: values of a context that outlive the run.

The actor keeps the values in Redis and limits their size and number. All scripts of a context share them; scripts of
other contexts cannot see them. The actions `store.*` and `osal.done_*` of HeroScript call these functions.
"""

from __future__ import annotations

from hero_engine.host.call import Call
from hero_engine.host.definition import Family

FAMILY = Family("store", "Values that the scripts of a context share.", prefix="Store error: ", needs="store")


@FAMILY.function(blocks=True, action="store.get")
def store_get(call: Call, key: str, default: str | None = None) -> str | None:
    """Return a value, a text. If there is none, the result is the default, or `()`.

    Example:
        let colour = store_get("colour", "green");
    """
    value: str | None = call.ask("store.get", {"key": key})
    return default if value is None else value


@FAMILY.function(blocks=True, action="store.set")
def store_set(call: Call, key: str, value: str | float | bool, seconds: float | None = None) -> None:
    """Keep a value, for `seconds` or for ever. A number or a bool is kept as its text; arrays and maps go through
    `json_encode`. Keys have up to 200 characters, values 1 MiB, a context 10,000 values and 16 MiB.

    Example:
        store_set("colour", "light green");
        store_set("session", "abc", 60);
    """
    call.ask("store.set", {"key": key, "value": _text(value), "kept_s": seconds})


@FAMILY.function(blocks=True)
def store_compare_and_set(
    call: Call, key: str, expected: str | float | bool | None, value: str | float | bool, seconds: float | None = None
) -> bool:
    """Keep a value if the present one is as expected; `()` expects none. The result says whether it was written. Of
    several scripts that try this simultaneously, one succeeds.

    Example:
        if store_compare_and_set("lock", (), JOB_ID, 30) { print("it is mine for 30 seconds"); }
    """
    wanted = None if expected is None else _text(expected)
    params = {"key": key, "expected": wanted, "value": _text(value), "kept_s": seconds}
    return bool(call.ask("store.compare_and_set", params))


@FAMILY.function(blocks=True)
def store_exists(call: Call, key: str) -> bool:
    """Tell whether there is a value.

    Example:
        if !store_exists("colour") { store_set("colour", "green"); }
    """
    return call.ask("store.get", {"key": key}) is not None


@FAMILY.function(blocks=True, action="store.incr")
def store_increment(call: Call, key: str, by: int = 1) -> int:
    """Add to a whole number, which starts at 0. The result is the sum. Additions of simultaneous scripts all count.

    Example:
        let visits = store_increment("visits");
    """
    return int(call.ask("store.add", {"key": key, "by": by}))


@FAMILY.function(blocks=True)
def store_expire(call: Call, key: str, seconds: float | None) -> bool:
    """Let a value end after `seconds`, or keep it for ever with `()`. The result says whether there is one.

    Example:
        store_expire("colour", 3600);
    """
    return bool(call.ask("store.expire", {"key": key, "kept_s": seconds}))


@FAMILY.function(blocks=True, action="store.delete")
def store_delete(call: Call, key: str) -> bool:
    """Remove a value. The result says whether there was one.

    Example:
        store_delete("colour");
    """
    return bool(call.ask("store.delete", {"key": key}))


@FAMILY.function(blocks=True, action="store.list")
def store_list(call: Call, prefix: str = "") -> list[str]:
    """List the keys that begin with a prefix, sorted.

    Example:
        for key in store_list("user:") { print(key); }
    """
    names: list[str] = call.ask("store.list", {"prefix": prefix})
    return names


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
