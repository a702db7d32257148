"""A playbook: the actions of one or more texts, what was said beside them, and how they are found and ordered.

Pure; reading files is `files`, following includes is `include`. Invariant: a load that fails changes nothing.

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
        actions: all of them; ids count from 1 over all loads.
        priorities: bucket to ids, filled by `filtersort`.
        othertext: comments that belong to no action.
        path: the first path that was loaded.
        session: free for whoever executes the playbook.
        warnings: what the texts hold that is surely not meant.
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
        """Read a script.

        Args:
            text: the script.
            path: what to call it in messages.
            replace: text replacement before anything else; places are those in the replaced text.
            priority: priority of its actions.
            keep_blank_lines: keep blank lines inside multi-line values, which are dropped by default [Q02].

        Raises:
            ParseError: the text is not HeroScript.
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
        """Read a further script; its actions are appended.

        Args:
            text: as for `parse`, like the arguments that follow.
            path: as for `parse`.
            replace: as for `parse`.
            priority: as for `parse`.
            keep_blank_lines: as for `parse`.
            errors: when given, errors go here and the actions concerned are left out.

        Returns:
            The new actions.

        Raises:
            ParseError: the text is not HeroScript, and `errors` was not given; the playbook is as before.
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
        """How many actions there are."""
        return len(self.actions)

    @property
    def done(self) -> list[int]:
        """Ids that the last `filtersort` put into a bucket; not the same as `Action.done`."""
        return [id for ids in self.priorities.values() for id in ids]

    # Selecting ----------------------------------------------------------------------------------------------------

    def find(self, filter: str, *, include_done: bool = False) -> list[Action]:
        """Actions that match a filter, in script order.

        Args:
            filter: see `ActionFilter`.
            include_done: also those marked done.
        """
        matches = ActionFilter(filter).matches
        return [
            action
            for action in self.actions
            if (include_done or not action.done) and matches(action.actor, action.name)
        ]

    def exists(self, filter: str) -> bool:
        """Whether any action that is not done matches."""
        return bool(self.find(filter))

    def exists_once(self, filter: str) -> bool:
        """Whether exactly one matches."""
        return len(self.find(filter)) == 1

    def max_once(self, filter: str) -> bool:
        """True if one matches, false if none.

        Raises:
            SelectError: more than one.
        """
        found = self.find(filter)
        if len(found) > 1:
            raise _too_many(f"found more than one action: '{shorten(filter)}'", found)
        return bool(found)

    def ensure_once(self, filter: str) -> Action:
        """The one action that matches.

        Raises:
            SelectError: none, or more than one.
        """
        found = self.find(filter)
        if not found:
            raise self._none(f"No actions found based on filter: {shorten(filter)}", filter)
        if len(found) > 1:
            message = f"More than 1 action found based on filter: {shorten(filter)}, this Playbook only supports 1."
            raise _too_many(message, found)
        return found[0]

    def get(self, filter: str) -> Action:
        """The one action that matches.

        Raises:
            SelectError: none, or more than one.
        """
        found = self.find(filter)
        if not found:
            raise self._none(f"can't find action: '{shorten(filter)}'", filter)
        if len(found) > 1:
            raise _too_many(f"found more than one action: '{shorten(filter)}'", found)
        return found[0]

    def params_get(self, filter: str) -> Params:
        """The params of all that match, merged; later ones win."""
        merged = Params()
        for action in self.find(filter):
            merged.merge(action.params)
        return merged

    def names(self) -> list[str]:
        """The name of every action, in sorted order (see `actions_sorted`)."""
        return [action.name for action in self.actions_sorted()]

    # Order --------------------------------------------------------------------------------------------------------

    def filtersort(self, priorities: Mapping[int, str], *, prio_only: bool = False) -> list[Action]:
        """Put the actions into buckets.

        Args:
            priorities: bucket, 0 to 49, to filter. An action goes into the lowest bucket that matches it and takes
                its number as priority; all others form bucket 50 and keep theirs [Q29].
            prio_only: leave out bucket 50.

        Returns:
            The actions in their new order; computed anew every time [Q28].

        Raises:
            SelectError: a bucket above 49.
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
        """The actions by bucket, inside a bucket in script order; all in script order before any `filtersort`.

        Args:
            prio_only: leave out bucket 50. Actions added after the sort belong to it.
        """
        if not self.priorities:
            return list(self.actions)
        bucket_of = {id: bucket for bucket, ids in self.priorities.items() for id in ids}
        found = [(bucket_of.get(action.id, _LAST_BUCKET), action) for action in self.actions]
        found.sort(key=lambda pair: pair[0])
        return [action for bucket, action in found if not prio_only or bucket < _LAST_BUCKET]

    # Done marks ---------------------------------------------------------------------------------------------------

    def pending(self) -> list[Action]:
        """Actions not done, in sorted order."""
        return [action for action in self.actions_sorted() if not action.done]

    def ensure_processed(self, filter: str) -> None:
        """Demand that everything a filter matches is done.

        Raises:
            SelectError: names the first that is not.
        """
        found = self.find(filter)
        if found:
            raise SelectError(f"action not done: '{found[0].full_name}'", place=found[0].place)

    def empty_check(self) -> None:
        """Demand that everything is done.

        Raises:
            SelectError: holds the script of what is left.
        """
        left = self.pending()
        if left:
            message = "There are actions left to execute, see below:\n" + export_actions(left)
            raise SelectError(message, place=left[0].place, code="left")

    # Text ---------------------------------------------------------------------------------------------------------

    def heroscript(self, *, show_done: bool = False) -> str:
        """The playbook as a script that reads back to the same actions.

        Args:
            show_done: also write what is done.
        """
        return export_actions(action for action in self.actions_sorted() if show_done or not action.done)

    def hashkey(self, *, number: bool = True) -> str:
        """Hash over all actions.

        Args:
            number: whether the ids count, as in the reference; without them equal content hashes alike [Q31].
        """
        return hash_actions(self.actions_sorted(), number=number)

    def __repr__(self) -> str:
        return f"<Playbook {self.path or 'text'}: {len(self.actions)} actions>"

    def _none(self, message: str, filter: str) -> SelectError:
        return SelectError(message, hint=did_you_mean(filter, {action.full_name for action in self.actions}))


def _too_many(message: str, found: list[Action]) -> SelectError:
    return SelectError(message, place=found[1].place, hint=f"the first of them is at {found[0].place}")
