"""A program that behaves as herolib's `hero FILE` was seen to do: how it reads, runs, marks and reports actions.

It knows a few actions. Option: `--no-redis` for a host without the Redis that hero needs; `--quiet-echo` to print less.
Source: notes on herolib 6741eac, hero 1.1.02.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hero_engine.languages.heroscript.tools.v_reading import VAction, read_as_v

BACKTRACE = (
    "".join(f"{'':50} | 0x7f41a2{n:06x} | /usr/local/bin/hero(main__play+0x{n:x})\n" for n in range(60))
    + "/tmp/v_0/hero.01K.tmp.c:35134: by main\n"
)


def fail(message: str) -> int:
    """The short form prints the error among a backtrace."""
    sys.stderr.write(BACKTRACE + f"Error: {message}\n" + BACKTRACE)
    return 1


def export(number: int, action: VAction) -> str:
    """Write an action as herolib does."""
    first, own = [f"!!{action.actor}.{action.name} id:{number}", *action.args], []
    for key in sorted(action.params):
        value = action.params[key]
        if len(value) > 25 and "\n" in value:
            own += [f"{key}:'", *(f"    {line}" for line in value.split("\n")), "    '"]
            continue
        if not value or " " in value or ":" in value or "\n" in value:
            quoted = value.replace('"', "'").replace("'", "\\'").replace("\n", "\\n")
            text = f"{key}:'{quoted}'"
        else:
            text = f"{key}:{value}"
        (own if len(value) > 25 else first).append(text)
    return "\n".join([" ".join(first) + " ", *(f"    {line}" for line in own)])


def main() -> int:
    *options, path = sys.argv[1:]
    if "--no-redis" in options:
        return fail("dial_tcp failed for address 127.0.0.1:6379")
    actions = read_as_v(Path(path).read_text(encoding="utf-8"))
    for action in actions:
        if action.error:
            return fail(f"Failed to parse heroscript: {action.error}")
    done: set[int] = set()
    included: set[str] = set()
    for number, action in enumerate(list(actions)):
        if (action.actor, action.name) == ("play", "include") and action.params["path"] not in included:
            included.add(action.params["path"])
            actions += read_as_v(Path(action.params["path"]).read_text(encoding="utf-8"))
            done.add(number)
    for number, action in enumerate(actions):
        match action.actor, action.name:
            case "play", "echo":
                print(action.params["content"])
            case "test", "show":
                print(sorted(action.params.items()))
                done.add(number)
            case "test", "fail":
                return fail("no luck")
            case _:
                pass
    left = [export(number + 1, action) for number, action in enumerate(actions) if number not in done]
    if left:
        return fail("There are actions left to execute, see below:\n\n" + "\n".join(left) + "\n\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
