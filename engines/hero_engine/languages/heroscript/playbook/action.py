"""One action of a playbook: its name, its parameters, and whether it is done. Only data."""

from __future__ import annotations

from enum import StrEnum

from hero_engine.languages.heroscript.params.params import Params
from hero_engine.languages.heroscript.text.diagnostic import Place


class ActionType(StrEnum):
    """The type of an action, given by one to four exclamation marks. The parser never produces `unknown`."""

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
# The priority of an action that a program creates, as in the data model of the reference [Q29].
BARE_PRIORITY = 10


class Action:
    """An action.

    Args:
        actor: Normalised name; `core` if the script gives one name only.
        name: Normalised name.
        id: 1-based number in its playbook, 0 outside of one.
        type: The type, given by the exclamation marks.
        params: Its parameters.
        priority: 50 for an action of a script, unless the load says otherwise.
        comments: Text of the comment lines directly above it.

    Attributes:
        cid: An identifier that is free to use; the parser never sets it.
        done: Whether the action has been executed; the program that executes it sets this.

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
        """Parameters that the program that executes the action may fill; created on first use."""
        if self._result is None:
            self._result = Params()
        return self._result

    @property
    def full_name(self) -> str:
        """`actor.name`."""
        return f"{self.actor}.{self.name}"

    @property
    def place(self) -> Place | None:
        """Where its head is; None if it does not come from a text."""
        return self.params.place

    def __repr__(self) -> str:
        return f"<Action {self.id}:{self.full_name}>"
