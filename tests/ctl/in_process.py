"""Runs `heroctl` in the process of the tests, for those that try many commands one after the other."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import pytest
import typer
import typer.testing

from hero_ctl.app import app

#: The tree of commands, made once per process.
_tree = functools.cache(typer.main.get_command)


def invoke(words: Sequence[str], *, env: Mapping[str, str | None] | None = None) -> typer.testing.Result:
    """Run a command. The runner of typer makes the tree of all commands anew each time, which takes longer than most.

    Args:
        words: Those behind `heroctl`.
        env: Variables that are set, or not to be set, meanwhile.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", _tree)
        return typer.testing.CliRunner().invoke(app, words, env=env)
