"""Parses HeroScript for the engines that run it, and turns errors of the language into outcomes.

The HeroScript engine and the V engine both use it, in a check and in a run, so that a script is valid for both or for
neither. It imports the parser, so engines import it only when the first script arrives. Pure.
"""

from __future__ import annotations

from hero_engine.engine import Failed, Script
from hero_engine.languages.heroscript import HeroScriptError, ParseError, Playbook


def read_playbook(source: str) -> Playbook:
    """Parse a script that is to be run.

    Args:
        source: The script.

    Returns:
        Its actions, one at least.

    Raises:
        ParseError: The text is not HeroScript, or holds no action; then it is most likely in another language.
    """
    playbook = Playbook.parse(source)
    if not playbook.actions:
        raise ParseError("the script holds no action: no line begins with !", code="no_actions")
    return playbook


def check_heroscript(script: Script) -> Failed | None:
    """Parse a script without running it.

    Args:
        script: The script.

    Returns:
        The first error, or None.
    """
    try:
        read_playbook(script.source)
    except HeroScriptError as e:
        return failed(e)
    return None


def failed(error: HeroScriptError) -> Failed:
    """Turn an error of the language into an outcome.

    Args:
        error: The error.

    Returns:
        A permanent failure. It has a line and a column if the error is in the job's own script; for an error in an
        included file, the place is part of the message.
    """
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    place = error.place
    if place is None:
        return Failed(error.code, message, permanent=True)
    if place.path:
        return Failed(error.code, f"{place}: {message}", permanent=True)
    return Failed(error.code, message, place.line, place.column, permanent=True)
