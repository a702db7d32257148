"""Which slots start after which, and which are restarted together. Pure; `supervise.py` asks.

Owned here: the meaning of `after` and of the restart strategies. The slots are given in the order of the config, which
is also the order that the strategies use.

Source: restart strategies of OTP, https://www.erlang.org/doc/system/sup_princ.html
"""

from __future__ import annotations

from collections.abc import Mapping

from hero_supervisor.process.spec import ChildSpec, Strategy


def earlier(name: str, wanted: Mapping[str, ChildSpec]) -> tuple[str, ...]:
    """List the slots that must be up before a slot starts for the first time, or restarts with its group.

    Args:
        name: A slot that is wanted.
        wanted: All slots that are wanted, by name, in order.
    """
    actor = wanted[name].actor
    named = [slot for slot, spec in wanted.items() if spec.actor.name in actor.after and slot != name]
    if actor.strategy is not Strategy.ONE_FOR_ONE:
        group = _group(name, wanted)
        named += [slot for slot in group[: group.index(name)] if slot not in named]
    return tuple(named)


def restarted_with(name: str, wanted: Mapping[str, ChildSpec]) -> tuple[str, ...]:
    """List the other slots that are restarted when a slot has crashed, in order.

    Args:
        name: The slot that has crashed.
        wanted: All slots that are wanted, by name, in order.
    """
    if name not in wanted:
        return ()
    match wanted[name].actor.strategy:
        case Strategy.ONE_FOR_ONE:
            return ()
        case Strategy.ONE_FOR_ALL:
            return tuple(slot for slot in _group(name, wanted) if slot != name)
        case Strategy.REST_FOR_ONE:
            group = _group(name, wanted)
            return tuple(group[group.index(name) + 1 :])


def _group(name: str, wanted: Mapping[str, ChildSpec]) -> list[str]:
    key = _group_key(wanted[name])
    return [slot for slot, spec in wanted.items() if _group_key(spec) == key]


def _group_key(spec: ChildSpec) -> tuple[bool, str]:
    """Identify the group: a named one, or the entry alone. An entry may have the name of a group."""
    actor = spec.actor
    return (True, actor.strategy_group) if actor.strategy_group else (False, actor.name)
