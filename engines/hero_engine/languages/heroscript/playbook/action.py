"""One action of a playbook: what it is called, what it was given, and whether it is done. Data only."""

from __future__ import annotations

from enum import StrEnum

from hero_engine.languages.heroscript.params.params import Params
from hero_engine.languages.heroscript.text.diagnostic import Place


class ActionType(StrEnum):
    """What the number of exclamation marks says, one to four; `unknown` is never produced by the parser."""

    DAL = "dal"
    SAL = "sal"
    MACRO = "macro"
    WAL = "wal"
    UNKNOWN = "unknown"

    @property
    def bangs(self) -> str:
        """The prefix that this type is written with."""
        return _BANGS[self]


_BANGS = {
    ActionType.DAL: "!",
    ActionType.SAL: "!!",
    ActionType.MACRO: "!!!",
    ActionType.WAL: "!!!!",
    ActionType.UNKNOWN: "!!",
}

DEFAULT_PRIORITY = 50
# What an action has that no script made; part of the data model of the reference [Q29].
BARE_PRIORITY = 10


class Action:
    """An action.

    Args:
        actor: normalised name, `core` if the script gave one name only.
        name: normalised name.
        id: 1-based number inside its playbook, 0 outside of one.
        type: by the number of exclamation marks.
        params: what it was given.
        priority: 50 for what a script holds, unless the load said otherwise.
        comments: text of the comment lines directly above it.

    Attributes:
        cid: free identifier, never set by the parser.
        done: false until something that executes it says so.

    Source: specification, section 1.
    """

    __slots__ = ("_result", "actor", "cid", "comments", "done", "id", "name", "params", "priority", "type")

    def __init__(
        self,
        actor: str,
        name: str,
        *,
        id: int = 0,
        type: ActionType = ActionType.SAL,
        params: Params | None = None,
        priority: int = BARE_PRIORITY,
        comments: str = "",
    ) -> None:
        self.id = id
        self.cid = ""
        self.actor = actor
        self.name = name
        self.type = type
        self.priority = priority
        self.params = Params() if params is None else params
        self.comments = comments
        self.done = False
        self._result: Params | None = None

    @property
    def result(self) -> Params:
        """Params that whatever executes the action may fill; made when first asked for."""
        if self._result is None:
            self._result = Params()
        return self._result

    @property
    def full_name(self) -> str:
        """`actor.name`."""
        return f"{self.actor}.{self.name}"

    @property
    def place(self) -> Place | None:
        """Where its head stands, None if no text holds it."""
        return self.params.place

    def __repr__(self) -> str:
        return f"<Action {self.id}:{self.full_name}>"
