"""Values that scripts keep beyond their run: names to texts, one hash a context. Data, no I/O.

Used by actors for what a script asks of them. Invariant: a context's hash stays within the bounds below, whoever writes
at the same time; its size stands in the hash itself, under the empty name, which no value can have.
"""

from __future__ import annotations

from typing import Any, Final

from hero_job.model.errors import JobInvalid
from hero_job.protocol.keys import DEFAULT_NAMESPACE, Keys
from hero_job.protocol.op import Op

#: A name, in characters.
MAX_NAME_CHARS: Final = 200
#: A value, in bytes of UTF-8.
MAX_VALUE_BYTES: Final = 1024 * 1024
#: Values of a context.
MAX_VALUES: Final = 10_000
#: All names and values of a context, in bytes.
MAX_CONTEXT_BYTES: Final = 16 * 1024 * 1024

# KEYS[1] hash of the context; ARGV[1] name, [2] value, [3] "1" to keep a value that is there, [4] most values, [5] most
# bytes. Gives 0 for done, 1 for left as it was, 2 for too many values, 3 for too many bytes.
_PUT = """
local function put(value)
  local old = redis.call('HGET', KEYS[1], ARGV[1])
  local size = tonumber(redis.call('HGET', KEYS[1], '') or '0')
  if old then size = size - #ARGV[1] - #old end
  if value then
    if not old and redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then return 2 end
    size = size + #ARGV[1] + #value
    if size > tonumber(ARGV[5]) then return 3 end
    redis.call('HSET', KEYS[1], ARGV[1], value, '', size)
  elseif old then
    redis.call('HDEL', KEYS[1], ARGV[1])
    if redis.call('HLEN', KEYS[1]) <= 1 then redis.call('DEL', KEYS[1]) else redis.call('HSET', KEYS[1], '', size) end
  end
  return 0
end
"""

_SET = (
    _PUT
    + """
if ARGV[3] == '1' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 1 end
return put(ARGV[2])"""
)

_DELETE = (
    _PUT
    + """
local was = redis.call('HEXISTS', KEYS[1], ARGV[1])
put(nil)
return was"""
)

# Whole numbers up to 2^53 are exact in Lua; nothing else is taken.
_ADD = (
    _PUT
    + """
local old = redis.call('HGET', KEYS[1], ARGV[1]) or '0'
if not string.match(old, '^%-?%d+$') then return {4, old} end
local sum = tonumber(old) + tonumber(ARGV[2])
if math.abs(sum) > 9007199254740991 then return {5, old} end
local text = string.format('%.0f', sum)
return {put(text), text}"""
)

_NAMES = """
local names = {}
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if name ~= '' and string.sub(name, 1, #ARGV[1]) == ARGV[1] then names[#names + 1] = name end
end
return names"""


class Values:
    """Builds the operations on the values of one namespace.

    Args:
        namespace: Prefix of all keys.
    """

    __slots__ = ("_keys",)

    def __init__(self, namespace: str = DEFAULT_NAMESPACE) -> None:
        self._keys = Keys(namespace)

    def set(self, context_id: str, name: str, value: str, *, only_new: bool = False) -> Op[bool]:
        """Keep a value.

        Args:
            context_id: The context.
            name: 1 to 200 characters.
            value: 1 MiB at most.
            only_new: Leave a value that is there as it is.

        Returns:
            False when it was left so.

        Raises:
            JobInvalid: Name or value is out of its bounds, or the context's are reached.
        """
        _check(name)
        if len(value.encode()) > MAX_VALUE_BYTES:
            raise JobInvalid(name, f"a value may have {MAX_VALUE_BYTES} bytes, not {len(value.encode())}")

        def decode(answer: int) -> bool:
            _complain(answer, name)
            return answer == 0

        return Op(("EVAL", _SET, 1, self._keys.values(context_id), name, value, int(only_new), *_BOUNDS), decode)

    def get(self, context_id: str, name: str) -> Op[str | None]:
        """Read a value; None when there is none."""
        _check(name)
        return Op(("HGET", self._keys.values(context_id), name), lambda answer: answer)

    def add(self, context_id: str, name: str, by: int) -> Op[int]:
        """Add to a whole number, which is 0 as long as it has not been set.

        Returns:
            The sum.

        Raises:
            JobInvalid: The value is no whole number, the sum is beyond 2^53, or the bounds are reached.
        """
        _check(name)

        def decode(answer: list[Any]) -> int:
            code, text = answer
            if code == 4:
                raise JobInvalid(name, f"is not a whole number: {text!r:.80}")
            if code == 5:
                raise JobInvalid(name, f"cannot grow further: it is {text}")
            _complain(code, name)
            return int(text)

        return Op(("EVAL", _ADD, 1, self._keys.values(context_id), name, by, 0, *_BOUNDS), decode)

    def delete(self, context_id: str, name: str) -> Op[bool]:
        """Remove a value. Says whether there was one."""
        _check(name)
        return Op(("EVAL", _DELETE, 1, self._keys.values(context_id), name, "", 0, *_BOUNDS), bool)

    def names(self, context_id: str, prefix: str = "") -> Op[list[str]]:
        """List the names that begin with `prefix`, sorted."""
        return Op(("EVAL", _NAMES, 1, self._keys.values(context_id), prefix), sorted)


_BOUNDS = (MAX_VALUES, MAX_CONTEXT_BYTES)


def _check(name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise JobInvalid("key", f"must have 1 to {MAX_NAME_CHARS} characters, not {len(name)}")


def _complain(code: int, name: str) -> None:
    if code == 2:
        raise JobInvalid(name, f"the context has {MAX_VALUES} values already")
    if code == 3:
        raise JobInvalid(name, f"the values of the context would have more than {MAX_CONTEXT_BYTES} bytes")
