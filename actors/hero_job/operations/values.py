"""Values that scripts keep beyond their run: names to texts, one hash per context. Operations as data; no I/O.

A second hash has the ends of those that are not kept for ever. An actor runs the operations for its scripts. Invariant:
a context stays within the bounds below, no matter how many actors write at the same time; its hash holds its size under
the empty name, which no value can have.
"""

from __future__ import annotations

from typing import Any, Final

from hero_job.model.errors import JobInvalid
from hero_job.model.fields.shown_values import shown
from hero_job.protocol import lua
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op, as_is

#: Longest name, in characters.
MAX_NAME_CHARS: Final = 200
#: Largest value, in bytes of UTF-8.
MAX_VALUE_BYTES: Final = 1024 * 1024
#: Most values of a context.
MAX_VALUES: Final = 10_000
#: Most bytes of a context, names and values together.
MAX_CONTEXT_BYTES: Final = 16 * 1024 * 1024

#: Longest time for which a value can be kept, unless it is kept for ever: ten years, in seconds.
MAX_KEPT_S: Final = 315_360_000

_BOUNDS = (MAX_VALUES, MAX_CONTEXT_BYTES)


class Values:
    """Builds the operations on the values of one namespace.

    Args:
        namespace: Prefix of all keys.
    """

    __slots__ = ("_keys",)

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        self._keys = Keys(namespace)

    def set(
        self, context_id: str, name: str, value: str, *, only_new: bool = False, kept_s: float | None = None
    ) -> Op[bool]:
        """Keep a value.

        Args:
            context_id: The context.
            name: 1 to 200 characters.
            value: At most 1 MiB of UTF-8.
            only_new: Leave an existing value as it is.
            kept_s: For how long it is kept, in seconds; None for ever.

        Returns:
            False when the value existed and was left as it is.

        Raises:
            JobInvalid: Name or value is out of its bounds, or the context would be.
        """
        return self._put(context_id, name, value, ("new" if only_new else "always", ""), kept_s)

    def compare_and_set(
        self, context_id: str, name: str, expected: str | None, value: str, kept_s: float | None = None
    ) -> Op[bool]:
        """Keep a value if the present one is the expected one.

        Args:
            context_id: The context.
            name: 1 to 200 characters.
            expected: What the value must be; None if there must be none.
            value: At most 1 MiB of UTF-8.
            kept_s: For how long it is kept, in seconds; None for ever.

        Returns:
            False when the present value is another one, and was left as it is.

        Raises:
            JobInvalid: Name or value is out of its bounds, or the context would be.
        """
        condition = ("new", "") if expected is None else ("equal", expected)
        return self._put(context_id, name, value, condition, kept_s)

    def _put(
        self, context_id: str, name: str, value: str, condition: tuple[str, str], kept_s: float | None
    ) -> Op[bool]:
        _check(name)
        if (size := len(value.encode())) > MAX_VALUE_BYTES:
            raise JobInvalid(name, f"a value may have {MAX_VALUE_BYTES} bytes, not {size}")

        def decode(answer: int) -> bool:
            _check_bounds(answer, name)
            return answer == 0

        args = [*self._both(context_id), name, value, *condition, _kept_ms(kept_s), *_BOUNDS]
        return Op(args, decode, lua.SET_VALUE, 2)

    def _both(self, context_id: str) -> tuple[str, str]:
        return self._keys.values(context_id), self._keys.value_ends(context_id)

    def get(self, context_id: str, name: str) -> Op[str | None]:
        """Read a value; None when there is none."""
        _check(name)
        return Op([*self._both(context_id), name], as_is, lua.GET_VALUE, 2)

    def expire(self, context_id: str, name: str, kept_s: float | None) -> Op[bool]:
        """Say for how long a value is kept.

        Args:
            context_id: The context.
            name: 1 to 200 characters.
            kept_s: For how long from now, in seconds; None for ever.

        Returns:
            False when there is no such value.

        Raises:
            JobInvalid: The name or the time is out of its bounds.
        """
        _check(name)
        return Op([*self._both(context_id), name, _kept_ms(kept_s)], bool, lua.EXPIRE_VALUE, 2)

    def add(self, context_id: str, name: str, by: int) -> Op[int]:
        """Add to a whole number; it is 0 until it is set.

        Args:
            context_id: The context.
            name: 1 to 200 characters.
            by: What to add; may be negative.

        Returns:
            The sum.

        Raises:
            JobInvalid: The value is not a whole number, the sum would leave the range from -2^53 to 2^53, or the
                context its bounds.
        """
        _check(name)

        def decode(answer: list[Any]) -> int:
            code, text = answer
            if code == 4:
                raise JobInvalid(name, f"is not a whole number: {shown(text)}")
            if code == 5:
                raise JobInvalid(name, f"cannot grow further: it is {text}")
            _check_bounds(code, name)
            return int(text)

        return Op([*self._both(context_id), name, by, *_BOUNDS], decode, lua.ADD_TO_VALUE, 2)

    def delete(self, context_id: str, name: str) -> Op[bool]:
        """Remove a value; False when there was none."""
        _check(name)
        return Op([*self._both(context_id), name], bool, lua.DELETE_VALUE, 2)

    def names(self, context_id: str, prefix: str = "") -> Op[list[str]]:
        """List the names that begin with `prefix`, sorted."""
        return Op([*self._both(context_id), prefix], sorted, lua.VALUE_NAMES, 2)


def _check(name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise JobInvalid("key", f"must have 1 to {MAX_NAME_CHARS} characters, not {len(name)}")


def _kept_ms(kept_s: float | None) -> int | str:
    if kept_s is None:
        return ""
    if not 0 < kept_s <= MAX_KEPT_S:
        raise JobInvalid("seconds", f"must be above 0 and at most {MAX_KEPT_S}, not {kept_s:g}")
    return max(1, round(kept_s * 1000))


def _check_bounds(code: int, name: str) -> None:
    """Raise what the codes 2 and 3 of the scripts mean."""
    if code == 2:
        raise JobInvalid(name, f"the context has {MAX_VALUES} values already")
    if code == 3:
        raise JobInvalid(name, f"the values of the context would have more than {MAX_CONTEXT_BYTES} bytes")
