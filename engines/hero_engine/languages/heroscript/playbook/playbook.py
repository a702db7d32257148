"""A playbook: the actions of one or more scripts, their other text and warnings, and how actions are selected and
ordered.

Pure; `files` reads files, and `include` follows includes. Invariant: a failed load changes nothing.

Source: HeroScript specification, sections 1, 6 and 8.
"""

from __future__ import annotations

from collections.abc import Mapping

from hero_engine.languages.heroscript.params.params import Params
from hero_engine.languages.heroscript.playbook.action import DEFAULT_PRIORITY, Action
from hero_engine.languages.heroscript.playbook.export import export_actions, hash_actions
from hero_engine.languages.heroscript.playbook.filters import ActionFilter
from hero_engine.languages.heroscript.playbook.script_reader import ScriptReader
from hero_engine.languages.heroscript.text.diagnostic import Diagnostic, did_you_mean, shorten
from hero_engine.languages.heroscript.text.errors import HeroScriptError, SelectError
from hero_engine.languages.heroscript.text.source import Source, replace_words

_LAST_BUCKET = 50


class Playbook:
    """Actions in the order of their texts.

    Attributes:
        actions: All actions; their ids count from 1 across all loads.
        priorities: The ids in each bucket; `filtersort` fills it.
        othertext: Comments that belong to no action.
        path: The first path that was loaded.
        session: For the program that executes the playbook to use.
        warnings: Likely mistakes in the texts.
    """

    __slots__ = ("actions", "othertext", "path", "priorities", "session", "warnings")

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.priorities: dict[int, list[int]] = {}
        self.othertext = ""
        self.path = ""
        self.session: object = None
        self.warnings: list[Diagnostic] = []

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        path: str = "",
        replace: Mapping[str, str] | None = None,
        priority: int = DEFAULT_PRIORITY,
        keep_blank_lines: bool = False,
    ) -> Playbook:
        """Parse a script.

        Args:
            text: The script.
            path: Its name in messages.
            replace: Text replacement before anything else; places refer to the replaced text.
            priority: Priority of its actions.
            keep_blank_lines: Keep blank lines inside multi-line values. By default they are dropped [Q02].

        Raises:
            ParseError: The text is not HeroScript.
        """
        playbook = cls()
        playbook.add(text, path=path, replace=replace, priority=priority, keep_blank_lines=keep_blank_lines)
        return playbook

    def add(
        self,
        text: str,
        *,
        path: str = "",
        replace: Mapping[str, str] | None = None,
        priority: int = DEFAULT_PRIORITY,
        keep_blank_lines: bool = False,
        errors: list[HeroScriptError] | None = None,
    ) -> list[Action]:
        """Parse another script and append its actions.

        Args:
            text: As for `parse`, like the next four.
            path: As for `parse`.
            replace: As for `parse`.
            priority: As for `parse`.
            keep_blank_lines: As for `parse`.
            errors: If given, errors are appended to it and the actions concerned are left out.

        Returns:
            The new actions.

        Raises:
            ParseError: The text is not HeroScript, and `errors` was not given. The playbook is unchanged.
        """
        source = Source(replace_words(text, replace) if replace else text, path)
        reader = ScriptReader(
            source,
            first_id=len(self.actions) + 1,
            priority=priority,
            keep_blank_lines=keep_blank_lines,
            errors=errors,
        )
        reader.read()
        self.actions += reader.actions
        self.warnings += reader.warnings
        if reader.othertext:
            start = self.othertext + "\n" if self.othertext and not self.othertext.endswith("\n") else self.othertext
            self.othertext = start + "".join(reader.othertext)
        self.path = self.path or path
        return reader.actions

    @property
    def nractions(self) -> int:
        """The number of actions."""
        return len(self.actions)

    @property
    def done(self) -> list[int]:
        """The ids that the last `filtersort` put into a bucket. This is not `Action.done`."""
        return [id for ids in self.priorities.values() for id in ids]

    # Selecting ----------------------------------------------------------------------------------------------------

    def find(self, filter: str, *, include_done: bool = False) -> list[Action]:
        """Find the actions that match a filter, in script order.

        Args:
            filter: See `ActionFilter`.
            include_done: Include actions that are marked as done.
        """
        matches = ActionFilter(filter).matches
        return [
            action
            for action in self.actions
            if (include_done or not action.done) and matches(action.actor, action.name)
        ]

    def exists(self, filter: str) -> bool:
        """Whether an action that is not done matches."""
        return bool(self.find(filter))

    def exists_once(self, filter: str) -> bool:
        """Whether exactly one action matches."""
        return len(self.find(filter)) == 1

    def max_once(self, filter: str) -> bool:
        """Return True if one action matches, False if none does.

        Raises:
            SelectError: More than one action matches.
        """
        if not self.exists(filter):
            return False
        self.get(filter)
        return True

    def ensure_once(self, filter: str) -> Action:
        """Return the one action that matches.

        Raises:
            SelectError: No action matches, or more than one.
        """
        return self._one(
            filter,
            f"No actions found based on filter: {shorten(filter)}",
            f"More than 1 action found based on filter: {shorten(filter)}, this Playbook only supports 1.",
        )

    def get(self, filter: str) -> Action:
        """Return the one action that matches. It differs from `ensure_once` only in its messages, as in the reference.

        Raises:
            SelectError: No action matches, or more than one.
        """
        too_many = f"found more than one action: '{shorten(filter)}'"
        return self._one(filter, f"can't find action: '{shorten(filter)}'", too_many)

    def params_get(self, filter: str) -> Params:
        """Merge the parameters of all actions that match; later values win."""
        merged = Params()
        for action in self.find(filter):
            merged.merge(action.params)
        return merged

    def names(self) -> list[str]:
        """The names of all actions, in sorted order (see `actions_sorted`)."""
        return [action.name for action in self.actions_sorted()]

    # Order --------------------------------------------------------------------------------------------------------

    def filtersort(self, priorities: Mapping[int, str], *, prio_only: bool = False) -> list[Action]:
        """Sort the actions into buckets.

        Args:
            priorities: A filter for each bucket, 0 to 49. An action goes into the lowest bucket whose filter matches,
                and gets the number of the bucket as its priority. The others form bucket 50 and keep their priority
                [Q29].
            prio_only: Leave out bucket 50.

        Returns:
            The actions in their new order, which is computed anew every time [Q28].

        Raises:
            SelectError: A bucket has a number above 49.
        """
        if any(number >= _LAST_BUCKET for number in priorities):
            raise SelectError("prio cannot be higher than 49")
        filters = [(number, ActionFilter(priorities[number])) for number in sorted(priorities)]
        self.priorities = {}
        for action in self.actions:
            bucket = _LAST_BUCKET
            for number, filter in filters:
                if filter.matches(action.actor, action.name):
                    bucket = action.priority = number
                    break
            self.priorities.setdefault(bucket, []).append(action.id)
        return self.actions_sorted(prio_only=prio_only)

    def actions_sorted(self, *, prio_only: bool = False) -> list[Action]:
        """Return the actions by bucket, and within a bucket in script order. Before any `filtersort`, all are in script
        order.

        Args:
            prio_only: Leave out bucket 50, which includes actions that were added after the sort.
        """
        if not self.priorities:
            return list(self.actions)
        bucket_of = {id: bucket for bucket, ids in self.priorities.items() for id in ids}
        found = [(bucket_of.get(action.id, _LAST_BUCKET), action) for action in self.actions]
        found.sort(key=lambda pair: pair[0])
        return [action for bucket, action in found if not prio_only or bucket < _LAST_BUCKET]

    # Done marks ---------------------------------------------------------------------------------------------------

    def pending(self) -> list[Action]:
        """The actions that are not done, in sorted order."""
        return [action for action in self.actions_sorted() if not action.done]

    def ensure_processed(self, filter: str) -> None:
        """Demand that all actions that match a filter are done.

        Raises:
            SelectError: One is not; the message names the first.
        """
        found = self.find(filter)
        if found:
            raise SelectError(f"action not done: '{found[0].full_name}'", place=found[0].place)

    def empty_check(self) -> None:
        """Demand that all actions are done.

        Raises:
            SelectError: Some are not; the message has them as a script.
        """
        left = self.pending()
        if left:
            message = "There are actions left to execute, see below:\n" + export_actions(left)
            raise SelectError(message, place=left[0].place, code="left")

    # Text ---------------------------------------------------------------------------------------------------------

    def heroscript(self, *, show_done: bool = False) -> str:
        """Write the playbook as a script; parsing it gives the same actions.

        Args:
            show_done: Include the actions that are done.
        """
        return export_actions(action for action in self.actions_sorted() if show_done or not action.done)

    def hashkey(self, *, number: bool = True) -> str:
        """Hash all actions.

        Args:
            number: The ids count, as in the reference. Without them, equal content has equal hashes [Q31].
        """
        return hash_actions(self.actions_sorted(), number=number)

    def __repr__(self) -> str:
        return f"<Playbook {self.path or 'text'}: {len(self.actions)} actions>"

    def _one(self, filter: str, none: str, too_many: str) -> Action:
        """Return the one action that matches, or raise one of these messages."""
        found = self.find(filter)
        if not found:
            raise SelectError(none, hint=did_you_mean(filter, {action.full_name for action in self.actions}))
        if len(found) > 1:
            raise SelectError(too_many, place=found[1].place, hint=f"the first of them is at {found[0].place}")
        return found[0]
