"""The family `core`: what every script may use."""

from __future__ import annotations

from hero_engine.host.call import Call
from hero_engine.host.definition import Family

FAMILY = Family("core", "What every script may use.")


@FAMILY.function()
def progress(call: Call, done: float, total: float, text: str = "") -> None:
    """Report how far the job has come. Clients see it while the job runs.

    Example:
        progress(3, 10, "three of ten files");
    """
    call.progress(float(done), float(total), text)
