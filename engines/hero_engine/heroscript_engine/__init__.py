"""Runs HeroScript: an action is a call of a handler, a script a list of calls.

What a package with handlers needs is here, and light: neither pydantic nor the parser is loaded by it.

    from hero_engine.heroscript_engine import Context, action

    @action("wallet.send")
    def send(ctx: Context, to: str, amount: Decimal) -> dict[str, str]:
        ...

How it runs: the actor's process (`engine`) keeps one template process (`template`), which has loaded parser, pydantic
and all handlers and does nothing but fork; every job runs in a fork of it (`child`), which is killed with its whole
tree when the job has ended or may not go on.
"""

from hero_engine.heroscript_engine.run.actions import VOCABULARY, VocabularyError, action
from hero_engine.heroscript_engine.run.context import Context, Session

__all__ = ["VOCABULARY", "Context", "Session", "VocabularyError", "action"]
