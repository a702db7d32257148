"""Who starts after whom, and who is started anew together. Pure; `supervise.py` asks.

Owned here: the meaning of `after` and of the restart strategies. Slots are named in the order of the config; that is
the order of the strategies too.

Source: restart strategies of OTP, https://www.erlang.org/doc/system/sup_princ.html
"""

from __future__ import annotations

from collections.abc import Mapping

from hero_supervisor.children.spec import ChildSpec, Strategy


def earlier(name: str, wanted: Mapping[str, ChildSpec]) -> tuple[str, ...]:
    """The slots that must be up before this one starts for the first time, or anew with others.

    Args:
        name: A slot that is wanted.
        wanted: All that are, by name, in their order.
    """
    actor = wanted[name].actor
    named = [slot for slot, spec in wanted.items() if spec.actor.name in actor.after and slot != name]
    if actor.strategy is not Strategy.ONE_FOR_ONE:
        group = _group(name, wanted)
        named += [slot for slot in group[: group.index(name)] if slot not in named]
    return tuple(named)


def fallen_with(name: str, wanted: Mapping[str, ChildSpec]) -> tuple[str, ...]:
    """The slots that are started anew when this one has crashed, in their order.

    Args:
        name: The slot that has crashed.
        wanted: All that are wanted, by name, in their order.
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
    key = _key(wanted[name])
    return [slot for slot, spec in wanted.items() if _key(spec) == key]


def _key(spec: ChildSpec) -> tuple[bool, str]:
    """A group is that of its name, or the entry alone; the two must not be mixed up."""
    actor = spec.actor
    return (True, actor.strategy_group) if actor.strategy_group else (False, actor.name)
