"""From text to playbook, and from the language's errors to outcomes: the same in a check and in a run. Pure."""

from __future__ import annotations

from hero_engine.engine import Failed
from hero_engine.languages.heroscript import HeroScriptError, ParseError, Playbook


def read_playbook(source: str) -> Playbook:
    """Read a script that is to be run.

    Args:
        source: The script.

    Raises:
        ParseError: It is not HeroScript, or it holds no action, which is most likely another language's script.
    """
    playbook = Playbook.parse(source)
    if not playbook.actions:
        raise ParseError("the script holds no action: no line begins with !", code="no_actions")
    return playbook


def failed(error: HeroScriptError) -> Failed:
    """Turn an error of the language into an outcome.

    Args:
        error: What was raised.

    Returns:
        A permanent failure, with line and column if it is about the job's own text; the place of an error in an
        included file stands in the message.
    """
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    place = error.place
    if place is None:
        return Failed(error.code, message, permanent=True)
    if place.path:
        return Failed(error.code, f"{place}: {message}", permanent=True)
    return Failed(error.code, message, place.line, place.column, permanent=True)
