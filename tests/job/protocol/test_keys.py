"""Keys: all of them stand in ARCHITECTURE.md, and all that tests leave behind are known."""

from __future__ import annotations

import re
from pathlib import Path

from hero_job.protocol.keys import Keys

ROOT = Path(__file__).parents[3]


def documented() -> set[str]:
    """The keys of the table, without their variable parts."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    table = text[text.index("| key | type | what | lives |") :]
    table = table[: table.index("\n\n")]
    return {re.sub(r"\{[^}]*\}", "*", key) for key in re.findall(r"^\| `(hero:[^`]*)`", table, re.MULTILINE)}


def spelled() -> set[str]:
    """The keys that Keys and the scripts in Lua spell, without their variable parts."""
    keys = Keys("hero")
    found = {
        value for name in Keys.__slots__ if isinstance(value := getattr(keys, name), str) and not value.endswith(":")
    }
    found.discard("hero")
    found |= {
        keys.job("*"), keys.work("*"), keys.work("*", "*"), keys.work("*", "*", "*"), keys.reply("*"), keys.actor("*"),
        keys.claimed("*", 0).replace(":0", ":*"), keys.log("*"), keys.batch("*"), keys.batch_reply("*"),
        keys.control("*"), keys.control_type("*"), keys.nonce("*"), keys.values("*"),
    }  # fmt: skip
    for path in (ROOT / "actors/hero_job/protocol/lua").rglob("*.lua"):
        for part in re.findall(r"ns \.\. '([a-z:]+)'", path.read_text("utf-8")):
            found.add(f"hero:{part}*" if part.endswith(":") else f"hero:{part}")
    return found - {"hero:q:reply:*batch:*"}


def test_every_key_stands_in_the_architecture_page_and_the_page_names_no_other() -> None:
    # The claimed list of a lane is spelled in two parts in Lua, as is a queue with its group and instance.
    in_two_parts = {"hero:meta:claimed:*", "hero:job:*"}

    assert spelled() - in_two_parts - documented() == set()
    assert documented() - spelled() == set()
