"""Who may do what with the objects of a context. Pure: the only place that decides it.

A context has an owner, whose caller id is the context's id and who may do everything, and lists of administrators,
writers and readers. A list has callers and groups, a group has callers and other groups. Invariants: a right includes
the lower ones; groups may contain each other in a circle; nobody has a right that no list gives.

Source: the access control of the crate herolib-osis 0.3.13 (admin > write > read, groups with groups).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

import orjson

from hero_job.model.fields.shown_values import shown
from hero_job.model.objects.errors import ObjectInvalid

#: A member that begins like this is a group.
GROUP_PREFIX: Final = "group:"
MAX_MEMBERS: Final = 1_000
MAX_GROUPS: Final = 200
_MAX_NAME_CHARS: Final = 200


class Right(IntEnum):
    """What a list allows; each right includes the smaller ones."""

    READ = 1
    WRITE = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The right as users spell it."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Right:
        """Read a right.

        Raises:
            ObjectInvalid: It is none.
        """
        try:
            return cls[word.upper()]
        except KeyError:
            raise ObjectInvalid("invalid name", f"{shown(word)} is no right; write read, write or admin") from None


_NOBODY: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Acl:
    """The lists of one context.

    Attributes:
        version: Counts the changes; 0 for a context without lists.
        lists: Right -> members.
        groups: Name -> members.
    """

    version: int = 0
    lists: Mapping[Right, frozenset[str]] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def right_of(self, caller_id: str) -> Right | None:
        """The greatest right that the lists give a caller."""
        for right in sorted(self.lists, reverse=True):
            if self._contains(self.lists[right], caller_id):
                return right
        return None

    def _contains(self, members: frozenset[str], caller_id: str) -> bool:
        if caller_id.startswith(GROUP_PREFIX):
            return False
        pending = [members]
        seen: set[str] = set()
        while pending:
            members = pending.pop()
            if caller_id in members:
                return True
            for member in members:
                if member.startswith(GROUP_PREFIX) and member not in seen:
                    seen.add(member)
                    pending.append(self.groups.get(member.removeprefix(GROUP_PREFIX), _NOBODY))
        return False

    # -- changes -------------------------------------------------------------------------------------------------------

    def granted(self, right: Right, member: str) -> Acl:
        """Add a member to a list."""
        return replace(self, lists=_added(self.lists, right, _member(member)))

    def revoked(self, right: Right, member: str) -> Acl:
        """Take a member out of a list."""
        return replace(self, lists=_removed(self.lists, right, member))

    def joined(self, group: str, member: str) -> Acl:
        """Add a member to a group, which is made if there is none."""
        if len(self.groups) >= MAX_GROUPS and group not in self.groups:
            raise ObjectInvalid("invalid name", f"a context may have {MAX_GROUPS} groups")
        return replace(self, groups=_added(self.groups, _name(group), _member(member)))

    def left(self, group: str, member: str) -> Acl:
        """Take a member out of a group; an empty group is removed."""
        return replace(self, groups=_removed(self.groups, group, member))

    # -- storage -------------------------------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON: `admin`, `write`, `read` and `groups`, sorted."""
        lists = {right.word: sorted(self.lists.get(right, ())) for right in sorted(Right, reverse=True)}
        return {**lists, "groups": {name: sorted(self.groups[name]) for name in sorted(self.groups)}}

    def encode(self) -> str:
        """Write it as it is stored, with the next version."""
        return f"{self.version + 1} {orjson.dumps(self.as_json()).decode()}"


def decode_acl(text: str | None) -> Acl:
    """Read what `Acl.encode` wrote. What cannot be read gives no right.

    Args:
        text: As stored; None if there is none.
    """
    try:
        return read_acl(text)
    except ObjectInvalid:
        # Another program wrote here; the owner can put new lists in its place.
        found = re.match("[0-9]{1,15}", text or "")
        return Acl(version=int(found.group()) if found else 0)


def read_acl(text: str | None) -> Acl:
    """Read what `Acl.encode` wrote.

    Args:
        text: As stored; None if there is none.

    Raises:
        ObjectInvalid: Another program wrote something else there.
    """
    version, _, rest = (text or "0 {}").partition(" ")
    try:
        parsed = orjson.loads(rest)
        return Acl(
            version=int(version),
            lists={right: _texts(parsed[right.word]) for right in Right if parsed.get(right.word)},
            groups={name: _texts(members) for name, members in parsed.get("groups", {}).items()},
        )
    except (ValueError, TypeError, AttributeError) as e:
        reason = "the rights are not what heroctl osis acl set writes, so only the owner has any"
        raise ObjectInvalid("deserialization error", reason) from e


def _texts(members: object) -> frozenset[str]:
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise TypeError("no list of texts")
    return frozenset(members)


def acl_change(change: str, to: str, member: str) -> Callable[[Acl], Acl]:
    """Make a change of the lists from words, as scripts, clients and operators give them.

    Args:
        change: "grant" or "revoke" a right, "join" or "leave" a group.
        to: The right or the group.
        member: A caller, or a group as `group:NAME`.

    Raises:
        ObjectInvalid: There is no such change or right.
    """
    if change in ("grant", "revoke"):
        right = Right.parse(to)
        return lambda acl: acl.granted(right, member) if change == "grant" else acl.revoked(right, member)
    if change in ("join", "leave"):
        return lambda acl: acl.joined(to, member) if change == "join" else acl.left(to, member)
    raise ObjectInvalid("invalid name", f"{shown(change)} is no change; it is grant, revoke, join or leave")


def is_owner(caller_id: str | None, context_id: str) -> bool:
    """Whether a caller may do everything, no matter what the lists say; None stands for the operator."""
    return caller_id is None or caller_id == context_id


def may(caller_id: str | None, context_id: str, acl: Acl, right: Right) -> bool:
    """Decide whether a caller may do something in a context.

    Args:
        caller_id: The caller; None for the operator, who may do everything.
        context_id: The context.
        acl: Its lists.
        right: The right that is needed.
    """
    if is_owner(caller_id, context_id):
        return True
    assert caller_id is not None
    has = acl.right_of(caller_id)
    return has is not None and has >= right


def _added(lists: Mapping[Any, frozenset[str]], name: Any, member: str) -> dict[Any, frozenset[str]]:
    members = lists.get(name, _NOBODY) | {member}
    if len(members) > MAX_MEMBERS:
        raise ObjectInvalid("invalid name", f"a list may have {MAX_MEMBERS} members; put them into groups")
    return {**lists, name: members}


def _removed(lists: Mapping[Any, frozenset[str]], name: Any, member: str) -> dict[Any, frozenset[str]]:
    members = lists.get(name, _NOBODY) - {member}
    rest = {other: lists[other] for other in lists if other != name}
    return {**rest, name: members} if members else rest


def _member(text: str) -> str:
    if text.startswith(GROUP_PREFIX):
        _name(text.removeprefix(GROUP_PREFIX))
        return text
    return _name(text)


def _name(text: str) -> str:
    if not 1 <= len(text) <= _MAX_NAME_CHARS or text.isspace():
        reason = f"a caller or a group has 1 to {_MAX_NAME_CHARS} characters, not {shown(text)}"
        raise ObjectInvalid("invalid name", reason)
    return text
