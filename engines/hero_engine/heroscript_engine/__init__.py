"""Runs HeroScript: each action calls a handler, a Python function.

A package with handlers imports what it needs from here. The import is light: it loads neither pydantic nor the parser.

    from hero_engine.heroscript_engine import Context, action

    @action("wallet.send")
    def send(ctx: Context, to: str, amount: Decimal) -> dict[str, str]:
        ...

The actor's process (`engine`) keeps one template process (`children.template`), which has loaded the parser, pydantic
and all handlers, and which only forks. Every job runs in a fork of it (`children.child`). The fork is killed, with all
of its descendants, when the job has ended or must not continue.
"""

from hero_engine.heroscript_engine.run.actions import VOCABULARY, VocabularyError, action
from hero_engine.heroscript_engine.run.context import Context, ScriptSession

#: The name in 0.1, for packages that still import it.
Session = ScriptSession

__all__ = ["VOCABULARY", "Context", "ScriptSession", "Session", "VocabularyError", "action"]
